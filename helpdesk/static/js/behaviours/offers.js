// Offers in #offers: <article class="offer" data-offer data-expires="epoch" data-total="30">. The <progress> and [data-left]
// count down on server time; a short sound and the page's title call for somebody who looks elsewhere, unless the page says
// <body data-mute> (no sound) or <body data-quiet> (neither). [data-left-said] tells screen readers the time left now and then.
// <button data-try-sound> plays it. Accept and decline are plain forms: all of this only draws attention.
//
// What is to be wrapped up, <article class="offer" data-ends="epoch" data-total="60">, counts down by the same clock, but calls nobody:
// no sound, no title, and at its end it stays until the server draws the bar anew.

import { onPage } from '../lib/page.js';
import { language, text } from '../lib/texts.js';
import { duration } from '../lib/time-text.js';
import { serverNow } from './ticker.js';
import { toast } from './toasts.js';

const LATE = 5;  // seconds: the bar turns red
let plainTitle = document.title;
let audio = null;
const called = new Set();  // an offer drawn anew is no new offer
const SAID = [20, 10, 5];  // a screen reader hears the time left then, not each second

onPage('[data-offer]', (offer) => {
  countDown(offer, Number(offer.dataset.expires), (left) => text('secondsLeft', { n: Math.ceil(left) }), () => {
    offer.remove();
    toast({ text: text('expired'), seconds: 5 });
  }, showTitle);
  if (!called.has(offer.dataset.offer) && !('quiet' in document.body.dataset) && !('mute' in document.body.dataset)) beep();
  called.add(offer.dataset.offer);
  showTitle();
});

onPage('[data-ends]', (wrap) => {
  countDown(wrap, Number(wrap.dataset.ends), (left) => text('left', { time: duration(Math.ceil(left), language()) }));
});

/** Draw the time left until `ends` (epoch seconds) four times a second, as `words(left)`; `over` when it has come, `gone` when it is off the page. */
function countDown(card, ends, words, over = () => {}, gone = () => {}) {
  const timer = setInterval(tick, 250);
  tick();

  function tick() {
    if (!card.isConnected) {
      clearInterval(timer);
      gone();
      return;
    }
    const left = Math.max(0, ends - serverNow());
    draw(card, left, words(left));
    if (left > 0) return;
    clearInterval(timer);
    over();
    gone();
  }
}

function draw(card, left, words) {
  const bar = card.querySelector('progress');
  if (bar) {
    bar.max = Number(card.dataset.total) || 30;
    bar.value = left;
  }
  card.classList.toggle('late', left <= LATE);
  const shown = card.querySelector('[data-left]');
  if (shown && shown.textContent !== words) shown.textContent = words;
  const said = card.querySelector('[data-left-said]');
  if (said && SAID.includes(Math.ceil(left)) && said.textContent !== words) said.textContent = words;
}

function showTitle() {
  if ('quiet' in document.body.dataset) return;
  const waiting = document.querySelectorAll('[data-offer]').length;
  const mark = `● ${text('offer')}: `;
  if (!document.title.startsWith('●')) plainTitle = document.title;
  document.title = waiting ? mark + plainTitle : plainTitle;
}

onPage('[data-try-sound]', (button) => button.addEventListener('click', beep));

// Two soft tones, made here: no sound file, and nothing at all before the first click, as browsers demand.
function beep() {
  if (!navigator.userActivation?.hasBeenActive) return;
  try {
    audio ??= new AudioContext();
    for (const [start, pitch] of [[0, 660], [0.16, 880]]) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, audio.currentTime + start);
      volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + start + 0.14);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + start);
      tone.stop(audio.currentTime + start + 0.15);
    }
  } catch {
    // No sound device: the card and the title are enough.
  }
}
