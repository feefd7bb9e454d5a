// <div data-conditions> holds <div data-field="c-2" data-if="c-1" data-if-values="yes blue">: asked only while the field c-1, which
// stands before it and is asked itself, has one of these values (without values: anything but "no"). A field that is not asked is
// hidden, keeps what was typed, and its <input name="seen"> is not sent. The server decides by the same rule.

import { onPage } from '../lib/page.js';

function apply(place) {
  const asked = new Set();
  for (const row of place.querySelectorAll('[data-field]')) {
    const shown = !row.dataset.if || (asked.has(row.dataset.if) && meets(row, valueOf(place, row.dataset.if)));
    row.hidden = !shown;
    const seen = row.querySelector('input[name=seen]');
    if (seen) seen.disabled = !shown;
    if (shown) asked.add(row.dataset.field);
  }
}

function valueOf(place, name) {
  return place.querySelector(`[name="${CSS.escape(name)}"]`)?.value.trim() ?? '';
}

function meets(row, value) {
  const wanted = (row.dataset.ifValues ?? '').split(' ').filter(Boolean);
  return wanted.length ? wanted.includes(value) : value !== '' && value !== 'no';
}

onPage('[data-conditions]', (place) => {
  apply(place);
  place.addEventListener('input', () => apply(place));
  place.addEventListener('change', () => apply(place));
  new MutationObserver(() => apply(place)).observe(place, { childList: true });
});
