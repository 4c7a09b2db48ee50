/** Naming: whose names stand on the map, in the order in which they matter. */

import { placeWords } from "./arrows.js";
import { Labels } from "./labels.js";
import { visible } from "./overlay.js";

/** Share of a name that may lie over points, where it matters more than they do. */
const COVERS = 0.35;

/** Width and height, in the upper right corner, that the buttons of the map take. */
const CONTROLS = [52, 132];

/** @param {number[]} middles the most central point of each family @returns {import("./labels.js").Label[]} */
export function namesOf(scene, points, view, radius, middles, lettering) {
  const measure = (text, strong) => lettering.width(text, strong);
  const labels = new Labels(points, view, radius, measure);
  const { neighbours, arrows } = visible(scene, points);
  labels.room.close(view.width - CONTROLS[0], 0, view.width, CONTROLS[1]);
  for (const i of [scene.selected, scene.other]) labels.name(i, { strong: true, away: Math.max(radius, 5) + 10 });
  for (const i of neighbours) labels.name(i, { covers: COVERS });
  placeWords(arrows, points, view, radius, labels.room, measure);
  for (const { from, to } of arrows) for (const i of [from, to]) labels.name(i, { covers: COVERS });
  for (const i of middles) if (points.shown[i]) labels.name(i, { strong: scene.selected < 0, covers: COVERS });
  labels.others();
  return labels.placed;
}
