// Short messages at the bottom of the page. They come from scripts (toast()), from the server's HX-Trigger: {"toast": {…}},
// from pushes, and as markup that the server puts into #toasts. Each leaves after its seconds, later while it is read.

import htmx from 'htmx.org/dist/htmx.esm.js';
import { make, onPage } from '../lib/page.js';
import { text } from '../lib/texts.js';

const SECONDS = 10;

/**
 * Show a message. {text, url} links it; {text, undo: "/…", target: "#composer", swap} adds an undo button that posts there
 * and puts the answer (the draft that comes back) into the target; {seconds, bad, label} as they say.
 */
export function toast({ text: words, url, undo, target, swap, label, seconds = SECONDS, bad = false }) {
  const box = make('div', { class: bad ? 'toast bad' : 'toast', 'data-seconds': seconds }, make('span', {}, words));
  if (url) box.append(make('a', { href: url }, label ?? '→'));
  if (undo) {
    const take = () => {
      box.remove();
      htmx.ajax('POST', undo, { target: target ?? 'body', swap: swap ?? (target ? 'outerHTML' : 'none') });
    };
    box.append(make('button', { type: 'button', onclick: take }, label ?? text('undo')));
  }
  holder().append(box);
  return box;
}

function holder() {
  return document.getElementById('toasts') ?? document.body.appendChild(make('div', { id: 'toasts', role: 'status' }));
}

document.addEventListener('toast', ({ detail }) => toast(detail.value ? { text: detail.value } : detail));

onPage('#toasts > .toast', (box) => {
  let left = Number(box.dataset.seconds) || SECONDS;
  if (!box.querySelector('button')) {
    box.append(make('button', { type: 'button', 'aria-label': text('close'), 'data-close': true, onclick: () => box.remove() }, '×'));
  }
  const timer = setInterval(() => {
    if (!box.isConnected) clearInterval(timer);
    else if (!box.matches(':hover, :focus-within') && --left <= 0) box.remove();
  }, 1000);
});
