/** App: what happens when the state changes, the atlas changes, or the server goes away. */

import { arrowsOf } from "./arrows.js";
import { showCaption } from "./caption.js";
import { byId } from "./dom.js";
import { sayGone } from "./follow.js";
import { Heat } from "./heat.js";
import { showLegend } from "./legend.js";
import { markList, outline, showList } from "./list.js";
import { Panel, summary } from "./panel.js";
import { Points } from "./points.js";
import { Unreachable } from "./rest.js";
import { read, showSpaces } from "./spaces.js";
import { Stage } from "./stage.js";
import { Store } from "./state.js";
import { clearNotice, notice, say } from "./status.js";

const STILL_MS = 300;

export class App {
  /** @param {import("./source.js").Source} source */
  constructor(source) {
    this.source = source;
    this.store = new Store();
    this.points = null;
    this.space = null;
    this.seeking = false;
    this.stage = new Stage(byId("frame"), () => this.#moved());
    this.does = {
      open: (name) => this.store.set({ name, other: "" }),
      compare: (other) => this.store.set({ other }),
      point: (name) => this.stage.set({ hovered: this.points.at(name) }),
      close: () => this.escape(),
      seek: () => this.#seek(),
    };
    this.panel = new Panel(byId("panel"), source, this.does, {
      neighbours: (hits) => this.stage.set({ neighbours: hits.map((hit) => this.points.at(hit.name)).filter((i) => i >= 0) }),
      measured: (rows, directions) => this.stage.set({ arrows: arrowsOf(this.points, rows, directions) }),
    });
    this.heat = new Heat(source, (name, other) => this.store.set({ name, other }));
    this.store.subscribe((now, before) => this.#change(now, before));
  }

  #timer = 0;
  #loads = 0;

  /** Read the spaces and the map, and show what the state says. */
  async load({ at = null } = {}) {
    const load = ++this.#loads;
    byId("frame").setAttribute("aria-busy", "true");
    try {
      const { spaces, space, map } = await read(this.source, this.store.state);
      if (load !== this.#loads) return; // another one was asked for meanwhile
      this.space = space;
      showSpaces(spaces, space);
      clearNotice();
      this.#show(map, at);
    } catch (error) {
      if (load === this.#loads) this.#failed(error);
    } finally {
      if (load === this.#loads) byId("frame").removeAttribute("aria-busy");
    }
  }

  /** Select a point, or compare it with the selected one. */
  choose(i, { compare = false, look = false } = {}) {
    if (i < 0) return;
    const name = this.points.names[i];
    const { state } = this.store;
    if ((compare || this.seeking) && state.name && state.name !== name) this.store.set({ other: name });
    else this.store.set({ name, other: "" });
    if (look) this.#into(i);
  }

  hover(hovered) {
    if (this.stage.scene.hovered === hovered) return;
    byId("frame").classList.toggle("over", hovered >= 0);
    this.stage.set({ hovered });
  }

  /** One step back: out of the search for another, the comparison, the selection. */
  escape() {
    const { state } = this.store;
    if (byId("legend").classList.contains("open")) byId("filters").click();
    else if (this.seeking) this.#seekNoMore();
    else if (state.other) this.store.set({ other: "" });
    else if (state.name) this.store.set({ name: "" });
    if (byId("panel").hidden && document.activeElement === document.body && state.show === "map") byId("frame").focus({ preventScroll: true });
  }

  /** Ask again what could not be answered. */
  refresh() {
    if (this.points) this.#select();
    if (this.points && this.store.state.show === "heat") this.#view();
  }

  recolour() {
    this.stage.recolour();
    this.heat.recolour(this.stage.colours);
  }

  #change(now, before) {
    const is = (...keys) => keys.some((key) => String(now[key]) !== String(before[key]));
    if (is("space") || (is("method") && now.method !== this.points?.map.method)) return void this.load({ at: now.at });
    if (!this.points) return undefined;
    if (is("hidden", "without")) this.#filter();
    if (is("name", "other")) this.#select();
    if (is("show", "hidden", "without") || (is("name") && now.show === "heat" && !this.heat.holds(now.name))) this.#view();
    if (is("name")) markList(now.name);
    const here = this.stage.view.get();
    if (is("at") && String(now.at) !== String(here) && !this.#mine) this.stage.go(now.at);
    return undefined;
  }

  #mine = false;

  #show(map, at) {
    this.points = new Points(map ?? { names: [], kinds: [], kind: [], x: [], y: [], informative: [], families: [], family: [], generation: "" });
    const { state } = this.store;
    document.body.classList.toggle("empty", !map);
    this.points.filter(state.hidden, state.without);
    this.stage.show(this.points, at);
    byId("methods-line").hidden = !this.source.live;
    byId("methods").value = map?.method ?? state.method;
    if (map) showCaption(map);
    byId("frame").setAttribute("aria-label", `Map of ${summary(this.points)}`);
    showLegend(this.points, state, (change) => this.store.set(change));
    this.#view();
    this.#select();
    this.#moved();
    if (map) say(summary(this.points));
  }

  #filter() {
    const { state } = this.store;
    this.points.filter(state.hidden, state.without);
    showLegend(this.points, state, (change) => this.store.set(change));
    this.stage.changed();
    this.#moved();
    say(`${this.points.shownCount} of ${this.points.count} tasks shown`);
  }

  #select() {
    const { name, other } = this.store.state;
    const place = this.points.at(name);
    this.#seekNoMore();
    this.stage.set({ selected: place, other: this.points.at(other), neighbours: [], arrows: [] });
    document.title = name && place >= 0 ? `${name} · taskspace` : "taskspace";
    if (place < 0) {
      this.panel.close();
      if (name && this.points.count) notice(`There is no ${name} in this space.`, { label: "Close", run: clearNotice });
      return;
    }
    if (!this.stage.view.holds(this.points.x[place], this.points.y[place], 20)) this.#into(place);
    if (other && this.points.at(other) >= 0) this.panel.compare(name, other, this.points, this.space.fingerprint);
    else this.panel.open(name, this.points, this.space.fingerprint);
  }

  #view() {
    const { state } = this.store;
    for (const button of document.querySelectorAll("[data-show]")) button.setAttribute("aria-pressed", String(button.dataset.show === state.show));
    for (const show of ["map", "heat", "list"]) byId(`show-${show}`).hidden = show !== state.show || !this.points.count;
    if (!this.points.count) return;
    if (state.show === "heat") this.heat.show(this.points, this.space.fingerprint, state.name, this.stage.colours);
    if (state.show === "list") showList(this.points, state.name, this.does);
  }

  /** Bring a point into sight without losing the zoom. */
  #into(i) {
    const { view } = this.stage;
    if (!view.holds(this.points.x[i], this.points.y[i], 60)) this.stage.go([this.points.x[i], this.points.y[i], Math.max(view.zoom, 1.5)]);
  }

  #seek() {
    this.seeking = true;
    notice("Choose the other task: on the map, in a list or by search.", { label: "Leave", run: () => this.#seekNoMore() });
  }

  #seekNoMore() {
    if (!this.seeking) return;
    this.seeking = false;
    clearNotice();
  }

  /** Once the view is still: the address and the spoken outline follow it. */
  #moved() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.points?.count) return;
      this.#mine = true;
      this.store.set({ at: this.stage.view.get() }, { replace: true });
      this.#mine = false;
      outline(this.points, this.stage.view);
    }, STILL_MS);
  }

  #failed(error) {
    if (error instanceof Unreachable) sayGone();
    else notice(`${error.message}`, { label: "Close", run: clearNotice });
    if (!this.points) return; // whoever watches the server asks again
    const method = this.points.map.method ?? this.store.state.method;
    byId("methods").value = method;
    this.store.set({ method }, { replace: true });
  }
}
