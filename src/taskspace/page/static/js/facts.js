/** Facts: what is recorded of a task, read well: first what people ask, then all of it. */

import { h } from "./dom.js";
import { count, day, fixed, percent, plural } from "./format.js";

/** @typedef {{term: string, value: string, hint?: string}} Fact */

/** @param {any} card @returns {Fact[]} what a person wants to know first */
export function factsOf(card) {
  const about = card.provenance;
  const facts = [
    fact("Rows", number(about.input_rows)),
    fact("Labels", labels(about)),
    fact("Skill", share(about.skill), "of the answers’ variance is predicted from the base model’s features"),
    fact("Coverage", about.coverage === undefined ? "" : `${percent(about.coverage)} of the texts were answered`),
    fact("Calls", number(about.model_calls)),
    fact("Comes from", origin(about)),
    fact("Prompt", about.template),
    fact("In the pool", about.pool_overlap ? `${count(about.pool_overlap)} of its texts` : ""),
    fact("Added", day(card.added)),
  ];
  return facts.filter((one) => one.value);
}

/** @param {Fact[]} facts */
export function factList(facts) {
  return h("dl", { class: "facts" }, facts.flatMap(({ term, value, hint }) => [h("dt", {}, term), h("dd", {}, value, hint && h("span", { class: "hint" }, hint))]));
}

/** Everything, as it is stored. */
export function recordOf(card) {
  const rows = { ...card.provenance, dims: card.dims, content: card.content, space: card.space, added: card.added };
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const lines = Object.entries(rows).map(([key, value]) => [h("dt", {}, key), h("dd", {}, text(value))]);
  return h("details", { class: "record" }, h("summary", {}, "Everything recorded"), h("dl", {}, lines.flat()));
}

function fact(term, value, hint) {
  return { term, value: value ?? "", hint };
}

function number(value) {
  return typeof value === "number" ? count(value) : "";
}

function share(value) {
  return typeof value === "number" ? fixed(value, 2) : "";
}

function labels({ classes, label_kind: kind }) {
  if (kind === "classes" && classes) return plural(classes, "class", "classes");
  if (kind === "numbers") return "numbers";
  if (kind === "targets") return "target texts";
  return classes ? plural(classes, "class", "classes") : (kind ?? "");
}

/** Where a labeler's answers, or a data set, came from, in a few words. */
function origin(about) {
  const revision = about.revision && !["local", "wheel"].includes(about.revision) ? ` at ${String(about.revision).slice(0, 10)}` : "";
  const { source } = about;
  if (source === "hub") return `model ${about.model}${revision}`;
  if (source === "prompt") return `prompt “${about.prompt}” on ${about.model}${about.endpoint ? `, ${about.endpoint}` : revision}`;
  if (source === "estimator") return `scikit-learn: ${about.estimator}`;
  if (source === "predictions") return about.file ? `predictions in ${about.file}` : "a table of predictions";
  if (source === "callable") return `function ${about.function}`;
  const at = about.file ?? about.path ?? about.hub ?? about.id;
  return [source, at].filter((part) => typeof part === "string").join(" ");
}
