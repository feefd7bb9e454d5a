// Small helps that several forms share.
//   <select data-submit>             sends its form when it changes (filters); the button beside it is for pages without scripts
//   <button data-copy="text">        copies
//   <button data-insert="text" data-into="#body">  puts text where the cursor stands (an article's link, a suggestion)
//   <input type=range><output>         says where the slider stands
//   <button data-full-screen>        shows the page without the browser around it

import { on } from '../lib/page.js';
import { text } from '../lib/texts.js';
import { toast } from './toasts.js';

on('change', '[data-submit]', (_event, control) => control.form?.requestSubmit());

on('input', 'input[type=range]', (_event, slider) => slider.nextElementSibling?.matches('output') && (slider.nextElementSibling.value = slider.value));

on('click', '[data-copy]', async (_event, button) => {
  await navigator.clipboard.writeText(button.dataset.copy);
  toast({ text: text('copied'), seconds: 3 });
});

on('click', '[data-insert]', (_event, button) => insert(document.querySelector(button.dataset.into ?? '#body'), button.dataset.insert));

on('click', '[data-full-screen]', () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
});

/** Put words into a text field at the cursor, the way typing would (undo works, drafts notice). */
export function insert(field, words) {
  if (!field) return;
  const { selectionStart: from, selectionEnd: to, value } = field;
  const gap = from > 0 && !/\s$/.test(value.slice(0, from)) ? ' ' : '';
  field.focus();
  field.setRangeText(gap + words, from, to, 'end');
  field.dispatchEvent(new InputEvent('input', { bubbles: true, inputType: 'insertText', data: words }));
}

// A second click on a button that is already sending would send twice. htmx queues its own forms and has cancelled the
// event by now; a form that only downloads leaves the page standing, so the bar is lifted after a while.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== 'post') return;
  if (form.dataset.clientSent) {
    event.preventDefault();
    return;
  }
  form.dataset.clientSent = '1';
  setTimeout(() => delete form.dataset.clientSent, 5000);
});
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('[data-client-sent]')) delete form.dataset.clientSent;
});
