// <form data-keep="request">: what is being written stays in this browser until it has arrived, whatever happens to the page, the
// network or the session. Put back when the form opens with those fields empty; [data-keep-state] says so. A page with
// [data-keep-done="request"] says that it arrived. Choices are kept too; files and hidden fields are not. Fields that come later (a
// topic's own) take their words when they come.
// <input type="hidden" data-zone> takes the browser's time zone, so that promised times can be told on the reader's clock.

import { onPage } from '../lib/page.js';
import { text } from '../lib/texts.js';

const PAUSE_MS = 300;
const DAYS = 7;

class Kept {
  constructor(form) {
    this.form = form;
    this.store = `helpdesk.keep ${form.dataset.keep}`;
    this.restore();
    form.addEventListener('input', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.keep(), PAUSE_MS);
    });
    form.addEventListener('submit', () => this.keep());
    addEventListener('pagehide', () => this.timer && this.keep());
    new MutationObserver((changes) => changes.some(({ addedNodes }) => [...addedNodes].some((node) => node.querySelector?.('[name^="c-"]'))) && this.restore()).observe(form, { childList: true, subtree: true });
  }

  fields() {
    return [...this.form.elements].filter((field) => field.matches('input[type=text], input[type=email], input[type=search], input[type=date], select, textarea') && field.tabIndex >= 0);
  }

  keep() {
    clearTimeout(this.timer);
    this.timer = null;
    const words = { ...read(this.store)?.words, ...Object.fromEntries(this.fields().map((field) => [field.name, field.value])) };
    try {
      if (Object.values(words).some((value) => value.trim())) localStorage.setItem(this.store, JSON.stringify({ at: Date.now(), words }));
      else localStorage.removeItem(this.store);
    } catch {
      // A full or forbidden store: the server gives the words back with every refusal.
    }
  }

  restore() {
    const kept = read(this.store);
    if (!kept) return;
    if (Date.now() - kept.at > DAYS * 86_400_000) {
      localStorage.removeItem(this.store);
      return;
    }
    let isBack = false;
    for (const field of this.fields()) {
      if (field.value || !kept.words[field.name]) continue;
      field.value = kept.words[field.name];
      if (!field.value) continue;  // a choice that is offered no longer
      setTimeout(() => field.dispatchEvent(new Event('change', { bubbles: true })));  // once htmx listens: a topic brings its fields
      isBack = true;
    }
    const place = this.form.querySelector('[data-keep-state]');
    if (isBack && place) place.textContent = text('wordsKept');
    if (isBack) document.getElementById('suggestions')?.dispatchEvent(new Event('suggest'));
  }
}

function read(store) {
  try {
    return JSON.parse(localStorage.getItem(store) ?? 'null');
  } catch {
    return null;
  }
}

onPage('[data-keep-done]', (place) => localStorage.removeItem(`helpdesk.keep ${place.dataset.keepDone}`));
onPage('form[data-keep]', (form) => new Kept(form));
onPage('input[data-zone]', (input) => {
  input.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';
});
