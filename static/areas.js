// @ts-check
// Zones and masks, drawn on a camera's picture: corners that are dragged, or moved with the arrow keys.

import { say } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1600;
const STEP = 0.01;

/** @typedef {[number, number]} Corner in parts of the picture's width and height */
/** @typedef {{kind: "zone" | "mask", name: string, area: Corner[], sensitivity: number | null}} Area */

/** @template {Element} T @param {string} id @returns {T} */
const byId = (id) => /** @type {T} */ (/** @type {unknown} */ (document.getElementById(id)));
const field = /** @type {HTMLTextAreaElement} */ (byId("drawn"));
const svg = /** @type {SVGSVGElement} */ (byId("areas"));
const picture = /** @type {HTMLImageElement} */ (byId("picture"));
const list = /** @type {HTMLUListElement} */ (byId("areas-list"));
let height = 900;

/** @type {Area[]} */
const areas = [];
const written = JSON.parse(field.value || "{}");
for (const area of written.masks ?? []) areas.push({ kind: "mask", name: "", area, sensitivity: null });
for (const zone of written.zones ?? []) areas.push({ kind: "zone", ...zone });

/** @param {number} part */
const round = (part) => Math.round(Math.min(1, Math.max(0, part)) * 1000) / 1000;

function write() {
  field.value = JSON.stringify({
    masks: areas.filter(({ kind }) => kind === "mask").map(({ area }) => area),
    zones: areas.filter(({ kind }) => kind === "zone").map(({ name, area, sensitivity }) => ({ name, area, sensitivity })),
  });
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/** @param {PointerEvent} event @returns {Corner} */
function placeOf(event) {
  const box = svg.getBoundingClientRect();
  return [round((event.clientX - box.left) / box.width), round((event.clientY - box.top) / box.height)];
}

/** Calls back with each place that a finger is drawn over, from here on. @param {Element} element @param {PointerEvent} event @param {(place: Corner) => void} onMove */
function drag(element, event, onMove) {
  event.preventDefault();
  element.setPointerCapture(event.pointerId);
  /** @param {Event} moved */
  const move = (moved) => onMove(placeOf(/** @type {PointerEvent} */ (moved)));
  const end = () => {
    element.removeEventListener("pointermove", move);
    draw();
  };
  element.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, end, { once: true });
}

/** @param {Area} area */
const points = (area) => area.area.map(([x, y]) => `${x * WIDTH},${y * height}`).join(" ");

/** @param {Area} area @param {number} at */
function corner(area, at) {
  const [x, y] = area.area[at];
  const called = area.kind === "zone" ? area.name : say("mask");
  const dot = shape("circle", { class: "corner", cx: x * WIDTH, cy: y * height, r: 20, tabindex: 0, role: "button", "aria-label": say("Corner {number} of {area}", { number: at + 1, area: called }) });
  dot.addEventListener("pointerdown", (event) => drag(dot, /** @type {PointerEvent} */ (event), (place) => {
    area.area[at] = place;
    dot.setAttribute("cx", String(place[0] * WIDTH));
    dot.setAttribute("cy", String(place[1] * height));
    dot.parentNode?.querySelector("polygon")?.setAttribute("points", points(area));
    write();
  }));
  const take = () => {
    if (area.area.length <= 3) return;
    area.area.splice(at, 1);
    draw();
  };
  dot.addEventListener("dblclick", take);
  dot.addEventListener("keydown", (event) => {
    const { key } = /** @type {KeyboardEvent} */ (event);
    const steps = /** @type {Record<string, Corner>} */ ({ ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] });
    if (key === "Delete") take();
    if (!(key in steps)) return;
    event.preventDefault();
    area.area[at] = [round(x + steps[key][0]), round(y + steps[key][1])];
    draw();
    /** @type {SVGElement} */ (svg.children[areas.indexOf(area)].querySelectorAll(".corner")[at]).focus();
  });
  return dot;
}

/** A dot on an edge, which becomes a corner. @param {Area} area @param {number} at */
function middle(area, at) {
  const [a, b] = [area.area[at], area.area[(at + 1) % area.area.length]];
  const between = /** @type {Corner} */ ([round((a[0] + b[0]) / 2), round((a[1] + b[1]) / 2)]);
  const dot = shape("circle", { class: "middle", cx: between[0] * WIDTH, cy: between[1] * height, r: 11 });
  dot.addEventListener("pointerdown", (event) => {
    area.area.splice(at + 1, 0, between);
    drag(svg, /** @type {PointerEvent} */ (event), (place) => {
      area.area[at + 1] = place;
      draw();
    });
  });
  return dot;
}

