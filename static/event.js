// @ts-check
// One event: keep it, write a note, delete it; and say why a clip does not play.

const page = document.getElementById("event");
const address = `/api/events/${page?.getAttribute("data-event")}`;
const said = document.getElementById("said");
const note = /** @type {HTMLTextAreaElement | null} */ (document.getElementById("note"));
const kept = /** @type {HTMLInputElement | null} */ (document.getElementById("kept"));

/** @param {string} words */
function say(words) {
  if (said) said.textContent = words;
}

/** @param {{kept?: boolean, note?: string}} change @param {string} done */
async function put(change, done) {
  const answer = await fetch(address, {
    method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(change),
  }).catch(() => null);
  say(answer?.ok ? done : "That did not work. Try again.");
  return Boolean(answer?.ok);
}

kept?.addEventListener("change", async () => {
  const wanted = kept.checked;
  if (!(await put({ kept: wanted }, wanted ? "Kept." : "No longer kept."))) kept.checked = !wanted;
});
document.getElementById("change")?.addEventListener("submit", (event) => {
  event.preventDefault();
  if (note) put({ note: note.value }, "Saved.");
});
document.getElementById("delete")?.addEventListener("click", async () => {
  if (!confirm("Delete this event? The footage itself stays until its time is up.")) return;
  const answer = await fetch(address, { method: "DELETE" }).catch(() => null);
  if (answer?.ok) location.assign(page?.getAttribute("data-back") ?? "/events");
  else say("That did not work. Try again.");
});

const video = document.querySelector("video");
const saying = document.getElementById("saying");
video?.addEventListener("error", async () => {
  if (!saying) return;
  const answer = await fetch(video.currentSrc, { headers: { range: "bytes=0-0" } }).catch(() => null);
  const reason = answer && !answer.ok ? (await answer.json().catch(() => ({}))).error : "";
  saying.textContent = reason || "This browser cannot play this clip; save it and open it with another player.";
  saying.hidden = false;
});
