// @ts-check
// A day of one camera or of all together: the bars, the player, the buttons and keys around them.

import { onKeys } from "./keys.js";
import { Saving } from "./saving.js";
import { saveStill } from "./still.js";
import { Scrub } from "./scrub.js";
import { Timeline } from "./timeline.js";
import { Together } from "./together.js";
import { locale, say } from "./texts.js";

const page = /** @type {HTMLElement} */ (document.getElementById("day"));
const screens = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-screen]")]);
const cameras = screens.map((screen) => screen.dataset.screen ?? "");
const [year, month, date] = (page.dataset.date ?? "").split("-").map(Number);
// The reader's own day of that date; the recorder may keep another time zone.
const start = new Date(year, month - 1, date).getTime() / 1000;
const end = new Date(year, month - 1, date + 1).getTime() / 1000;
const exact = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit", second: "2-digit" });
const SPEEDS = [0.5, 1, 2, 4, 8, 16, 32];

/** @template {HTMLElement} T @param {string} id @returns {T} */
const byId = (id) => /** @type {T} */ (document.getElementById(id));
const saying = byId("saying");
const clock = byId("clock");
const speed = /** @type {HTMLSelectElement} */ (byId("speed"));

/** What is said once, and stands for a moment. */
const note = { words: "", until: 0 };
/** @param {string} words */
function tell(words) {
  if (saying.textContent !== words) saying.textContent = words;
}
/** @param {string} words */
function remark(words) {
  [note.words, note.until] = [words, Date.now() + 3000];
  tell(words);
}

const together = new Together(screens, {
  onTime: (moment) => {
    if (timelines.some(({ dragging }) => dragging)) return;
    show(moment);
    remember(moment);
  },
  onState: (words, runs) => {
    tell(words || (Date.now() < note.until ? note.words : ""));
    byId("play").querySelector(".icon")?.setAttribute("class", `icon icon-${runs ? "pause" : "play"}`);
    byId("play-words").textContent = runs ? say("Pause") : say("Play");
  },
});

const scrub = new Scrub(byId("scrub"), start, end);
const bars = /** @type {SVGSVGElement[]} */ (/** @type {unknown[]} */ ([...document.querySelectorAll("[data-bar]")]));
const timelines = bars.map((bar, at) => new Timeline(bar, at === bars.length - 1 ? byId("hours") : null, start, end, {
  onChoice: (moment) => { leave(); go(moment); },
  onDrag: (moment) => { show(moment); peek(at, moment); },
  onHover: (moment) => {
    clearTimeout(hover);
    // Crossing a bar on the way to something else is no look at what it shows.
    if (byId("scrub").hidden) hover = setTimeout(() => peek(at, moment), 120);
    else peek(at, moment);
  },
  onKey: (moment) => { peek(at, moment); scrub.hideAfter(2500); },
  onLeave: () => leave(),
}));
let hover = 0;

/** The picture of a moment, above its place on the bar. @param {number} at which bar @param {number} moment */
function peek(at, moment) {
  clearTimeout(hover);
  scrub.show(cameras[at], moment, bars[at], timelines[at].part(moment), recordings[at].spans.some((span) => span.start <= moment && moment < span.end));
}

function leave() {
  clearTimeout(hover);
  scrub.hide();
}

const saving = new Saving(() => cursor(), (from, to) => { for (const timeline of timelines) timeline.choose(from, to); });

/** @type {import("./timeline.js").Recordings[]} */
let recordings = cameras.map(() => ({ spans: [], gaps: [], motion: [], camera_motion: null }));

const cursor = () => timelines[0]?.cursor ?? start;

/** @param {number} moment */
function show(moment) {
  for (const timeline of timelines) timeline.move(moment);
  const words = exact.format(new Date(moment * 1000));
  if (clock.textContent !== words) clock.textContent = words;
}

let remembered = 0;
/** The address says where one is, so that it can be handed on. @param {number} moment */
function remember(moment) {
  if (Math.abs(moment - remembered) < 5 && together.runs) return; // browsers allow it only so often
  remembered = moment;
  history.replaceState(null, "", `?day=${page.dataset.date}&t=${moment.toFixed(1)}`);
}

/** Shows a moment; where nothing is recorded, from where it goes on. @param {number} moment */
function go(moment) {
  const spans = recordings.flatMap(({ spans }) => spans);
  const last = spans.length ? Math.max(...spans.map(({ end }) => end)) : Number.NaN;
  let to = together.next(moment);
  if (Number.isNaN(to) && moment >= last) to = Math.max(start, last - 10);
  show(Number.isNaN(to) ? moment : to);
  if (Number.isNaN(to)) remark(say("Nothing was recorded here."));
  else {
    page.classList.add("begun");
    together.go(to);
  }
  remember(cursor());
}

