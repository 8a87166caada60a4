// @ts-check
// Whether the recorder's clock is right, as far as this device knows.

import { locale, say } from "./texts.js";

const said = document.getElementById("clock-said");
const now = Number(said?.dataset.now) * 1000;
if (said && now) {
  // The page took a moment to come: what it says is from when it was asked for.
  const { responseStart, fetchStart } = /** @type {PerformanceNavigationTiming} */ (performance.getEntriesByType("navigation")[0]);
  const then = performance.timeOrigin + (responseStart + fetchStart) / 2;
  const apart = Math.abs(then - now) / 1000;
  if (apart > 10) {
    const format = new Intl.NumberFormat(locale, { style: "unit", unit: apart < 100 ? "second" : apart < 6000 ? "minute" : "hour", unitDisplay: "long", maximumFractionDigits: 0 });
    const length = format.format(apart < 100 ? apart : apart < 6000 ? apart / 60 : apart / 3600);
    said.textContent = say("The recorder’s clock and that of this device are {length} apart. If the recorder’s is wrong, everything is filed under a wrong time: let it get the time from the network.", { length });
    said.hidden = false;
  }
}
