// @ts-check
// A part of a day as a file or a link: its two ends, in fields of the reader's time and in requests as Unix seconds.

import { offerSending } from "./sending.js";
import { say } from "./texts.js";

/** @param {number} moment */
const asField = (moment) =>
  new Date((moment - new Date(moment * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 19);

export class Saving {
  #panel = /** @type {HTMLDetailsElement | null} */ (document.getElementById("save-part"));
  #from = /** @type {HTMLInputElement | null} */ (document.getElementById("save-from"));
  #to = /** @type {HTMLInputElement | null} */ (document.getElementById("save-to"));

  /** @param {() => number} now where one is @param {(from: number, to: number) => void} onChoice */
  constructor(now, onChoice) {
    this.now = now;
    this.onChoice = onChoice;
    if (!this.#panel || !this.#from || !this.#to) return;
    this.#panel.addEventListener("toggle", () => {
      if (this.#panel?.open && !this.#from?.value) this.#set(this.now(), this.now() + 60);
      if (!this.#panel?.open) this.onChoice(0, 0);
      else this.#tell();
    });
    for (const field of [this.#from, this.#to]) field.addEventListener("input", () => this.#tell());
    for (const form of this.#panel.querySelectorAll("form")) form.addEventListener("submit", (event) => this.#check(event));
    for (const link of this.#panel.querySelectorAll("[data-save]")) link.addEventListener("click", (event) => this.#check(event));
    const save = /** @type {HTMLFormElement | null} */ (document.getElementById("save"));
    offerSending(
      () => `${save?.action}?${new URLSearchParams(/** @type {any} */ (new FormData(save ?? undefined)))}`,
      () => this.#to?.reportValidity() ?? false,
    );
  }

  /** The part begins where one is. */
  begin() {
    const { from, to } = this.#span();
    const now = this.now();
    this.#set(now, to > now && from ? to : now + 60);
  }

  /** The part ends where one is. */
  end() {
    const { from } = this.#span();
    const now = this.now();
    this.#set(from && from < now ? from : now - 60, now);
  }

  /** @param {number} from @param {number} to */
  #set(from, to) {
    if (!this.#panel || !this.#from || !this.#to) return;
    this.#from.value = asField(from);
    this.#to.value = asField(to);
    this.#panel.open = true;
    this.#tell();
  }

  #span() {
    /** @param {HTMLInputElement | null} field */
    const moment = (field) => (field?.value ? new Date(field.value).getTime() / 1000 : 0);
    return { from: moment(this.#from), to: moment(this.#to) };
  }

  /** Writes the part wherever it is asked for. */
  #tell() {
    const { from, to } = this.#span();
    const isPart = from > 0 && from < to;
    this.#to?.setCustomValidity(isPart ? "" : say("Choose an end after the start."));
    this.onChoice(isPart ? from : 0, isPart ? to : 0);
    if (!isPart) return;
    for (const form of this.#panel?.querySelectorAll("form") ?? []) {
      /** @type {HTMLInputElement} */ (form.elements.namedItem("start")).value = String(from);
      /** @type {HTMLInputElement} */ (form.elements.namedItem("end")).value = String(to);
    }
    for (const link of this.#panel?.querySelectorAll("[data-save]") ?? []) {
      link.setAttribute("href", `/api/cameras/${link.getAttribute("data-save")}/clip.mp4?start=${from}&end=${to}`);
    }
  }

  /** @param {Event} event */
  #check(event) {
    if (this.#to?.reportValidity()) return;
    event.preventDefault();
  }
}