/** @param {number} moment */
function goAndPlay(moment) {
  go(moment);
  together.play();
}

function toggle() {
  if (together.runs) return together.pause();
  if (Number.isNaN(together.moment)) go(cursor());
  together.play();
}

/** @param {1 | -1} direction */
function goToEvent(direction) {
  const lead = 3; // a little before it moved
  const starts = recordings.flatMap(({ motion }) => motion.map((event) => event.start - lead)).sort((a, b) => a - b);
  const here = cursor();
  const to = direction > 0 ? starts.find((at) => at > here + 1) : starts.filter((at) => at < here - 4).at(-1);
  if (to === undefined) remark(direction > 0 ? say("No later event on this day.") : say("No earlier event on this day."));
  else goAndPlay(to);
}

/** @param {1 | -1} direction */
function change(direction) {
  const at = SPEEDS.indexOf(together.speed) + direction;
  together.speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at))];
  speed.value = String(together.speed);
}

async function load() {
  const answers = await Promise.all(cameras.map(async (camera) => {
    const answer = await fetch(`/api/cameras/${camera}/recordings?after=${start}&before=${end}`).catch(() => null);
    if (answer?.status === 401) location.reload();
    return answer?.ok ? answer.json() : null;
  }));
  recordings = recordings.map((known, at) => answers[at] ?? known);
  for (const [at, timeline] of timelines.entries()) timeline.show(recordings[at]);
  together.know(recordings.map(({ spans }) => spans));
}

byId("play").addEventListener("click", toggle);
byId("back-ten").addEventListener("click", () => go(cursor() - 10));
byId("on-ten").addEventListener("click", () => go(cursor() + 10));
byId("back-one").addEventListener("click", () => together.step(-1));
byId("on-one").addEventListener("click", () => together.step(1));
byId("back-event").addEventListener("click", () => goToEvent(-1));
byId("on-event").addEventListener("click", () => goToEvent(1));
speed.addEventListener("change", () => { together.speed = Number(speed.value); });
const sound = document.getElementById("sound");
sound?.addEventListener("click", () => {
  const video = /** @type {HTMLVideoElement} */ (screens[0].querySelector("video"));
  video.muted = !video.muted;
  sound.setAttribute("aria-pressed", String(!video.muted));
  sound.querySelector(".icon")?.setAttribute("class", `icon icon-${video.muted ? "muted" : "sound"}`);
});
const still = document.getElementById("save-still");
still?.addEventListener("click", async () => {
  const video = /** @type {HTMLVideoElement} */ (screens[0].querySelector("video"));
  const saved = await saveStill(video, screens[0].dataset.name ?? cameras[0], together.moment);
  if (!saved) remark(say("There is no picture yet: choose a moment first."));
});
if (still) still.hidden = false;
for (const screen of screens) {
  const picture = screen.querySelector(".picture");
  picture?.addEventListener("click", () => !Number.isNaN(together.moment) && toggle());
  picture?.addEventListener("dblclick", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else picture.requestFullscreen().catch(() => {});
  });
}
for (const [id, direction] of /** @type {[string, 1 | -1][]} */ ([["zoom-in", 1], ["zoom-out", -1]])) {
  byId(id).addEventListener("click", () => {
    for (const timeline of timelines) timeline.zoom(direction);
    /** @type {HTMLButtonElement} */ (byId("zoom-in")).disabled = !timelines[0].canCloser;
    /** @type {HTMLButtonElement} */ (byId("zoom-out")).disabled = !timelines[0].canWider;
  });
}
onKeys({
  " ": toggle,
  ArrowLeft: (event) => go(cursor() - (event.shiftKey ? 60 : 10)),
  ArrowRight: (event) => go(cursor() + (event.shiftKey ? 60 : 10)),
  ",": () => together.step(-1),
  ".": () => together.step(1),
  "-": () => change(-1),
  "+": () => change(1),
  p: () => goToEvent(-1),
  n: () => goToEvent(1),
  m: () => sound?.click(),
  "[": () => saving.begin(),
  "]": () => saving.end(),
});

byId("controls").hidden = false;
byId("zoom").hidden = false;
await load();
if (Date.now() / 1000 < end) setInterval(load, 10_000);
const asked = Number(page.dataset.at);
const newest = Math.max(start, ...recordings.flatMap(({ spans }) => spans.map((span) => span.end)));
if (asked) goAndPlay(asked);
// Nothing is shown yet: whoever opens a day has not looked at anything of it, and the log says so.
else show(newest > start ? Math.min(Date.now() / 1000, newest) : start + 43200);
