/** Status: one quiet line for people, and a live region for those who listen. */

import { byId, fill, h } from "./dom.js";

let queued = 0;

/** Say something to screen readers only. */
export function say(text) {
  const region = byId("say");
  region.textContent = "";
  clearTimeout(queued);
  queued = setTimeout(() => (region.textContent = text), 60);
}

/**
 * Show a notice until it is taken back; it is read out as well.
 * @param {string} text @param {{label: string, run: () => void} | null} [action]
 */
export function notice(text, action = null) {
  const bar = byId("notice");
  bar.hidden = false;
  fill(bar, h("p", {}, text), action && h("button", { type: "button", onclick: action.run }, action.label));
}

export function clearNotice() {
  byId("notice").hidden = true;
  fill(byId("notice"));
}
