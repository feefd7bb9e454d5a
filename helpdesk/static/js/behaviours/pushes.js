// What each push does to the page. None of them takes focus, scroll, selection or typed text.

import htmx from 'htmx.org/dist/htmx.esm.js';
import { morph, refetch } from '../lib/refresh.js';
import { inOurLanguage } from '../lib/texts.js';

/** One ticket's row came, changed, moved or left: {id, lists, sort, html}. `lists` names the lists it now belongs to. */
export async function applyRow({ id, lists, sort, html }) {
  const list = document.getElementById('list');
  const key = document.body.dataset.list ?? list?.dataset.list;
  if (!list || !key) return;
  const row = document.getElementById(`t${id}`);
  if (!lists.includes(key)) {
    if (row) removeRow(list, row);
    return;
  }
  if (row) {
    await morph(row, inOurLanguage(html));
    row.dataset.sort = sort;
    moveInto(list, row, sort);
  } else {
    addRow(list, inOurLanguage(html), sort);
  }
  document.dispatchEvent(new CustomEvent('rows'));
}

function addRow(list, html, sort) {
  const before = placeFor(list, sort, null);
  // Beyond the last row of a page that has more behind it, the row belongs to the next page.
  if (!before && 'more' in list.dataset) return;
  const template = document.createElement('template');
  template.innerHTML = html;
  const row = template.content.firstElementChild;
  row.dataset.sort = sort;
  list.insertBefore(row, before);
  htmx.process(row);
}

function removeRow(list, row) {
  const hadFocus = row.contains(document.activeElement);
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  if (hadFocus) neighbour?.querySelector('a')?.focus({ preventScroll: true });
  if (!neighbour && list.dataset.refresh) refetch(list).catch(() => {});
  document.dispatchEvent(new CustomEvent('rows'));
}

function moveInto(list, row, sort) {
  const before = placeFor(list, sort, row);
  if (before === row.nextElementSibling) return;
  const focused = row.contains(document.activeElement) ? document.activeElement : null;
  if (list.moveBefore) list.moveBefore(row, before);
  else list.insertBefore(row, before);
  if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

/** The row that stands after a row with this sort key; null for the end. */
function placeFor(list, sort, itself) {
  return [...list.children].find((other) => other !== itself && compare(other.dataset.sort ?? '', sort) > 0) ?? null;
}

/** Ascending, numbers as numbers: "9" before "10", "-3" before "2". */
export function compare(a, b) {
  const byNumber = Number(a) - Number(b);
  if (Number.isFinite(byNumber) && byNumber !== 0) return byNumber;
  return String(a) < String(b) ? -1 : Number(String(a) > String(b));
}

/** {counts: {"queue:1": "12"}} into every [data-count="queue:1"]. */
export function applyCounts({ counts }) {
  for (const [key, words] of Object.entries(counts)) {
    for (const place of document.querySelectorAll(`[data-count="${CSS.escape(key)}"]`)) setText(place, inOurLanguage(words));
  }
}

/** The open thread changed: fetch it again, unless we are already there. The composer keeps what is being written. */
export async function applyThread({ id, version }) {
  const thread = document.querySelector(`#thread[data-ticket="${CSS.escape(String(id))}"]`);
  if (!thread || (version && Number(thread.dataset.version) >= version)) return;
  await refetch(thread).catch(() => {});
}

// The version that a reply is written against is what its writer saw. A refetched thread moves it on only while nothing is
// being written: whoever was in the middle of a sentence gets the held reply and decides.
document.addEventListener('htmx:after:swap', () => {
  const thread = document.querySelector('#thread[data-version]');
  const seen = document.querySelector('#composer input[data-seen]');
  const body = document.querySelector('#composer textarea');
  if (thread && seen && !body?.value.trim()) seen.value = thread.dataset.version;
});

/** The wallboard's figures, and its parts drawn anew: {figures: {"waiting": "7"}, html}. Charts see their data change. */
export async function applyFigures({ figures = {}, html }) {
  for (const [name, words] of Object.entries(figures)) {
    for (const place of document.querySelectorAll(`[data-figure="${CSS.escape(name)}"]`)) setText(place, inOurLanguage(words));
  }
  const drawn = inOurLanguage(html);
  if (!drawn) return;
  const parts = new DOMParser().parseFromString(drawn, 'text/html').body.children;
  for (const part of [...parts]) {
    const place = part.id && document.getElementById(part.id);
    if (place) await morph(place, part.outerHTML);
  }
}

/** What is held out to this agent now; empty when nothing is. */
export function applyOffers({ html }) {
  const place = document.getElementById('offers');
  if (!place) return;
  place.innerHTML = inOurLanguage(html) ?? '';
  htmx.process(place);
}

const RESTS_MS = 1_000;
const resting = new Map();

/** A part that says of itself where it is fetched changed: fetch it again, but not more often than each `data-rest` seconds. */
export function applyChanged({ room }) {
  if (resting.has(room)) {
    resting.set(room, true);
    return;
  }
  resting.set(room, false);
  const parts = [...document.querySelectorAll(`[data-room="${CSS.escape(room)}"][data-refresh]`)];
  for (const part of parts) refetch(part).catch(() => {});
  setTimeout(() => {
    const again = resting.get(room);
    resting.delete(room);
    if (again) applyChanged({ room });
  }, Math.max(RESTS_MS, ...parts.map((part) => 1000 * Number(part.dataset.rest ?? 0))));
}

function setText(place, words) {
  if (place.textContent !== String(words)) place.textContent = words;
}

/** Who else is at the open ticket changed. */
export async function applyViewers({ id }) {
  const here = document.querySelector(`#thread[data-ticket="${CSS.escape(String(id))}"]`);
  const place = document.getElementById('colleagues');
  if (here && place) await refetch(place).catch(() => {});
}
