// <form data-draft data-draft-url="/tickets/42/draft">: what is being written is on the server within two seconds
// (PUT, the form's own fields), and in this browser at once, should the network be away. The server renders its draft into
// the form and says when it was saved (data-draft-at, epoch); a newer copy that only this browser has is put back when the
// form opens. [data-draft-state] says where it stands.

import { send } from '../lib/http.js';
import { onPage } from '../lib/page.js';
import { clockTime, text } from '../lib/texts.js';
import { serverNow } from './ticker.js';

const PAUSE_MS = 700;  // after the last key
const LATEST_MS = 1800;  // even while somebody keeps typing

class Draft {
  constructor(form) {
    this.form = form;
    this.url = form.dataset.draftUrl;
    this.store = `helpdesk.draft ${this.url}`;
    this.restore();
    form.addEventListener('input', () => this.changed());
    form.addEventListener('submit', () => this.leaving());
    form.addEventListener('htmx:after:request', ({ detail }) => this.sent(detail.ctx.response?.status ?? 0));
    addEventListener('pagehide', () => this.flush());
  }

  changed() {
    const now = Date.now();
    this.since ??= now;
    this.keep();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), Math.max(0, Math.min(PAUSE_MS, this.since + LATEST_MS - now)));
  }

  async save() {
    if (!this.since) return;
    if (this.saving) {
      this.again = true;
      return;
    }
    this.saving = true;
    this.since = null;
    this.say(text('draftSaving'));
    this.request = new AbortController();
    const sent = JSON.stringify(this.fields());
    try {
      const options = { fetch: { signal: this.request.signal } };
      const answer = await send('PUT', this.url, new URLSearchParams(this.fields()), options);
      if (!answer.ok) throw new Error(String(answer.status));
      if (sent === JSON.stringify(this.fields())) this.drop();
      this.say(text('draftSaved', { time: clockTime() }));
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.say(text('draftLocal'), true);
      this.since = Date.now();
      this.timer = setTimeout(() => this.save(), 10_000);
    } finally {
      this.saving = false;
      if (this.again) {
        this.again = false;
        this.save();
      }
    }
  }

  /** The page is going away: the last words still have to arrive. */
  flush() {
    if (!this.since || !this.form.isConnected) return;
    send('PUT', this.url, new URLSearchParams(this.fields()), { fetch: { keepalive: true } }).catch(() => {});
  }

  /** The form itself is on its way: a late save must not bring the draft back after it was sent. */
  leaving() {
    clearTimeout(this.timer);
    this.since = null;
    this.request?.abort();
    // htmx tells how it went (below); after a plain form the server renders whatever is left to write.
    if (!this.form.matches('[hx-post]')) this.drop();
  }

  sent(status) {
    if (status >= 200 && status < 300) this.drop();
    else this.changed();
  }

  keep() {
    try {
      localStorage.setItem(this.store, JSON.stringify({ at: serverNow(), fields: this.fields() }));
    } catch {
      // A full or forbidden store: the server's copy is the one that counts.
    }
  }

  drop() {
    localStorage.removeItem(this.store);
  }

  restore() {
    const kept = JSON.parse(localStorage.getItem(this.store) ?? 'null');
    if (!kept) return;
    if (kept.at <= Number(this.form.dataset.draftAt || 0)) {
      this.drop();
      return;
    }
    for (const [name, value] of kept.fields) {
      const field = this.form.elements[name];
      const isText = field instanceof HTMLTextAreaElement || (field instanceof HTMLInputElement && field.type === 'text');
      if (isText || field instanceof RadioNodeList) field.value = value;
    }
    this.since = Date.now();
    this.timer = setTimeout(() => this.save(), PAUSE_MS);
  }

  fields() {
    return [...new FormData(this.form)].filter(([name, value]) => typeof value === 'string' && name !== 'csrf_token');
  }

  say(words, bad = false) {
    const place = this.form.querySelector('[data-draft-state]');
    if (!place) return;
    place.textContent = words;
    place.classList.toggle('bad', bad);
  }
}

onPage('form[data-draft]', (form) => new Draft(form));
