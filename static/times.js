// @ts-check
// Times in the reader's own time zone and language; the server wrote them in the recorder's.

import { locale, say } from "./texts.js";

const formats = {
  clock: new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }),
  exact: new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  day: new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" }),
  full: new Intl.DateTimeFormat(locale, {
    weekday: "long", day: "numeric", month: "long", hour: "numeric", minute: "2-digit", second: "2-digit",
  }),
  // Days of the recorder, whichever day it is where the reader is.
  date: new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" }),
  dated: new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" }),
  short: new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }),
};

/** @param {number} seconds */
export function ago(seconds) {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
  if (seconds < 5) return say("just now");
  if (seconds < 100) return format.format(-Math.round(seconds), "second");
  if (seconds < 6000) return format.format(-Math.round(seconds / 60), "minute");
  if (seconds < 172800) return format.format(-Math.round(seconds / 3600), "hour");
  return format.format(-Math.round(seconds / 86400), "day");
}

/** Rewrites every time on the page. */
export function localise() {
  for (const element of document.querySelectorAll("time[data-show]")) {
    const moment = new Date(element.getAttribute("datetime") ?? "");
    if (Number.isNaN(moment.getTime())) continue;
    const isOfAnotherYear = moment.getUTCFullYear() !== new Date().getFullYear();
    const said = element.getAttribute("data-show") ?? "";
    const show = said === "date" && isOfAnotherYear ? "dated" : said;
    if (show === "ago") element.textContent = ago((Date.now() - moment.getTime()) / 1000);
    else if (show in formats) element.textContent = formats[/** @type {keyof typeof formats} */ (show)].format(moment);
    if (said !== "date" && said !== "short") element.setAttribute("title", moment.toLocaleString(locale));
  }
}
