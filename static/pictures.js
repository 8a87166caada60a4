// @ts-check
// Single pictures, one after the other, for browsers that cannot play what the camera sends.

import { say } from "./texts.js";

export class Pictures {
  #running = false;
  #url = "";
  #timer = 0;
  #failures = 0;

  /** @param {HTMLVideoElement} video takes the place of this element @param {string} camera @param {() => void} onLoss */
  constructor(video, camera, onLoss) {
    this.video = video;
    this.address = `/api/cameras/${camera}/snapshot.jpg`;
    this.onLoss = onLoss;
    this.image = document.createElement("img");
    this.image.alt = say("Newest picture");
  }

  start() {
    this.#running = true;
    this.video.hidden = true;
    this.video.after(this.image);
    this.#next();
  }

  async #next() {
    const began = Date.now();
    try {
      const answer = await fetch(this.address, { cache: "no-store" });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const url = URL.createObjectURL(await answer.blob());
      if (!this.#running) return URL.revokeObjectURL(url);
      this.image.src = url;
      await this.image.decode().catch(() => {});
      URL.revokeObjectURL(this.#url);
      this.#url = url;
      this.#failures = 0;
    } catch {
      this.#failures += 1;
      if (this.#running && this.#failures > 5) return this.onLoss();
    }
    const rest = document.visibilityState === "visible" ? 400 : 5000;
    if (this.#running) this.#timer = setTimeout(() => this.#next(), Math.max(100, rest - (Date.now() - began)));
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    this.image.remove();
    this.video.hidden = false;
    URL.revokeObjectURL(this.#url);
  }
}
