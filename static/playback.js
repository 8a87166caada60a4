// @ts-check
// The footage of one camera in one element: fetches the playlist of a window, and feeds its pieces ahead of time. Which
// moment is to be seen, and how fast time goes, others say (`together.js`).
//
// The element's own time is the time on the wall minus `#base`, so that gaps are gaps and every frame knows its moment.

import { codecsOf } from "./codecs.js";
import { Trouble, holds, idle, put, rest } from "./feeding.js";
import { hasMediaSource, playable } from "./media.js";
import { parse } from "./playlist.js";
import { say } from "./texts.js";

const WINDOW = 900; // seconds of one playlist
const AHEAD = 25; // seconds fetched before they are needed
const BEHIND = 30; // seconds kept after they were seen
const NATIVE = 3600; // seconds that an old iPhone is given at once

export class Playback {
  #base = 0;
  #loadedTo = 0;
  /** @type {import("./playlist.js").Piece[]} */ #pieces = [];
  /** @type {Map<string, Promise<ArrayBuffer>>} */ #inits = new Map();
  /** @type {Map<string, number>} bytes had of each file */ #received = new Map();
  /** @type {SourceBuffer | null} */ #buffer = null;
  #codecs = "";
  #init = "";
  #next = 0;
  #url = "";
  #aim = Number.NaN;
  #runs = false;
  #rate = 1;
  #frame = 0;
  #shown = Number.NaN;
  #abort = new AbortController();
  /** What is wrong, in words. */
  trouble = "";
  /** How many times faster than in life it is to be fed. */
  pace = 1;

