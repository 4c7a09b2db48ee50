/** Compare: two tasks side by side, what they share, and what one did for the other. */

import { h } from "./dom.js";
import { factsOf } from "./facts.js";
import { fixed, signed } from "./format.js";
import { named } from "./ranking.js";

/** @param {any} found the answer of `compare` @param {import("./ranking.js").Does} does */
export function comparison(found, points, does) {
  const { similarity, first, second, shared, transfers } = found;
  return h("div", {}, likeness(similarity), sideBySide(first, second, points, does), sharedList(shared, points, does), between(transfers));
}

function likeness(similarity) {
  if (similarity === null) return h("p", { class: "quiet" }, "How alike they are is not in this file.");
  const bar = h("meter", { min: 0, max: 1, value: Math.max(0, similarity), "aria-hidden": "true" });
  return h("p", { class: "likeness" }, h("span", { class: "large" }, fixed(similarity, 3)), h("span", {}, " similarity (cosine)"), bar);
}

function sideBySide(first, second, points, does) {
  const [left, right] = [factsOf(first), factsOf(second)];
  const terms = [...new Set([...left, ...right].map(({ term }) => term))];
  const value = (facts, term) => facts.find((fact) => fact.term === term)?.value ?? "–";
  const head = (card) => h("th", { scope: "col" }, named({ name: card.name, kind: points.at(card.name) < 0 ? card.kind : points.kindOf(points.at(card.name)) }, points, does));
  const told = [first, second].some((card) => card.provenance.description);
  const about = told && h("tr", {}, h("th", { scope: "row" }, "About"), [first, second].map((card) => h("td", {}, card.provenance.description ?? "–")));
  const rows = terms.map((term) => h("tr", {}, h("th", { scope: "row" }, term), h("td", {}, value(left, term)), h("td", {}, value(right, term))));
  return h("table", { class: "sides" }, h("thead", {}, h("tr", {}, h("td", {}), head(first), head(second))), h("tbody", {}, about, rows));
}

function sharedList(shared, points, does) {
  const words = shared.length ? `Among the ten nearest of both (${shared.length})` : "Nothing is among the ten nearest of both.";
  const rows = shared.map((name) => h("li", {}, named({ name, kind: points.at(name) < 0 ? "dataset" : points.kindOf(points.at(name)) }, points, does)));
  return h("section", {}, h("h3", {}, "Shared neighbours"), h("p", { class: "quiet" }, words), h("ul", { class: "shared" }, rows));
}

function between(transfers) {
  if (!transfers.length) return h("section", {}, h("h3", {}, "Measured between them"), h("p", { class: "quiet" }, "No transfer from one to the other was noted."));
  const lines = transfers.map((row) => {
    const effect = row.gain === null ? "" : h("strong", { class: row.gain >= 0 ? "up" : "down" }, `${row.gain >= 0 ? "▲" : "▽"} ${signed(row.gain)} `);
    return h("li", {}, h("span", {}, `${row.source} → ${row.target}`), h("span", {}, effect, h("span", { class: "quiet" }, `${row.metric} ${fixed(row.score, 3)}`)));
  });
  return h("section", {}, h("h3", {}, "Measured between them"), h("ul", { class: "between" }, lines));
}
