/** Panel: the card of the selected task, its neighbours, its ranking and its measured transfers; or a comparison. */

import { familyClass } from "./colours.js";
import { comparison } from "./compare.js";
import { fill, h } from "./dom.js";
import { factList, factsOf, recordOf } from "./facts.js";
import { fixed, kindName, plural } from "./format.js";
import { glyph } from "./legend.js";
import { measuredSection } from "./measured.js";
import { neighbourList, rankingList } from "./ranking.js";
import { say } from "./status.js";

const PATIENCE_MS = 110;

/**
 * @typedef {object} Told what the panel has learned and the map wants to draw
 * @property {(hits: any[]) => void} neighbours
 * @property {(measured: {from: any[], to: any[]}, directions: {from: boolean, to: boolean}) => void} measured
 */

export class Panel {
  /** @param {HTMLElement} node @param {import("./source.js").Source} source */
  constructor(node, source, does, told) {
    Object.assign(this, { node, source, does, told });
    this.directions = { from: true, to: true };
  }

  #stop = new AbortController();

  close() {
    this.#stop.abort();
    this.node.hidden = true;
    fill(this.node);
  }

  /** Show the task; what has to be asked for comes in as it is answered. */
  async open(name, points, space) {
    const { signal } = this.#begin();
    const i = points.at(name);
    const title = h("h2", { id: "title", tabindex: "-1" }, name);
    const [about, start, near, measured] = [h("div"), h("section"), h("section"), h("div")];
    fill(start, h("h3", {}, "What to start from"));
    fill(near, h("h3", {}, "Nearest"));
    this.#open(false, this.#head(title, this.#under(points, i)), about, start, near, measured);
    say(this.#spoken(points, i));
    await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS)); // while keys walk past, nothing is asked
    if (signal.aborted) return;
    await Promise.all([
      this.#fill(about, signal, () => this.source.card(name, space, signal), (card) => this.#card(card)),
      this.#fill(near, signal, () => this.source.near(name, space, signal), (ranking) => this.#near(ranking, points)),
      this.#fill(start, signal, () => this.source.rank(name, space, signal), (ranking) => this.#start(ranking, points)),
      this.#fill(measured, signal, () => this.source.transfers(name, signal), (rows) => this.#measured(measured, rows, points)),
    ]);
  }

  /** Show two tasks beside each other. */
  async compare(first, second, points, space) {
    const { signal } = this.#begin();
    const title = h("h2", { id: "title", tabindex: "-1" }, first, h("span", { class: "and" }, " and "), second);
    const body = h("div");
    this.#open(true, this.#head(title, null), body);
    await this.#fill(body, signal, () => this.source.compare(first, second, space, signal), (found) => {
      say(`${first} and ${second}: similarity ${fixed(found.similarity, 2)}`);
      this.told.measured({ from: found.transfers, to: [] }, { from: true, to: false });
      return comparison(found, points, this.does);
    });
  }

  focus() {
    this.node.querySelector("#title")?.focus();
  }

  #begin() {
    this.#stop.abort();
    this.#stop = new AbortController();
    return this.#stop;
  }

  #open(wide, ...parts) {
    const within = this.node.contains(document.activeElement);
    fill(this.node, ...parts);
    this.node.classList.toggle("wide", wide);
    this.node.hidden = false;
    this.node.scrollTop = 0;
    if (within) this.focus();
  }

  #head(title, under) {
    const close = h("button", { type: "button", class: "plain close", "aria-label": "Close", title: "Close (Escape)", onclick: this.does.close }, "×");
    return h("header", {}, h("div", { class: "titles" }, title, under), close);
  }

  #under(points, i) {
    if (i < 0) return null;
    const family = points.familyOf(i);
    return h("p", { class: "under" }, glyph(points.kindOf(i), points.family[i], points.informative[i] > 0), kindName(points.kindOf(i)), family && h("span", { class: familyClass(points.family[i]) }, ` · ${family}`), !points.informative[i] && " · says nothing");
  }

  #spoken(points, i) {
    return [points.names[i], kindName(points.kindOf(i)), points.familyOf(i), points.informative[i] ? "" : "says nothing"].filter(Boolean).join(", ");
  }

  #card(card) {
    const { description } = card.provenance;
    return [
      description && h("p", { class: "description" }, description),
      !card.informative && h("p", { class: "warning" }, "Its embedding says nothing: no better than chance. Its place on the map means nothing either."),
      factList(factsOf(card)),
      h("p", {}, h("button", { type: "button", class: "compare", onclick: this.does.seek }, "Compare with another…")),
      recordOf(card),
    ];
  }

  #near(ranking, points) {
    this.told.neighbours(ranking.hits);
    if (!ranking.hits.length) return [h("h3", {}, "Nearest"), h("p", { class: "quiet" }, "There is nothing else here.")];
    return [h("h3", {}, "Nearest"), neighbourList(ranking.hits, points, this.does), h("p", { class: "measure" }, `Score: ${ranking.measure}.`)];
  }

  #start(ranking, points) {
    if (!ranking.hits.length) return [];
    const title = h("h3", {}, "What to start from");
    if (ranking.calibrated) return [title, rankingList(ranking, points, this.does), ranking.notes.map((note) => h("p", { class: "measure" }, `Note: ${note}.`))];
    const why = "No gain can be predicted yet, since fewer than two other tasks here have measured transfers. By likeness alone: the nearest, below.";
    return [title, h("p", { class: "quiet" }, this.source.live ? why : "No predicted gains in this file. By likeness alone: the nearest, below.")];
  }

  #measured(node, rows, points) {
    const { directions } = this;
    this.told.measured(rows, directions);
    return measuredSection(rows, directions, points, (now) => {
      this.directions = now;
      this.told.measured(rows, now);
    }, this.does);
  }

  /** Ask, and put what is made of the answer into the node; a refusal is told in its place. */
  async #fill(node, signal, ask, make) {
    node.setAttribute("aria-busy", "true");
    try {
      const answer = await ask();
      if (!signal.aborted) fill(node, make(answer));
    } catch (error) {
      if (signal.aborted || error.name === "AbortError") return;
      fill(node, h("p", { class: "warning" }, `${error.message}.`.replace(/\.\.$/, ".")));
    } finally {
      node.removeAttribute("aria-busy");
    }
  }
}

/** `30 tasks: 20 data sets and 10 models`. */
export function summary(points) {
  const kinds = points.kinds.map((kind, at) => [kind, points.kind.reduce((sum, other) => sum + (other === at), 0)]);
  const words = kinds.map(([kind, number]) => plural(number, kindName(kind), kindName(kind, true)));
  return `${plural(points.count, "task")}: ${words.join(", ")}`;
}
