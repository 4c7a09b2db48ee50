/** Spaces: which one the state means, its map, and the choice among several. */

import { byId, fill, h } from "./dom.js";
import { plural } from "./format.js";

/**
 * All spaces, the one meant (where none is, the first that holds something, null where there is none), and its map (null where it is empty).
 * @param {import("./source.js").Source} source @param {import("./state.js").State} state
 */
export async function read(source, state) {
  const { spaces } = await source.spaces();
  const meant = ({ fingerprint, learner }) => state.space && (learner === state.space || fingerprint.startsWith(state.space));
  const space = spaces.find(meant) ?? spaces.find(({ entries }) => entries) ?? spaces[0] ?? null;
  const map = space?.entries ? await source.map({ space: space.fingerprint, method: state.method }) : null;
  return { spaces, space, map };
}

/** @param {any[]} spaces @param {any} current */
export function showSpaces(spaces, current) {
  byId("spaces-line").hidden = spaces.length < 2;
  const model = ({ surrogate }) => String(surrogate).split("/").pop();
  const label = (space) => `${space.learner} on ${model(space)}, ${plural(space.entries, "task")}`;
  fill(byId("spaces"), spaces.map((space) => h("option", { value: space.fingerprint, selected: space === current }, label(space))));
}
