// @ts-check
// An HLS media playlist, as far as this recorder writes them.

/**
 * Times in Unix seconds; `zero` is the moment that the media's own clock calls 0, `name` stays the same while a file grows.
 * @typedef {{url: string, name: string, init: string, start: number, end: number, zero: number}} Piece
 */

/** @param {string} text @param {string} base what addresses in it are relative to @returns {Piece[]} */
export function parse(text, base) {
  const pieces = /** @type {Piece[]} */ ([]);
  let init = "";
  let at = Number.NaN;
  let zero = Number.NaN;
  let length = 0;
  let isGap = false;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#EXT-X-MAP:")) {
      init = new URL(/URI="([^"]+)"/.exec(line)?.[1] ?? "", base).href;
    } else if (line.startsWith("#EXT-X-PROGRAM-DATE-TIME:")) {
      at = Date.parse(line.slice(line.indexOf(":") + 1)) / 1000;
    } else if (line.startsWith("#EXTINF:")) {
      length = Number.parseFloat(line.slice(8));
    } else if (line.startsWith("#EXT-X-GAP")) {
      isGap = true;
    } else if (line && !line.startsWith("#")) {
      const url = new URL(line, base);
      if (Number.isNaN(zero)) zero = at;
      if (!isGap && init && !Number.isNaN(at)) {
        pieces.push({ url: url.href, name: url.pathname.split("/").at(-1) ?? "", init, start: at, end: at + length, zero });
      }
      at += length;
      isGap = false;
    }
  }
  return pieces;
}
