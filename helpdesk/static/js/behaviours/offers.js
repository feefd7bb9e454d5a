// Offers in #offers: <article class="offer" data-offer data-expires="epoch" data-total="30">. The <progress> and [data-left]
// count down on server time; a short sound and the page's title call for somebody who looks elsewhere, unless the page says
// <body data-mute> (no sound) or <body data-quiet> (neither). [data-left-said] tells screen readers the time left now and then.
// <button data-try-sound> plays it. Accept and decline are plain forms: all of this only draws attention.

import { onPage } from '../lib/page.js';
import { text } from '../lib/texts.js';
import { serverNow } from './ticker.js';
import { toast } from './toasts.js';

const LATE = 5;  // seconds: the bar turns red
let plainTitle = document.title;
let audio = null;
const called = new Set();  // an offer drawn anew is no new offer
const SAID = [20, 10, 5];  // a screen reader hears the time left then, not each second

onPage('[data-offer]', (offer) => {
  const timer = setInterval(() => tick(offer, timer), 250);
  tick(offer, timer);
  if (!called.has(offer.dataset.offer) && !('quiet' in document.body.dataset) && !('mute' in document.body.dataset)) beep();
  called.add(offer.dataset.offer);
  showTitle();
});

function tick(offer, timer) {
  if (!offer.isConnected) {
    clearInterval(timer);
    showTitle();
    return;
  }
  const left = Math.max(0, Number(offer.dataset.expires) - serverNow());
  const bar = offer.querySelector('progress');
  if (bar) {
    bar.max = Number(offer.dataset.total) || 30;
    bar.value = left;
  }
  offer.classList.toggle('late', left <= LATE);
  const words = offer.querySelector('[data-left]');
  const seconds = text('secondsLeft', { n: Math.ceil(left) });
  if (words && words.textContent !== seconds) words.textContent = seconds;
  const said = offer.querySelector('[data-left-said]');
  if (said && SAID.includes(Math.ceil(left)) && said.textContent !== seconds) said.textContent = seconds;
  if (left > 0) return;
  clearInterval(timer);
  offer.remove();
  toast({ text: text('expired'), seconds: 5 });
  showTitle();
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
