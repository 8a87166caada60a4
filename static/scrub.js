// @ts-check
// The picture under the finger, the pointer or the keyboard's place on a bar: a small one from the day's sheets at once, and
// where none was kept, a moment's film, as fast as it comes.

import { Sheets } from "./sheets.js";
import { locale } from "./texts.js";

const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit", second: "2-digit" });

export class Scrub {
  /** @type {{camera: string, moment: number} | null} */ #at = null;
  /** @type {import("./sheets.js").Small | undefined} */ #drawn;
  #wanted = "";
  #loading = "";
  #timer = 0;

  /** @param {HTMLElement} bubble with a canvas, a video and a place for the time @param {number} start @param {number} end of the day */
  constructor(bubble, start, end) {
    this.bubble = bubble;
    this.canvas = /** @type {HTMLCanvasElement} */ (bubble.querySelector("canvas"));
    this.video = /** @type {HTMLVideoElement} */ (bubble.querySelector("video"));
    this.words = /** @type {HTMLElement} */ (bubble.querySelector("span"));
    this.sheets = new Sheets(start, end, () => this.#look());
    for (const event of ["loadeddata", "error"]) this.video.addEventListener(event, () => this.#done(event === "error"));
  }

  /**
   * @param {string} camera @param {number} moment @param {Element} bar below which finger
   * @param {number} part of the bar's width @param {boolean} is_recorded whether there can be a picture
   */
  show(camera, moment, bar, part, is_recorded) {
    clearTimeout(this.#timer);
    this.bubble.hidden = false;
    this.words.textContent = clock.format(new Date(moment * 1000));
    const box = bar.getBoundingClientRect();
    const around = /** @type {Element} */ (this.bubble.offsetParent ?? document.body).getBoundingClientRect();
    const half = this.bubble.offsetWidth / 2;
    const x = Math.min(around.width - half - 4, Math.max(half + 4, box.left - around.left + part * box.width));
    this.bubble.style.left = `${x}px`;
    this.bubble.style.top = `${box.top - around.top}px`;
    this.#at = is_recorded ? { camera, moment } : null;
    if (is_recorded) this.#look();
    else this.#turn("blank");
  }

  hide() {
    clearTimeout(this.#timer);
    this.bubble.hidden = true;
    this.#at = null;
    this.#wanted = "";
  }

  /** @param {number} milliseconds */
  hideAfter(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hide(), milliseconds);
  }

  /** @param {"small" | "film" | "blank"} what is to be seen */
  #turn(what) {
    this.bubble.dataset.shows = what;
  }

  #look() {
    if (!this.#at) return;
    const { camera, moment } = this.#at;
    const { small, waits } = this.sheets.find(camera, moment);
    if (small) {
      this.#wanted = "";
      this.#draw(small);
    } else if (waits) {
      this.#turn("blank");
    } else {
      // A second is near enough, and the same picture is not asked for twice.
      this.#wanted = `/api/cameras/${camera}/moment.mp4?t=${Math.floor(moment)}`;
      if (!this.#loading) this.#load();
    }
  }

  /** @param {import("./sheets.js").Small} small */
  async #draw(small) {
    if (small === this.#drawn) return this.#turn("small");
    const picture = await createImageBitmap(small.picture).catch(() => null);
    if (!this.#at || !picture || this.sheets.find(this.#at.camera, this.#at.moment).small !== small) return picture?.close();
    const { canvas } = this;
    if (canvas.width !== picture.width || canvas.height !== picture.height) [canvas.width, canvas.height] = [picture.width, picture.height];
    canvas.getContext("2d")?.drawImage(picture, 0, 0);
    picture.close();
    this.#drawn = small;
    canvas.dataset.at = String(small.at);
    this.#turn("small");
  }

  #load() {
    if (!this.#wanted) return;
    if (this.#wanted === this.video.getAttribute("src")) return this.#turn(this.video.error ? "blank" : "film");
    this.#loading = this.#wanted;
    this.video.src = this.#loading;
  }

  /** @param {boolean} failed */
  #done(failed) {
    this.#loading = "";
    if (this.#wanted === this.video.getAttribute("src")) this.#turn(failed ? "blank" : "film");
    else this.#load();
  }
}
