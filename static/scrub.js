// @ts-check
// The picture under the finger: while the bar is dragged, what the camera showed at that moment, as fast as it comes.

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit" });

export class Scrub {
  #wanted = "";
  #loading = "";
  #shown = false;

  /** @param {HTMLElement} bubble with a video and a place for the time */
  constructor(bubble) {
    this.bubble = bubble;
    this.video = /** @type {HTMLVideoElement} */ (bubble.querySelector("video"));
    this.words = /** @type {HTMLElement} */ (bubble.querySelector("span"));
    for (const event of ["loadeddata", "error"]) this.video.addEventListener(event, () => this.#done(event === "error"));
  }

  /** @param {string} camera @param {number} moment @param {Element} bar below which finger */
  show(camera, moment, bar) {
    this.#shown = true;
    this.bubble.hidden = false;
    this.words.textContent = clock.format(new Date(moment * 1000));
    const part = Number(bar.querySelector(".bar-here")?.getAttribute("x1") ?? 0) / (Number(bar.getAttribute("viewBox")?.split(" ")[2]) || 1);
    const box = bar.getBoundingClientRect();
    const around = /** @type {Element} */ (this.bubble.offsetParent ?? document.body).getBoundingClientRect();
    const half = this.bubble.offsetWidth / 2;
    const x = Math.min(around.width - half - 4, Math.max(half + 4, box.left - around.left + part * box.width));
    this.bubble.style.left = `${x}px`;
    this.bubble.style.top = `${box.top - around.top}px`;
    // A second is near enough, and the same picture is not asked for twice.
    this.#wanted = `/api/cameras/${camera}/moment.mp4?t=${Math.floor(moment)}`;
    if (!this.#loading) this.#load();
  }

  hide() {
    this.#shown = false;
    this.bubble.hidden = true;
    this.#wanted = "";
  }

  #load() {
    if (!this.#wanted || this.#wanted === this.video.getAttribute("src")) return;
    this.#loading = this.#wanted;
    this.video.src = this.#loading;
  }

  /** @param {boolean} failed */
  #done(failed) {
    this.bubble.classList.toggle("blank", failed);
    this.#loading = "";
    if (this.#shown) this.#load();
  }
}
