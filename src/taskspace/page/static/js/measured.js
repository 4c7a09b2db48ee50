/** Measured transfers: a table, and the switches of the arrows on the map. */

import { h } from "./dom.js";
import { fixed, plural, signed } from "./format.js";
import { named } from "./ranking.js";

const MOST = 40;

/**
 * @param {{from: any[], to: any[]}} measured
 * @param {{from: boolean, to: boolean}} directions whose arrows are drawn
 * @param {(directions: {from: boolean, to: boolean}) => void} switched
 * @param {import("./ranking.js").Does} does
 */
export function measuredSection(measured, directions, points, switched, does) {
  const { from, to } = measured;
  if (!from.length && !to.length) return h("section", {}, h("h3", {}, "Measured transfers"), h("p", { class: "quiet" }, "None from it or to it were noted."));
  const box = (key, words, rows) =>
    rows.length > 0 && h("label", {}, h("input", { type: "checkbox", checked: directions[key], onchange: (event) => switched({ ...directions, [key]: event.target.checked }) }), `${words} (${rows.length})`);
  const arrows = h("fieldset", { class: "arrows" }, h("legend", {}, "Arrows on the map"), box("from", "from it", from), box("to", "to it", to));
  return h("section", {}, h("h3", {}, "Measured transfers"), arrows, table("From it", "target", from, points, does), table("To it", "source", to, points, does));
}

/** The rows of one direction, largest gain first. */
export function table(title, end, rows, points, does) {
  if (!rows.length) return null;
  const sorted = [...rows].sort((a, b) => (b.gain ?? -Infinity) - (a.gain ?? -Infinity));
  const line = (row) => {
    const i = points.at(row[end]);
    const name = i < 0 ? h("span", { class: "named" }, row[end]) : named({ name: row[end], kind: points.kindOf(i) }, points, does);
    return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, effect(row.gain)), h("td", {}, fixed(row.score, 3)), h("td", { class: "aside" }, row.runs > 1 ? plural(row.runs, "run") : ""));
  };
  const metric = rows[0].metric;
  const head = h("tr", {}, h("th", { scope: "col" }, title), h("th", { scope: "col" }, "gain"), h("th", { scope: "col" }, metric), h("th", { scope: "col", class: "aside" }, ""));
  const short = table_(head, sorted.slice(0, MOST).map(line));
  return sorted.length > MOST ? [short, h("p", { class: "quiet" }, `and ${sorted.length - MOST} more`)] : short;
}

function table_(head, rows) {
  return h("table", { class: "measured" }, h("thead", {}, head), h("tbody", {}, rows));
}

/** A gain by colour, sign and an arrow. */
function effect(gain) {
  if (gain === null) return h("span", { class: "quiet" }, "no baseline");
  const up = gain >= 0;
  return h("span", { class: up ? "up" : "down" }, `${up ? "▲" : "▽"} ${signed(gain)}`);
}
