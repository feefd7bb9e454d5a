// htmx under a strict CSP, and what morphing must not take from the reader.

import htmx from 'htmx.org/dist/htmx.esm.js';
import { csrfToken } from '../lib/http.js';
import { text } from '../lib/texts.js';
import { toast } from './toasts.js';

Object.assign(htmx.config, {
  includeIndicatorCSS: false,
  morphIgnore: ['data-htmx-powered', 'data-client-'],
});

// Attributes that belong to the reader's browser: what is open, what is selected. The server's markup has no say in them.
const KEPT = [
  ['open', 'details, dialog'],
  ['aria-current', '#list a'],
  ['class', '#list'],
];

htmx.registerExtension('keep-client-state', {
  htmx_before_morph_attr(element, { attrName }) {
    return !KEPT.some(([name, where]) => name === attrName && element.matches(where));
  },

  // The ticker draws badges and ages; the server's text of a moment ago would make them jump back. New times still count.
  htmx_before_morph_node(element, { newNode }) {
    if (!element.matches?.('sla-timer[due], rel-time[at]')) return true;
    for (const name of new Set([...element.getAttributeNames(), ...newNode.getAttributeNames()])) {
      const value = newNode.getAttribute(name);
      if (value === null) element.removeAttribute(name);
      else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
    }
    return false;
  },
});

document.addEventListener('htmx:config:request', ({ detail: { ctx } }) => {
  if (ctx.request.method !== 'GET') ctx.request.headers['X-CSRFToken'] = csrfToken();
});

// A refusal that the desk wrote for this page says where it goes (HX-Retarget), or is a form with its errors (422) or a
// held reply (409). Anything else, such as a proxy's own error page, must not replace what the reader was looking at.
document.addEventListener('htmx:before:swap', (event) => {
  const { ctx } = event.detail;
  const status = ctx.response?.status ?? 200;
  if (status < 400 || status === 409 || status === 422 || ctx.hx?.retarget) return;
  event.preventDefault();
  toast({ text: text('failed'), bad: true });
});

document.addEventListener('htmx:error', ({ detail }) => {
  if (detail.error instanceof TypeError || detail.ctx?.request?.signal?.reason === 'timeout') {
    toast({ text: text('offline'), bad: true });
  }
});
