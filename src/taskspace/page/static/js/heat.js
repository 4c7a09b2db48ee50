/** Heat map: how alike each two of the shown tasks are, in an order that puts the alike beside each other. */

import { channels } from "./colours.js";
import { byId, fill, h } from "./dom.js";
import { count, fixed } from "./format.js";
import { short } from "./labels.js";
import { chosen, rangeOf } from "./sample.js";
import { say } from "./status.js";
import { drawTree } from "./tree.js";

const LETTERED = 9;
const TREE = 56;
const GUTTER = 150;

export class Heat {
  /** @param {(first: string, second: string) => void} compare */
  constructor(source, compare) {
    Object.assign(this, { source, compare, table: null, cell: [-1, -1] });
    [this.frame, this.canvas] = [byId("heat-frame"), byId("heat")];
    this.pen = this.canvas.getContext("2d");
    this.canvas.addEventListener("pointermove", (event) => this.#over(event));
    this.canvas.addEventListener("pointerleave", () => this.#at([-1, -1]));
    this.canvas.addEventListener("click", (event) => this.#over(event) && this.#open());
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(this.frame);
  }

  #stop = new AbortController();

  /** Show the tasks of the filter: all, or those nearest to the selected one, or some spread evenly. */
  async show(points, space, selected, colours) {
    this.colours = colours;
    this.#stop.abort();
    const { signal } = (this.#stop = new AbortController());
    this.frame.setAttribute("aria-busy", "true");
    try {
      const { names, words } = await chosen(this.source, points, space, selected, signal);
      const table = names?.length === 0 ? { names: [], kinds: [], values: [], merges: [] } : await this.source.similarities(names, space, signal);
      if (signal.aborted) return;
      this.table = table;
      this.range = rangeOf(table.values);
      this.cell = [-1, -1];
      this.#told(words ?? `${count(table.names.length)} tasks`);
    } catch (error) {
      if (signal.aborted || error.name === "AbortError") return;
      this.table = null;
      this.#told(`${error.message}`);
    } finally {
      if (!signal.aborted) this.frame.removeAttribute("aria-busy");
    }
    this.draw();
  }

  /** Whether a task is in the picture, so that selecting it changes nothing there. */
  holds(name) {
    return !name || Boolean(this.table?.names.includes(name));
  }

  recolour(colours) {
    this.colours = colours;
    this.draw();
  }

  draw() {
    const { width, height } = this.frame.getBoundingClientRect();
    const { canvas, pen, table } = this;
    if (width < 2) return;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const size = table?.names.length ?? 0;
    const sideBeside = (gutter) => Math.max(1, Math.floor(Math.min(26, (width - gutter - 16) / Math.max(size, 1), (height - TREE - 12) / Math.max(size, 1))));
    const lettered = Math.min(GUTTER, width / 3);
    const gutter = sideBeside(lettered) >= LETTERED ? lettered : 8; // where no name is legible, none takes room
    const side = sideBeside(gutter);
    this.box = { left: gutter, top: TREE, side };
    const wide = gutter + side * size + 8;
    [canvas.width, canvas.height] = [wide * ratio, (TREE + side * size + 8) * ratio];
    [canvas.style.width, canvas.style.height] = [`${wide}px`, `${TREE + side * size + 8}px`];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, height);
    if (!size) return;
    this.#cells(ratio);
    this.#names();
    drawTree(pen, table.merges, size, { left: gutter, top: 4, width: side * size, height: TREE - 8 }, this.colours.quiet);
    this.#cross();
  }

  /** One pixel per cell, then enlarged without smoothing. */
  #cells(ratio) {
    const { table, range, pen, colours } = this;
    const size = table.names.length;
    const small = document.createElement("canvas");
    [small.width, small.height] = [size, size];
    const brush = small.getContext("2d");
    const image = brush.createImageData(size, size);
    const ramp = [colours["heat-low"], colours["heat-mid"], colours["heat-high"]].map(channels);
    const same = channels(colours.line);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const colour = row === column ? same : between(ramp, (table.values[row][column] - range[0]) / (range[1] - range[0]));
        image.data.set([...colour, 255], 4 * (row * size + column));
      }
    }
    brush.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, this.box.left, this.box.top, this.box.side * size, this.box.side * size);
  }

  #names() {
    const { pen, table, box, colours } = this;
    if (box.left < 12) return;
    const letters = Math.floor((box.left - 12) / 5.9);
    Object.assign(pen, { font: `${Math.min(11.5, box.side)}px system-ui, sans-serif`, textAlign: "right", textBaseline: "middle" });
    table.names.forEach((name, row) => {
      pen.fillStyle = this.cell.includes(row) ? colours.accent : colours.ink;
      pen.fillText(short(name, letters), box.left - 8, box.top + (row + 0.5) * box.side);
    });
  }

  #cross() {
    const [row, column] = this.cell;
    if (row < 0) return;
    const { pen, box, colours } = this;
    const [x, y] = [box.left + column * box.side, box.top + row * box.side];
    for (const [colour, wide] of [[colours.paper, 4], [colours.ink, 2]]) {
      Object.assign(pen, { strokeStyle: colour, lineWidth: wide });
      pen.strokeRect(x - 1, y - 1, box.side + 2, box.side + 2);
    }
  }

  #told(words) {
    const scale = this.table?.names.length > 1 ? [h("span", { class: "number" }, fixed(this.range[0], 2)), h("span", { class: "ramp" }), h("span", { class: "number" }, fixed(this.range[1], 2))] : [];
    fill(byId("heat-about"), h("span", {}, words), h("span", { class: "scale" }, scale));
    this.#read();
  }

  #over(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const size = this.table?.names.length ?? 0;
    const column = Math.floor((event.clientX - left - this.box.left) / this.box.side);
    const row = Math.floor((event.clientY - top - this.box.top) / this.box.side);
    const inside = row >= 0 && column >= 0 && row < size && column < size;
    this.#at(inside ? [row, column] : [-1, -1]);
    return inside;
  }

  #at(cell) {
    if (cell[0] === this.cell[0] && cell[1] === this.cell[1]) return;
    this.cell = cell;
    this.#read();
    this.draw();
  }

  #words() {
    const [row, column] = this.cell;
    const { names, values } = this.table;
    return row === column ? `${names[row]} with itself` : `${names[row]} and ${names[column]}: ${fixed(values[row][column], 3)}`;
  }

  #read() {
    byId("heat-read").textContent = this.table && this.cell[0] >= 0 ? this.#words() : "Point at a cell, or move with the arrow keys; click or Enter compares.";
  }

  #open() {
    const [row, column] = this.cell;
    if (row >= 0 && row !== column) this.compare(this.table.names[row], this.table.names[column]);
  }

  #key(event) {
    const size = this.table?.names.length ?? 0;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!size || (!step && event.key !== "Enter")) return;
    event.preventDefault();
    if (!step) return this.#open();
    const start = this.cell[0] < 0 ? [0, 0] : this.cell.map((value, i) => Math.min(size - 1, Math.max(0, value + step[i])));
    this.#at(start);
    say(this.#words());
  }
}

function between(ramp, share) {
  const at = Math.min(Math.max(share, 0), 1) * (ramp.length - 1);
  const low = Math.min(Math.floor(at), ramp.length - 2);
  return ramp[low].map((value, i) => Math.round(value + (ramp[low + 1][i] - value) * (at - low)));
}
