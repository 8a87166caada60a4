// @ts-check
// Whether a line is too slow for what is sent over it: hardly a picture in ten seconds, though bytes arrive.

const WINDOW_MS = 10_000;
const LEAST = 5; // pictures within the window; single pictures, fetched one by one, are more

export class Slowness {
  /** @type {{at: number, pictures: number}[]} */ #looks = [];

  /** Looks again; whether it is too slow. @param {number} at in milliseconds @param {number} pictures shown so far */
  look(at, pictures) {
    const last = this.#looks.at(-1);
    // A page that was asleep, or an element that began anew, says nothing of the line.
    if (last && (at - last.at > 3_000 || pictures < last.pictures)) this.#looks = [];
    this.#looks.push({ at, pictures });
    while (this.#looks.length > 1 && at - this.#looks[1].at >= WINDOW_MS) this.#looks.shift();
    const [first] = this.#looks;
    return at - first.at >= WINDOW_MS && pictures - first.pictures < LEAST;
  }

  forget() {
    this.#looks = [];
  }
}
