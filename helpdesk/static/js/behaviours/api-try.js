// <form data-api-token> holds the token of whoever tries the API; <form data-api-try="POST" data-path="/api/v1/tickets/{number}">
// sends one call with it and shows the answer. Fields say where they go by data-in: path, query or header. The token stays in
// its field: it is stored nowhere, and no cookie is sent.

import { on, onPage } from '../lib/page.js';
import { text } from '../lib/texts.js';

onPage('[data-api-token], [data-api-try]', (form) => { form.hidden = false; });

on('submit', '[data-api-token]', (event) => event.preventDefault());

on('submit', '[data-api-try]', async (event, form) => {
  event.preventDefault();
  const status = form.querySelector('output');
  const shown = form.querySelector('.answer');
  const button = form.querySelector('[type=submit]');
  button.disabled = true;
  status.textContent = '…';
  const started = performance.now();
  try {
    const answer = await fetch(address(form), request(form));
    const took = Math.round(performance.now() - started);
    status.textContent = `${answer.status} ${answer.statusText} · ${took} ms`;
    shown.textContent = await words(answer);
    shown.hidden = false;
  } catch {
    status.textContent = text('offline');
    shown.hidden = true;
  } finally {
    button.disabled = false;
  }
});

function fields(form, place) {
  return [...form.querySelectorAll(`[data-in="${place}"]`)].filter((field) => field.value !== '');
}

function address(form) {
  let path = form.dataset.path;
  for (const field of fields(form, 'path')) path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
  const query = new URLSearchParams(fields(form, 'query').map((field) => [field.name, field.value]));
  return query.size ? `${path}?${query}` : path;
}

function request(form) {
  const headers = { Accept: 'application/json', 'Accept-Language': document.documentElement.lang };
  const token = document.querySelector('[data-api-token] input')?.value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  for (const field of fields(form, 'header')) headers[field.name] = field.value;
  const made = { method: form.dataset.apiTry, headers, credentials: 'omit', cache: 'no-store' };
  const body = form.querySelector('textarea');
  const files = form.querySelector('[type=file]')?.files ?? [];
  if (files.length) {
    made.body = new FormData();
    made.body.append('json', body.value);
    for (const file of files) made.body.append('files', file);
  } else if (body) {
    headers['Content-Type'] = 'application/json';
    made.body = body.value;
  }
  return made;
}

async function words(answer) {
  const told = ['location', 'link', 'etag', 'retry-after', 'idempotency-replayed']
    .filter((name) => answer.headers.has(name))
    .map((name) => `${name}: ${answer.headers.get(name)}`);
  const type = answer.headers.get('content-type') ?? '';
  if (!type.includes('json')) return [...told, `${type}, ${(await answer.blob()).size} B`].join('\n');
  const body = JSON.stringify(await answer.json(), null, 2);
  return told.length ? `${told.join('\n')}\n\n${body}` : body;
}
