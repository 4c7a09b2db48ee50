/** Room: which parts of the screen are covered by points, and which by words. */

const CELL = 6;

/** Half the height of a line of type, in CSS pixels. */
export const HALF = 8;

export class Room {
  /** @param {any} points @param {import("./view.js").View} view @param {number} radius of a point */
  constructor(points, view, radius) {
    this.columns = Math.ceil(view.width / CELL);
    this.rows = Math.ceil(view.height / CELL);
    this.points = new Uint8Array(this.columns * this.rows);
    this.words = new Uint8Array(this.columns * this.rows);
    /** @type {number[]} shown points on the screen */
    this.inside = [];
    const reach = Math.max(0, radius - 2);
    for (let i = 0; i < points.count; i++) {
      if (!points.shown[i] || !view.holds(points.x[i], points.y[i])) continue;
      this.inside.push(i);
      const [left, top] = [view.toScreenX(points.x[i]), view.toScreenY(points.y[i])];
      this.#each(left - reach, top - reach, left + reach, top + reach, (cell) => (this.points[cell] = 1));
    }
  }

  /** Whether a line of type fits, over at most a share `covers` of points and no other words. */
  free(left, middle, width, covers) {
    if (left < 2 || left + width > this.columns * CELL - 2 || middle < HALF || middle > this.rows * CELL - HALF) return false;
    let [cells, covered, crossed] = [0, 0, false];
    this.#each(left, middle - HALF + 2, left + width, middle + HALF - 2, (cell) => {
      cells++;
      covered += this.points[cell];
      crossed ||= this.words[cell] > 0;
    });
    return !crossed && (covers === Infinity || covered <= covers * cells);
  }

  take(left, middle, width) {
    this.#each(left - 3, middle - HALF, left + width + 3, middle + HALF, (cell) => (this.words[cell] = 1));
  }

  /** Keep words out of a part of the screen. */
  close(left, top, right, bottom) {
    this.#each(left, top, right, bottom, (cell) => (this.words[cell] = 1));
  }

  #each(left, top, right, bottom, visit) {
    const [from, to] = [Math.max(0, Math.floor(left / CELL)), Math.min(this.columns - 1, Math.floor(right / CELL))];
    const [first, last] = [Math.max(0, Math.floor(top / CELL)), Math.min(this.rows - 1, Math.floor(bottom / CELL))];
    for (let row = first; row <= last; row++) for (let column = from; column <= to; column++) visit(row * this.columns + column);
  }
}
