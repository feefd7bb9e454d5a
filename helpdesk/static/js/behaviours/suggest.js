// <input data-suggest="#list">: the arrow keys walk from the field into the suggestions under it and back, Escape and a click
// elsewhere take them away. Filling the list is htmx's work; a page without scripts has the search button.

import { on } from '../lib/page.js';

function listOf(field) {
  return document.querySelector(field.dataset.suggest);
}

on('keydown', 'input[data-suggest]', (event, field) => {
  const list = listOf(field);
  if (event.key === 'ArrowDown' && list?.firstElementChild) {
    event.preventDefault();
    list.querySelector('a').focus();
  } else if (event.key === 'Escape' && list?.firstElementChild) {
    event.preventDefault();
    list.replaceChildren();
  }
});

on('keydown', '.suggest-list a', (event, link) => {
  const field = link.closest('.suggest').querySelector('input[data-suggest]');
  const links = [...link.closest('.suggest-list').querySelectorAll('a')];
  const at = links.indexOf(link);
  if (event.key === 'Escape') {
    listOf(field).replaceChildren();
    field.focus();
  } else if (event.key === 'ArrowDown') {
    event.preventDefault();
    links[Math.min(at + 1, links.length - 1)].focus();
  } else if (event.key === 'ArrowUp') {
    event.preventDefault();
    (links[at - 1] ?? field).focus();
  }
});

document.addEventListener('click', (event) => {
  for (const field of document.querySelectorAll('input[data-suggest]')) {
    if (!field.closest('.suggest')?.contains(event.target)) listOf(field)?.replaceChildren();
  }
});
