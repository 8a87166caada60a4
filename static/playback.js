// @ts-check
// Plays any moment of a camera: fetches the playlist of a window, and feeds its pieces to the element ahead of time.
//
// The element's own time is the time on the wall minus `#base`, so that gaps are gaps and every frame knows its moment.

import { codecsOf } from "./codecs.js";
import { hasMediaSource, playable } from "./media.js";
import { parse } from "./playlist.js";

const WINDOW = 900; // seconds of one playlist
const AHEAD = 25; // seconds fetched before they are needed
const BEHIND = 30; // seconds kept after they were seen

/** @typedef {{onTime: (moment: number) => void, onState: (words: string, playing: boolean) => void}} Listener */

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
  #words = "";
  #speed = 1;
  #wants = false;
  #abort = new AbortController();

  /** @param {HTMLVideoElement} video @param {string} camera @param {Listener} listener */
  constructor(video, camera, listener) {
    this.video = video;
    this.camera = camera;
    this.listener = listener;
    video.disableRemotePlayback = true;
    video.addEventListener("timeupdate", () => this.#url && !video.seeking && listener.onTime(this.#base + video.currentTime));
    for (const event of ["playing", "pause", "waiting", "seeked"]) video.addEventListener(event, () => this.#tell());
    video.addEventListener("error", () => this.#url && this.#say("This footage cannot be decoded here."));
    video.addEventListener("click", () => this.#url && this.toggle(0, () => {}));
    setInterval(() => this.#jumpGap(), 400);
  }

  set speed(/** @type {number} */ speed) {
    this.#speed = speed;
    this.video.playbackRate = speed;
  }

  /** @param {string} words */
  #say(words) {
    this.#words = words;
    this.#tell();
  }

  #tell() {
    const { video } = this;
    const waiting = this.#wants && !video.paused && video.readyState < 3 ? "Loading…" : "";
    this.listener.onState(this.#words || waiting, this.#wants && !video.paused);
  }

  /** Pauses or goes on; begins at a moment if nothing was played yet. @param {number} moment @param {(moment: number) => void} begin */
  toggle(moment, begin) {
    if (!this.#url) return begin(moment);
    this.#wants = this.video.paused;
    if (this.#wants) this.video.play().catch(() => {});
    else this.video.pause();
    this.#tell();
  }

  /** Plays from a moment, in Unix seconds. @param {number} moment */
  play(moment) {
    this.#wants = true;
    const to = moment - this.#base;
    const { buffered } = this.video;
    for (let i = 0; this.#url && i < buffered.length; i += 1) {
      if (buffered.start(i) <= to && to < buffered.end(i) - 0.1) {
        this.video.currentTime = to;
        this.video.play().catch(() => {});
        return;
      }
    }
    this.#begin(moment);
  }

  /** @param {number} moment */
  async #begin(moment) {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const { video } = this;
    this.#base = Math.floor(moment) - 600; // a file may begin well before the moment that is wanted of it
    this.#received.clear();
    this.#loadedTo = Math.floor(moment) - 1;
    this.#pieces = [];
    this.#next = 0;
    this.#buffer = null;
    this.#codecs = "";
    this.#init = "";
    if (this.#url.startsWith("blob:")) URL.revokeObjectURL(this.#url);
    this.#say("Loading…");
    if (!hasMediaSource) {
      // An old iPhone: it plays HLS by itself, but knows only one window.
      this.#base = this.#loadedTo;
      this.#url = this.#playlist(this.#base, this.#base + 3600);
      video.src = this.#url;
      video.playbackRate = this.#speed;
      video.play().then(() => this.#say(""), () => this.#say("This footage cannot be played here."));
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
      if (!signal.aborted) this.#say(error instanceof Trouble ? error.message : "This footage cannot be played here.");
      if (!signal.aborted) console.warn(error);
    }
  }

  /** @param {number} from @param {number} to */
  #playlist(from, to) {
    return `/vod/${this.camera}/start/${from}/end/${to}/index.m3u8`;
  }

  /** Keeps the element fed until something else is to be played. @param {MediaSource} source @param {number} moment @param {AbortSignal} signal */
  async #feed(source, moment, signal) {
    let begun = false;
    while (!signal.aborted) {
      const piece = this.#pieces[this.#next];
      if (!piece) {
        if (!(await this.#more(signal))) await rest(3000, signal);
        continue;
      }
      const ahead = piece.start - this.#base - this.video.currentTime;
      const stretch = AHEAD * Math.max(1, this.#speed);
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
        this.video.currentTime = wanted;
        this.video.playbackRate = this.#speed;
        this.#say("");
        if (this.#wants) this.video.play().catch(() => {});
      });
      if (!begun && piece.end > moment && this.video.buffered.length) {
        // The moment itself was lost: what comes nearest will do.
        begun = true;
        const { buffered } = this.video;
        this.video.currentTime = buffered.start(buffered.length - 1) + 0.01;
        this.#say("");
        if (this.#wants) this.video.play().catch(() => {});
      }
    }
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
      if (!this.#pieces.length) throw new Trouble("Nothing was recorded here.");
      return false;
    }
    if (!answer.ok) throw new Trouble("The recorder does not answer; try again.");
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
      if (!codecs) throw new Trouble(`This browser cannot play ${said || "this footage"}.`);
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
    if (!answer.ok || !answer.body) throw new Trouble(answer.status === 404 ? "This footage is gone." : "The recorder does not answer; try again.");
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
    if (!answer.ok) throw new Trouble(answer.status === 404 ? "This footage is gone." : "The recorder does not answer; try again.");
    return answer.arrayBuffer();
  }

  /** Where nothing was recorded, goes on with what comes next. */
  #jumpGap() {
    const { video } = this;
    if (!this.#wants || !this.#buffer || video.readyState >= 3 || video.seeking) return;
    const { buffered } = video;
    for (let i = 0; i < buffered.length; i += 1) {
      const hole = buffered.start(i) - video.currentTime;
      if (hole > 0 && hole < 0.6) video.currentTime = buffered.start(i) + 0.01;
      else if (hole >= 0.6) {
        const piece = this.#pieces.find(({ start }) => start - this.#base > video.currentTime + 0.3);
        if (piece && piece.start - this.#base >= buffered.start(i) - 0.5) video.currentTime = buffered.start(i) + 0.01;
      } else continue;
      return;
    }
  }
}

/** Something to be told. */
class Trouble extends Error {}

/** @param {number} milliseconds @param {AbortSignal} signal */
const rest = (milliseconds, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, milliseconds);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(undefined); }, { once: true });
});

/** @param {SourceBuffer} buffer */
const idle = (buffer) => buffer.updating
  ? new Promise((resolve) => buffer.addEventListener("updateend", resolve, { once: true }))
  : Promise.resolve();

/** @param {TimeRanges} ranges @param {number} time */
function holds(ranges, time) {
  for (let i = 0; i < ranges.length; i += 1) if (ranges.start(i) <= time && time < ranges.end(i) - 0.05) return true;
  return false;
}

/** @param {SourceBuffer} buffer @param {BufferSource} bytes @param {AbortSignal} signal */
async function put(buffer, bytes, signal) {
  if (signal.aborted) return;
  buffer.appendBuffer(bytes);
  await idle(buffer);
}
