/** What is being looked at, as a value; the address holds all of it, so it can be sent and gone back to. */

/**
 * @typedef {object} State
 * @property {string} name the selected task, "" for none
 * @property {string} other the task it is compared with
 * @property {string} space the start of a space's fingerprint, or a learner's name
 * @property {string} method projection of the map
 * @property {"map" | "heat" | "list"} show
 * @property {readonly string[]} hidden kinds that are filtered out
 * @property {readonly string[]} without families that are filtered out
 * @property {readonly number[] | null} at middle and zoom of the map, null for all of it
 */

/** @type {State} */
export const START = Object.freeze({ name: "", other: "", space: "", method: "pca", show: "map", hidden: Object.freeze([]), without: Object.freeze([]), at: null });

const SHOWS = ["map", "heat", "list"];
const METHODS = ["pca", "mds", "umap"];

/** @param {string} hash @returns {State} */
export function parse(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const oneOf = (key, allowed) => (allowed.includes(words.get(key)) ? words.get(key) : allowed[0]);
  const at = (words.get("at") ?? "").split(",").map(Number);
  return Object.freeze({
    name: words.get("name") ?? "",
    other: words.get("name") ? (words.get("with") ?? "") : "",
    space: words.get("space") ?? "",
    method: oneOf("method", METHODS),
    show: /** @type {State["show"]} */ (oneOf("show", SHOWS)),
    hidden: words.getAll("hide"),
    without: words.getAll("without"),
    at: at.length === 3 && at.every(Number.isFinite) && at[2] > 0 ? at : null,
  });
}

/** @param {State} state */
export function format(state) {
  const words = new URLSearchParams();
  for (const [key, value] of [["name", state.name], ["with", state.other], ["space", state.space]]) {
    if (value) words.set(key, value);
  }
  if (state.method !== START.method) words.set("method", state.method);
  if (state.show !== START.show) words.set("show", state.show);
  for (const kind of state.hidden) words.append("hide", kind);
  for (const family of state.without) words.append("without", family);
  if (state.at) words.set("at", state.at.map((value) => Number(value.toPrecision(5))).join(","));
  const text = words.toString();
  return text ? `#${text}` : "";
}

/**
 * Holds the state, the address and everyone who wants to know.
 * A change goes on the browser's history unless it says `{replace: true}`.
 */
export class Store {
  /** @type {((now: State, before: State) => void)[]} */
  #listeners = [];

  constructor() {
    this.state = parse(location.hash);
    addEventListener("popstate", () => this.#tell(parse(location.hash)));
  }

  /** @param {(now: State, before: State) => void} listener */
  subscribe(listener) {
    this.#listeners.push(listener);
  }

  /** @param {Partial<State>} change @param {{replace?: boolean}} [how] */
  set(change, { replace = false } = {}) {
    const now = Object.freeze({ ...this.state, ...change });
    const address = format(now) || location.pathname + location.search;
    if (format(now) !== format(this.state)) history[replace ? "replaceState" : "pushState"](null, "", address);
    this.#tell(now);
  }

  #tell(now) {
    const before = this.state;
    this.state = now;
    for (const listener of this.#listeners) listener(now, before);
  }
}
