// @ts-check
// The bar of a day: what was recorded, what moved, what is missing, and where one is. Drawn with SVG attributes only.

import { locale } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const ZOOMS = [86400, 6 * 3600, 3600, 900];
const STEPS = [10800, 3600, 600, 120]; // seconds between two labels, by zoom
const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const hour = new Intl.DateTimeFormat(locale, { hour: "numeric" });
const exact = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit", second: "2-digit" });

/** @typedef {{start: number, end: number}} Span */
/** @typedef {{spans: Span[], gaps: (Span & {cause: string})[], motion: (Span & {peak: number})[],
 *   camera_motion: {start: number, end: number | null}[] | null}} Recordings */

export class Timeline {
  /** @type {Recordings} */ #recordings = { spans: [], gaps: [], motion: [], camera_motion: null };
  #zoom = 0;
  #from = 0;
  #dragging = false;
  /** @type {Span} */ #chosen = { start: 0, end: 0 };

  /**
   * @param {SVGSVGElement} bar @param {HTMLElement | null} labels
   * @param {number} start @param {number} end of the day, in Unix seconds
   * @param {{onChoice: (moment: number) => void, onDrag: (moment: number) => void, onHover: (moment: number) => void,
   *   onKey: (moment: number) => void, onLeave: () => void}} listener
   */
  constructor(bar, labels, start, end, listener) {
    this.bar = bar;
    this.labels = labels;
    this.start = start;
    this.end = end;
    this.cursor = start;
    this.listener = listener;
    this.#from = start;
    bar.addEventListener("pointerdown", (event) => {
      this.#dragging = true;
      bar.setPointerCapture(event.pointerId);
      this.#drag(event);
    });
    bar.addEventListener("pointermove", (event) => {
      if (this.#dragging) this.#drag(event);
      else if (event.pointerType === "mouse") this.listener.onHover(this.#momentAt(event));
    });
    for (const name of ["pointerleave", "blur"]) bar.addEventListener(name, () => this.#dragging || this.listener.onLeave());
    bar.addEventListener("pointerup", (event) => {
      if (!this.#dragging) return;
      this.#dragging = false;
      this.listener.onChoice(this.#momentAt(event));
    });
    bar.addEventListener("pointercancel", () => {
      this.#dragging = false;
      this.listener.onLeave();
    });
    bar.addEventListener("keydown", (event) => this.#key(event));
    this.draw();
  }

  get #length() {
    return this.#zoom === 0 ? this.end - this.start : ZOOMS[this.#zoom];
  }

  get dragging() {
    return this.#dragging;
  }

  get canCloser() {
    return this.#zoom + 1 < ZOOMS.length;
  }

  get canWider() {
    return this.#zoom > 0;
  }

  /** Where a moment stands, as a part of the bar's width. @param {number} moment */
  part(moment) {
    return (moment - this.#from) / this.#length;
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const moment = this.#momentAt(event);
    this.move(moment);
    this.listener.onDrag(moment);
  }

  /** @param {PointerEvent} event */
  #momentAt(event) {
    const box = this.bar.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / Math.max(1, box.width)));
    return this.#from + part * this.#length;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -10, ArrowRight: 10, PageUp: 600, PageDown: -600 });
    let to = this.cursor;
    if (event.key in steps) to += steps[event.key] * (event.shiftKey ? 6 : 1);
    else if (event.key === "Home") to = this.start;
    else if (event.key === "End") to = this.end - 1;
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.move(to);
    this.listener.onChoice(this.cursor);
    this.listener.onKey(this.cursor);
  }

  /** @param {Recordings} recordings */
  show(recordings) {
    this.#recordings = recordings;
    this.draw();
  }

  /** Marks a part of the day; none if it is empty. @param {number} from @param {number} to */
  choose(from, to) {
    this.#chosen = { start: from, end: to };
    this.draw();
  }

  /** Shows where one is. @param {number} moment */
  move(moment) {
    this.cursor = Math.min(this.end - 0.001, Math.max(this.start, moment));
    const words = exact.format(new Date(this.cursor * 1000));
    this.bar.setAttribute("aria-valuenow", String(Math.round(this.cursor - this.start)));
    this.bar.setAttribute("aria-valuetext", words);
    const outside = this.cursor < this.#from || this.cursor > this.#from + this.#length;
    if (outside && !this.#dragging) this.#centre();
    this.#drawCursor();
  }

  /** One step closer, or back to the whole day. @param {1 | -1} direction */
  zoom(direction) {
    this.#zoom = direction < 0 ? 0 : Math.min(ZOOMS.length - 1, this.#zoom + 1);
    this.#centre();
    this.draw();
  }

  #centre() {
    const wanted = this.cursor - this.#length / 2;
    this.#from = Math.max(this.start, Math.min(wanted, this.end - this.#length));
    this.draw();
  }

  draw() {
    const length = this.#length;
    this.bar.setAttribute("viewBox", `0 0 ${length} 60`);
    const parts = [this.#rect("bar-empty", this.#from, this.#from + length, 0, 60)];
    for (const { start, end } of this.#recordings.spans) parts.push(this.#rect("bar-footage", start, end, 22, 38));
    for (const { start, end } of this.#recordings.gaps) parts.push(this.#rect("bar-gap", start, end, 54, 6));
    const least = length / 500; // what is shorter than a hair is drawn as one
    for (const { start, end, peak } of this.#recordings.motion) {
      const height = 12 + 36 * Math.min(1, Math.sqrt(peak));
      parts.push(this.#rect("bar-motion", start, Math.max(end ?? start, start + least), 60 - height, height));
    }
    // In a row of its own, above ours.
    for (const { start, end } of this.#recordings.camera_motion ?? []) {
      parts.push(this.#rect("bar-camera-motion", start, Math.max(end ?? Date.now() / 1000, start + least), 3, 6));
    }
    parts.push(this.#rect("bar-chosen", this.#chosen.start, this.#chosen.end, 0, 60));
    this.bar.replaceChildren(...parts.filter((part) => part !== null));
    this.#drawCursor();
    this.#drawLabels();
  }

  /** @param {string} name @param {number} start @param {number} end @param {number} y @param {number} height */
  #rect(name, start, end, y, height) {
    const from = Math.max(0, start - this.#from);
    const to = Math.min(this.#length, end - this.#from);
    if (to <= from) return null;
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", name);
    rect.setAttribute("x", from.toFixed(2));
    rect.setAttribute("width", (to - from).toFixed(2));
    rect.setAttribute("y", String(y));
    rect.setAttribute("height", String(height));
    return rect;
  }

  #drawCursor() {
    let line = this.bar.querySelector(".bar-here");
    if (!line) {
      line = document.createElementNS(SVG, "line");
      line.setAttribute("class", "bar-here");
      line.setAttribute("y1", "0");
      line.setAttribute("y2", "60");
      this.bar.append(line);
    }
    const x = (this.cursor - this.#from).toFixed(2);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }

  #drawLabels() {
    if (!this.labels) return;
    let step = STEPS[this.#zoom];
    const room = Math.max(2, Math.floor(this.bar.clientWidth / 72));
    while (this.#length / step > room) step *= 2;
    const format = step >= 3600 ? hour : clock;
    const list = [];
    // Counted from the day's start, so that the labels are round hours of the reader.
    const first = this.start + Math.ceil((this.#from - this.start) / step) * step;
    for (let at = first; at <= this.#from + this.#length; at += step) {
      const part = (at - this.#from) / this.#length;
      if (part < 0.03 || part > 0.97) continue;
      const item = document.createElement("li");
      item.textContent = format.format(new Date(at * 1000));
      item.style.left = `${part * 100}%`;
      list.push(item);
    }
    this.labels.classList.add("placed");
    this.labels.replaceChildren(...list);
  }
}
