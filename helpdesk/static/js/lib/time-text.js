// Durations in words, exactly as helpdesk/durations.py writes them: the server draws first, the ticker only compares.
// Pure functions; tests/unit/test_durations.py runs both over the same table.

const UNITS = { en: ['d', 'h', 'm'], ru: ['д', 'ч', 'м'] };
const AGO = { en: ['now', 'min', 'h', 'd'], ru: ['сейчас', 'мин', 'ч', 'дн'] };
const SPACE = '\u202f';

/** Seconds as "9:59", "15m", "1h 05m" or "3d", without a sign. */
export function duration(seconds, lang) {
  const whole = Math.abs(Math.trunc(seconds));
  const [day, hour, minute] = UNITS[lang];
  if (whole >= 172800) return Math.floor(whole / 86400) + day;
  if (whole >= 3600) return Math.floor(whole / 3600) + hour + SPACE + two(Math.floor((whole % 3600) / 60)) + minute;
  if (whole >= 600) return Math.floor(whole / 60) + minute;
  return Math.floor(whole / 60) + ':' + two(whole % 60);
}

/** "paused", "bad", "warn" or "ok". Amber begins at a quarter of the target, but between ten minutes and an hour. */
export function slaState(left, window, paused) {
  if (paused) return 'paused';
  if (left < 0) return 'bad';
  return left < Math.max(600, Math.min(window * 0.25, 3600)) ? 'warn' : 'ok';
}

/** What stands in the badge: a minus in front of what is overdue. */
export function slaText(left, lang) {
  return (left < 0 ? '−' : '') + duration(left, lang);
}

/** The name of the line that a screen reader hears (lib/texts.js); it wants {time}. */
export function slaLabel(left, state) {
  if (state === 'paused') return left < 0 ? 'pausedOverdue' : 'pausedLeft';
  return { bad: 'overdueBy', warn: 'dueSoon', ok: 'left' }[state];
}

/** An age as "now", "5 min", "3 h" or "6 d"; null from a week on: then the server's date stands. */
export function relative(seconds, lang) {
  const [now, minutes, hours, days] = AGO[lang];
  if (seconds < 60) return now;
  if (seconds < 3600) return Math.floor(seconds / 60) + '\u00a0' + minutes;
  if (seconds < 86400) return Math.floor(seconds / 3600) + '\u00a0' + hours;
  if (seconds < 7 * 86400) return Math.floor(seconds / 86400) + '\u00a0' + days;
  return null;
}

function two(number) {
  return String(number).padStart(2, '0');
}
