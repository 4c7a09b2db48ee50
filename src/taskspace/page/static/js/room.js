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
    points.within(view.bounds(), (i) => {
      this.inside.push(i);
      const [left, top] = [view.toScreenX(points.x[i]), view.toScreenY(points.y[i])];
      if (reach > CELL / 6) this.#fill(this.points, left - reach, top - reach, left + reach, top + reach);
      else this.points[Math.floor(top / CELL) * this.columns + Math.floor(left / CELL)] = 1;
    });
  }

  /** Whether a line of type fits, over at most a share `covers` of points and no other words. */
  free(left, middle, width, covers) {
    if (left < 2 || left + width > this.columns * CELL - 2 || middle < HALF || middle > this.rows * CELL - HALF) return false;
    const [from, to, first, last] = this.#cells(left, middle - HALF + 2, left + width, middle + HALF - 2);
    let covered = 0;
    for (let row = first; row <= last; row++) {
      for (let cell = row * this.columns + from; cell <= row * this.columns + to; cell++) {
        if (this.words[cell]) return false;
        covered += this.points[cell];
      }
    }
    return covers === Infinity || covered <= covers * (to - from + 1) * (last - first + 1);
  }

  take(left, middle, width) {
    this.#fill(this.words, left - 3, middle - HALF, left + width + 3, middle + HALF);
  }

  /** Keep words out of a part of the screen. */
  close(left, top, right, bottom) {
    this.#fill(this.words, left, top, right, bottom);
  }

  #fill(cells, left, top, right, bottom) {
    const [from, to, first, last] = this.#cells(left, top, right, bottom);
    for (let row = first; row <= last; row++) cells.fill(1, row * this.columns + from, row * this.columns + to + 1);
  }

  #cells(left, top, right, bottom) {
    const [from, to] = [Math.max(0, Math.floor(left / CELL)), Math.min(this.columns - 1, Math.floor(right / CELL))];
    const [first, last] = [Math.max(0, Math.floor(top / CELL)), Math.min(this.rows - 1, Math.floor(bottom / CELL))];
    return [from, to, first, last];
  }
}
