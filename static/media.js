// @ts-check
// Media Source, by whichever name this browser has it.

/** The constructor, or nothing on a browser that has neither. @type {typeof MediaSource | undefined} */
const Source = /** @type {any} */ (globalThis).ManagedMediaSource ?? globalThis.MediaSource;

/** The codecs as this browser wants them written; empty if it cannot decode them. FLAC is registered as fLaC, but not
 * everybody knows it by that. @param {string} codecs */
export function playable(codecs) {
  const writings = [codecs, codecs.replace("fLaC", "flac")];
  return writings.find((each) => Source?.isTypeSupported(`video/mp4; codecs="${each}"`)) ?? "";
}

/** Whether this browser can decode that, fed by us. @param {string} codecs */
export function canPlay(codecs) {
  return playable(codecs) !== "";
}

/** One element fed with fragments: a queue in front of one source buffer. */
export class Feed {
  /** @type {ArrayBuffer[]} */ #queue = [];
  /** @type {SourceBuffer | null} */ #buffer = null;
  #source = new Source();
  #closed = false;
  #url = "";

  /** @param {HTMLVideoElement} video @param {(why: string) => void} onFailure */
  constructor(video, onFailure) {
    this.video = video;
    this.onFailure = onFailure;
    /** How many seconds of the past stay in memory. */
    this.keep = 20;
    /** Told whenever there is more to play. */
    this.onMore = () => {};
    // A managed source is refused to elements that may be shown on a television.
    video.disableRemotePlayback = true;
    this.#url = URL.createObjectURL(this.#source);
    video.src = this.#url;
    this.opened = new Promise((resolve) => this.#source.addEventListener("sourceopen", resolve, { once: true }));
  }

  /** Says how what follows is coded. @param {string} codecs */
  async use(codecs) {
    await this.opened;
    if (this.#closed || this.#source.readyState !== "open") return;
    const type = `video/mp4; codecs="${playable(codecs)}"`;
    try {
      if (this.#buffer) {
        this.#buffer.changeType(type);
      } else {
        this.#buffer = this.#source.addSourceBuffer(type);
        this.#buffer.addEventListener("updateend", () => {
          this.#pump();
          if (!this.#closed) this.onMore();
        });
        this.#buffer.addEventListener("error", () => this.onFailure("the pictures cannot be decoded"));
      }
    } catch (error) {
      this.onFailure(String(error));
    }
    this.#pump();
  }

  /** @param {ArrayBuffer} bytes */
  append(bytes) {
    this.#queue.push(bytes);
    this.#pump();
  }

  /** Seconds that may be played, as pairs; empty before there is anything. @returns {[number, number][]} */
  ranges() {
    const found = /** @type {[number, number][]} */ ([]);
    if (this.#closed || !this.#buffer || this.#source.readyState === "closed") return found;
    const { buffered } = this.#buffer;
    for (let i = 0; i < buffered.length; i += 1) found.push([buffered.start(i), buffered.end(i)]);
    return found;
  }

  /** Whether everything that was handed in is in. */
  get idle() {
    return this.#queue.length === 0 && !this.#buffer?.updating;
  }

  #pump() {
    const buffer = this.#buffer;
    if (this.#closed || !buffer || buffer.updating || this.#source.readyState !== "open") return;
    try {
      const from = buffer.buffered.length ? buffer.buffered.start(0) : 0;
      const old = this.video.currentTime - this.keep;
      if (buffer.buffered.length && old - from > this.keep) {
        buffer.remove(from, old);
      } else if (this.#queue.length) {
        const size = this.#queue.reduce((sum, part) => sum + part.byteLength, 0);
        const joined = new Uint8Array(size);
        let at = 0;
        for (const part of this.#queue) {
          joined.set(new Uint8Array(part), at);
          at += part.byteLength;
        }
        this.#queue = [];
        buffer.appendBuffer(joined);
      }
    } catch (error) {
      this.onFailure(String(error));
    }
  }

  /** Lets everything go. */
  close() {
    this.#closed = true;
    this.#queue = [];
    if (this.video.src === this.#url) {
      this.video.removeAttribute("src");
      this.video.load();
    }
    URL.revokeObjectURL(this.#url);
  }
}

/** Whether there is any Media Source here. */
export const hasMediaSource = Boolean(Source);
