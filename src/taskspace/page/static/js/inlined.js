/** The atlas as a document inside the page: what a file can answer without a server. */

import { Refused } from "./rest.js";

/** @typedef {import("./source.js").Source} Source */

/** @param {any} data what `taskspace.page.document_of` made @returns {Source} */
export function inlinedSource(data) {
  const { map } = data;
  const place = new Map(map.names.map((name, i) => [name, i]));
  const known = (table, name, what) => {
    const found = table?.[name];
    if (!found) throw new Refused("NotInFile", `this file holds no ${what} of ${name}`);
    return found;
  };
  const nearest = (name) => {
    const rows = known(data.near?.names, name, "neighbours");
    const hits = rows.map(([other, score], i) => ({ rank: i + 1, name: map.names[other], kind: map.kinds[map.kind[other]], score, gain: null }));
    return { target: name, calibrated: false, measure: data.near.measure, notes: [], hits };
  };
  const measured = (test) => (data.transfers ?? []).filter(test);
  return {
    live: false,
    health: async () => ({ status: "ok", atlas: data.atlas ?? "", entries: map.names.length, generations: { [map.space]: map.generation } }),
    spaces: async () => ({ spaces: map.space ? [{ learner: "", surrogate: "", ...data.space, fingerprint: map.space, entries: map.names.length, generation: map.generation }] : [] }),
    map: async () => map,
    card: async (name) => known(data.cards, name, "card"),
    near: async (name) => nearest(name),
    rank: async (name) => data.rankings?.[name] ?? nearest(name),
    compare: async (first, second) => ({
      similarity: likeness(data, place, first, second),
      first: known(data.cards, first, "card"),
      second: known(data.cards, second, "card"),
      shared: shared(nearest(first), nearest(second)),
      transfers: measured((row) => (row.source === first && row.target === second) || (row.source === second && row.target === first)),
    }),
    similarities: async (names) => part(data.similarities, names),
    transfers: async (name) => ({ from: measured((row) => row.source === name), to: measured((row) => row.target === name) }),
  };
}

/** The cosine of two tasks, from whatever table of the file holds it; null where none does. */
function likeness(data, place, first, second) {
  const { names = [], values = [] } = data.similarities ?? {};
  const [a, b] = [names.indexOf(first), names.indexOf(second)];
  if (a >= 0 && b >= 0) return values[a][b];
  for (const [one, other] of [[first, second], [second, first]]) {
    const found = (data.near?.names?.[one] ?? []).find(([there]) => there === place.get(other));
    if (found) return found[1];
  }
  return null;
}

function shared(first, second) {
  const others = new Set(second.hits.map((hit) => hit.name));
  return first.hits.map((hit) => hit.name).filter((name) => others.has(name));
}

/** The rows and columns of `names`, in clustered order; the tree only where all are asked for. */
function part(table, names) {
  if (!table) throw new Refused("NotInFile", "this file holds no similarities");
  if (!names) return table;
  const wanted = new Set(names);
  const kept = table.names.map((name, i) => (wanted.has(name) ? i : -1)).filter((i) => i >= 0);
  if (kept.length === table.names.length) return table;
  return { names: kept.map((i) => table.names[i]), kinds: kept.map((i) => table.kinds[i]), values: kept.map((i) => kept.map((j) => table.values[i][j])), merges: [] };
}
