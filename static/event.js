// @ts-check
// One event: keep it, write a note, delete it, go to the next; and say why a clip does not play.

import { follow, onKeys } from "./keys.js";
import { offerSending } from "./sending.js";
import { say } from "./texts.js";

const page = document.getElementById("event");
const address = `/api/events/${page?.getAttribute("data-event")}`;
const said = document.getElementById("said");
const note = /** @type {HTMLTextAreaElement | null} */ (document.getElementById("note"));
const kept = /** @type {HTMLInputElement | null} */ (document.getElementById("kept"));

/** @param {string} words */
function tell(words) {
  if (said) said.textContent = words;
}

/** @param {{kept?: boolean, note?: string}} change @param {string} done */
async function put(change, done) {
  const answer = await fetch(address, {
    method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(change),
  }).catch(() => null);
  tell(answer?.ok ? done : say("That did not work. Try again."));
  return Boolean(answer?.ok);
}

kept?.addEventListener("change", async () => {
  const wanted = kept.checked;
  if (!(await put({ kept: wanted }, wanted ? say("Kept.") : say("No longer kept.")))) kept.checked = !wanted;
});
document.getElementById("change")?.addEventListener("submit", (event) => {
  event.preventDefault();
  if (note) put({ note: note.value }, say("Saved."));
});
document.getElementById("delete")?.addEventListener("click", async () => {
  if (!confirm(say("Delete this event? The footage itself stays until its time is up."))) return;
  const answer = await fetch(address, { method: "DELETE" }).catch(() => null);
  if (answer?.ok) location.assign(page?.getAttribute("data-back") ?? "/events");
  else tell(say("That did not work. Try again."));
});

const video = document.querySelector("video");
const saying = document.getElementById("saying");
video?.addEventListener("error", async () => {
  if (!saying) return;
  const answer = await fetch(video.currentSrc, { headers: { range: "bytes=0-0" } }).catch(() => null);
  const reason = answer && !answer.ok ? (await answer.json().catch(() => ({}))).error : "";
  saying.textContent = reason || say("This browser cannot play this clip; save it and open it with another player.");
  saying.hidden = false;
});

offerSending(() => video?.getAttribute("src") ?? "");

// Whoever opened it has seen it.
fetch(`${address}/seen`, { method: "PUT" }).catch(() => {});

const newer = ".heading a[rel=prev]";
const older = ".heading a[rel=next]";
onKeys({
  p: () => follow(newer),
  n: () => follow(older),
  ArrowLeft: () => follow(newer),
  ArrowRight: () => follow(older),
  k: () => kept?.click(),
  " ": () => video?.paused ? video.play().catch(() => {}) : video?.pause(),
});

// With a finger: to the left the next one, to the right the one before, as in an album.
/** @type {Touch | null} */
let began = null;
page?.addEventListener("touchstart", (event) => {
  const touch = event.touches.length === 1 ? event.touches[0] : null;
  const box = video?.getBoundingClientRect();
  // Where the player has its own bar, a finger moves that.
  const isOnBar = touch && box && touch.clientY > box.bottom - 64 && touch.clientY < box.bottom;
  began = isOnBar ? null : touch;
}, { passive: true });
page?.addEventListener("touchend", (event) => {
  const [ended] = event.changedTouches;
  if (!began || !ended) return;
  const [across, down] = [ended.clientX - began.clientX, ended.clientY - began.clientY];
  began = null;
  if (Math.abs(across) < 70 || Math.abs(down) > Math.abs(across) / 2) return;
  follow(across < 0 ? older : newer);
}, { passive: true });
