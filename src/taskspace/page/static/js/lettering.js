/** Lettering: each word set once with its halo and kept as a bitmap, since setting type is slow. */

const MOST = 600;
const HEIGHT = 18;
const FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';

export class Lettering {
  /** @type {Map<string, {canvas: HTMLCanvasElement, width: number}>} */
  #set = new Map();
  #measure = document.createElement("canvas").getContext("2d");

  /** Forget everything: colours or the screen have changed. */
  reset(colours, ratio) {
    this.#set.clear();
    this.colours = colours;
    this.ratio = ratio;
  }

  /** Width of a word in CSS pixels. */
  width(text, strong = false) {
    this.#measure.font = font(strong);
    return this.#measure.measureText(text).width;
  }

  /** Draw with the left edge at `x` and the middle of the line at `y`; `tone` names a colour. */
  draw(pen, text, x, y, { strong = false, tone = "ink" } = {}) {
    const word = this.#word(text, strong, tone);
    const at = (value) => Math.round(value * this.ratio) / this.ratio;
    pen.drawImage(word.canvas, at(x - 3), at(y - HEIGHT / 2), word.canvas.width / this.ratio, word.canvas.height / this.ratio);
  }

  #word(text, strong, tone) {
    const key = `${strong ? "b" : "r"} ${tone} ${text}`;
    let word = this.#set.get(key);
    if (word) return word;
    if (this.#set.size >= MOST) this.#set.clear();
    word = this.#draw(text, strong, tone);
    this.#set.set(key, word);
    return word;
  }

  #draw(text, strong, tone) {
    const width = this.width(text, strong);
    const canvas = document.createElement("canvas");
    canvas.width = Math.ceil((width + 6) * this.ratio);
    canvas.height = Math.ceil(HEIGHT * this.ratio);
    const pen = canvas.getContext("2d");
    pen.scale(this.ratio, this.ratio);
    Object.assign(pen, { font: font(strong), textBaseline: "middle", lineJoin: "round", lineWidth: 3.5, strokeStyle: this.colours.paper, fillStyle: this.colours[tone] });
    pen.strokeText(text, 3, HEIGHT / 2 + 0.5);
    pen.fillText(text, 3, HEIGHT / 2 + 0.5);
    return { canvas, width };
  }
}

function font(strong) {
  return `${strong ? 600 : 400} 11.5px ${FAMILY}`;
}
