/**
 * Plate: the points as a bitmap somewhat larger than the view.
 *
 * Moving the map moves the bitmap, which costs nothing however many points there are.  A new one is made behind it, a
 * slice per frame, and takes its place when it is done: 100,000 points are written as pixels, not drawn as shapes.
 */

import { lookOf, pixel } from "./sprites.js";

/** CSS pixels that a plate of many points reaches beyond the view on either side. */
export const MARGIN = 256;

const SLICE = 2048;

export class Plate {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { alpha: false });
    this.ready = false;
    [this.x, this.y, this.scale, this.width, this.height, this.version] = [0, 0, 1, 0, 0, -1];
  }

  /** Begin to draw what `view` shows; {@link step} goes on with it. */
  begin(points, view, sprites, paper, ratio, version, margin = MARGIN) {
    this.ready = false;
    Object.assign(this, { x: view.x, y: view.y, scale: view.scale, ratio, version });
    this.width = view.width + 2 * margin;
    this.height = view.height + 2 * margin;
    const [columns, rows] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== columns || this.canvas.height !== rows || !this.image) {
      [this.canvas.width, this.canvas.height] = [columns, rows];
      this.image = this.pen.createImageData(columns, rows);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.canvas.style.width = `${this.width}px`;
      this.canvas.style.height = `${this.height}px`;
    }
    this.pixels.fill(pixel(paper));
    this.job = { points, sprites, next: 0 };
  }

  /** Draw until `deadline`, in milliseconds of `performance.now()`; whether all is there. */
  step(deadline) {
    const { points } = this.job;
    while (this.job.next < points.count) {
      this.#slice(this.job.next, Math.min(this.job.next + SLICE, points.count));
      this.job.next += SLICE;
      if (performance.now() >= deadline) return false;
    }
    this.pen.putImageData(this.image, 0, 0);
    this.job = null;
    this.ready = true;
    return true;
  }

  /** Put the bitmap where `view` wants it. */
  place(view) {
    const zoom = view.scale / this.scale;
    let left = (this.x - view.x) * view.scale + view.width / 2 - (this.width / 2) * zoom;
    let top = (view.y - this.y) * view.scale + view.height / 2 - (this.height / 2) * zoom;
    if (zoom === 1) [left, top] = [Math.round(left * this.ratio) / this.ratio, Math.round(top * this.ratio) / this.ratio];
    this.canvas.style.transform = `matrix(${zoom},0,0,${zoom},${left},${top})`;
  }

  /** Whether it shows what `view` wants, `slack` pixels beyond its edges included, at most `coarse` times enlarged. */
  serves(view, version, slack, coarse = 1) {
    const zoom = view.scale / this.scale;
    const inX = Math.abs(view.x - this.x) * view.scale <= (this.width * zoom - view.width) / 2 - slack;
    const inY = Math.abs(view.y - this.y) * view.scale <= (this.height * zoom - view.height) / 2 - slack;
    return this.version === version && Math.max(zoom, 1 / zoom) <= coarse && inX && inY;
  }

  #slice(from, to) {
    const { points, sprites } = this.job;
    const { pixels } = this;
    const [columns, rows] = [this.canvas.width, this.canvas.height];
    const scale = this.scale * this.ratio;
    const [left, top] = [columns / 2 - this.x * scale, rows / 2 + this.y * scale];
    const reach = sprites.reach + 1;
    for (let i = from; i < to; i++) {
      if (!points.shown[i]) continue;
      const column = Math.floor(points.x[i] * scale + left);
      const row = Math.floor(top - points.y[i] * scale);
      if (column < reach || row < reach || column >= columns - reach || row >= rows - reach) continue;
      blend(pixels, row * columns + column, columns, sprites.looks[lookOf(points, i)]);
    }
  }
}

/** Lay a sprite over the pixels around `middle`; colours are multiplied in pairs, two channels to a number. */
function blend(pixels, middle, columns, { dx, dy, red, green, keeps }) {
  for (let p = 0; p < keeps.length; p++) {
    const at = middle + dy[p] * columns + dx[p];
    const below = pixels[at];
    const pair = (((below & 0xff00ff) * keeps[p]) >>> 8) & 0xff00ff;
    const single = (((below & 0x00ff00) * keeps[p]) >>> 8) & 0x00ff00;
    pixels[at] = 0xff000000 | (red[p] + pair) | (green[p] + single);
  }
}
