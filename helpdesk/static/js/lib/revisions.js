// Which pushes were seen: one counter per room and sending process. Pure.

export class Revisions {
  #last = new Map();

  /**
   * Note one push or heartbeat. "next": it follows the last one seen (or is the first we hear). "old": seen already.
   * "gap": something is missing, fetch again. A heartbeat repeats the last revision, so one that is ahead is a gap.
   */
  note({ room, src, rev }, isBeat = false) {
    const key = `${room} ${src}`;
    const last = this.#last.get(key);
    if (last === undefined) {
      this.#last.set(key, rev);
      return 'next';
    }
    if (rev <= last) return 'old';
    this.#last.set(key, rev);
    return rev === last + 1 && !isBeat ? 'next' : 'gap';
  }

  /** After everything was fetched again, earlier revisions mean nothing. */
  forget() {
    this.#last.clear();
  }
}
