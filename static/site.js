// @ts-check
// On every page: times of the reader, and nothing of a household left behind for the next one at this device.

import "./keys.js";
import { localise } from "./times.js";

localise();
setInterval(localise, 10_000);

// A page that comes back from the browser's memory is asked for again: its reader may have signed out since.
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    document.body.hidden = true;
    location.reload();
  }
});