function draw() {
  write();
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
  svg.replaceChildren(...areas.map((area) => {
    const group = shape("g", { class: `area area-${area.kind}` });
    const body = shape("polygon", { points: points(area) });
    body.addEventListener("pointerdown", (event) => {
      let from = placeOf(/** @type {PointerEvent} */ (event));
      drag(svg, /** @type {PointerEvent} */ (event), (to) => {
        const [x, y] = [to[0] - from[0], to[1] - from[1]];
        if (area.area.some(([a, b]) => a + x < 0 || a + x > 1 || b + y < 0 || b + y > 1)) return;
        area.area = area.area.map(([a, b]) => [round(a + x), round(b + y)]);
        from = to;
        draw();
      });
    });
    group.append(body, ...area.area.map((_, at) => middle(area, at)), ...area.area.map((_, at) => corner(area, at)));
    return group;
  }));
}

/** Its row below the picture: name, sensitivity, and a way to be rid of it. @param {Area} area */
function row(area) {
  const item = document.createElement("li");
  const what = document.createElement("span");
  what.className = "what row";
  const tag = document.createElement("span");
  tag.className = `tag tag-${area.kind}`;
  tag.textContent = area.kind === "zone" ? say("Zone") : say("Mask");
  what.append(tag);
  if (area.kind === "zone") {
    const name = Object.assign(document.createElement("input"), { value: area.name, required: true, maxLength: 40 });
    name.setAttribute("aria-label", say("Name of the zone"));
    name.addEventListener("input", () => {
      // As the configuration wants it: small letters, without gaps.
      area.name = name.value.trim().toLowerCase().normalize("NFKD").replace(/[^a-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
      write();
    });
    name.addEventListener("change", () => { name.value = area.name; draw(); });
    const keen = document.createElement("select");
    keen.setAttribute("aria-label", say("How keenly in {zone}", { zone: area.name || say("this zone") }));
    const choices = [["", say("as keen as elsewhere")], ["0.2", say("hardly")], ["0.5", say("as usual")], ["0.8", say("keenly")]];
    const own = area.sensitivity === null ? "" : String(round(area.sensitivity));
    if (!choices.some(([value]) => value === own)) choices.push([own, own]);
    keen.append(...choices.map(([value, words]) => new Option(words, value, false, value === own)));
    keen.addEventListener("change", () => {
      area.sensitivity = keen.value === "" ? null : Number(keen.value);
      write();
    });
    what.append(name, keen);
  }
  const away = Object.assign(document.createElement("button"), { type: "button", textContent: say("Remove"), className: "danger" });
  away.setAttribute("aria-label", area.kind === "zone" ? say("Remove the zone {zone}", { zone: area.name }) : say("Remove the mask"));
  away.addEventListener("click", () => {
    areas.splice(areas.indexOf(area), 1);
    item.remove();
    draw();
  });
  item.append(what, away);
  return item;
}

/** @param {"zone" | "mask"} kind */
function add(kind) {
  const taken = areas.map(({ name }) => name);
  let number = 1;
  while (taken.includes(`zone-${number}`)) number += 1;
  const off = (areas.length % 5) * 0.06; // beside the one before, not over it
  const area = /** @type {Area} */ ({ kind, name: kind === "zone" ? `zone-${number}` : "", sensitivity: null, area: [[0.35, 0.35], [0.65, 0.35], [0.65, 0.65], [0.35, 0.65]].map(([x, y]) => [round(x + off), round(y + off)]) });
  areas.push(area);
  list.append(row(area));
  draw();
  list.lastElementChild?.querySelector("input")?.select();
}

function fit() {
  if (picture.naturalWidth) height = Math.round((WIDTH * picture.naturalHeight) / picture.naturalWidth);
  draw();
}

byId("drawn-label").setAttribute("hidden", "");
byId("tools").removeAttribute("hidden");
byId("add-zone").addEventListener("click", () => add("zone"));
byId("add-mask").addEventListener("click", () => add("mask"));
list.replaceChildren(...areas.map(row));
picture.addEventListener("load", fit);
fit();
