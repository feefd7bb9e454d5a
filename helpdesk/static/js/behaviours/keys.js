// Keyboard shortcuts by the key's position (event.code), so that they work on a Russian layout as well.
// Elements declare their own: <button data-key="KeyE"> is clicked by E, <input data-key="Slash"> gets the focus;
// data-key-focus="#body" moves the focus after the click. "KeyG KeyW" is one after the other. Nothing uses Alt.
// Single keys can be switched off (WCAG 2.1.4): by <body data-keys="off"> or in the list that "?" shows.

import { createKeybindingsHandler } from 'tinykeys';
import { isTyping, isVisible, make, onPage } from '../lib/page.js';
import { text } from '../lib/texts.js';
import { hasList, pick, pickMore, walk } from './list.js';

const STORE = 'helpdesk.keys';

// What no element stands for. [keys, the line in lib/texts.js, what happens, while typing too]
const BUILT_IN = [
  ['KeyJ', 'keyNext', () => hasList() && walk(1)],
  ['KeyK', 'keyPrevious', () => hasList() && walk(-1)],
  ['KeyX', 'keyPick', () => hasList() && pick()],
  ['Shift+KeyJ', 'keyPickMore', () => hasList() && pickMore(1)],
  ['Shift+KeyK', null, () => hasList() && pickMore(-1)],
  ['Backslash', 'keyFocus', () => document.body.matches('.ws') && document.body.classList.toggle('focus')],
  ['Shift+?', 'keyHelp', () => showHelp()],
  ['Shift+Slash', null, () => showHelp()],
  ['$mod+Enter', 'keySubmit', (event) => event.target.closest?.('form')?.requestSubmit(submitOf(event.target.closest('form'))), true],
  ['$mod+KeyK', 'keyPalette', () => document.dispatchEvent(new CustomEvent('palette')), true],
];

let handle = () => {};

function bind() {
  const bindings = {};
  for (const [keys, , act, whileTyping] of BUILT_IN) {
    bindings[keys] = (event) => {
      if (!whileTyping && (isTyping(event.target) || !singleKeys())) return;
      event.preventDefault();
      act(event);
    };
  }
  for (const element of document.querySelectorAll('[data-key]')) {
    const keys = element.dataset.key;
    bindings[keys] = (event) => {
      const withModifier = /\$mod|Control/.test(keys);
      if (!withModifier && (isTyping(event.target) || !singleKeys() || document.querySelector('dialog[open]'))) return;
      const now = [...document.querySelectorAll(`[data-key="${CSS.escape(keys)}"]`)].find((one) => !one.disabled && isVisible(one));
      if (!now) return;
      event.preventDefault();
      press(now);
    };
  }
  handle = createKeybindingsHandler(bindings, { ignore: (event) => event.repeat || event.isComposing });
}

function press(element) {
  if (element.matches('input:not([type=radio], [type=checkbox]), textarea, select')) element.focus();
  else element.click();
  const next = element.dataset.keyFocus && document.querySelector(element.dataset.keyFocus);
  if (next) next.focus();
}

function submitOf(form) {
  return form?.querySelector('[data-submit-default]') ?? form?.querySelector('[type=submit]');
}

function singleKeys() {
  const own = localStorage.getItem(STORE);
  return own ? own === 'on' : document.body.dataset.keys !== 'off';
}

/** The keys of an element as people read them: "E", "G W", "Ctrl K". */
export function keyName(keys) {
  return keys.split(' ').map((press) => press.split('+').map(partName).join(' ')).join(' ');
}

function partName(part) {
  if (part === '$mod') return /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';
  const names = { Enter: '↵', Slash: '/', Backslash: '\\', Period: '.', Comma: ',', Escape: 'Esc' };
  return names[part] ?? part.replace(/^(Key|Digit)/, '');
}

/** What an element does, in the words that it already has. */
export function commandName(element) {
  const own = element.dataset.command || element.getAttribute('aria-label');
  if (own) return own;
  const copy = element.cloneNode(true);
  for (const aside of copy.querySelectorAll('kbd, .count')) aside.remove();
  return (copy.textContent || element.closest('label')?.textContent || element.title).replace(/\s+/g, ' ').trim();
}

function showHelp() {
  document.querySelector('dialog.keys-help')?.remove();
  const rows = new Map(BUILT_IN.filter(([, line]) => line).map(([keys, line]) => [keys === 'Shift+?' ? '?' : keys, text(line)]));
  for (const element of document.querySelectorAll('[data-key]')) {
    if (isVisible(element)) rows.set(element.dataset.key, commandName(element));
  }
  const list = make('div', { class: 'keys' });
  for (const [keys, words] of rows) list.append(make('div', {}, make('span', {}, words), make('kbd', {}, keyName(keys))));
  const toggle = make('input', { type: 'checkbox', onchange: () => localStorage.setItem(STORE, toggle.checked ? 'on' : 'off') });
  toggle.checked = singleKeys();
  const dialog = make('dialog', { class: 'dialog wide keys-help', 'aria-labelledby': 'keys-title', onclose: () => dialog.remove() },
    make('h2', { id: 'keys-title' }, text('keys')),
    make('label', { class: 'check' }, toggle, text('keysOn')),
    list,
    make('form', { method: 'dialog', class: 'form-actions' }, make('button', { class: 'btn' }, text('close'))));
  document.body.append(dialog);
  dialog.showModal();
}

let due = null;

onPage('[data-key]', () => {
  due ??= queueMicrotask(() => {
    due = null;
    bind();
  }) ?? true;
});
onPage('[data-show-keys]', (button) => button.addEventListener('click', showHelp));
bind();
addEventListener('keydown', (event) => handle(event));
