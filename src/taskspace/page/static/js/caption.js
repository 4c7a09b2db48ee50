/** Caption: what the map is, and how much of the space it keeps. */

import { byId } from "./dom.js";
import { count, percent } from "./format.js";

const METHODS = { pca: "PCA", mds: "MDS", umap: "UMAP" };

/** @param {any} map the map document */
export function showCaption(map) {
  byId("caption").textContent = [kept(map), axes(map)].filter(Boolean).join(" ");
}

function kept({ method, kept: share, kept_of: of, chance, neighbours, names }) {
  if (share === null || share === undefined) return METHODS[method] ?? method;
  const near = neighbours === 1 ? "nearest neighbour" : `${neighbours} nearest`;
  const sampled = of && of < names.length ? `, measured on ${count(of)}` : "";
  const luck = chance === null || chance === undefined ? "" : `; by chance ${percent(chance)}`;
  return `${METHODS[method] ?? method} keeps ${percent(share)} of each task’s ${near}${sampled}${luck}.`;
}

function axes({ explained }) {
  return explained ? `The axes hold ${percent(explained[0])} and ${percent(explained[1])} of the variance.` : "";
}
