// @ts-check
// The grid: every tile that can be seen plays its small stream; a tap makes one large, with the main stream.

import { Live } from "./live.js";

/** @type {Map<Element, Live>} */
const players = new Map();
for (const tile of document.querySelectorAll("[data-live]")) {
  const video = tile.querySelector("video");
  const saying = tile.querySelector(".saying");
  const camera = tile.getAttribute("data-live");
  if (video && saying instanceof HTMLElement && camera) players.set(tile, new Live(video, saying, camera, "sub"));
}

const seen = new Set();
const eye = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) seen.add(entry.target);
    else seen.delete(entry.target);
  }
  settle();
}, { rootMargin: "200px" });
for (const tile of players.keys()) eye.observe(tile);

/** Plays what can be seen and lets the rest go. */
function settle() {
  const hidden = document.visibilityState === "hidden" || theatre?.open;
  for (const [tile, player] of players) {
    if (seen.has(tile) && !hidden) player.start();
    else player.stop();
  }
}

const theatre = /** @type {HTMLDialogElement | null} */ (document.getElementById("theatre"));
/** @type {Live | null} */
let large = null;

/** @param {Element} tile */
function enlarge(tile) {
  const video = theatre?.querySelector("video");
  const saying = theatre?.querySelector(".saying");
  const camera = tile.getAttribute("data-live");
  if (!theatre || !video || !(saying instanceof HTMLElement) || !camera) return;
  const name = document.getElementById("theatre-name");
  if (name) name.textContent = tile.getAttribute("data-name");
  const history = document.getElementById("theatre-history");
  if (history instanceof HTMLAnchorElement) {
    history.hidden = !tile.querySelector("footer a");
    history.href = `/cameras/${camera}`;
  }
  theatre.showModal();
  large = new Live(video, saying, camera, "main");
  large.onSound = (hasSound) => { if (sound) sound.hidden = !hasSound; };
  large.start();
  settle();
}

for (const tile of players.keys()) {
  tile.querySelector("a.picture")?.addEventListener("click", (event) => {
    if (!(event instanceof MouseEvent) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    enlarge(tile);
  });
}

theatre?.addEventListener("close", () => {
  large?.stop();
  large = null;
  settle();
});
theatre?.addEventListener("click", (event) => event.target === theatre && theatre.close());
document.getElementById("theatre-close")?.addEventListener("click", () => theatre?.close());
function fill() {
  const picture = theatre?.querySelector(".picture");
  if (document.fullscreenElement) document.exitFullscreen();
  else picture?.requestFullscreen().catch(() => {});
}
document.getElementById("theatre-full")?.addEventListener("click", fill);

// Sound is silent until somebody wants it, and silent again with the next camera.
const sound = document.getElementById("theatre-sound");
/** @param {boolean} wanted */
function hear(wanted) {
  const video = theatre?.querySelector("video");
  if (!video || !sound) return;
  video.muted = !wanted;
  sound.setAttribute("aria-pressed", String(wanted));
  sound.querySelector(".icon")?.setAttribute("class", `icon icon-${wanted ? "sound" : "muted"}`);
}
sound?.addEventListener("click", () => hear(Boolean(theatre?.querySelector("video")?.muted)));
theatre?.addEventListener("close", () => {
  hear(false);
  if (sound) sound.hidden = true;
  if (document.pictureInPictureElement) document.exitPictureInPicture().catch(() => {});
});

const small = document.getElementById("theatre-small");
if (small && document.pictureInPictureEnabled) {
  small.hidden = false;
  small.addEventListener("click", () => {
    if (document.pictureInPictureElement) document.exitPictureInPicture().catch(() => {});
    else theatre?.querySelector("video")?.requestPictureInPicture().catch(() => {});
  });
}
theatre?.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "f") fill();
  else if (event.key === "m" && sound && !sound.hidden) sound.click();
});

document.addEventListener("visibilitychange", () => {
  settle();
  // Hidden for long, the large picture goes too: nobody watches, and the camera's line is spared. In a window of its own it
  // is watched.
  if (document.visibilityState === "hidden" && !document.pictureInPictureElement) large?.stop();
  else large?.start();
});
