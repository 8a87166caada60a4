// @ts-check
// An event in a list moves while it is pointed at, touched or has the keyboard: a few small pictures of its course.

const PAUSE_MS = 350;

/** One card's preview: the strip is fetched when it is first wanted. */
class Preview {
  /** @type {HTMLImageElement | null} */
  #strip = null;
  /** @type {HTMLCanvasElement | null} */
  #canvas = null;
  #timer = 0;
  #at = 0;
  #wanted = false;

  /** @param {HTMLElement} card @param {HTMLImageElement} still @param {string} address */
  constructor(card, still, address) {
    this.still = still;
    this.address = address;
    for (const begin of ["pointerenter", "focus"]) card.addEventListener(begin, () => this.#begin());
    for (const end of ["pointerleave", "pointercancel", "blur"]) card.addEventListener(end, () => this.#end());
  }

  async #begin() {
    this.#wanted = true;
    if (!this.#strip) {
      const strip = new Image();
      strip.src = this.address;
      try {
        await strip.decode();
      } catch {
        return; // the still picture stays
      }
      this.#strip = strip;
    }
    if (!this.#wanted || this.#timer) return;
    this.#canvas ??= this.#cover();
    this.#canvas.hidden = false;
    this.#at = 0;
    this.#show();
    this.#timer = setInterval(() => this.#show(), PAUSE_MS);
  }

  #end() {
    this.#wanted = false;
    clearInterval(this.#timer);
    this.#timer = 0;
    if (this.#canvas) this.#canvas.hidden = true;
  }

  #cover() {
    const canvas = document.createElement("canvas");
    canvas.className = "moving";
    canvas.setAttribute("aria-hidden", "true");
    this.still.after(canvas);
    return canvas;
  }

  #show() {
    const strip = this.#strip;
    const canvas = this.#canvas;
    const pen = canvas?.getContext("2d");
    if (!strip || !canvas || !pen) return;
    // Each of the strip's pictures has the still one's shape.
    const shape = this.still.naturalWidth ? this.still.naturalHeight / this.still.naturalWidth : 9 / 16;
    const count = Math.max(1, Math.round(strip.naturalHeight / (strip.naturalWidth * shape)));
    const height = strip.naturalHeight / count;
    if (canvas.width !== strip.naturalWidth) [canvas.width, canvas.height] = [strip.naturalWidth, Math.round(height)];
    pen.drawImage(strip, 0, (this.#at % count) * height, strip.naturalWidth, height, 0, 0, canvas.width, canvas.height);
    this.#at += 1;
  }
}

if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const card of document.querySelectorAll("[data-preview]")) {
    const still = card.querySelector("img");
    if (card instanceof HTMLElement && still && card.dataset.preview) new Preview(card, still, card.dataset.preview);
  }
}
