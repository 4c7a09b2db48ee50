/** Sprites: each look of a point drawn once, then kept as the pixels it covers. */

import { channels, familyColour } from "./colours.js";
import { trace } from "./glyphs.js";

const LARGEST = 7;
const HALO_FROM = 2.6;

/** Radius of a point in CSS pixels: smaller where there are many or the screen is small, larger as one comes closer. */
export function radiusOf(count, { zoom, width, height }) {
  const screen = Math.min(1, Math.max(0.6, Math.sqrt(Math.min(width, height) / 640)));
  const largest = LARGEST * screen;
  const whole = Math.min(largest, 26 * screen * Math.max(count, 1) ** -0.24);
  return Math.min(largest, Math.round(4 * whole * Math.max(zoom, 1) ** 0.3) / 4);
}

/** How much of a point covers those below: where points are small they are many, and lie on each other. */
function sheerOf(radius) {
  return Math.min(1, Math.max(0.3, 0.3 + 0.65 * (radius - 1.6)));
}

/**
 * @typedef {object} Sprite pixels by row and column around the middle
 * @property {Int16Array} dx
 * @property {Int16Array} dy
 * @property {Uint32Array} red red and blue as they stand in a little-endian pixel, times alpha
 * @property {Uint32Array} green green times alpha
 * @property {Uint16Array} keeps what stays of the pixel below, in 256ths
 * @property {number} reach pixels from the middle to the farthest
 */

/** One look per kind, family and whether it says something; see {@link lookOf} for their order. */
export class Sprites {
  /** @param {any} points @param {any} colours @param {number} radius in CSS pixels @param {number} ratio device pixels in one */
  constructor(points, colours, radius, ratio) {
    const sheer = sheerOf(radius);
    const side = 2 * reachOf(radius * ratio) + 1;
    const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    /** @type {Sprite[]} */
    this.looks = [];
    for (const kind of points.kinds) {
      for (let family = -1; family < points.families.length; family++) {
        for (const solid of [false, true]) this.looks.push(drawn(pen, kind, familyColour(colours, family), colours.paper, radius * ratio, solid, sheer));
      }
    }
    this.reach = Math.max(1, ...this.looks.map((look) => look.reach));
  }
}

/** The place of a point's look among those of {@link Sprites}. */
export function lookOf(points, i) {
  return 2 * (points.kind[i] * (points.families.length + 1) + points.family[i] + 1) + points.informative[i];
}

/** Draw a point: filled where it says something, else an outline; with a rim of paper where it is large enough. */
export function stamp(pen, kind, x, y, radius, colour, paper, solid) {
  const weight = Math.max(1, radius / 3.5);
  pen.lineJoin = "round";
  pen.beginPath();
  trace(pen, kind, x, y, solid ? radius : radius - weight / 2);
  if (radius >= HALO_FROM) {
    pen.strokeStyle = paper;
    pen.lineWidth = solid ? weight : 2.5 * weight;
    pen.stroke();
  }
  pen.fillStyle = solid ? colour : paper;
  pen.fill();
  if (solid) return;
  pen.strokeStyle = colour;
  pen.lineWidth = weight;
  pen.stroke();
}

/** Pixels from the middle of a sprite to its edge. */
function reachOf(radius) {
  return Math.ceil(radius * 1.5 + 2);
}

function drawn(pen, kind, colour, paper, radius, solid, sheer) {
  const reach = reachOf(radius);
  const side = 2 * reach + 1;
  pen.clearRect(0, 0, side, side);
  pen.globalAlpha = sheer;
  stamp(pen, kind, reach + 0.5, reach + 0.5, radius, colour, paper, solid);
  return packed(pen.getImageData(0, 0, side, side).data, side, reach);
}

function packed(data, side, reach) {
  const there = [];
  for (let p = 0; p < side * side; p++) if (data[4 * p + 3] > 0) there.push(p);
  const part = (p, channel) => Math.floor((data[4 * p + channel] * data[4 * p + 3]) / 255);
  const far = there.map((p) => Math.max(Math.abs((p % side) - reach), Math.abs(Math.floor(p / side) - reach)));
  return {
    dx: Int16Array.from(there, (p) => (p % side) - reach),
    dy: Int16Array.from(there, (p) => Math.floor(p / side) - reach),
    red: Uint32Array.from(there, (p) => part(p, 0) | (part(p, 2) << 16)),
    green: Uint32Array.from(there, (p) => part(p, 1) << 8),
    keeps: Uint16Array.from(there, (p) => (data[4 * p + 3] === 255 ? 0 : 256 - data[4 * p + 3])),
    reach: Math.max(0, ...far),
  };
}

/** A CSS colour as an opaque little-endian pixel. */
export function pixel(colour) {
  const [red, green, blue] = channels(colour);
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}
