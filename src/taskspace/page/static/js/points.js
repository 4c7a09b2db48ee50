/** Points: the map document as columns, with which of them the filter leaves, and where one finds another. */

/** Names are looked for by lower case. */
const WANTED = 50;

export class Points {
  /** @param {any} map the map document of the service */
  constructor(map) {
    const n = map.names.length;
    this.map = map;
    this.count = n;
    /** @type {string[]} */
    this.names = map.names;
    this.kinds = map.kinds;
    this.families = map.families;
    this.kind = Uint8Array.from(map.kind);
    this.family = Int16Array.from(map.family);
    this.informative = Uint8Array.from(map.informative);
    this.shown = new Uint8Array(n).fill(1);
    this.shownCount = n;
    [this.x, this.y, this.extent] = squared(map.x, map.y);
    this.#place = new Map(map.names.map((name, i) => [name, i]));
    this.#lower = null;
  }

  #place;
  #lower;

  /** The place of a name, -1 where there is none. */
  at(name) {
    return this.#place.get(name) ?? -1;
  }

  kindOf(i) {
    return this.kinds[this.kind[i]];
  }

  familyOf(i) {
    return this.family[i] < 0 ? "" : this.families[this.family[i]].name;
  }

  /** Leave out kinds and families by their names; "" stands for what is in no family. */
  filter(hidden, without) {
    const kinds = this.kinds.map((kind) => !hidden.includes(kind));
    const families = [...this.families.map((family) => !without.includes(family.name)), !without.includes("")];
    const none = this.families.length;
    this.shownCount = 0;
    for (let i = 0; i < this.count; i++) {
      const family = this.family[i] < 0 ? none : this.family[i];
      this.shownCount += this.shown[i] = kinds[this.kind[i]] && families[family] ? 1 : 0;
    }
  }

  /** Call `visit` for each shown point within bounds in map units. */
  within([left, right, bottom, top], visit) {
    const { x, y, shown } = this;
    for (let i = 0; i < this.count; i++) {
      if (shown[i] && x[i] >= left && x[i] <= right && y[i] >= bottom && y[i] <= top) visit(i);
    }
  }

  /** The shown point nearest to (x, y) within `reach`, in map units; -1 for none. */
  nearest(x, y, reach) {
    let best = -1;
    let least = reach * reach;
    for (let i = 0; i < this.count; i++) {
      const dx = this.x[i] - x;
      const dy = this.y[i] - y;
      const far = dx * dx + dy * dy;
      if (far <= least && this.shown[i]) [best, least] = [i, far];
    }
    return best;
  }

  /**
   * The shown point that lies nearest in a direction: within 60 degrees of it, and what lies aside counts as farther.
   * @param {number} from @param {number} dx @param {number} dy a unit step, right and up
   */
  towards(from, dx, dy) {
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < this.count; i++) {
      if (i === from || !this.shown[i]) continue;
      const x = this.x[i] - this.x[from];
      const y = this.y[i] - this.y[from];
      const ahead = x * dx + y * dy;
      const aside = Math.abs(x * dy - y * dx);
      if (ahead <= 0 || aside > 1.7321 * ahead) continue;
      const cost = ahead + 2 * aside;
      if (cost < least) [best, least] = [i, cost];
    }
    return best;
  }

  /** Names that hold `text`, those that begin with it first, then those with a word that does. */
  search(text, limit = WANTED) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return { total: 0, found: [] };
    this.#lower ??= this.names.map((name) => name.toLowerCase());
    const tiers = [[], [], []];
    let total = 0;
    for (let i = 0; i < this.count; i++) {
      const where = this.#lower[i].indexOf(wanted);
      if (where < 0) continue;
      total++;
      const tier = where === 0 ? 0 : /[a-z0-9]/.test(this.#lower[i][where - 1]) ? 2 : 1;
      if (tiers[tier].length < limit) tiers[tier].push(i);
    }
    return { total, found: tiers.flat().slice(0, limit) };
  }
}

/** Both axes in one unit, the middle at 0 and the longer half 1; `extent` are the two halves. */
function squared(xs, ys) {
  const [left, right] = ends(xs);
  const [low, high] = ends(ys);
  const half = Math.max(right - left, high - low) / 2 || 1;
  const x = Float32Array.from(xs, (value) => (value - (left + right) / 2) / half);
  const y = Float32Array.from(ys, (value) => (value - (low + high) / 2) / half);
  return [x, y, [(right - left) / 2 / half, (high - low) / 2 / half]];
}

function ends(values) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return values.length ? [least, most] : [0, 0];
}
