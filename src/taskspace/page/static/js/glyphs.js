/** The shape of each kind: of about the same area, so that no kind looks heavier than another. */

/** @type {Record<string, (pen: CanvasPath, x: number, y: number, r: number) => void>} */
const SHAPES = {
  dataset: (pen, x, y, r) => pen.arc(x, y, r, 0, 2 * Math.PI),
  model: (pen, x, y, r) => polygon(pen, x, y, r * 1.24, 4, Math.PI / 4),
  prompt: (pen, x, y, r) => polygon(pen, x, y + r * 0.2, r * 1.42, 3, Math.PI / 2),
  adapter: (pen, x, y, r) => polygon(pen, x, y, r * 1.34, 4, 0),
};

/** Trace the shape of a kind around (x, y); a kind that is not known is a hexagon. */
export function trace(pen, kind, x, y, r) {
  const shape = SHAPES[kind] ?? ((to, left, top, size) => polygon(to, left, top, size * 1.1, 6, 0));
  shape(pen, x, y, r);
}

/** The shape as the path of an SVG of 16 by 16. */
export function outline(kind) {
  if (kind === "dataset") return "M3 8a5 5 0 1 0 10 0a5 5 0 1 0-10 0z";
  const steps = [];
  const pen = { moveTo: (x, y) => steps.push(`M${round(x)} ${round(y)}`), lineTo: (x, y) => steps.push(`L${round(x)} ${round(y)}`), closePath: () => steps.push("z") };
  trace(/** @type {any} */ (pen), kind, 8, 8, 4.8);
  return steps.join("");
}

function polygon(pen, x, y, r, corners, turn) {
  for (let i = 0; i < corners; i++) {
    const angle = turn + (2 * Math.PI * i) / corners;
    pen[i ? "lineTo" : "moveTo"](x + r * Math.cos(angle), y - r * Math.sin(angle));
  }
  pen.closePath();
}

function round(value) {
  return Math.round(100 * value) / 100;
}
