// <nav class="tabs"><a aria-current="page">: where tabs do not fit side by side they scroll, and the current one comes into view.

import { onPage } from '../lib/page.js';

onPage('nav.tabs > [aria-current]', (current) => {
  const row = current.parentElement;
  row.scrollLeft = current.offsetLeft - row.offsetLeft - (row.clientWidth - current.offsetWidth) / 2;
});
