// @ts-check
// One clock for all cameras: each shows the same moment, and where one has to wait, all wait for it.

import { Playback } from "./playback.js";
import { say } from "./texts.js";

/** @typedef {{start: number, end: number}} Span */

const TICK_MS = 100;
const SKIM = 4; // faster than that, pictures are picked out instead of played
const APART = 0.4; // seconds between two cameras that are mended by a jump
const PATIENCE_MS = 6000; // so long everybody waits for one that does not come

/** One camera's picture, which goes by the clock of all. */
class Follower {
  /** @type {Span[]} */ spans = [];
  #late = 0;

  /** @param {HTMLVideoElement} video @param {HTMLElement} saying @param {string} camera */
  constructor(video, saying, camera) {
    this.saying = saying;
    this.playback = new Playback(video, camera);
  }

  /** @param {number} moment */
  has(moment) {
    return this.spans.some(({ start, end }) => start <= moment && moment < end);
  }

  /** @param {string} words */
  say(words) {
    if (this.saying.textContent !== words) this.saying.textContent = words;
  }

  /** Nothing of this moment was recorded here. */
  miss() {
    this.playback.stand();
    this.playback.video.classList.add("away");
    this.say(say("Nothing recorded"));
    this.#late = 0;
  }

  /**
   * Comes as near as it can; whether it is in step.
   * @param {number} moment @param {number} speed @param {boolean} runs
   */
  follow(moment, speed, runs) {
    const { playback } = this;
    playback.pace = speed;
    playback.video.classList.remove("away");
    const isThere = playback.holds(moment);
    if (!isThere && !playback.trouble && !playback.expects(moment)) playback.begin(moment);
    if (playback.trouble) {
      this.say(playback.trouble);
      return true; // the others go on
    }
    const apart = playback.moment - moment;
    const isPlayed = runs && speed <= SKIM;
    if (isThere && !(Math.abs(apart) < (isPlayed ? APART : 0.00005))) playback.seek(moment);
    if (isPlayed) playback.run(speed * (Math.abs(apart) < APART && Math.abs(apart) > 0.04 ? 1 - apart / 2 : 1));
    else playback.stand();
    // What is skimmed shows what it can; what is played or stands still shows exactly that moment.
    const isSkimmed = runs && !isPlayed;
    const isShown = isPlayed ? playback.isReady : playback.video.readyState >= 2 && !playback.video.seeking;
    const isInStep = isThere && (isSkimmed || isShown);
    this.#late = isInStep ? 0 : this.#late || Date.now();
    this.say(isInStep || Date.now() - this.#late < 400 ? "" : say("Loading…"));
    return isInStep || Date.now() - this.#late > PATIENCE_MS;
  }
}

/** @typedef {{onTime: (moment: number) => void, onState: (words: string, runs: boolean) => void}} Listener */

export class Together {
  /** @type {Follower[]} */ #followers = [];
  #at = Number.NaN;
  #since = 0;
  #runs = false;
  #waits = false;
  #speed = 1;

  /** @param {HTMLElement[]} screens each with a video, a place for words and its camera's id @param {Listener} listener */
  constructor(screens, listener) {
    this.listener = listener;
    for (const screen of screens) {
      const video = screen.querySelector("video");
      const saying = screen.querySelector(".saying");
      if (video && saying instanceof HTMLElement) this.#followers.push(new Follower(video, saying, screen.dataset.screen ?? ""));
    }
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** What each camera recorded, in the order of the screens. @param {Span[][]} spans */
  know(spans) {
    for (const [at, follower] of this.#followers.entries()) follower.spans = spans[at] ?? [];
  }

  /** The moment that all cameras show, in Unix seconds; not a number before one was chosen. */
  get moment() {
    return this.#runs && !this.#waits ? this.#at + ((performance.now() - this.#since) / 1000) * this.#speed : this.#at;
  }

  get runs() {
    return this.#runs;
  }

  get speed() {
    return this.#speed;
  }

  set speed(speed) {
    this.#set(this.moment);
    this.#speed = speed;
  }

  /** @param {number} moment */
  #set(moment) {
    this.#at = moment;
    this.#since = performance.now();
  }

  /** Shows a moment, and goes on from there or stands still, as before. @param {number} moment */
  go(moment) {
    this.#set(moment);
    this.listener.onTime(moment);
    this.#tick();
  }

  play() {
    this.#set(this.moment);
    this.#runs = true;
    this.#tick();
  }

  pause() {
    this.#set(this.moment);
    this.#runs = false;
    this.#tick();
  }

  /** One picture on or back, standing still. @param {1 | -1} direction */
  step(direction) {
    this.pause();
    const frame = Math.min(...this.#followers.map(({ playback }) => playback.frame));
    // To the middle of a picture: on the border of two, rounding would show one camera's and the other's neighbour.
    const near = this.#followers.map(({ playback }) => playback.picture).filter((begin) => Math.abs(this.#at - begin) < 1.5 * frame);
    this.go(near.length ? Math.max(...near) + (direction + 0.5) * frame : this.#at + direction * frame);
  }

  /** The next moment from there on of which some camera has pictures. @param {number} moment */
  next(moment) {
    if (this.#followers.some((follower) => follower.has(moment))) return moment;
    const starts = this.#followers.flatMap(({ spans }) => spans.map(({ start }) => start)).filter((start) => start > moment);
    return starts.length ? Math.min(...starts) : Number.NaN;
  }

  #tick() {
    if (Number.isNaN(this.#at)) return;
    const moment = this.moment;
    const here = this.#followers.filter((follower) => follower.has(moment));
    if (!here.length) {
      const next = this.next(moment);
      for (const follower of this.#followers) follower.miss();
      this.#waits = false;
      if (this.#runs && next > moment) return this.#set(next);
      this.#set(moment);
      this.listener.onState(this.#runs && next !== next ? say("Nothing later is recorded yet.") : "", this.#runs);
      return;
    }
    let inStep = true;
    for (const follower of this.#followers) {
      if (!here.includes(follower)) follower.miss();
      else if (!follower.follow(moment, this.#speed, this.#runs && !this.#waits)) inStep = false;
    }
    this.#set(moment);
    if (inStep && this.#runs && !this.#waits && here.length === 1 && this.#speed <= SKIM) {
      // Alone, a camera needs not be hurried: the clock goes by it.
      const own = here[0].playback.moment;
      if (Math.abs(own - moment) < APART) this.#set(own);
    }
    this.#waits = !inStep; // the clock stands until everybody is there
    this.listener.onTime(this.moment);
    this.listener.onState("", this.#runs);
  }
}