  /** @param {HTMLVideoElement} video @param {string} camera */
  constructor(video, camera) {
    this.video = video;
    this.camera = camera;
    video.disableRemotePlayback = true;
    video.addEventListener("error", () => { if (this.#url) this.trouble = say("This footage cannot be decoded here."); });
    this.#measure();
  }

  /** The moment that is seen, in Unix seconds; not a number before there is any. */
  get moment() {
    return this.#url && this.video.readyState >= 1 ? this.#base + this.video.currentTime : Number.NaN;
  }

  /** The moment at which the picture on the screen begins; not a number before there is any. */
  get picture() {
    return this.#base + this.#shown;
  }

  /** Whether the picture of that moment is on the screen, and the next ones are there too. */
  get isReady() {
    return this.video.readyState >= 3 && !this.video.seeking;
  }

  /** How long one picture stays, in seconds. */
  get frame() {
    return this.#frame || 1 / 15;
  }

  /** Whether that moment is here, to be shown at once. @param {number} moment */
  holds(moment) {
    return Boolean(this.#url) && holds(this.video.buffered, moment - this.#base);
  }

  /** How much more than usual is held ready; not without bounds, for a browser's memory has some. */
  get #hurry() {
    return Math.min(4, Math.max(1, this.pace));
  }

  /** Whether that moment is on its way. @param {number} moment */
  expects(moment) {
    if (!this.#url || this.trouble) return false;
    if (this.#url.startsWith("/")) return moment >= this.#base && moment < this.#base + NATIVE;
    const { buffered } = this.video;
    const to = buffered.length ? Math.max(this.#aim, this.#base + buffered.end(buffered.length - 1)) : this.#aim;
    return moment >= this.#aim - 0.5 && moment < to + 5 * this.#hurry;
  }

  /** Shows a moment that is held. @param {number} moment */
  seek(moment) {
    if (!this.video.seeking) this.video.currentTime = moment - this.#base;
  }

  /** Lets it run. @param {number} rate */
  run(rate) {
    this.#runs = true;
    this.#rate = rate;
    if (Math.abs(this.video.playbackRate - rate) > 0.01) this.video.playbackRate = rate;
    if (this.video.paused && this.#url) this.video.play().catch(() => {});
  }

  /** Stands still. */
  stand() {
    this.#runs = false;
    if (!this.video.paused) this.video.pause();
  }

  #measure() {
    const { video } = this;
    if (!("requestVideoFrameCallback" in video)) return;
    let last = 0;
    /** @param {number} _now @param {{mediaTime: number}} shown */
    const look = (_now, { mediaTime }) => {
      const between = mediaTime - last;
      // Pictures may be left out, so the least time between two of them is that of one.
      if (this.#runs && between > 0.008 && between < 0.6) this.#frame = this.#frame ? Math.min(this.#frame * 1.02, between) : between;
      last = mediaTime;
      this.#shown = mediaTime;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  }

  /** Loads from a moment on. @param {number} moment */
  async begin(moment) {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const { video } = this;
    this.trouble = "";
    this.#aim = moment;
    this.#shown = Number.NaN;
    this.#base = Math.floor(moment) - 600; // a file may begin well before the moment that is wanted of it
    this.#received.clear();
    this.#loadedTo = Math.floor(moment) - 1;
    this.#pieces = [];
    this.#next = 0;
    this.#buffer = null;
    this.#codecs = "";
    this.#init = "";
    if (this.#url.startsWith("blob:")) URL.revokeObjectURL(this.#url);
    if (!hasMediaSource) {
      // An old iPhone: it plays HLS by itself, but knows only one window.
      this.#base = this.#loadedTo;
      this.#url = this.#playlist(this.#base, this.#base + NATIVE);
      video.src = this.#url;
      if (this.#runs) this.run(this.#rate);
      return;
    }
    const Source = /** @type {any} */ (globalThis).ManagedMediaSource ?? MediaSource;
    const source = new Source();
    this.#url = URL.createObjectURL(source);
    const opened = new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
    video.src = this.#url;
    await opened;
    try {
      await this.#feed(source, moment, signal);
    } catch (error) {
      if (!signal.aborted) this.trouble = error instanceof Trouble ? error.message : say("This footage cannot be played here.");
      if (!signal.aborted) console.warn(error);
    }
  }

  /** @param {number} from @param {number} to */
  #playlist(from, to) {
    return `/vod/${this.camera}/start/${from}/end/${to}/index.m3u8`;
  }

  /** Keeps the element fed until something else is to be shown. @param {MediaSource} source @param {number} moment @param {AbortSignal} signal */
  async #feed(source, moment, signal) {
    let begun = false;
    while (!signal.aborted) {
      const piece = this.#pieces[this.#next];
      if (!piece) {
        if (!(await this.#more(signal))) await rest(3000, signal);
        continue;
      }
      const ahead = piece.start - this.#base - this.video.currentTime;
      const stretch = AHEAD * this.#hurry;
      const isNextAfterGap = this.#next > 0 && piece.start - this.#pieces[this.#next - 1].end > 1;
      if (begun && ahead > stretch && !isNextAfterGap) {
        await rest(250, signal);
        continue;
      }
      if (begun && isNextAfterGap && this.#base + this.video.currentTime < this.#pieces[this.#next - 1].end - stretch) {
        await rest(250, signal);
        continue;
      }
      this.#next += 1;
      await this.#append(source, piece, signal, () => {
        // Begins as soon as the wanted moment is there.
        const wanted = Math.max(moment, piece.start + 0.01) - this.#base;
        if (begun || signal.aborted || piece.end <= moment || !holds(this.video.buffered, wanted)) return;
        begun = true;
        this.#show(wanted);
      });
      if (!begun && piece.end > moment && this.video.buffered.length) {
        // The moment itself was lost: what comes nearest will do.
        begun = true;
        const { buffered } = this.video;
        this.#show(buffered.start(buffered.length - 1) + 0.01);
      }
    }
  }

  /** @param {number} time */
  #show(time) {
    this.video.currentTime = time;
    this.video.playbackRate = this.#rate;
    if (this.#runs) this.video.play().catch(() => {});
  }

  /** Loads the next window; whether there was anything in it. @param {AbortSignal} signal */
  async #more(signal) {
    const from = this.#loadedTo;
    const now = Date.now() / 1000;
    if (from > now - 1) return false;
    const to = Math.min(from + WINDOW, Math.ceil(now));
    const url = this.#playlist(from, to);
    const answer = await fetch(url, { signal, cache: "no-store" });
    if (answer.status === 401) location.reload();
    // Nothing in this window: perhaps in the next one, up to now.
    if (answer.status === 404 && to < now - 1) {
      this.#loadedTo = to;
      return true;
    }
    if (answer.status === 404) {
      if (!this.#pieces.length) throw new Trouble(say("Nothing was recorded here."));
      return false;
    }
    if (!answer.ok) throw new Trouble(say("The recorder does not answer; try again."));
    const last = this.#pieces.at(-1)?.end ?? 0;
    const pieces = parse(await answer.text(), new URL(url, location.href).href).filter((piece) => piece.end > last + 0.05);
    this.#pieces.push(...pieces);
    // Near now the window was cut short by what is recorded so far: the next one begins where this one ended.
    this.#loadedTo = pieces.at(-1) && to > now - 5 ? Math.max(from, pieces[pieces.length - 1].end) : to;
    return pieces.length > 0 || to < now - 1;
  }

  /** @param {MediaSource} source @param {import("./playlist.js").Piece} piece @param {AbortSignal} signal @param {() => void} onPart */
  async #append(source, piece, signal, onPart) {
    if (piece.init !== this.#init) {
      const init = await (this.#inits.get(piece.init) ?? this.#get(piece.init, signal));
      this.#inits.set(piece.init, Promise.resolve(init));
      const said = codecsOf(init);
      const codecs = playable(said);
      if (!codecs) {
        const what = said.startsWith("hvc1") ? "H.265" : said || say("this footage");
        throw new Trouble(say("This browser cannot play {what}; save the part you need and open it with another player.", { what }));
      }
      if (!this.#buffer) {
        this.#buffer = source.addSourceBuffer(`video/mp4; codecs="${codecs}"`);
      } else if (codecs !== this.#codecs) {
        this.#buffer.changeType(`video/mp4; codecs="${codecs}"`);
      }
      this.#codecs = codecs;
      this.#init = piece.init;
      await put(this.#buffer, init, signal);
    }
    const buffer = /** @type {SourceBuffer} */ (this.#buffer);
    const old = this.video.currentTime - BEHIND;
    if (old > 0 && buffer.buffered.length && buffer.buffered.start(0) < old) {
      buffer.remove(0, old);
      await idle(buffer);
    }
    buffer.timestampOffset = piece.zero - this.#base;
    // A file that grew since is read on from where it ended.
    const had = this.#received.get(piece.name) ?? 0;
    const answer = await fetch(piece.url, { signal, cache: "no-store", headers: had ? { range: `bytes=${had}-` } : {} });
    if (answer.status === 416) return;
    if (!answer.ok || !answer.body) throw new Trouble(answer.status === 404 ? say("This footage is gone.") : say("The recorder does not answer; try again."));
    // Fed as it arrives: the first picture does not wait for the last.
    const reader = answer.body.getReader();
    let received = had;
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) break;
      received += value.byteLength;
      await put(buffer, value, signal);
      onPart();
    }
    this.#received.set(piece.name, received);
  }

  /** @param {string} url @param {AbortSignal} signal */
  async #get(url, signal) {
    const answer = await fetch(url, { signal, cache: "no-store" });
    if (!answer.ok) throw new Trouble(answer.status === 404 ? say("This footage is gone.") : say("The recorder does not answer; try again."));
    return answer.arrayBuffer();
  }
}
