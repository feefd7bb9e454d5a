// <form data-confirm="Question?" [data-confirm-yes="Delete"]> and hx-confirm="Question?" ask in a native dialog first.

import { make } from '../lib/page.js';
import { text } from '../lib/texts.js';

const agreed = new WeakSet();

/** Ask; resolves to true or false. Escape and the backdrop mean no, and focus goes back where it was. */
export function ask(question, yes = text('confirm')) {
  return new Promise((resolve) => {
    const title = make('h2', { id: 'ask-title' }, question);
    const no = make('button', { class: 'btn', value: 'no', autofocus: true }, text('cancel'));
    const go = make('button', { class: 'btn btn-primary', value: 'yes' }, yes);
    const form = make('form', { method: 'dialog' }, title, make('div', { class: 'form-actions' }, no, go));
    const dialog = make('dialog', { class: 'dialog', 'aria-labelledby': 'ask-title' }, form);
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close('no'));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// In the capture phase: before htmx or anybody else sends the form.
document.addEventListener('submit', async (event) => {
  const form = event.target;
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (!question || agreed.has(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const { submitter } = event;
  if (!(await ask(question, submitter?.dataset.confirmYes ?? form.dataset.confirmYes))) return;
  agreed.add(form);
  form.requestSubmit(submitter);
  agreed.delete(form);
}, true);

document.addEventListener('htmx:confirm', async (event) => {
  event.preventDefault();
  const { ctx, issueRequest, dropRequest } = event.detail;
  const ok = await ask(ctx.confirm, ctx.sourceElement.dataset.confirmYes);
  if (ok) issueRequest();
  else dropRequest();
});
