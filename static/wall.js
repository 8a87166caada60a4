// @ts-check
// A tablet on the wall: a still of each camera, renewed slowly, and live pictures while something moves there.

import { locale, say } from "./texts.js";

const EVERY_MS = 20_000; // between two stills of a camera
const LINGER_MS = 10_000; // so long a camera stays live after it has become quiet
const KEY = "hearthwatch-wall";
const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit", second: "2-digit" });

/** Whether this device hangs on a wall, and which cameras something moves at. */
export class Wall {
  #on = localStorage.getItem(KEY) === "on";
  /** @type {Map<string, number>} until when each camera is live */ #live = new Map();
  /** @type {{release: () => Promise<void>} | null} */ #lock = null;

  /** @param {HTMLElement} button @param {() => void} onChange */
  constructor(button, onChange) {
    this.button = button;
    this.onChange = onChange;
    button.hidden = false;
    button.addEventListener("click", () => this.#turn(!this.#on));
    document.addEventListener("cameras", (event) => this.#hear(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("visibilitychange", () => this.#stayAwake());
    this.#turn(this.#on);
  }

  get on() {
    return this.#on;
  }

  /** Whether a camera is to be shown live now. @param {string} camera */
  wantsLive(camera) {
    return !this.#on || (this.#live.get(camera) ?? 0) > Date.now();
  }

  /** @param {boolean} on */
  #turn(on) {
    this.#on = on;
    if (on) localStorage.setItem(KEY, "on");
    else localStorage.removeItem(KEY);
    this.button.setAttribute("aria-pressed", String(on));
    this.#stayAwake();
    this.onChange();
  }

  /** What the recorder says of its cameras, every few seconds. @param {{id: string, moving: boolean}[]} cameras */
  #hear(cameras) {
    for (const { id, moving } of cameras) if (moving) this.#live.set(id, Date.now() + LINGER_MS);
    if (this.#on) this.onChange();
  }

  /** The screen stays on, where the browser allows it. */
  async #stayAwake() {
    const lock = this.#lock;
    this.#lock = null;
    await lock?.release().catch(() => {});
    if (!this.#on || document.visibilityState !== "visible") return;
    const { wakeLock } = /** @type {any} */ (navigator); // not over plain HTTP
    this.#lock = await wakeLock?.request("screen").catch(() => null);
  }
}

/** One camera's still picture, over its film. */
export class Still {
  #timer = 0;
  #wanted = false;
  #url = "";

  /** @param {HTMLVideoElement} video @param {HTMLElement} saying what is said of the film @param {string} camera @param {string} name */
  constructor(video, saying, camera, name) {
    this.video = video;
    this.saying = saying;
    this.address = `/api/cameras/${camera}/snapshot.jpg`;
    this.image = Object.assign(document.createElement("img"), { className: "still", alt: say("Still picture of {camera}", { camera: name }), hidden: true });
    this.words = Object.assign(document.createElement("span"), { className: "as-of", hidden: true });
    video.after(this.image, this.words);
  }

  /** @param {() => void} onShown called once it covers the film */
  start(onShown) {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#next(onShown);
  }

  /** @param {() => void} [onShown] */
  async #next(onShown) {
    const answer = await fetch(this.address, { cache: "no-store" }).catch(() => null);
    const url = answer?.ok ? URL.createObjectURL(await answer.blob()) : "";
    if (url && this.#wanted) {
      const before = this.#url;
      this.image.src = this.#url = url;
      await this.image.decode().catch(() => {});
      URL.revokeObjectURL(before);
      this.words.textContent = say("Still picture, {time}", { time: clock.format(new Date()) });
    } else if (url) {
      URL.revokeObjectURL(url);
    } else {
      this.words.textContent = say("No picture right now");
    }
    if (!this.#wanted) return;
    this.image.hidden = !this.#url;
    this.words.hidden = false;
    onShown?.();
    this.saying.textContent = "";
    if (answer?.status === 401) return location.reload();
    this.#timer = setTimeout(() => this.#next(), EVERY_MS);
  }

  /** Makes way for the film as soon as that has a picture. */
  stop() {
    if (!this.#wanted) return;
    this.#wanted = false;
    clearTimeout(this.#timer);
    const clear = () => {
      if (this.#wanted) return;
      this.image.hidden = this.words.hidden = true;
      URL.revokeObjectURL(this.#url);
      this.#url = "";
    };
    if (this.video.readyState >= 2) clear();
    else this.video.addEventListener("loadeddata", clear, { once: true });
  }
}
