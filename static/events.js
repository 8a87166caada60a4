// @ts-check
// The list of events: choosing takes effect at once, several are changed together, and keys go from one to the next.

import { follow, onKeys } from "./keys.js";
import { many, say } from "./texts.js";

const sieve = /** @type {HTMLFormElement | null} */ (document.getElementById("sieve"));
const go = document.getElementById("sieve-go");
if (sieve && go) {
  go.hidden = true;
  sieve.addEventListener("change", () => {
    // What is not chosen is not in the address.
    for (const field of sieve.querySelectorAll("select")) field.disabled = field.value === "";
    sieve.requestSubmit();
  });
  // Coming back to the page, nothing is left disabled.
  addEventListener("pageshow", () => { for (const field of sieve.querySelectorAll("select")) field.disabled = false; });
}

const form = document.getElementById("several");
const count = document.getElementById("chosen-count");
const ticks = /** @type {HTMLInputElement[]} */ ([...(form?.querySelectorAll("input[name=event]") ?? [])]);
let last = -1;

function tell() {
  const chosen = ticks.filter((tick) => tick.checked).length;
  if (count) count.textContent = say("{count} chosen", { count: chosen });
}

for (const [at, tick] of ticks.entries()) {
  tick.addEventListener("click", (event) => {
    // With shift, everything from the one before.
    if (event.shiftKey && last >= 0) {
      for (const other of ticks.slice(Math.min(last, at), Math.max(last, at) + 1)) other.checked = tick.checked;
    }
    last = at;
    tell();
  });
}
document.getElementById("delete-chosen")?.addEventListener("click", (event) => {
  const chosen = ticks.filter((tick) => tick.checked).length;
  if (!confirm(many(chosen, "Delete this event? The footage itself stays until its time is up.", "Delete these {count} events? The footage itself stays until its time is up."))) event.preventDefault();
});
tell();

const cards = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("a.event")]);
/** The event that has the keyboard, or whose box has it. */
const here = () => cards.findIndex((card) => card.parentElement?.contains(document.activeElement));
/** @param {number} step */
function move(step) {
  const at = here();
  const to = cards[at < 0 ? 0 : Math.min(cards.length - 1, Math.max(0, at + step))];
  to?.focus();
  to?.scrollIntoView({ block: "nearest" });
}
onKeys({
  n: () => move(1),
  p: () => move(-1),
  ArrowRight: () => move(1),
  ArrowLeft: () => move(-1),
  x: () => ticks[here()]?.click(),
  o: () => follow(".pages a[rel=next]"),
});
