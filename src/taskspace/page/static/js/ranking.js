/** Ranking and neighbours: rows of names with what stands beside them, a bar or an interval. */

import { h, svg } from "./dom.js";
import { fixed, kindName, percent, signed } from "./format.js";
import { glyph } from "./legend.js";

const WIDTH = 160;
const HEIGHT = 16;

/**
 * @typedef {object} Does
 * @property {(name: string) => void} open
 * @property {(name: string) => void} compare
 * @property {(name: string) => void} point the pointer is over the row, "" when it has left
 */

/** What to start from: predicted gains with their intervals; "do not transfer" is a line across. @param {Does} does */
export function rankingList(ranking, points, does) {
  const scale = scaleOf(ranking.hits);
  const rows = ranking.hits.map((hit) => (hit.kind === "none" ? nothing(ranking.hits, hit) : gainRow(hit, scale, points, does)));
  return h("div", {}, h("ol", { class: "ranking" }, rows), axis(scale), h("p", { class: "measure" }, `Score: ${ranking.measure}.`));
}

/** The nearest, with their similarity as a bar. @param {Does} does */
export function neighbourList(hits, points, does) {
  const bar = (score) => h("meter", { min: 0, max: 1, value: Math.max(0, score ?? 0), "aria-hidden": "true" });
  return h("ol", { class: "near" }, hits.map((hit) => h("li", hovering(hit.name, does), named(hit, points, does), bar(hit.score), h("span", { class: "number" }, fixed(hit.score, 2)), versus(hit.name, does))));
}

/** A button with the name of a task, the way it looks on the map. */
export function named(hit, points, does) {
  const i = points.at(hit.name);
  const look = i < 0 ? glyph(hit.kind, -1) : glyph(hit.kind, points.family[i], points.informative[i] > 0);
  return h("button", { type: "button", class: "named", title: `${hit.name} (${kindName(hit.kind)})`, onclick: () => does.open(hit.name) }, look, h("span", {}, hit.name));
}

function versus(name, does) {
  return h("button", { type: "button", class: "versus", "aria-label": `Compare with ${name}`, title: `Compare with ${name}`, onclick: () => does.compare(name) }, "Compare");
}

function hovering(name, does) {
  return { onmouseenter: () => does.point(name), onmouseleave: () => does.point(""), onfocusin: () => does.point(name), onfocusout: () => does.point("") };
}

function gainRow(hit, scale, points, does) {
  const { mean, low, high, helps } = hit.gain ?? { mean: hit.score, low: null, high: null, helps: null };
  const odds = h("span", { class: "odds" }, helps === null ? "" : `helps ${percent(helps)}`);
  const number = h("span", { class: `number ${mean >= 0 ? "up" : "down"}` }, signed(mean));
  const range = h("span", { class: "range" }, low === null ? "" : `${signed(low)} to ${signed(high)}`);
  const first = h("div", {}, named(hit, points, does), versus(hit.name, does), odds);
  return h("li", hovering(hit.name, does), first, h("div", {}, interval(mean, low, high, scale), number, range));
}

/** The line between what should help and what should not. */
function nothing(hits, hit) {
  const last = hits[hits.length - 1] === hit;
  const words = hits[0] === hit ? "Do not transfer: nothing here is expected to help" : last ? "Do not transfer" : "Do not transfer: the rest is expected to hurt";
  return h("li", { class: "nothing" }, h("span", {}, words));
}

function scaleOf(hits) {
  const ends = hits.flatMap((hit) => [hit.gain?.low, hit.gain?.high, hit.score]).filter((value) => typeof value === "number");
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const span = high - low || 1;
  return { low, high, at: (value) => 6 + ((WIDTH - 12) * (value - low)) / span };
}

function interval(mean, low, high, { at }) {
  const middle = HEIGHT / 2;
  const line = low === null ? null : svg("path", { class: "spread", d: `M${at(low)} ${middle}H${at(high)}M${at(low)} ${middle - 3}v6M${at(high)} ${middle - 3}v6` });
  const dot = svg("circle", { class: mean >= 0 ? "up" : "down", cx: at(mean), cy: middle, r: 3.5 });
  return svg("svg", { class: "interval", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, svg("path", { class: "zero", d: `M${at(0)} 0V${HEIGHT}` }), line, dot);
}

function axis({ low, high, at }) {
  const mark = (value, anchor) => svg("text", { x: at(value), y: 11, "text-anchor": anchor }, value === 0 ? "0" : signed(value, 2));
  const ends = [low < 0 && at(0) - at(low) > 34 && mark(low, "start"), mark(0, "middle"), high > 0 && at(high) - at(0) > 34 && mark(high, "end")];
  return svg("svg", { class: "axis", viewBox: `0 0 ${WIDTH} 14`, "aria-hidden": "true" }, ends);
}
