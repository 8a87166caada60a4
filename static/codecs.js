// @ts-check
// What an init segment says about how it is coded, as Media Source wants to hear it (RFC 6381).

/** @param {Uint8Array} bytes @param {string} name @param {number} from @returns {number} where the box's content begins, or -1 */
function find(bytes, name, from = 0) {
  const letters = [...name].map((letter) => letter.charCodeAt(0));
  for (let at = from; at + 4 <= bytes.length; at += 1) {
    if (letters.every((letter, i) => bytes[at + i] === letter)) return at + 4;
  }
  return -1;
}

/** @param {number} byte */
const hex = (byte) => byte.toString(16).padStart(2, "0");

/** The `codecs` of an init segment; empty if it names none that is known here. @param {ArrayBuffer} init */
export function codecsOf(init) {
  const bytes = new Uint8Array(init);
  const found = [];
  const avc = find(bytes, "avcC");
  if (avc > 0) {
    const entry = find(bytes, "avc3") > 0 ? "avc3" : "avc1";
    found.push(`${entry}.${hex(bytes[avc + 1])}${hex(bytes[avc + 2])}${hex(bytes[avc + 3])}`);
  }
  const hevc = find(bytes, "hvcC");
  if (hevc > 0) {
    const entry = find(bytes, "hev1") > 0 ? "hev1" : "hvc1";
    const profile = bytes[hevc + 1];
    const space = ["", "A", "B", "C"][profile >> 6];
    let compatible = 0;
    for (let bit = 0; bit < 32; bit += 1) {
      if (bytes[hevc + 2 + (bit >> 3)] & (0x80 >> (bit & 7))) compatible |= 1 << bit;
    }
    const constraints = [...bytes.slice(hevc + 6, hevc + 12)].map((byte) => byte.toString(16).toUpperCase());
    while (constraints.at(-1) === "0") constraints.pop();
    const tier = profile & 0x20 ? "H" : "L";
    const parts = [`${entry}.${space}${profile & 0x1f}`, (compatible >>> 0).toString(16).toUpperCase(), tier + bytes[hevc + 12], ...constraints];
    found.push(parts.join("."));
  }
  if (find(bytes, "mp4a") > 0) found.push("mp4a.40.2");
  if (find(bytes, "fLaC") > 0) found.push("fLaC");
  return found.join(",");
}
