// <form data-autosave="/kb/manage/7/en/draft">: what is being written reaches the server while one writes (PUT). The answer's version goes
// into the form, so that the next save has seen it; a conflict stops the saving and says so: the form's own button then shows both texts.

import { send } from '../lib/http.js';
import { onPage } from '../lib/page.js';
import { clockTime, text } from '../lib/texts.js';

const PAUSE_MS = 3000;  // after the last key
const LATEST_MS = 15_000;  // even while somebody keeps typing

class Autosave {
  constructor(form) {
    this.form = form;
    form.addEventListener('input', ({ target }) => target.matches('[name=title], [name=body]') && this.changed());
    form.addEventListener('submit', () => this.stop());
  }

  changed() {
    if (this.stopped) return;
    this.since ??= Date.now();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), Math.max(0, Math.min(PAUSE_MS, this.since + LATEST_MS - Date.now())));
  }

  async save() {
    if (this.saving || !this.since || this.stopped) return;
    this.saving = true;
    this.since = null;
    const fields = new URLSearchParams([...new FormData(this.form)].filter(([name]) => ['title', 'body', 'version'].includes(name)));
    try {
      const answer = await send('PUT', this.form.dataset.autosave, fields);
      const { version, trouble } = answer.headers.get('Content-Type')?.includes('json') ? await answer.json() : {};
      if (version) {
        for (const field of document.querySelectorAll('input[name=version]')) field.value = version;
        this.say(text('draftSaved', { time: clockTime() }));
      } else {
        this.say(trouble || text('failed'), true);
        if (answer.status === 409) this.stop();
      }
    } catch {
      this.say(text('offline'), true);
      this.since = Date.now();
    } finally {
      this.saving = false;
      if (this.since) this.changed();
    }
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  say(words, isBad = false) {
    const place = this.form.querySelector('[data-autosave-state]');
    if (!place) return;
    place.textContent = words;
    place.classList.toggle('tone-bad', isBad);
  }
}

onPage('form[data-autosave]', (form) => new Autosave(form));
