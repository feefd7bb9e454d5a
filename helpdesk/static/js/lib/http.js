// Requests that scripts make on their own: same origin, with the page's CSRF token.

/** The token that the server checks on every change; the layout puts it into <meta name="csrf-token">. */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? '';
}

/** Send a form's data. Resolves to the Response; rejects without a connection. */
export function send(method, url, data, options = {}) {
  return fetch(url, {
    method,
    body: data,
    credentials: 'same-origin',
    headers: { 'X-CSRFToken': csrfToken(), 'X-Requested-With': 'fetch', ...options.headers },
    ...options.fetch,
  });
}

/** GET as JSON; null for anything but a 2xx answer. */
export async function getJson(url, signal) {
  const answer = await fetch(url, { credentials: 'same-origin', headers: { Accept: 'application/json' }, signal });
  return answer.ok ? answer.json() : null;
}
