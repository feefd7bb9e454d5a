// Words typed on the wrong keyboard layout: "nf,kj" is "табло", "руддщ" is "hello". Pure.

const LATIN = "`qwertyuiop[]asdfghjkl;'zxcvbnm,.";
const CYRILLIC = 'ёйцукенгшщзхъфывапролджэячсмитьбю';

/** The same keys on the other layout. */
export function otherLayout(typed) {
  return [...typed.toLowerCase()].map((letter) => {
    const latin = LATIN.indexOf(letter);
    if (latin >= 0) return CYRILLIC[latin];
    const cyrillic = CYRILLIC.indexOf(letter);
    return cyrillic >= 0 ? LATIN[cyrillic] : letter;
  }).join('');
}

/** How well `query` finds `words`: 0 starts it, 1 starts a word, 2 inside, null not at all. Every part must be found. */
export function rank(query, words) {
  const best = [query, otherLayout(query)].map((variant) => rankExactly(fold(variant), fold(words)));
  return best.filter((found) => found !== null).sort()[0] ?? null;
}

function rankExactly(query, words) {
  if (words.startsWith(query)) return 0;
  let worst = 1;
  for (const part of query.split(/\s+/).filter(Boolean)) {
    const at = words.indexOf(part);
    if (at < 0) return null;
    const startsWord = ` ${words}`.includes(` ${part}`);
    if (!startsWord) worst = 2;
  }
  return worst;
}

function fold(words) {
  return words.toLowerCase().replaceAll('ё', 'е').trim();
}
