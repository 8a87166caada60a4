// @ts-check
// The grid: every tile that can be seen plays its small stream; a tap makes one large, with the main stream.

import { Live } from "./live.js";
import { Still, Wall } from "./wall.js";

/** @type {Map<Element, Live>} */
const players = new Map();
/** @type {Map<Element, Still>} */
const stills = new Map();
for (const tile of document.querySelectorAll("[data-live]")) {
  const video = tile.querySelector("video");
  const saying = tile.querySelector(".saying");
  const camera = tile.getAttribute("data-live");
  if (!video || !(saying instanceof HTMLElement) || !camera) continue;
  players.set(tile, new Live(video, saying, camera, "sub"));
  stills.set(tile, new Still(video, saying, camera, tile.getAttribute("data-name") ?? ""));
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

/** Plays what can be seen and lets the rest go; on a wall, what is quiet stands still. */
function settle() {
  const hidden = document.visibilityState === "hidden" || theatre?.open;
  for (const [tile, player] of players) {
    const still = stills.get(tile);
    if (!seen.has(tile) || hidden) {
      player.stop();
      still?.stop();
    } else if (!wall || wall.wantsLive(player.camera)) {
      player.start();
      still?.stop();
    } else {
      still?.start(() => player.stop());
    }
  }
}

const theatre = /** @type {HTMLDialogElement | null} */ (document.getElementById("theatre"));
/** @type {Live | null} */
let large = null;
const wallButton = document.getElementById("wall");
/** @type {Wall | null} */
let wall = null;
wall = wallButton && new Wall(wallButton, settle);

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
  meanwhile(tile.querySelector("video"), video);
  large = new Live(video, saying, camera, "main");
  // Silent until somebody wants to hear it, and silent again with the next camera.
  large.onSound = showSound;
  showSound(false, false);
  video.muted = true;
  large.start();
  settle();
}

/** Until the large film has a picture, the small one's newest stands there. @param {HTMLVideoElement | null} small @param {HTMLVideoElement} film */
function meanwhile(small, film) {
  const canvas = film.parentElement?.querySelector("canvas");
  if (!canvas) return;
  canvas.hidden = !small || small.readyState < 2;
  if (!small || canvas.hidden) return;
  [canvas.width, canvas.height] = [small.videoWidth, small.videoHeight];
  canvas.getContext("2d")?.drawImage(small, 0, 0);
  film.addEventListener("loadeddata", () => { canvas.hidden = true; }, { once: true });
}

/** @param {boolean} has @param {boolean} hears */
function showSound(has, hears) {
  const button = document.getElementById("theatre-sound");
  if (!button) return;
  button.hidden = !has;
  button.setAttribute("aria-pressed", String(hears));
  button.querySelector(".icon")?.setAttribute("class", `icon icon-${hears ? "sound" : "muted"}`);
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
  if (document.pictureInPictureElement) document.exitPictureInPicture().catch(() => {});
  settle();
});
theatre?.addEventListener("click", (event) => event.target === theatre && theatre.close());
document.getElementById("theatre-close")?.addEventListener("click", () => theatre?.close());
document.getElementById("theatre-sound")?.addEventListener("click", () => large?.hear(!large.hears));
function fill() {
  const picture = theatre?.querySelector(".picture");
  if (document.fullscreenElement) document.exitFullscreen();
  else picture?.requestFullscreen().catch(() => {});
}
document.getElementById("theatre-full")?.addEventListener("click", fill);

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
  else if (event.key === "m" && !document.getElementById("theatre-sound")?.hidden) large?.hear(!large.hears);
});

document.addEventListener("visibilitychange", () => {
  settle();
  // Hidden for long, the large picture goes too: nobody watches, and the camera's line is spared. In a window of its own it
  // is watched.
  if (document.visibilityState === "hidden" && !document.pictureInPictureElement) large?.stop();
  else large?.start();
});
