/** Arrows: measured transfers from or to the selected task, told apart by shape and sign as well as by colour. */

import { signed } from "./format.js";

const BEND = 0.16;
const HEAD = 9;
const MOST_WORDS = 14;
const STOPS = [0.5, 0.62, 0.4, 0.72, 0.3, 0.82];

/**
 * @typedef {object} Arrow
 * @property {number} from place of the source
 * @property {number} to place of the target
 * @property {number | null} gain null where it was measured without a baseline
 * @property {number} [stop] where on its way the gain is written, if anywhere
 */

/** The transfers of both directions whose two ends stand on the map, largest effect first. */
export function arrowsOf(points, measured, directions) {
  const rows = [...(directions.from ? measured.from : []), ...(directions.to ? measured.to : [])];
  return rows
    .map((row) => ({ from: points.at(row.source), to: points.at(row.target), gain: row.gain }))
    .filter(({ from, to }) => from >= 0 && to >= 0 && from !== to)
    .sort((a, b) => Math.abs(b.gain ?? 0) - Math.abs(a.gain ?? 0));
}

/** Find where on each arrow there is room for its gain. */
export function placeWords(arrows, points, view, radius, room, measure) {
  for (const arrow of arrows) arrow.stop = undefined;
  for (const arrow of arrows.slice(0, MOST_WORDS)) {
    const line = curve(points, view, arrow, radius);
    if (!line || arrow.gain === null) continue;
    const width = measure(signed(arrow.gain)) + 2;
    arrow.stop = STOPS.find((stop) => {
      const [x, y] = along(line, stop);
      return room.free(x - width / 2, y, width, 0);
    });
    if (arrow.stop === undefined) continue;
    const [x, y] = along(line, arrow.stop);
    room.take(x - width / 2, y, width);
  }
}

/** A gain is a full line with a filled head, a loss is dashed with an open head, an unknown one dotted. */
export function drawArrows(pen, arrows, points, view, radius, colours, lettering) {
  const lines = arrows.map((arrow) => curve(points, view, arrow, radius));
  for (const [at, arrow] of [...arrows.entries()].reverse()) if (lines[at]) drawLine(pen, lines[at], lookOf(arrow.gain, colours));
  for (const [at, { gain, stop }] of arrows.entries()) {
    if (!lines[at] || stop === undefined) continue;
    const [x, y] = along(lines[at], stop);
    const text = signed(gain);
    lettering.draw(pen, text, x - lettering.width(text) / 2, y, { tone: Number(text) === 0 ? "quiet" : gain > 0 ? "gain" : "loss" });
  }
}

function drawLine(pen, line, look) {
  Object.assign(pen, { strokeStyle: look.colour, fillStyle: look.colour, lineWidth: look.width });
  pen.setLineDash(look.dash);
  pen.beginPath();
  pen.moveTo(line.x0, line.y0);
  pen.quadraticCurveTo(line.cx, line.cy, line.x1, line.y1);
  pen.stroke();
  pen.setLineDash([]);
  const angle = Math.atan2(line.y1 - line.cy, line.x1 - line.cx);
  pen.beginPath();
  pen.moveTo(line.x1 - HEAD * Math.cos(angle - 0.42), line.y1 - HEAD * Math.sin(angle - 0.42));
  pen.lineTo(line.x1, line.y1);
  pen.lineTo(line.x1 - HEAD * Math.cos(angle + 0.42), line.y1 - HEAD * Math.sin(angle + 0.42));
  if (look.filled) pen.fill();
  else pen.stroke();
}

function lookOf(gain, colours) {
  const width = Math.min(2.5, 1 + 12 * Math.abs(gain ?? 0));
  if (gain === null) return { colour: colours.quiet, width, dash: [1, 4], filled: false };
  if (Number(signed(gain)) === 0) return { colour: colours.quiet, width, dash: [], filled: true };
  return gain >= 0 ? { colour: colours.gain, width, dash: [], filled: true } : { colour: colours.loss, width, dash: [6, 4], filled: false };
}

/** From the rim of one point to that of the other, bent to the left of its way so that both ways can be seen. */
function curve(points, view, { from, to }, radius) {
  const [ax, ay] = [view.toScreenX(points.x[from]), view.toScreenY(points.y[from])];
  const [bx, by] = [view.toScreenX(points.x[to]), view.toScreenY(points.y[to])];
  if (Math.hypot(bx - ax, by - ay) < 3 * radius) return null;
  const [cx, cy] = [(ax + bx) / 2 + BEND * (by - ay), (ay + by) / 2 - BEND * (bx - ax)];
  const start = towards(ax, ay, cx, cy, radius + 3);
  const end = towards(bx, by, cx, cy, radius + 4);
  return { x0: start[0], y0: start[1], cx, cy, x1: end[0], y1: end[1] };
}

/** The point of a quadratic curve after a share of its way. */
function along({ x0, y0, cx, cy, x1, y1 }, t) {
  const [a, b, c] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2];
  return [a * x0 + b * cx + c * x1, a * y0 + b * cy + c * y1];
}

function towards(x, y, otherX, otherY, step) {
  const length = Math.hypot(otherX - x, otherY - y) || 1;
  return [x + ((otherX - x) * step) / length, y + ((otherY - y) * step) / length];
}
