/** Labels: which names stand on the map, and on which side of their point; only where there is room. */

import { HALF, Room } from "./room.js";

const MOST = 70;
const MOST_AMONG_MANY = 26;
const MANY = 200;
const TRIED = 3000;
const PER_LETTER = 6.4;
const LONGEST = 34;

/** @typedef {{i: number, text: string, dx: number, dy: number, strong: boolean}} Label place from its point, in pixels */

/** Takes names one after the other, the most wanted first, and finds a place for each or none. */
export class Labels {
  /** @param {(text: string, strong?: boolean) => number} measure width in CSS pixels */
  constructor(points, view, radius, measure) {
    Object.assign(this, { points, view, radius, measure });
    this.room = new Room(points, view, radius);
    /** @type {Label[]} */
    this.placed = [];
    this.taken = new Set();
  }

  /** Name a point over at most a share `covers` of others; `away` is the distance to its rim. */
  name(i, { strong = false, covers = Infinity, away = this.radius + 4 } = {}) {
    const { points, view, room } = this;
    if (i < 0 || this.taken.has(i) || !view.holds(points.x[i], points.y[i], 4)) return;
    const text = short(points.names[i]);
    const [left, top] = [view.toScreenX(points.x[i]), view.toScreenY(points.y[i])];
    const rough = text.length * PER_LETTER;
    if (covers === 0 && !sides(rough, away).some(([dx, dy]) => room.free(left + dx, top + dy, rough, 0))) return;
    const width = this.measure(text, strong) + 2;
    const side = sides(width, away).find(([dx, dy]) => room.free(left + dx, top + dy, width, covers));
    if (!side) return;
    room.take(left + side[0], top + side[1], width);
    this.taken.add(i);
    this.placed.push({ i, text, dx: side[0], dy: side[1], strong });
  }

  /** Name others as well, as long as it stays quiet; what says nothing has no place to be named at. */
  others() {
    const { inside } = this.room;
    const most = inside.length > MANY ? MOST_AMONG_MANY : MOST;
    for (const k of scattered(inside.length)) {
      if (this.placed.length >= most) return;
      if (this.points.informative[inside[k]] || inside.length <= MANY) this.name(inside[k], { covers: 0 });
    }
  }
}

/** A name that fits: the end of a long one counts more than its owner. */
export function short(name, longest = LONGEST) {
  if (name.length <= longest) return name;
  const tail = name.slice(name.indexOf("/") + 1);
  return tail.length <= longest ? tail : `${tail.slice(0, longest - 9)}…${tail.slice(-8)}`;
}

function sides(width, away) {
  return [[away, 0], [-away - width, 0], [-width / 2, -away - HALF + 2], [-width / 2, away + HALF - 2]];
}

/** Some places below `count` in an order that is the same each time and follows nothing. */
function* scattered(count) {
  let at = 0;
  for (let i = 0; i < Math.min(count, TRIED); i++) {
    yield at;
    at = count <= TRIED ? at + 1 : (at + 102947) % count;
  }
}
