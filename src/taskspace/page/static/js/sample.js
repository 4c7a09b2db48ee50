/** Sample: which tasks a heat map shows, and what its colours range over. */

import { count } from "./format.js";

/** Tasks in one picture. */
export const MOST = 200;

/** Which names to ask for; null for all of a small atlas. */
export async function chosen(source, points, space, selected, signal) {
  const shown = points.names.filter((_, i) => points.shown[i]);
  if (shown.length <= MOST) return { names: shown.length === points.count ? null : shown, words: null };
  if (!source.live) return { names: null, words: null };
  const of = `of ${count(shown.length)} tasks`;
  if (selected) {
    const { hits } = await source.near(selected, space, signal, MOST - 1);
    const near = hits.map((hit) => hit.name).filter((name) => points.shown[points.at(name)]);
    return { names: [selected, ...near], words: `The ${count(near.length + 1)} nearest to ${selected}, ${of}` };
  }
  const step = shown.length / MOST;
  return { names: Array.from({ length: MOST }, (_, i) => shown[Math.floor(i * step)]), words: `${MOST} ${of}, spread evenly; select one to see its surroundings` };
}

/** What the colours range over: all but one in a hundred pairs at either end. */
export function rangeOf(values) {
  const pairs = values.flatMap((row, i) => row.slice(0, i)).sort((a, b) => a - b);
  if (!pairs.length) return [0, 1];
  const [low, high] = [pairs[Math.floor(0.01 * pairs.length)], pairs[Math.ceil(0.99 * pairs.length) - 1]];
  return high - low > 1e-6 ? [low, high] : [low - 0.5, low + 0.5];
}
