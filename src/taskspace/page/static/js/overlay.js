/** Overlay: what is drawn over the points and changes with every touch: names, rings, spokes and arrows. */

import { drawArrows } from "./arrows.js";
import { familyColour } from "./colours.js";
import { trace } from "./glyphs.js";
import { short } from "./labels.js";
import { stamp } from "./sprites.js";

/**
 * @typedef {object} Scene
 * @property {number} selected place of a point, -1 for none
 * @property {number} other the one it is compared with
 * @property {number} hovered
 * @property {number[]} neighbours nearest of the selected one
 * @property {number[]} marks what a search has found
 * @property {import("./arrows.js").Arrow[]} arrows
 * @property {import("./labels.js").Label[]} labels
 */

/** @returns {Scene} */
export function emptyScene() {
  return { selected: -1, other: -1, hovered: -1, neighbours: [], marks: [], arrows: [], labels: [] };
}

/** The neighbours and arrows that the filter leaves; the selected points themselves always stay. */
export function visible({ neighbours, arrows, selected, other }, points) {
  const stays = (i) => points.shown[i] || i === selected || i === other;
  return { neighbours: neighbours.filter(stays), arrows: arrows.filter(({ from, to }) => stays(from) && stays(to)) };
}

/** Draw the scene; `radius` is that of the points, in CSS pixels. */
export function drawScene(pen, whole, points, view, radius, colours, lettering) {
  const scene = { ...whole, ...visible(whole, points) };
  const at = (i) => [view.toScreenX(points.x[i]), view.toScreenY(points.y[i])];
  if (!scene.arrows.length) spokes(pen, scene, at, colours);
  drawArrows(pen, scene.arrows, points, view, radius, colours, lettering);
  const draw = (i, size) => stamp(pen, points.kindOf(i), ...at(i), size, familyColour(colours, points.family[i]), colours.paper, points.informative[i] > 0);
  const large = Math.max(radius, 5);
  for (const i of scene.marks) ring(pen, points.kindOf(i), ...at(i), radius + 3, colours.accent, 1.5, colours.paper);
  for (const i of ends(scene)) draw(i, Math.max(radius, 4));
  for (const i of [scene.other, scene.selected]) {
    if (i < 0) continue;
    draw(i, large);
    ring(pen, points.kindOf(i), ...at(i), large + 4, colours.ink, i === scene.selected ? 2.25 : 1.25, colours.paper);
  }
  for (const label of scene.labels) {
    const [x, y] = at(label.i);
    lettering.draw(pen, label.text, x + label.dx, y + label.dy, { strong: label.strong });
  }
  if (scene.hovered >= 0) hover(pen, scene, points, at(scene.hovered), radius, view, colours, lettering);
}

/** What must be seen above the others although nobody selected it. */
function ends(scene) {
  const places = new Set([...scene.neighbours, ...scene.arrows.flatMap(({ from, to }) => [from, to])]);
  places.delete(scene.selected);
  places.delete(scene.other);
  return places;
}

function spokes(pen, { selected, neighbours }, at, colours) {
  if (selected < 0 || !neighbours.length) return;
  const [x, y] = at(selected);
  pen.beginPath();
  for (const i of neighbours) {
    pen.moveTo(x, y);
    pen.lineTo(...at(i));
  }
  Object.assign(pen, { strokeStyle: colours.quiet, lineWidth: 1 });
  pen.stroke();
}

function ring(pen, kind, x, y, radius, colour, width, paper) {
  pen.beginPath();
  trace(pen, kind, x, y, radius);
  pen.lineJoin = "round";
  Object.assign(pen, { strokeStyle: paper, lineWidth: width + 2.5 });
  pen.stroke();
  Object.assign(pen, { strokeStyle: colour, lineWidth: width });
  pen.stroke();
}

function hover(pen, scene, points, [x, y], radius, view, colours, lettering) {
  const i = scene.hovered;
  const size = Math.max(radius, 4);
  stamp(pen, points.kindOf(i), x, y, size, familyColour(colours, points.family[i]), colours.paper, points.informative[i] > 0);
  if (i !== scene.selected) ring(pen, points.kindOf(i), x, y, size + 3, colours.ink, 1.25, colours.paper);
  if (scene.labels.some((label) => label.i === i)) return;
  const text = short(points.names[i], 60);
  const width = lettering.width(text, true);
  const left = Math.min(Math.max(x - width / 2, 4), view.width - width - 4);
  lettering.draw(pen, text, left, y > 30 ? y - size - 14 : y + size + 14, { strong: true });
}
