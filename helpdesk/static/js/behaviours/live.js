// The page stays current by itself: <body data-live="1" data-rooms='["queue:1", "agent:2"]' data-list="queue:1">, and any
// [data-room] that comes and goes with its part of the page. The socket is a hint, the database is the truth: after a gap, a
// reconnection or a sleep the parts with data-refresh are fetched again, and without a socket they are polled.
// #live-state says in words how fresh the page is. <button data-live-pause> holds it still.

import { io } from 'socket.io-client';
import { onPage } from '../lib/page.js';
import { refetch, refetchAll } from '../lib/refresh.js';
import { Revisions } from '../lib/revisions.js';
import { clockTime, inOurLanguage, text } from '../lib/texts.js';
import { applyChanged, applyCounts, applyFigures, applyOffers, applyRow, applyThread, applyViewers } from './pushes.js';
import { setServerNow } from './ticker.js';
import { toast } from './toasts.js';

const SOCKET_MS = 5_000;  // without a socket for this long, poll
const POLL_MS = 20_000;
const ALIVE_MS = 15_000;  // how often we say that somebody is here; the server forgets us three of them later
const ANSWER_MS = 4_000;
const JOINED_MS = 1_500;  // what happened between drawing a part and joining its room is fetched after this
const TYPING_MS = 10_000;

const revisions = new Revisions();
const joined = new Set();
let socket = null;
let state = 'live';
let freshAt = new Date();
let polling = null;
let patience = null;
let paused = false;
let missed = false;
let typedAt = 0;

function begin() {
  socket = io({ transports: ['websocket'], reconnectionDelay: 500, reconnectionDelayMax: 5000 });
  socket.on('connect', connected);
  socket.on('disconnect', disconnected);
  for (const [name, apply] of Object.entries(PUSHES)) socket.on(name, (push) => receive(push, apply));
  socket.on('beat', (beat) => {
    if (revisions.note(beat, true) === 'gap') catchUp();
    else isFresh();
  });
  socket.on('evicted', ({ room }) => {
    joined.delete(room);
    catchUp();
  });
  waitForSocket();
  setInterval(sayAlive, ALIVE_MS);
}

const PUSHES = {
  row: applyRow,
  count: applyCounts,
  ticket: applyThread,
  wall: applyFigures,
  viewers: applyViewers,
  offer: applyOffers,
  changed: applyChanged,
  toast: (push) => toast({ ...push, text: inOurLanguage(push.text) }),
};

function receive(push, apply) {
  if (paused) {
    missed = true;
    return;
  }
  const seen = push.rev === undefined ? 'next' : revisions.note(push);
  if (seen === 'old') return;
  apply(push);
  if (seen === 'gap') catchUp();
  else isFresh();
}

// ---- rooms

/** Watch the rooms that this page shows, and no others. */
function watchRooms() {
  if (!socket?.connected) return;
  const wanted = new Set([
    ...JSON.parse(document.body.dataset.rooms || '[]'),
    ...[...document.querySelectorAll('[data-room]')].map((part) => part.dataset.room),
  ]);
  for (const room of joined) {
    if (wanted.has(room)) continue;
    joined.delete(room);
    socket.emit('unwatch', { room });
  }
  for (const room of wanted) {
    if (joined.has(room)) continue;
    joined.add(room);
    socket.emit('watch', { room, token: document.body.dataset.token ?? '' }, (answer) => {
      if (!answer?.ok) joined.delete(room);
      else afterJoining(room);
    });
  }
}

function afterJoining(room) {
  const part = document.querySelector(`[data-room="${CSS.escape(room)}"][data-refresh]`);
  if (part) setTimeout(() => part.isConnected && refetch(part).catch(() => {}), JOINED_MS);
}

// ---- coming and going

function connected() {
  clearTimeout(patience);
  clearInterval(polling);
  polling = null;
  joined.clear();
  watchRooms();
  sayAlive();
  catchUp();
}

function disconnected(reason) {
  show('stale');
  waitForSocket();
  // The server ended it (signed out, or restarted in order): socket.io leaves the next try to us.
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), SOCKET_MS);
}

function waitForSocket() {
  clearTimeout(patience);
  patience = setTimeout(() => {
    if (socket.connected) return;
    show('polling');
    poll();
    polling ??= setInterval(poll, POLL_MS);
  }, SOCKET_MS);
}

async function poll() {
  if (document.hidden || paused) return;
  if (await refetchAll()) freshAt = new Date();
  show('polling');
}

/** Fetch everything again: after a gap, a new connection, a pause. */
async function catchUp() {
  if (paused) {
    missed = true;
    return;
  }
  const complete = await refetchAll();
  if (complete && socket.connected) isFresh();
}

function sayAlive() {
  if (!socket?.connected || document.hidden) return;
  const asked = Date.now();
  const thread = document.querySelector('#thread[data-ticket]');
  const about = { ticket: thread?.dataset.ticket ?? null, typing: Date.now() - typedAt < TYPING_MS };
  socket.timeout(ANSWER_MS).emit('alive', about, (silence, answer) => {
    // A connection that swallows what we say (after sleep, behind some proxies) is worse than none.
    if (silence) socket.disconnect().connect();
    else setServerNow(answer.now, (Date.now() - asked) / 1000);
  });
}

// ---- how fresh

function isFresh() {
  freshAt = new Date();
  if (!paused) show('live');
}

function show(next) {
  state = next;
  const place = document.getElementById('live-state');
  if (!place) return;
  const words = {
    live: () => text('live'),
    stale: () => text('asOf', { time: clockTime(freshAt) }),
    polling: () => text('asOf', { time: clockTime(freshAt) }),
    paused: () => text('paused', { time: clockTime(freshAt) }),
  }[next]();
  place.dataset.state = next;
  const span = place.querySelector('span') ?? place;
  if (span.textContent !== words) span.textContent = words;
}

document.addEventListener('click', (event) => {
  const button = event.target.closest?.('[data-live-pause]');
  if (!button) return;
  paused = !paused;
  button.setAttribute('aria-pressed', String(paused));
  if (paused) {
    freshAt = new Date();
    show('paused');
  } else {
    show(socket?.connected ? 'live' : 'stale');
    if (missed) catchUp();
    missed = false;
  }
});

document.addEventListener('input', (event) => {
  if (!event.target.closest?.('#composer') || Date.now() - typedAt < TYPING_MS / 2) return;
  typedAt = Date.now();
  sayAlive();
});

for (const [target, type] of [[document, 'visibilitychange'], [window, 'online'], [window, 'focus']]) {
  target.addEventListener(type, () => {
    if (document.hidden || !socket) return;
    if (socket.connected) sayAlive();
    else socket.connect();
  });
}

document.addEventListener('htmx:after:swap', () => {
  watchRooms();
  show(state);
});

onPage('body[data-live]', () => socket ?? begin());
onPage('[data-room]', () => watchRooms());

// <div data-refresh data-poll="20">: fetched that often in any case, in seconds; for what changes by time passing, too.
onPage('[data-poll][data-refresh]', (part) => {
  const timer = setInterval(() => {
    if (!part.isConnected) clearInterval(timer);
    else if (!document.hidden && !paused) refetch(part).catch(() => {});
  }, 1000 * Number(part.dataset.poll));
});
