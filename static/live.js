// @ts-check
// One live picture: fragments over a WebSocket into Media Source; single pictures where that cannot be decoded.

import { Feed, canPlay, hasMediaSource } from "./media.js";
import { Pictures } from "./pictures.js";
import { Slowness } from "./slow.js";
import { say } from "./texts.js";

const NEAREST = 0.12; // seconds behind the end of the newest picture: nearer, nothing would be left to show
const FARTHEST = 0.8; // so far behind a line that stutters is followed
const SLACK = 0.1; // seconds more than that before we hurry
const LOST = 4; // seconds behind before we jump
const QUIET_MS = 4000; // without anything new to play, though bytes come: the sound that it waits for does not
const SILENCE_MS = 8000; // without a byte: the line is dead, whatever the socket says
const LONGEST_WAIT_MS = 5000; // between two attempts: nobody should have to reload a page
const BETTER_MS = 60_000; // so long a slow line gets single pictures before film is tried again

export class Live {
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Feed | null} */ #feed = null;
  /** @type {Pictures | null} */ #pictures = null;
  #attempt = 0;
  #timer = 0;
  #heard = 0;
  #end = 0;
  #grew = 0;
  #hears = false;
  #running = false;
  #slowness = new Slowness();
  #behind = NEAREST;
  #begun = 0;
  #jumped = false;
  #calm = 0;
  #lesser = ""; // why it is the small stream that plays
  /** Told whether the camera sends sound, and whether it is heard. @type {(has: boolean, hears: boolean) => void} */
  onSound = () => {};

  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLElement} saying where the state is said in words
   * @param {string} camera
   * @param {"main" | "sub"} stream
   */
  constructor(video, saying, camera, stream) {
    this.video = video;
    this.saying = saying;
    this.camera = camera;
    this.stream = stream;
    this.best = stream;
    this.stutter = () => this.#stutter();
    this.wake = () => {
      if (this.#running && document.visibilityState === "visible" && Date.now() - this.#heard > SILENCE_MS) this.#connect();
    };
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#say(say("Connecting…"));
    document.addEventListener("visibilitychange", this.wake);
    globalThis.addEventListener("online", this.wake);
    this.video.addEventListener("waiting", this.stutter);
    this.watchdog = setInterval(() => this.#watch(), 500);
    this.#connect();
  }

  stop() {
    this.#running = false;
    document.removeEventListener("visibilitychange", this.wake);
    globalThis.removeEventListener("online", this.wake);
    this.video.removeEventListener("waiting", this.stutter);
    clearInterval(this.watchdog);
    this.#drop();
  }

  get hears() {
    return this.#hears;
  }

  /** Lets the camera be heard, or no longer. @param {boolean} hears */
  hear(hears) {
    this.#hears = hears;
    this.video.muted = !hears;
    this.#connect();
  }

  /** @param {string} words */
  #say(words) {
    if (this.saying.textContent !== words) this.saying.textContent = words;
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#slowness.forget();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#feed?.close();
    this.#feed = null;
    this.#pictures?.stop();
    this.#pictures = null;
  }

  #connect() {
    this.#drop();
    if (!this.#running) return;
    if (!hasMediaSource) return this.#showPictures(say("This browser shows single pictures"));
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    // Made ready while the recorder is still being asked.
    this.#feed = this.#newFeed();
    const socket = new WebSocket(`${scheme}://${location.host}/api/cameras/${this.camera}/live?stream=${this.stream}&sound=${Number(this.#hears)}`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heard = Date.now();
    socket.onmessage = (message) => {
      if (socket !== this.#socket) return;
      this.#heard = Date.now();
      if (typeof message.data === "string") this.#begin(JSON.parse(message.data));
      else this.#feed?.append(message.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#again(event.code === 1008 ? say("Signed out") : say("Connection lost, trying again…"));
    };
  }

  /** @param {{codecs: string, sound: boolean, width: number, height: number}} parameters */
  #begin({ codecs, sound, width, height }) {
    const frame = this.video.parentElement;
    if (frame && width && height) frame.style.aspectRatio = `${Math.max(width / height, 1.2)}`;
    if (!canPlay(codecs) && codecs.includes(",")) return this.hear(false); // its pictures, at least
    this.onSound(sound, sound && this.#hears);
    if (!canPlay(codecs)) {
      if (this.stream === "main" && codecs.startsWith("hvc1")) {
        this.best = "sub"; // it is often coded more simply
        return this.#playSmall(say("This browser cannot play the large picture: the small one"));
      }
      return this.#showPictures(say("This browser cannot play this camera; single pictures"));
    }
    if (this.#begun || !this.#feed) {
      this.#feed?.close();
      this.#feed = this.#newFeed();
    }
    this.#begun = this.#grew = this.#calm = Date.now();
    this.#jumped = false;
    this.#feed.use(codecs);
  }

  #newFeed() {
    const feed = new Feed(this.video, (why) => {
      console.warn(this.camera, why);
      if (feed === this.#feed) this.#again(say("Trying again…"));
    });
    feed.keep = 8;
    feed.onMore = () => { if (feed === this.#feed) this.#keepUp(); };
    this.#begun = 0;
    return feed;
  }

  /** @param {string} words */
  #again(words) {
    this.#drop();
    if (!this.#running) return;
    this.#say(words);
    this.#attempt += 1;
    const wait = Math.min(LONGEST_WAIT_MS, 400 * 2 ** Math.min(this.#attempt, 6)) * (0.7 + 0.6 * Math.random());
    this.#timer = setTimeout(() => this.#connect(), wait);
    // The page was signed out elsewhere, or the session is over: say so instead of trying for ever.
    if (this.#attempt % 3 === 1) {
      fetch("/api/me").then(({ status }) => status === 401 && location.reload(), () => {});
    }
  }

  /** @param {string} words */
  #showPictures(words) {
    this.#drop();
    this.#say(words);
    this.#pictures = new Pictures(this.video, this.camera, () => this.#again(say("Connection lost, trying again…")));
    this.#pictures.start();
  }

  /** @param {string} why said for as long as it plays */
  #playSmall(why) {
    [this.stream, this.#lesser] = ["sub", why];
    this.#say(why);
    this.#connect();
  }

  /** The line does not carry it: less of it, or single pictures for a while. */
  #giveLess() {
    if (this.stream === "main") {
      return this.#playSmall(say("Slow connection: the small picture"));
    }
    this.#showPictures(say("Slow connection: single pictures"));
    this.#timer = setTimeout(() => {
      if (this.stream !== this.best) [this.stream, this.#lesser] = [this.best, ""];
      this.#connect();
    }, BETTER_MS);
  }

  /** Twice a second: stay near the newest picture, and notice a dead line. */
  #watch() {
    if (document.visibilityState !== "visible") return;
    const range = this.#feed?.ranges().at(-1);
    if (this.#socket && Date.now() - this.#heard > SILENCE_MS) return this.#again(say("No picture arrives, trying again…"));
    if (this.#end !== (range?.[1] ?? 0)) [this.#end, this.#grew] = [range?.[1] ?? 0, Date.now()];
    if (this.#hears && this.#feed && Date.now() - this.#grew > QUIET_MS) return this.hear(false);
    const { video } = this;
    // From the first byte on: a picture that never comes whole is slow too.
    if (this.#feed && this.#slowness.look(Date.now(), video.getVideoPlaybackQuality().totalVideoFrames)) return this.#giveLess();
    if (!range) return;
    // A line that has not stuttered for a while is followed more closely again.
    if (Date.now() - this.#calm > 5_000) [this.#behind, this.#calm] = [Math.max(NEAREST, this.#behind * 0.8), Date.now()];
    this.#keepUp();
    if (video.readyState >= 2) {
      this.#say(this.#lesser);
      this.#attempt = 0;
    }
  }

  /** Near the newest picture, but not so near that it stalls. */
  #keepUp() {
    const { video } = this;
    const range = this.#feed?.ranges().at(-1);
    if (!range || document.visibilityState !== "visible" || video.seeking) return;
    const [start, end] = range;
    const behind = end - video.currentTime;
    // The whole last group of pictures comes first, and once we jump to its end. Again and again would show nothing on a slow
    // machine, which decodes the group anew each time: from then on we hurry.
    if (!this.#jumped || video.currentTime < start || behind > LOST || behind < -0.5) {
      this.#jumped = true;
      video.currentTime = Math.max(start, end - this.#behind);
      video.playbackRate = 1;
    } else {
      const late = behind - this.#behind;
      const rate = late > 0.6 ? 1.5 : late > SLACK ? 1.1 : 1;
      if (video.playbackRate !== rate) video.playbackRate = rate;
    }
    if (video.paused) video.play().catch(() => {});
  }

  /** It stood still for want of pictures: the line is less even than was thought. */
  #stutter() {
    if (!this.#begun || Date.now() - this.#calm < 1_000) return;
    [this.#behind, this.#calm] = [Math.min(FARTHEST, this.#behind * 1.4), Date.now()];
  }
}
