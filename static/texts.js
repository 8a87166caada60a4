// @ts-check
// What modules say, in the page's language: the English text is the key, as on the server. An English page brings no texts.

/** @typedef {Record<string, string | number>} Places */
const { documentElement: { lang } } = document;
/** @type {Record<string, any>} */
const texts = JSON.parse(document.getElementById("texts")?.textContent || "{}");
const rules = new Intl.PluralRules(lang);

/** For times and numbers: the page's language as the reader's country writes it, with the reader's own 12 or 24 hours. */
export const locale = new Intl.Locale(navigator.languages.find((one) => one.split("-")[0] === lang.split("-")[0]) ?? lang, {
  hourCycle: new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions().hourCycle,
});

/** @param {string} text @param {Places} places */
const fill = (text, places) => text.replace(/\{(\w+)\}/g, (place, name) => String(places[name] ?? place));

/** @param {string} english @param {Places} [places] */
export const say = (english, places = {}) => fill(texts[english] ?? english, places);

/** What depends on a number. @param {number} count @param {string} one @param {string} other */
export function many(count, one, other) {
  const forms = texts[other] ?? { one, other };
  return fill(forms[rules.select(count)] ?? forms.other, { count });
}
