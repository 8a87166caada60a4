// @ts-check
// A clip handed to another program of this phone or computer: a messenger, the mail. It is fetched first; one sees how far that
// is, and can stop it. The button is there where the browser can hand files on.

const MOST = 1 << 29; // bytes: it lies in memory until it is handed on

/** The name that the recorder gives to a file. @param {Response} answer */
const nameOf = (answer) => /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "clip.mp4";

/** @param {string} address @param {AbortSignal} signal @param {(part: number) => void} onPart 0 to 1 */
async function fetchFile(address, signal, onPart) {
  const answer = await fetch(address, { signal });
  if (!answer.ok || !answer.body) throw new Error((await answer.json().catch(() => ({}))).error);
  const whole = Number(answer.headers.get("content-length"));
  if (whole > MOST) throw new Error(say("This is too long to send; save it as a file."));
  const pieces = [];
  let had = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    had += value.length;
    onPart(whole ? had / whole : 0);
  }
  return new File(pieces, nameOf(answer), { type: "video/mp4" });
}

/** @param {() => string} address where the clip is @param {() => boolean} [isReady] whether it was said which */
export function offerSending(address, isReady = () => true) {
  const button = document.getElementById("send");
  const bar = /** @type {HTMLProgressElement | null} */ (document.getElementById("send-part"));
  const said = document.getElementById("send-said");
  if (!button || !bar || !said || !navigator.canShare?.({ files: [new File([], "clip.mp4", { type: "video/mp4" })] })) return;
  const words = button.textContent;
  /** @type {AbortController | null} */ let stop = null;
  /** @type {{address: string, file: File} | null} */ let fetched = null;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (stop) return stop.abort();
    if (!isReady()) return;
    said.textContent = "";
    try {
      const wanted = address();
      if (fetched?.address !== wanted) {
        stop = new AbortController();
        [button.textContent, bar.hidden, bar.value] = [say("Stop"), false, 0];
        fetched = { address: wanted, file: await fetchFile(wanted, stop.signal, (part) => { bar.value = part; }) };
      }
      await navigator.share({ files: [fetched.file] });
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      // Browsers hand on only what follows a click at once; the fetching may have taken longer than that.
      if (name === "NotAllowedError") said.textContent = say("The clip is ready. Press once more to send it.");
      else if (name !== "AbortError") said.textContent = message || say("That did not work. Try again.");
    } finally {
      stop = null;
      [button.textContent, bar.hidden] = [words, true];
    }
  });
}
