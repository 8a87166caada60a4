// @ts-check
// Keys: one place that knows when a key is meant for the page, and the page of help under "?".

const STORE = "hearthwatch-keys";
const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("keys"));
const wanted = /** @type {HTMLInputElement | null} */ (document.getElementById("keys-wanted"));

/** Whether single keys do anything here: some people's keyboards are voices. */
function areOn() {
  try {
    return localStorage.getItem(STORE) !== "off";
  } catch {
    return true; // a browser that stores nothing
  }
}

/** Does what a key says, unless it is typed into something. @param {Record<string, (event: KeyboardEvent) => void>} keys */
export function onKeys(keys) {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!areOn() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.closest("input:not([type=checkbox]), select, textarea, video") || document.querySelector("dialog[open]")) return;
    // What has the keyboard keeps the keys that it needs itself.
    if ((event.key === " " || event.key === "Enter") && target.closest("button, a, summary, input")) return;
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key](event);
  });
}

/** Goes to the address of a link, if it is there. @param {string} selector */
export function follow(selector) {
  const link = document.querySelector(selector);
  if (link instanceof HTMLAnchorElement) location.assign(link.href);
}

if (dialog && wanted) {
  wanted.checked = areOn();
  wanted.addEventListener("change", () => {
    try {
      localStorage.setItem(STORE, wanted.checked ? "on" : "off");
    } catch {
      wanted.checked = true;
    }
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.getElementById("keys-close")?.addEventListener("click", () => dialog.close());
  const button = document.getElementById("keys-open");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => dialog.showModal());
  }
  const places = [...document.querySelectorAll(".places a")];
  onKeys({
    "?": () => dialog.showModal(),
    ...Object.fromEntries(places.map((place, at) => [String(at + 1), () => location.assign(/** @type {HTMLAnchorElement} */ (place).href)])),
  });
}
