// <div data-md-tools="#f-body" data-upload="/…/files" hidden>: buttons [data-md] write Markdown where the cursor stands; files chosen,
// pasted or dropped on the text go to data-upload, and what shows them is put there. Without scripts the text is simply Markdown.

import { send } from '../lib/http.js';
import { onPage } from '../lib/page.js';
import { text } from '../lib/texts.js';
import { toast } from './toasts.js';

const AROUND = { bold: ['**', '**'], italic: ['*', '*'], code: ['`', '`'], link: ['[', '](https://)'] };
const BEFORE = { heading: () => '## ', list: () => '- ', steps: (n) => `${n + 1}. `, quote: () => '> ' };
const TABLE = '\n|  |  |\n| --- | --- |\n|  |  |\n';
const KEYS = { KeyB: 'bold', KeyI: 'italic', KeyK: 'link' };

class Tools {
  constructor(bar) {
    this.bar = bar;
    this.area = document.querySelector(bar.dataset.mdTools);
    bar.hidden = false;
    bar.addEventListener('click', (event) => this.write(event.target.closest('[data-md]')?.dataset.md));
    bar.addEventListener('keydown', (event) => this.walk(event));
    bar.querySelector('[data-md-files]').addEventListener('change', (event) => {
      this.upload([...event.target.files]);
      event.target.value = '';
    });
    this.area.addEventListener('keydown', (event) => this.key(event));
    this.area.addEventListener('paste', (event) => this.take(event, event.clipboardData));
    this.area.addEventListener('drop', (event) => this.take(event, event.dataTransfer));
    this.area.addEventListener('dragover', (event) => event.dataTransfer?.types.includes('Files') && event.preventDefault());
  }

  key(event) {
    const kind = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && KEYS[event.code];
    if (!kind) return;
    event.preventDefault();
    this.write(kind);
  }

  /** Arrows walk along the toolbar. */
  walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = [...this.bar.querySelectorAll('button, input')];
    event.preventDefault();
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
  }

  write(kind) {
    if (!kind) return;
    const { area } = this;
    const chosen = area.value.slice(area.selectionStart, area.selectionEnd);
    if (AROUND[kind]) this.put(AROUND[kind].join(chosen), AROUND[kind][0].length, chosen.length);
    else if (BEFORE[kind]) this.lines(BEFORE[kind]);
    else this.put(TABLE, 3, 0);
  }

  /** Replace what is chosen, as if it were typed: the browser's undo still works. */
  put(words, at = words.length, length = 0) {
    const { area } = this;
    const start = area.selectionStart;
    area.focus();
    if (!document.execCommand('insertText', false, words)) {
      area.setRangeText(words, start, area.selectionEnd, 'end');
      area.dispatchEvent(new Event('input', { bubbles: true }));
    }
    area.setSelectionRange(start + at, start + at + length);
  }

  lines(mark) {
    const { area } = this;
    const start = area.value.lastIndexOf('\n', area.selectionStart - 1) + 1;
    area.setSelectionRange(start, area.selectionEnd);
    const words = area.value.slice(start, area.selectionEnd).split('\n').map((line, n) => mark(n) + line).join('\n');
    this.put(words);
  }

  take(event, data) {
    if (!data?.files.length) return;
    event.preventDefault();
    this.upload([...data.files]);
  }

  async upload(files) {
    if (!files.length) return;
    if (!this.bar.dataset.upload) {
      toast({ text: this.bar.dataset.uploadFirst });
      return;
    }
    const sent = new FormData();
    for (const file of files) sent.append('files', file, file.name || 'picture.png');
    const waiting = toast({ text: this.bar.dataset.uploading });
    try {
      const answer = await send('POST', this.bar.dataset.upload, sent, { headers: { Accept: 'application/json' } });
      const { files: kept, trouble } = await answer.json();
      if (kept.length) this.put(kept.join('\n'));
      if (trouble) toast({ text: trouble, bad: true });
    } catch {
      toast({ text: text('offline'), bad: true });
    } finally {
      waiting?.remove?.();
    }
  }
}

onPage('[data-md-tools]', (bar) => new Tools(bar));
