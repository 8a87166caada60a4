// @ts-check
// Keeps the grid's dots true, shows the grid anew when cameras come or go, and tells others on the page (`cameras`).

const EVERY_MS = 3_000;

/** @type {Map<string, Element>} */
const dots = new Map();
for (const tile of document.querySelectorAll("[data-live]")) {
  const dot = tile.querySelector(".dot");
  if (dot) dots.set(tile.getAttribute("data-live") ?? "", dot);
}

/** The cameras of the first answer; the grid may hold fewer, those without live pictures for this viewer. */
let known = "";

async function look() {
  if (document.visibilityState === "hidden") return;
  const answer = await fetch("/api/cameras").catch(() => null); // the tiles say when the recorder is away
  if (!answer?.ok) return;
  /** @type {{ id: string, state: string, moving: boolean }[]} */
  const cameras = await answer.json();
  document.dispatchEvent(new CustomEvent("cameras", { detail: cameras }));
  // A camera that was switched off or on looks different from the start.
  const ids = cameras.map(({ id, state }) => (state === "paused" ? `${id} off` : id)).join(" ");
  known ||= ids;
  if (ids !== known && !document.querySelector("dialog[open]")) return location.reload();
  for (const { id, state } of cameras) dots.get(id)?.setAttribute("class", `dot dot-${state}`);
}

look();
setInterval(look, EVERY_MS);
