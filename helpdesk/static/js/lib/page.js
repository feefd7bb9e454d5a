// How behaviours find their elements: by selector, now and whenever htmx, a push or history brings new ones.

const wanted = [];

/** Call `attach(element)` once for every element that matches, present or future. */
export function onPage(selector, attach) {
  const entry = { selector, attach, done: new WeakSet() };
  wanted.push(entry);
  scan(document.documentElement, [entry]);
}

function scan(root, entries) {
  for (const { selector, attach, done } of entries) {
    const found = [...root.querySelectorAll(selector)];
    if (root.matches(selector)) found.unshift(root);
    for (const element of found) {
      if (done.has(element)) continue;
      done.add(element);
      attach(element);
    }
  }
}

new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) {
      if (node.nodeType === Node.ELEMENT_NODE && node.isConnected) scan(node, wanted);
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true });

/** Listen on the document for events of elements that match, whenever they came. */
export function on(type, selector, handle, options) {
  document.addEventListener(type, (event) => {
    const element = event.target instanceof Element ? event.target.closest(selector) : null;
    if (element) handle(event, element);
  }, options);
}

/** Whether keys typed into this element are text. */
export function isTyping(element) {
  return Boolean(element?.closest?.('input:not([type=radio], [type=checkbox], [type=button], [type=submit]), textarea, select, [contenteditable]'));
}

/** A new element: make('p', {class: 'muted', onclick}, 'words', child). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Whether somebody can see it, and so may click it. */
export function isVisible(element) {
  return element.checkVisibility?.() ?? element.getClientRects().length > 0;
}
