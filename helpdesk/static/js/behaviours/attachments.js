// <input type="file" data-drop data-limit-mb="20">: files pasted or dropped anywhere in its form join it, and
// <ul class="files" data-files> in the same form shows what is chosen, each with a button that takes it out again.

import { make, onPage } from '../lib/page.js';
import { text } from '../lib/texts.js';
import { toast } from './toasts.js';

class Drop {
  constructor(input) {
    this.input = input;
    this.form = input.form;
    this.limit = Number(input.dataset.limitMb) || Infinity;
    this.chosen = [...input.files];
    input.addEventListener('change', () => this.add([...input.files]));
    this.form.addEventListener('paste', (event) => this.take(event, event.clipboardData));
    this.form.addEventListener('drop', (event) => this.take(event, event.dataTransfer));
    for (const type of ['dragenter', 'dragover']) this.form.addEventListener(type, (event) => this.invite(event));
    for (const type of ['dragleave', 'drop']) this.form.addEventListener(type, (event) => this.leave(event));
    this.form.addEventListener('reset', () => this.set([]));
  }

  take(event, data) {
    if (!data?.files.length) return;
    event.preventDefault();
    this.add([...data.files]);
  }

  invite(event) {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    this.form.classList.add('dropping');
  }

  leave(event) {
    if (event.type === 'drop' || !this.form.contains(event.relatedTarget)) this.form.classList.remove('dropping');
  }

  add(files) {
    const fits = files.filter((file) => {
      const ok = file.size <= this.limit * 2 ** 20;
      if (!ok) toast({ text: text('tooLarge', { name: file.name, limit: this.limit }), bad: true });
      return ok;
    });
    const known = new Set(this.chosen.map(identity));
    this.set([...this.chosen, ...fits.filter((file) => !known.has(identity(file)))]);
  }

  set(files) {
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    this.chosen = files;
    this.input.files = transfer.files;
    this.show();
  }

  show() {
    const place = this.form.querySelector('[data-files]');
    place?.replaceChildren(...this.chosen.map((file) => make('li', {},
      make('span', { class: 'cut' }, `${file.name} · ${size(file.size)}`),
      make('button', {
        type: 'button', 'aria-label': text('removeFile', { name: file.name }),
        onclick: () => this.set(this.chosen.filter((other) => other !== file)),
      }, '×'))));
  }
}

function identity(file) {
  return `${file.name} ${file.size} ${file.lastModified}`;
}

function size(bytes) {
  const unit = bytes < 2 ** 20 ? 'kilobyte' : 'megabyte';
  const amount = bytes / (unit === 'kilobyte' ? 2 ** 10 : 2 ** 20);
  return new Intl.NumberFormat(document.documentElement.lang, { style: 'unit', unit, maximumFractionDigits: amount < 10 ? 1 : 0 }).format(amount);
}

onPage('input[type=file][data-drop]', (input) => new Drop(input));
