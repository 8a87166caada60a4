// @ts-check
// The small pictures of a day, fetched as sheets: many moments in one answer, so that a finger on a bar waits for none.

const HOUR = 3600;
const KEPT = 16; // hours that stay in memory, about 1.4 MB each
const STALE_MS = 60_000; // an hour that goes on gets new pictures
const NEAR = 12; // seconds: they are kept every ten
const COARSE = 144; // of a whole day: each is read from a file of its own, and the finger waits for them
const FINE = 400; // of an hour: all of it

/** @typedef {{at: number, picture: Blob}} Small */
/** @typedef {{small: Small[], from: number, step: number, asked: number, is_here: boolean}} Sheet */

/** The pictures of an answer: a moment, a length and a JPEG each. @param {ArrayBuffer} bytes @returns {Small[]} */
export function parse(bytes) {
  const view = new DataView(bytes);
  const small = [];
  for (let at = 0; at + 12 <= bytes.byteLength;) {
    const length = view.getUint32(at + 8, true);
    small.push({ at: view.getFloat64(at, true), picture: new Blob([bytes.slice(at + 12, at + 12 + length)], { type: "image/jpeg" }) });
    at += 12 + length;
  }
  return small;
}

/** @param {Small[]} small by time @param {number} moment @returns {Small | undefined} */
export function nearest(small, moment) {
  let [low, high] = [0, small.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (small[middle].at <= moment) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [small[low - 1], small[low]];
  if (!before || !after) return before ?? after;
  return moment - before.at <= after.at - moment ? before : after;
}

export class Sheets {
  /** @type {Map<string, Sheet>} by camera and hour, or camera alone for the whole day */ #sheets = new Map();
  #loading = false;

  /** @param {number} start @param {number} end of the day, in Unix seconds @param {() => void} onMore */
  constructor(start, end, onMore) {
    this.start = start;
    this.end = end;
    this.onMore = onMore;
  }

  /** The picture to show for a moment; nothing if there is none near it. Says whether a nearer one may still come.
   * @param {string} camera @param {number} moment @returns {{small: Small | undefined, waits: boolean}} */
  find(camera, moment) {
    const day = this.#day(camera);
    const hour = this.#hour(camera, moment);
    const close = hour && nearest(hour.small, moment);
    if (close && Math.abs(close.at - moment) <= NEAR) return { small: close, waits: false };
    const waits = !day.is_here || !hour?.is_here;
    const coarse = nearest(day.small, moment);
    const isNear = coarse && Math.abs(coarse.at - moment) <= (waits ? day.step : NEAR);
    return { small: isNear ? coarse : undefined, waits };
  }

  /** @param {string} camera */
  #day(camera) {
    return this.#sheets.get(camera) ?? this.#fetch(camera, camera, this.start, this.end, COARSE);
  }

  /** One at a time: a finger that sweeps over the day asks for the hours where it rests. @param {string} camera @param {number} moment */
  #hour(camera, moment) {
    const from = this.start + Math.floor((moment - this.start) / HOUR) * HOUR;
    const key = `${camera} ${from}`;
    const had = this.#sheets.get(key);
    const isStale = had && had.asked < (from + HOUR) * 1000 && Date.now() - had.asked > STALE_MS;
    if ((had && !isStale) || this.#loading) return had;
    this.#loading = true;
    const hours = [...this.#sheets.keys()].filter((known) => known.includes(" "));
    if (hours.length >= KEPT) this.#sheets.delete(hours[0]);
    return this.#fetch(key, camera, from, Math.min(this.end, from + HOUR), FINE, had?.small);
  }

  /** @param {string} key @param {string} camera @param {number} from @param {number} to
   * @param {number} most @param {Small[]} small had already */
  #fetch(key, camera, from, to, most, small = []) {
    const sheet = { small, from, step: (to - from) / most, asked: Date.now(), is_here: false };
    this.#sheets.set(key, sheet);
    fetch(`/api/cameras/${camera}/previews?after=${from}&before=${to}&most=${most}`)
      .then((answer) => (answer.ok ? answer.arrayBuffer() : new ArrayBuffer(0)))
      .then((bytes) => { if (bytes.byteLength) sheet.small = parse(bytes); }, () => {})
      .finally(() => {
        sheet.is_here = true;
        if (key !== camera) this.#loading = false;
        this.onMore();
      });
    return sheet;
  }
}
