// Ctrl+K: one field that finds actions, pages, macros, tickets, customers and articles. <cmd-palette data-search-url="/find">
// What it offers comes from three places:
//   elements with data-command or data-key on the page (they are clicked),
//   <script type="application/json" id="commands">[{"name", "also", "key", "url" | "click": "#selector"}]</script>,
//   the server: GET data-search-url?q=… → [{"name", "kind", "url" | "click" | "insert"}].
// Words typed on the wrong layout are found as well (lib/layouts.js); `also` holds the other language's name.

import { getJson } from '../lib/http.js';
import { rank } from '../lib/layouts.js';
import { isVisible, make } from '../lib/page.js';
import { text } from '../lib/texts.js';
import { insert } from './forms.js';
import { commandName, keyName } from './keys.js';

const PAUSE_MS = 120;
const MOST = 12;

class CommandPalette extends HTMLElement {
  connectedCallback() {
    if (this.dialog) return;
    this.input = make('input', {
      type: 'text', role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'palette-list', 'aria-autocomplete': 'list',
      'aria-label': text('palette'), placeholder: text('paletteHint'), autocomplete: 'off', spellcheck: 'false',
      oninput: () => this.find(), onkeydown: (event) => this.onKey(event),
    });
    this.options = make('ul', { id: 'palette-list', role: 'listbox', 'aria-label': text('palette') });
    this.status = make('p', { class: 'visually-hidden', role: 'status' });
    this.dialog = make('dialog', { class: 'palette', 'aria-label': text('palette') }, this.input, this.options, this.status);
    this.dialog.addEventListener('click', (event) => event.target === this.dialog && this.dialog.close());
    this.append(this.dialog);
  }

  open() {
    if (this.dialog.open) return;
    this.commands = [...fromPage(), ...fromScript()];
    this.input.value = '';
    this.found = [];
    this.draw();
    this.dialog.showModal();
    this.input.focus();
  }

  find() {
    this.found = [];
    this.draw();
    clearTimeout(this.timer);
    this.request?.abort();
    const query = this.input.value.trim();
    const url = this.dataset.searchUrl;
    if (!url || !query) return;
    this.timer = setTimeout(async () => {
      this.request = new AbortController();
      const address = new URL(url, location.href);
      address.searchParams.set('q', query);
      const found = await getJson(address, this.request.signal).catch(() => null);
      if (found && this.input.value.trim() === query) {
        this.found = found;
        this.draw();
      }
    }, PAUSE_MS);
  }

  draw() {
    const query = this.input.value.trim();
    const ours = this.commands
      .map((command) => ({ command, rank: query ? rank(query, `${command.name} ${command.also ?? ''}`) : 1 }))
      .filter((entry) => entry.rank !== null)
      .sort((a, b) => a.rank - b.rank)
      .map((entry) => entry.command);
    this.shown = [...ours.slice(0, MOST), ...this.found];
    this.options.replaceChildren(...this.shown.map((command, index) => this.option(command, index)));
    if (!this.shown.length) this.options.append(make('li', { class: 'nothing', role: 'option', 'aria-disabled': 'true' }, text('nothing')));
    this.status.textContent = query ? text('found', { n: this.shown.length }) : '';
    this.choose(0);
  }

  option(command, index) {
    return make('li', {
      role: 'option', id: `palette-${index}`,
      onclick: () => this.run(command), onpointermove: () => this.chosen !== index && this.choose(index),
    },
    make('span', { class: 'cut' }, command.name),
    make('span', { class: 'kind' }, command.kind ?? ''),
    ...(command.key ? [make('kbd', {}, keyName(command.key))] : []));
  }

  choose(index) {
    const count = this.shown.length;
    this.chosen = count ? (index + count) % count : -1;
    [...this.options.children].forEach((option, at) => option.setAttribute('aria-selected', String(at === this.chosen)));
    this.options.children[this.chosen]?.scrollIntoView({ block: 'nearest' });
    this.input.setAttribute('aria-activedescendant', this.chosen >= 0 ? `palette-${this.chosen}` : '');
  }

  onKey(event) {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      this.choose(this.chosen + (event.key === 'ArrowDown' ? 1 : -1));
    } else if (event.key === 'Enter' && this.shown[this.chosen]) {
      event.preventDefault();
      this.run(this.shown[this.chosen]);
    }
  }

  run(command) {
    this.dialog.close();
    if (command.element) command.element.click();
    else if (command.insert) insert(document.getElementById('body'), command.insert);
    else if (command.click) document.querySelector(command.click)?.click();
    else if (command.url) location.assign(command.url);
  }
}

function fromPage() {
  return [...document.querySelectorAll('[data-command], button[data-key], a[data-key]')]
    .filter((element) => !element.disabled && (isVisible(element) || element.closest('[popover]')))  // menus count while closed
    .map((element) => ({ name: commandName(element), key: element.dataset.key, also: element.dataset.commandAlso, element }))
    .filter((command) => command.name);
}

function fromScript() {
  const block = document.getElementById('commands');
  return block ? JSON.parse(block.textContent) : [];
}

customElements.define('cmd-palette', CommandPalette);
document.addEventListener('palette', () => document.querySelector('cmd-palette')?.open());
document.addEventListener('click', (event) => {
  if (event.target.closest?.('[data-open-palette]')) document.querySelector('cmd-palette')?.open();
});
