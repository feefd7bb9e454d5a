// The list of conversations: which one is open, which are picked, and how J and K walk. All of that belongs to this
// browser: pushes and refreshes bring rows, never a selection. Rows are <li id="t42"><a data-id="42">.

import { isVisible, on } from '../lib/page.js';
import { text } from '../lib/texts.js';

const picked = new Set();
let openId = '';
let lastIndex = 0;  // where we were, should the open row leave the list
let anchor = null;  // where Shift began

const list = () => document.getElementById('list');
const links = () => [...document.querySelectorAll('#list a[data-id]')];

/** Open the row `step` away from the open one; the keys J and K. */
export function walk(step) {
  const all = links();
  if (!all.length) return;
  const at = all.findIndex((link) => link.dataset.id === openId);
  const from = at >= 0 ? at : lastIndex - (step > 0 ? 1 : 0);
  const next = all[Math.max(0, Math.min(all.length - 1, from + step))];
  if (next.dataset.id === openId) return;
  performance.mark('walk');
  next.click();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
}

/** Pick or unpick the row that has focus or is open; the key X. */
export function pick() {
  const row = document.activeElement?.closest?.('#list li') ?? document.getElementById(`t${openId}`);
  const box = row?.querySelector('.pick input');
  if (box) box.click();
}

/** Extend the picked rows by one, downwards or upwards; Shift with J or K. */
export function pickMore(step) {
  const rows = [...list()?.children ?? []];
  const at = rows.findIndex((row) => row === document.activeElement?.closest?.('li') || row.id === `t${openId}`);
  const focused = rows.indexOf(document.activeElement?.closest?.('#list li'));
  const from = focused >= 0 ? focused : at;
  const next = rows[from + step];
  for (const row of [rows[from], next]) setPicked(row, true);
  next?.querySelector('a')?.focus();
}

on('click', '#list a[data-id]', (event, link) => {
  if (event.ctrlKey || event.metaKey) return;
  openId = link.dataset.id;
  showOpen();
  if (matchMedia('(max-width: 767px)').matches) document.body.classList.add('open');
});

on('change', '#list .pick input', (_event, box) => setPicked(box.closest('li'), box.checked));

// A click with Shift picks everything between the last picked row and this one.
on('click', '#list .pick input', (event, box) => {
  const rows = [...list().children];
  const here = rows.indexOf(box.closest('li'));
  const there = rows.findIndex((row) => row.id === anchor);
  if (event.shiftKey && there >= 0) {
    for (const row of rows.slice(Math.min(here, there), Math.max(here, there) + 1)) setPicked(row, box.checked);
  }
  anchor = rows[here].id;
});

on('click', '[data-pick-none]', () => {
  picked.clear();
  showPicked();
});

function setPicked(row, yes) {
  const box = row?.querySelector('.pick input');
  if (!box) return;
  if (yes) picked.add(box.value);
  else picked.delete(box.value);
  showPicked();
}

function showPicked() {
  for (const box of document.querySelectorAll('#list .pick input')) box.checked = picked.has(box.value);
  list()?.classList.toggle('picking', picked.size > 0);
  for (const bar of document.querySelectorAll('[data-bulk]')) {
    bar.hidden = picked.size === 0;
    const words = bar.querySelector('[data-picked]');
    if (words) words.textContent = text('picked', { n: picked.size });
    const field = bar.querySelector('input[name="tickets"]');
    if (field) field.value = [...picked].join(',');
  }
}

function showOpen() {
  links().forEach((link, index) => {
    if (link.dataset.id === openId) {
      link.setAttribute('aria-current', 'true');
      lastIndex = index;
    } else {
      link.removeAttribute('aria-current');
    }
  });
}

/** Look at the page again: after any swap, push or step through history. */
export function showSelection() {
  if (!list()) return;
  const thread = document.querySelector('#thread[data-ticket]');
  if (thread) openId = thread.dataset.ticket;
  showOpen();
  showPicked();
}

document.addEventListener('htmx:after:swap', showSelection);
document.addEventListener('rows', showSelection);
showSelection();

/** Whether there is a list to walk on this page. */
export function hasList() {
  return Boolean(list() && isVisible(list()));
}
