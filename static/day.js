// @ts-check
// A camera's day: the bar, the player, the buttons and keys around them.

import { Playback } from "./playback.js";
import { Timeline } from "./timeline.js";

const page = /** @type {HTMLElement} */ (document.getElementById("day"));
const video = /** @type {HTMLVideoElement} */ (document.getElementById("video"));
const camera = page.dataset.camera ?? "";
const [year, month, date] = (page.dataset.date ?? "").split("-").map(Number);
// The reader's own day of that date; the recorder may keep another time zone.
const start = new Date(year, month - 1, date).getTime() / 1000;
const end = new Date(year, month - 1, date + 1).getTime() / 1000;
const exact = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit" });

/** @template {HTMLElement} T @param {string} id @returns {T} */
const byId = (id) => /** @type {T} */ (document.getElementById(id));
const saying = byId("saying");
const clock = byId("clock");

const playback = new Playback(video, camera, {
  onTime: (moment) => {
    if (!timeline.dragging) timeline.move(moment);
    clock.textContent = exact.format(new Date(moment * 1000));
  },
  onState: (words, playing) => {
    saying.textContent = words;
    byId("play").querySelector(".icon")?.setAttribute("class", `icon icon-${playing ? "pause" : "play"}`);
    byId("play-words").textContent = playing ? "Pause" : "Play";
  },
});

const timeline = new Timeline(
  /** @type {SVGSVGElement} */ (/** @type {unknown} */ (byId("bar"))), byId("hours"), start, end, (moment) => go(moment),
);

/** @type {import("./timeline.js").Recordings} */
let recordings = { spans: [], gaps: [], motion: [] };

/** Plays from a moment; where nothing is recorded, from where it goes on. @param {number} moment */
function go(moment) {
  const inside = recordings.spans.some((span) => span.start <= moment && moment < span.end);
  const next = recordings.spans.filter((span) => span.start > moment).sort((a, b) => a.start - b.start)[0];
  const last = recordings.spans.at(-1);
  let to = moment;
  if (!inside && next) to = next.start;
  else if (!inside && last && moment >= last.end) to = Math.max(last.start, last.end - 10);
  else if (!inside) {
    saying.textContent = "Nothing was recorded here.";
    timeline.move(moment);
    return;
  }
  timeline.move(to);
  playback.play(to);
  history.replaceState(null, "", `?day=${page.dataset.date}&t=${to.toFixed(1)}`);
}

/** @param {1 | -1} direction */
function goToEvent(direction) {
  const lead = 3; // a little before it moved
  const starts = recordings.motion.map((event) => event.start - lead).sort((a, b) => a - b);
  const here = timeline.cursor;
  const to = direction > 0 ? starts.find((at) => at > here + 1) : starts.filter((at) => at < here - 4).at(-1);
  if (to === undefined) saying.textContent = direction > 0 ? "No later event on this day." : "No earlier event on this day.";
  else go(to);
}

async function load() {
  const answer = await fetch(`/api/cameras/${camera}/recordings?after=${start}&before=${end}`).catch(() => null);
  if (answer?.status === 401) return location.reload();
  if (!answer?.ok) return;
  recordings = await answer.json();
  timeline.show(recordings);
}

byId("play").addEventListener("click", () => playback.toggle(timeline.cursor, go));
byId("back-ten").addEventListener("click", () => go(timeline.cursor - 10));
byId("on-ten").addEventListener("click", () => go(timeline.cursor + 10));
byId("back-event").addEventListener("click", () => goToEvent(-1));
byId("on-event").addEventListener("click", () => goToEvent(1));
byId("speed").addEventListener("change", (event) => {
  playback.speed = Number(/** @type {HTMLSelectElement} */ (event.target).value);
});
byId("sound").addEventListener("click", () => {
  video.muted = !video.muted;
  byId("sound").setAttribute("aria-pressed", String(!video.muted));
  byId("sound").querySelector(".icon")?.setAttribute("class", `icon icon-${video.muted ? "muted" : "sound"}`);
});
for (const [id, direction] of /** @type {[string, 1 | -1][]} */ ([["zoom-in", 1], ["zoom-out", -1]])) {
  byId(id).addEventListener("click", () => {
    timeline.zoom(direction);
    /** @type {HTMLButtonElement} */ (byId("zoom-in")).disabled = !timeline.canCloser;
    /** @type {HTMLButtonElement} */ (byId("zoom-out")).disabled = !timeline.canWider;
  });
}
document.addEventListener("keydown", (event) => {
  const within = /** @type {HTMLElement} */ (event.target).closest("input, select, textarea, button, a, summary");
  if (within || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = /** @type {Record<string, () => void>} */ ({
    " ": () => playback.toggle(timeline.cursor, go),
    ArrowLeft: () => go(timeline.cursor - (event.shiftKey ? 60 : 10)),
    ArrowRight: () => go(timeline.cursor + (event.shiftKey ? 60 : 10)),
    p: () => goToEvent(-1),
    n: () => goToEvent(1),
    m: () => byId("sound").click(),
  });
  if (!(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

// A part as a file: the two fields are in the reader's time, the request in Unix seconds.
const save = document.getElementById("save");
if (save instanceof HTMLFormElement) {
  const from = /** @type {HTMLInputElement} */ (byId("save-from"));
  const to = /** @type {HTMLInputElement} */ (byId("save-to"));
  /** @param {number} moment */
  const field = (moment) => new Date((moment - new Date(moment * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 19);
  save.closest("details")?.addEventListener("toggle", () => {
    from.value = field(timeline.cursor);
    to.value = field(timeline.cursor + 60);
  });
  save.addEventListener("submit", (event) => {
    const [a, b] = [new Date(from.value).getTime() / 1000, new Date(to.value).getTime() / 1000];
    if (!(a < b)) {
      event.preventDefault();
      to.setCustomValidity("Choose an end after the start.");
      to.reportValidity();
      return;
    }
    /** @type {HTMLInputElement} */ (save.elements.namedItem("start")).value = String(a);
    /** @type {HTMLInputElement} */ (save.elements.namedItem("end")).value = String(b);
  });
  to.addEventListener("input", () => to.setCustomValidity(""));
}

byId("controls").hidden = false;
byId("zoom").hidden = false;
await load();
if (Date.now() / 1000 < end) setInterval(load, 10_000);
const asked = Number(page.dataset.at);
if (asked) go(asked);
else timeline.move(Math.min(Date.now() / 1000, recordings.spans.at(-1)?.end ?? start + 43200));
