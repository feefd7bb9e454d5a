// <button popovertarget="m"> with <div class="menu" id="m" popover>: the browser opens it, this puts it beside its button
// and lets arrow keys walk through it.

import { isVisible } from '../lib/page.js';

const GAP = 4;

document.addEventListener('toggle', (event) => {
  const menu = event.target;
  if (!menu.matches?.('.menu[popover]')) return;
  const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
  button?.setAttribute('aria-expanded', String(event.newState === 'open'));
  if (event.newState !== 'open' || !button) {
    grown.unobserve(menu);
    return;
  }
  grown.observe(menu);
  place(menu, button.getBoundingClientRect());
  items(menu)[0]?.focus();
}, true);

// What fills only once it is open takes its place anew.
const grown = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const button = document.querySelector(`[popovertarget="${CSS.escape(target.id)}"]`);
    if (button) place(target, button.getBoundingClientRect());
  }
});

function place(menu, button) {
  const width = menu.offsetWidth;
  const height = menu.offsetHeight;
  const below = button.bottom + GAP + height <= innerHeight || button.top < height;
  menu.style.top = `${below ? Math.min(button.bottom + GAP, innerHeight - height - GAP) : button.top - height - GAP}px`;
  menu.style.left = `${Math.max(GAP, Math.min(button.left, innerWidth - width - GAP))}px`;
}

/** In a field the keys move the cursor; a search field of one line leaves up and down to the menu. */
function isEditing({ key, target }) {
  return target.matches('input, select, textarea') && !(target.matches('input[type=search]') && key.startsWith('Arrow'));
}

function items(menu) {
  return [...menu.querySelectorAll('a[href], button:not(:disabled), input, select, textarea')].filter(isVisible);
}

document.addEventListener('keydown', (event) => {
  const menu = event.target.closest?.('.menu[popover]');
  if (!menu || !['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key) || isEditing(event)) return;
  event.preventDefault();
  const all = items(menu);
  const at = all.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  all[(next + all.length) % all.length]?.focus();
});
