// Fetching parts of the page again: every element with data-refresh="url" is replaced by what its URL answers, morphed,
// so that focus, scroll, selection and typed text stay. The answer may be the element itself (same id) or its content.

import htmx from 'htmx.org/dist/htmx.esm.js';

const running = new Map();

/** Fetch one element again. Several calls at once become one more fetch after the running one. */
export function refetch(element) {
  const name = element.id || element.dataset.refresh;
  const before = running.get(name);
  if (before) {
    before.again = true;
    return before.done;
  }
  const job = { again: false };
  job.done = run(element, job).finally(() => running.delete(name));
  running.set(name, job);
  return job.done;
}

async function run(element, job) {
  let current = element;
  let fetched = false;
  do {
    job.again = false;
    fetched = await once(current);
    current = document.getElementById(element.id) ?? current;
  } while (job.again && current.isConnected);
  return fetched;
}

async function once(element) {
  const answer = await fetch(element.dataset.refresh || location.href, {
    credentials: 'same-origin',
    headers: { 'HX-Request': 'true', 'HX-Target': element.id, 'HX-Request-Type': 'partial', Accept: 'text/html' },
    cache: 'no-store',
  });
  if (!answer.ok || answer.redirected || !element.isConnected) return false;
  await morph(element, await answer.text());
  return true;
}

/** Everything on the page that can be fetched again. Resolves to whether all of it could be. */
export async function refetchAll() {
  const parts = [...document.querySelectorAll('[data-refresh]')];
  const done = await Promise.all(parts.map((part) => refetch(part).catch(() => false)));
  return done.every(Boolean);
}

/** Make `element` look like `html`, keeping what belongs to the reader. */
export async function morph(element, html) {
  const answer = new DOMParser().parseFromString(html, 'text/html');
  const same = element.id && answer.getElementById(element.id);
  const scroller = element.closest('.thread') ?? element;
  const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
  const wasAt = scroller.scrollTop;
  await htmx.swap({
    text: same ? same.outerHTML : html,
    target: element,
    sourceElement: element,
    swap: same ? 'outerMorph' : 'innerMorph',
  });
  if (scroller.isConnected && scroller.matches('.thread')) scroller.scrollTop = atEnd ? scroller.scrollHeight : wasAt;
}
