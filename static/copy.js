// @ts-check
// What is shown once is copied by one tap.

import { say } from "./texts.js";

const shown = /** @type {HTMLTextAreaElement | null} */ (document.getElementById("once"));
const button = document.getElementById("copy");
const said = document.getElementById("copied");

shown?.addEventListener("focus", () => shown.select());
if (button && shown) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    shown.select();
    // Over plain HTTP browsers have no clipboard of their own; then it is marked, ready to be copied by hand.
    const done = await navigator.clipboard?.writeText(shown.value).then(() => true, () => false);
    if (said) said.textContent = done ? say("Copied.") : say("It is marked: copy it with your keyboard or a long press.");
  });
}
