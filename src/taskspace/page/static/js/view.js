/** View: which part of the map is on the screen. Map units go up, screen pixels down. */

const NEAREST = 4000;
const FARTHEST = 0.5;
const MARGIN = 44;

export class View {
  /** Middle (x, y) in map units, `scale` in CSS pixels per map unit, size in CSS pixels. */
  constructor() {
    this.x = 0;
    this.y = 0;
    this.scale = 1;
    this.width = 1;
    this.height = 1;
    this.fitted = 1;
  }

  toScreenX(x) {
    return (x - this.x) * this.scale + this.width / 2;
  }

  toScreenY(y) {
    return (this.y - y) * this.scale + this.height / 2;
  }

  toMap(left, top) {
    return [(left - this.width / 2) / this.scale + this.x, this.y - (top - this.height / 2) / this.scale];
  }

  /** How much closer than the whole map. */
  get zoom() {
    return this.scale / this.fitted;
  }

  /** Take a new size; what is in the middle stays there, and so does the zoom. */
  resize(width, height, extent) {
    const zoom = this.zoom;
    [this.width, this.height] = [Math.max(width, 1), Math.max(height, 1)];
    this.fitted = wholeOf(this.width, this.height, extent);
    this.scale = this.fitted * zoom;
  }

  /** All of the map, as [x, y, zoom]. */
  fit() {
    [this.x, this.y, this.scale] = [0, 0, this.fitted];
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.#stay();
  }

  /** Zoom by a factor and keep what is under (left, top) there. */
  zoomAt(factor, left, top) {
    const [x, y] = this.toMap(left, top);
    this.scale = Math.min(Math.max(this.scale * factor, this.fitted * FARTHEST), this.fitted * NEAREST);
    const [nowX, nowY] = this.toMap(left, top);
    this.x += x - nowX;
    this.y += y - nowY;
    this.#stay();
  }

  set([x, y, zoom]) {
    [this.x, this.y, this.scale] = [x, y, this.fitted * Math.min(Math.max(zoom, FARTHEST), NEAREST)];
    this.#stay();
  }

  /** As [x, y, zoom]; null while it is the whole map. */
  get() {
    const whole = Math.abs(this.x) < 1e-3 && Math.abs(this.y) < 1e-3 && Math.abs(this.zoom - 1) < 1e-3;
    return whole ? null : [this.x, this.y, this.zoom];
  }

  /** What the screen shows, in map units: left, right, bottom and top. */
  bounds() {
    const [halfX, halfY] = [this.width / 2 / this.scale, this.height / 2 / this.scale];
    return [this.x - halfX, this.x + halfX, this.y - halfY, this.y + halfY];
  }

  /** Whether a point is on the screen, `margin` pixels inside its edge. */
  holds(x, y, margin = 0) {
    const [left, top] = [this.toScreenX(x), this.toScreenY(y)];
    return left >= margin && top >= margin && left <= this.width - margin && top <= this.height - margin;
  }

  #stay() {
    this.x = Math.min(Math.max(this.x, -1.2), 1.2);
    this.y = Math.min(Math.max(this.y, -1.2), 1.2);
  }
}

function wholeOf(width, height, [halfX, halfY]) {
  const margin = Math.min(MARGIN, width / 8, height / 8);
  return Math.min((width / 2 - margin) / Math.max(halfX, 0.2), (height / 2 - margin) / Math.max(halfY, 0.2));
}
