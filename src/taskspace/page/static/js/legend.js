/** Legend: what shapes and colours mean; each line is a switch that filters. */

import { familyClass } from "./colours.js";
import { byId, fill, h, svg } from "./dom.js";
import { count, kindName } from "./format.js";
import { outline } from "./glyphs.js";

/** A point as it stands on the map, for a line of text. */
export function glyph(kind, family, solid = true) {
  const look = `glyph ${familyClass(family)}${solid ? "" : " hollow"}`;
  return svg("svg", { class: look, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, svg("path", { d: outline(kind) }));
}

/**
 * @param {any} points @param {import("./state.js").State} state
 * @param {(change: {hidden?: string[], without?: string[]}) => void} filter
 */
export function showLegend(points, state, filter) {
  const kinds = tally(points.kind, points.kinds.length);
  const families = tally(points.family, points.families.length);
  const single = families.pop();
  const toggled = (list, value, on) => (on ? list.filter((other) => other !== value) : [...list, value]);
  fill(
    byId("kinds"),
    points.kinds.map((kind, at) =>
      line(glyph(kind, -1), sentence(kindName(kind, true)), kinds[at], !state.hidden.includes(kind), (on) => filter({ hidden: toggled(state.hidden, kind, on) })),
    ),
  );
  const rows = points.families.map((family, at) =>
    line(swatch(at), aroundWhat(family.name), families[at], !state.without.includes(family.name), (on) => filter({ without: toggled(state.without, family.name, on) })),
  );
  if (single && rows.length) rows.push(line(swatch(-1), "in no family", single, !state.without.includes(""), (on) => filter({ without: toggled(state.without, "", on) })));
  fill(byId("families"), rows.length ? rows : h("p", { class: "quiet" }, "No clear families here."));
  const filtered = state.hidden.length + state.without.length > 0;
  byId("reset").hidden = !filtered;
  byId("hollow").hidden = points.informative.every((told) => told);
  byId("shown").textContent = filtered ? `${count(points.shownCount)} of ${count(points.count)} shown` : "";
}

/** Families are named after the task in their middle; the heading says so once. */
export function aroundWhat(name) {
  return name.replace(/^around /, "");
}

/** How many points have each place; the last number counts those with none. */
function tally(places, size) {
  const counts = Array(size + 1).fill(0);
  for (const place of places) counts[place < 0 ? size : place]++;
  return counts;
}

function line(mark, name, number, on, change) {
  const box = h("input", { type: "checkbox", checked: on, onchange: (event) => change(event.target.checked) });
  return h("label", { class: "line" }, box, mark, h("span", { class: "name", title: name }, name.slice(name.indexOf("/") + 1)), h("span", { class: "number" }, count(number)));
}

function swatch(family) {
  return svg("svg", { class: `glyph ${familyClass(family)}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, svg("rect", { x: 2, y: 5, width: 12, height: 6, rx: 3 }));
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}
