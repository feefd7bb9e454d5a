// One page-wide clock on server time draws every <sla-timer due window> and <rel-time at>, once a second.
// Seconds since 1970 throughout. The server rendered the text already, so nothing moves until a second has passed.

import { duration, relative, slaLabel, slaState, slaText } from '../lib/time-text.js';
import { language, text } from '../lib/texts.js';

const shown = new Set();
let ahead = Number(document.body?.dataset.now) ? Number(document.body.dataset.now) - Date.now() / 1000 : 0;

/** The server's time, in seconds. */
export function serverNow() {
  return Date.now() / 1000 + ahead;
}

/** Set by what the server says about its clock; `roundTrip` seconds passed since it was asked. */
export function setServerNow(seconds, roundTrip = 0) {
  if (Number.isFinite(seconds)) ahead = seconds + roundTrip / 2 - Date.now() / 1000;
}

class Ticking extends HTMLElement {
  connectedCallback() {
    shown.add(this);
    this.tick();
  }

  disconnectedCallback() {
    shown.delete(this);
  }

  attributeChangedCallback() {
    if (this.isConnected) this.tick();
  }
}

class SlaTimer extends Ticking {
  static observedAttributes = ['due', 'window', 'data-paused', 'data-closed'];

  tick() {
    if (!this.hasAttribute('due')) return;
    // While the clock stands still, data-paused says how much was left, or the third part of data-closed="from until left".
    const [from, until, open] = (this.dataset.closed ?? '').split(' ').map(Number);
    const closed = from <= serverNow() && serverNow() < until;
    const paused = closed || this.hasAttribute('data-paused');
    const stood = closed ? open : this.dataset.paused;
    const left = Math.trunc(paused && stood !== '' ? Number(stood) : Number(this.getAttribute('due')) - serverNow());
    const state = slaState(left, Number(this.getAttribute('window')) || 3600, paused);
    const words = slaText(left, language());
    const badge = this.firstElementChild ?? this.appendChild(document.createElement('span'));
    if (badge.textContent === words && badge.className === `sla ${state}`) return;
    badge.className = `sla ${state}`;
    badge.textContent = words;
    const label = text(slaLabel(left, state), { time: duration(left, language()) });
    badge.title = this.dataset.exact ? `${label} · ${this.dataset.exact}` : label;
    badge.setAttribute('role', 'img');
    badge.setAttribute('aria-label', badge.title);
  }
}

class RelTime extends Ticking {
  static observedAttributes = ['at'];

  tick() {
    const words = relative(serverNow() - Number(this.getAttribute('at')), language());
    if (words !== null && this.textContent !== words) this.textContent = words;
  }
}

customElements.define('sla-timer', SlaTimer);
customElements.define('rel-time', RelTime);

function tickAll() {
  if (!document.hidden) for (const element of shown) element.tick();
}

setInterval(tickAll, 1000);
document.addEventListener('visibilitychange', tickAll);
