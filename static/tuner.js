// @ts-check
// Tries what is drawn on the events of the last day: the recorder looks through their footage and says as it goes what stays.

import { localise } from "./times.js";

/** @typedef {{kind: "progress", part: number, say: string}} Progress */
/** @typedef {{kind: "event", id: string, start: string, length: string, verdict: string, has_picture: boolean}} Tried */
/** @typedef {{kind: "new", url: string, start: string, length: string}} New */
/** @typedef {{kind: "done", say: string, besides: string[]}} Done */
/** @typedef {{kind: "failed", say: string}} Failed */

/** @template {Element} T @param {string} id @returns {T} */
const byId = (id) => /** @type {T} */ (/** @type {unknown} */ (document.getElementById(id)));
const form = /** @type {HTMLFormElement} */ (byId("motion"));
const button = /** @type {HTMLButtonElement} */ (byId("try"));
const trial = byId("trial");
const going = byId("trial-going");
const part = /** @type {HTMLProgressElement} */ (byId("trial-part"));
const headline = byId("trial-say");
const heard = byId("trial-heard");
const trouble = byId("trial-trouble");
const besides = byId("trial-besides");
const stale = byId("trial-stale");
const groups = /** @type {HTMLElement[]} */ ([...trial.querySelectorAll("[data-verdict]")]);

/** A screen reader is told how far it is no more often than this, in milliseconds. */
const HEARD = 8000;

/** @type {AbortController | null} */
let running = null;
/** What the newest trial tried. */
let tried = "";
let told = 0;

const wanted = () => new URLSearchParams(/** @type {any} */ (new FormData(form))).toString();

/** @param {string} words */
function say(words) {
  headline.textContent = words;
  if (Date.now() - told < HEARD) return;
  told = Date.now();
  heard.textContent = words;
}

/** @param {string} words the last ones */
function end(words) {
  told = 0;
  say(words);
}

/** A card in its group. @param {string} verdict @param {Tried | New} what @param {string} url @param {string} [picture] */
function card(verdict, what, url, picture) {
  const group = groups.find((group) => group.dataset.verdict === verdict);
  const shots = group?.querySelector(".shots");
  if (!group || !shots) return;
  const link = Object.assign(document.createElement("a"), { href: url });
  const time = document.createElement("time");
  time.dateTime = what.start;
  time.dataset.show = "clock";
  const length = Object.assign(document.createElement("span"), { className: "faint", textContent: what.length });
  const words = document.createElement("span");
  words.append(time, " ", length);
  if (picture) link.append(Object.assign(new Image(320, 180), { src: picture, alt: "", loading: "lazy", decoding: "async" }));
  link.append(words);
  const item = document.createElement("li");
  item.append(link);
  shots.append(item);
  group.hidden = false;
  /** @type {Element} */ (group.querySelector(".count")).textContent = String(shots.childElementCount);
}

/** @param {Progress | Tried | New | Done | Failed} line */
function take(line) {
  switch (line.kind) {
    case "progress":
      part.value = line.part;
      say(line.say);
      break;
    case "event":
      card(line.verdict, line, `/events/${line.id}`, line.has_picture ? `/api/events/${line.id}/thumbnail.jpg` : "");
      break;
    case "new":
      card("new", line, line.url);
      break;
    case "done":
      end(line.say);
      add(line.besides);
      break;
    case "failed":
      fail(line.say);
      break;
  }
}

/** @param {string[]} sentences that are good to know as well */
function add(sentences) {
  besides.append(...sentences.map((words) => Object.assign(document.createElement("li"), { textContent: words })));
}

/** @param {string} words */
function fail(words) {
  trouble.textContent = words;
  trouble.hidden = false;
}

/** Takes each line as it comes. @param {ReadableStream<Uint8Array>} body */
async function follow(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = "";
  let last = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const told = JSON.parse(line);
      last = told.kind;
      take(told);
    }
    localise();
  }
  return last === "done" || last === "failed";
}

async function start() {
  const stopping = new AbortController();
  running = stopping;
  tried = wanted();
  told = 0;
  headline.textContent = "";
  besides.replaceChildren();
  for (const group of groups) {
    group.hidden = true;
    group.querySelector(".shots")?.replaceChildren();
  }
  trouble.hidden = stale.hidden = true;
  trial.hidden = going.hidden = false;
  button.disabled = true;
  part.value = 0;
  trial.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  try {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await fetch(`${location.pathname}/trial`, { method: "POST", body: tried, headers, signal: stopping.signal });
    if (!answer.ok || !answer.body) {
      const { error } = await answer.json();
      fail(`${error.charAt(0).toUpperCase()}${error.slice(1)}.`);
    } else if (!(await follow(answer.body))) {
      fail(/** @type {string} */ (trouble.dataset.broken));
    }
  } catch {
    if (stopping.signal.aborted) add([/** @type {string} */ (besides.dataset.stopped)]);
    else fail(/** @type {string} */ (trouble.dataset.broken));
  }
  running = null;
  going.hidden = true;
  button.disabled = false;
  check();
}

/** Says if the settings are no longer those that were tried. */
function check() {
  stale.hidden = trial.hidden || running !== null || wanted() === tried;
}

byId("try-tools").hidden = false;
button.addEventListener("click", start);
byId("trial-stop").addEventListener("click", () => {
  running?.abort();
  button.disabled = false;
  button.focus();
});
form.addEventListener("input", check);
// What is drawn changes without a word to the form.
byId("areas").addEventListener("pointerup", () => setTimeout(check));
byId("areas").addEventListener("keydown", () => setTimeout(check));
document.addEventListener("click", () => setTimeout(check));
