// Words of a reply that waits for its hour are never lost to a page that draws itself anew.
//   <form data-typed="scheduled 12" data-ticket="3">: what is being typed over the words that the desk has stays in the form
//     until it was sent. When the form itself goes (the reply has left meanwhile), the words go to the composer.
//   <template data-returned="12" data-at="epoch">words</template>: a reply that came back to its author while the composer was
//     open (<form id="composer" data-drawn="epoch">). The server has its words in the draft; the composer gets them, too, before
//     its next save would take them out again.

import { on, onPage } from '../lib/page.js';
import { text } from '../lib/texts.js';
import { toast } from './toasts.js';

const typed = new Map();
const returned = new Set();

on('input', 'form[data-typed]', (_event, form) => {
  const fields = [...form.elements].filter((field) => field.matches('textarea, input:not([type=hidden])') && field.value !== field.defaultValue);
  if (fields.length) typed.set(form.dataset.typed, { ticket: form.dataset.ticket, was: form.elements.body?.defaultValue ?? '', fields: fields.map(({ name, value }) => [name, value]) });
  else typed.delete(form.dataset.typed);
});

document.addEventListener('htmx:after:request', ({ target, detail }) => {
  const status = detail.ctx.response?.status ?? 0;
  if (status >= 200 && status < 300 && target.matches?.('form[data-typed]')) typed.delete(target.dataset.typed);
});

/** The form as its writer left it, whatever has been drawn into it since. */
function putBack(form) {
  for (const [name, value] of typed.get(form.dataset.typed)?.fields ?? []) {
    const field = form.elements[name];
    if (!field || field.value === value) continue;
    field.value = value;
    form.closest('details')?.setAttribute('open', '');
  }
}

function afterDrawing() {
  document.querySelectorAll('form[data-typed]').forEach(putBack);
  document.querySelectorAll('template[data-returned]').forEach(takeBack);
  for (const [key, { ticket, was, fields }] of typed) {
    const isOpen = document.querySelector(`#thread[data-ticket="${CSS.escape(ticket)}"]`);
    if (!isOpen || document.querySelector(`form[data-typed="${CSS.escape(key)}"]`)) continue;
    const words = new Map(fields).get('body');
    if (words && !intoComposer(words, was)) continue;
    typed.delete(key);
  }
}

/** A reply that came back while this composer stood open. */
function takeBack(template) {
  const composer = document.getElementById('composer');
  const { returned: id, at } = template.dataset;
  if (!composer || returned.has(id) || Number(at) < Number(composer.dataset.drawn)) return;
  if (intoComposer(template.content.textContent)) returned.add(id);
}

/** Add words to what is being written, or let them stand where their older wording stands. Whether there is a composer. */
function intoComposer(words, was = '') {
  const body = document.querySelector('#composer textarea');
  if (!body) return false;
  const before = body.value;
  if (before.includes(words)) return true;
  if (was && before.includes(was)) body.value = before.replace(was, () => words);
  else body.value = before.trim() ? `${before}\n\n${words}` : words;
  body.dispatchEvent(new InputEvent('input', { bubbles: true }));
  toast({ text: text('wordsInComposer') });
  return true;
}

onPage('form[data-typed]', putBack);
document.addEventListener('htmx:after:swap', afterDrawing);
