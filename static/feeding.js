// @ts-check
// Small things around a source buffer: waiting for it, asking what it holds, handing it bytes.

/** Something to be told. */
export class Trouble extends Error {}

/** @param {number} milliseconds @param {AbortSignal} signal */
export const rest = (milliseconds, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, milliseconds);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(undefined); }, { once: true });
});

/** @param {SourceBuffer} buffer */
export const idle = (buffer) => buffer.updating
  ? new Promise((resolve) => buffer.addEventListener("updateend", resolve, { once: true }))
  : Promise.resolve();

/** @param {TimeRanges} ranges @param {number} time */
export function holds(ranges, time) {
  for (let i = 0; i < ranges.length; i += 1) if (ranges.start(i) <= time && time < ranges.end(i) - 0.05) return true;
  return false;
}

/** @param {SourceBuffer} buffer @param {BufferSource} bytes @param {AbortSignal} signal */
export async function put(buffer, bytes, signal) {
  if (signal.aborted) return;
  buffer.appendBuffer(bytes);
  await idle(buffer);
}
