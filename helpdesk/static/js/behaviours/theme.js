// How the page looks, chosen by the reader: <button data-set-theme="dark|light|auto"> and <button data-set-density="compact|">.
// The form around the button (if any) tells the server as well; the change shows at once.

import { on } from '../lib/page.js';

on('click', '[data-set-theme]', (_event, button) => {
  const theme = button.dataset.setTheme;
  document.documentElement.dataset.theme = theme;
  press('[data-set-theme]', (other) => other.dataset.setTheme === theme);
  document.dispatchEvent(new CustomEvent('theme'));
});

on('click', '[data-set-density]', (_event, button) => {
  const density = button.dataset.setDensity;
  for (const pane of document.querySelectorAll('[data-density]')) pane.dataset.density = density;
  press('[data-set-density]', (other) => other.dataset.setDensity === density);
});

function press(selector, isChosen) {
  for (const button of document.querySelectorAll(selector)) {
    if (button.hasAttribute('aria-pressed')) button.setAttribute('aria-pressed', String(isChosen(button)));
    if (button.hasAttribute('aria-checked')) button.setAttribute('aria-checked', String(isChosen(button)));
  }
}

// Whoever follows the system's theme sees charts change with it.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => document.dispatchEvent(new CustomEvent('theme')));
