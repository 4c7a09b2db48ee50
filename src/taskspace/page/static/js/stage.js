/** Stage: the canvases of the map and the clock that draws them: only what changed, and never long in one frame. */

import { palette } from "./colours.js";
import { aroundWhat } from "./legend.js";
import { Lettering } from "./lettering.js";
import { namesOf } from "./naming.js";
import { drawScene, emptyScene } from "./overlay.js";
import { MARGIN, Plate } from "./plate.js";
import { Sprites, radiusOf } from "./sprites.js";
import { View } from "./view.js";

const SLICE_MS = 6;
const STILL_MS = 140;

/** Names wait longer: finding room for them takes more than a frame. */
const NAMED_MS = 240;

/** How much an old plate of many points may be enlarged or reduced while the view moves. */
const COARSE = 1.3;

/** Points that are drawn within one frame. */
const QUICK = 6000;

const GLIDE_MS = 260;

/** What moves no names when it changes. */
const PASSING = ["hovered", "marks"];


export class Stage {
  /** @param {HTMLElement} frame holds two canvases for plates and one for the overlay, in this order */
  constructor(frame, moved) {
    this.frame = frame;
    this.moved = moved;
    const [first, second, top] = frame.querySelectorAll("canvas");
    [this.front, this.back] = [new Plate(first), new Plate(second)];
    this.top = top;
    this.pen = top.getContext("2d");
    this.view = new View();
    this.scene = emptyScene();
    this.lettering = new Lettering();
    this.points = null;
    this.middles = [];
    this.held = false;
    this.#version = 0;
    new ResizeObserver(() => this.#resize()).observe(frame);
    this.recolour();
  }

  #version;
  #asked = false;
  /** @type {Map<number, Sprites>} by radius, for one set of points, colours and screen */
  #sprites = new Map();
  #touched = 0;
  #labelled = "";
  #glide = null;
  #dirty = true;

  /** Show other points; `at` says where to look, null at all of them. */
  show(points, at) {
    this.points = points;
    this.middles = points.families.map((family) => points.at(aroundWhat(family.name)));
    Object.assign(this.scene, emptyScene());
    this.#resize();
    if (at) this.view.set(at);
    else this.view.fit();
    this.changed();
  }

  /** The points look different: another filter, other colours. */
  changed() {
    this.#version++;
    this.#sprites.clear();
    this.redraw();
  }

  recolour() {
    this.colours = palette();
    this.lettering.reset(this.colours, ratio());
    this.changed();
  }

  /** Change what stands above the points. */
  set(scene) {
    Object.assign(this.scene, scene);
    if (Object.keys(scene).some((key) => !PASSING.includes(key))) this.redraw();
    else this.#ask();
  }

  redraw() {
    this.#labelled = "";
    this.#ask();
  }

  /** The view was moved by hand. */
  touch() {
    this.#glide = null;
    this.#moving();
  }

  /** Move the view to [x, y, zoom], null for all; at once for who asked for less motion. */
  go(at) {
    const goal = at ?? [0, 0, 1];
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.view.set(goal);
      this.#moving();
      return;
    }
    this.#glide = { from: [this.view.x, this.view.y, this.view.zoom], goal, began: performance.now() };
    this.#ask();
  }

  get radius() {
    return radiusOf(this.points?.shownCount ?? 0, this.view);
  }

  #moving() {
    this.#touched = performance.now();
    this.#ask();
    this.moved();
  }

  #ask() {
    this.#dirty = true;
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame((now) => this.#tick(now));
  }

  #tick() {
    this.#asked = false;
    if (!this.points || this.view.width < 2) return;
    const began = performance.now();
    this.#step(began);
    const busy = this.#paint(began);
    const waiting = this.#letter(began);
    if (this.front.ready) this.front.place(this.view);
    if (this.#dirty) this.#overlay();
    this.#dirty = false;
    if (busy || waiting || this.#glide) this.#ask();
  }

  /** One step of a glide: fast at first, then slower; the zoom goes by equal factors. */
  #step(now) {
    if (!this.#glide) return;
    const { from, goal, began } = this.#glide;
    const t = Math.min(1, (now - began) / GLIDE_MS);
    const way = 1 - (1 - t) ** 3;
    const between = (i) => from[i] + (goal[i] - from[i]) * way;
    this.view.set([between(0), between(1), from[2] * (goal[2] / from[2]) ** way]);
    if (t === 1) this.#glide = null;
    this.#moving();
  }

  /** Go on with the plate behind; whether there is more to do. Few points are drawn at once, in the plate itself. */
  #paint(began) {
    const quick = this.points.shownCount <= QUICK;
    const plate = quick ? this.front : this.back;
    if (quick || !plate.job) {
      const still = began - this.#touched > STILL_MS && !this.#glide;
      const slack = quick ? 0 : still ? 8 : MARGIN / 2;
      if (this.front.serves(this.view, this.#version, slack, still || quick ? 1 : COARSE)) return !still;
      plate.begin(this.points, this.view, this.#spritesNow(), this.colours.paper, ratio(), this.#version, quick ? 0 : MARGIN);
    }
    if (!plate.step(quick ? Infinity : began + SLICE_MS)) return true;
    if (!quick) {
      [this.front, this.back] = [this.back, this.front];
      this.front.canvas.classList.remove("behind");
      this.back.canvas.classList.add("behind");
    }
    return !quick;
  }

  #spritesNow() {
    const { radius } = this;
    if (!this.#sprites.has(radius)) this.#sprites.set(radius, new Sprites(this.points, this.colours, radius, ratio()));
    return this.#sprites.get(radius);
  }

  /** Set names once the view is still; whether that is to be waited for. */
  #letter(began) {
    const { view, scene, points } = this;
    const now = [view.x, view.y, view.scale, view.width, view.height].join(" ");
    if (this.#labelled === now) return false;
    if (this.held) return false; // letting go asks again
    if (this.#labelled && began - this.#touched < NAMED_MS) return true;
    scene.labels = namesOf(scene, points, view, this.radius, this.middles, this.lettering);
    this.#labelled = now;
    this.#dirty = true;
    return false;
  }

  #overlay() {
    const { pen, top, view } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, top.width, top.height);
    pen.setTransform(ratio(), 0, 0, ratio(), 0, 0);
    drawScene(pen, this.scene, this.points, view, this.radius, this.colours, this.lettering);
  }

  #resize() {
    const { width, height } = this.frame.getBoundingClientRect();
    this.view.resize(width, height, this.points?.extent ?? [1, 1]);
    [this.top.width, this.top.height] = [Math.round(width * ratio()), Math.round(height * ratio())];
    if (this.lettering.ratio !== ratio()) this.recolour();
    this.redraw();
  }
}

/** Device pixels per CSS pixel, at most 2: finer is not seen and costs. */
function ratio() {
  return Math.min(Math.max(devicePixelRatio || 1, 1), 2);
}
