// Articles in a reply. <button data-article="7"> notes in the composer that the article is sent; data-insert puts its link into the text
// (forms.js), data-article-text="/…" fetches its words and puts those there. The reply then says which articles it sent.

import { getJson } from '../lib/http.js';
import { make, on } from '../lib/page.js';
import { text } from '../lib/texts.js';
import { insert } from './forms.js';
import { toast } from './toasts.js';

on('click', '[data-article]', (_event, button) => {
  const composer = document.querySelector('#composer');
  const id = button.dataset.article;
  if (composer && ![...composer.querySelectorAll('input[name=article]')].some((one) => one.value === id)) {
    composer.append(make('input', { type: 'hidden', name: 'article', value: id }));
  }
});

on('click', '[data-article-text]', async (_event, button) => {
  const found = await getJson(button.dataset.articleText).catch(() => null);
  if (found) insert(document.querySelector('#body'), found.text);
  else toast({ text: text('offline'), bad: true });
});
