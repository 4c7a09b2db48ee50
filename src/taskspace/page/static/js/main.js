/** Main: opens the source and joins the parts of the page to each other. */

import { App } from "./app.js";
import { byId } from "./dom.js";
import { following } from "./follow.js";
import { listen, zoomBy } from "./gestures.js";
import { searchBox } from "./search.js";
import { openSource } from "./source.js";
import { themeSwitch } from "./theme.js";
import { watch } from "./watch.js";

function start() {
  const app = new App(openSource());
  const search = searchBox(() => app.points, { choose: (i) => found(app, i), mark: (marks) => app.stage.set({ marks }) });
  listen(app.stage, { choose: (i, compare) => app.choose(i, { compare }), hover: (hovered) => app.hover(hovered), open: () => app.panel.focus() });
  themeSwitch(byId("theme"), () => app.recolour());
  buttons(app);
  keys(app, search);
  const watching = watch(app.source, following(app));
  app.load({ at: app.store.state.at }).finally(watching.now);
}

/** What a search has found is selected, and the keys go on from there. */
function found(app, i) {
  app.choose(i, { look: true });
  if (app.store.state.show === "map") byId("frame").focus({ preventScroll: true });
}

function buttons(app) {
  const { stage, store } = app;
  const zooms = { in: () => zoomBy(stage, 1.6), out: () => zoomBy(stage, 1 / 1.6), all: () => stage.go(null) };
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", zooms[button.dataset.zoom]);
  for (const button of document.querySelectorAll("[data-show]")) button.addEventListener("click", () => store.set({ show: button.dataset.show }));
  byId("methods").addEventListener("change", (event) => store.set({ method: event.target.value, at: null }));
  byId("spaces").addEventListener("change", (event) => store.set({ space: event.target.value.slice(0, 12), name: "", other: "", at: null, without: [] }));
  byId("reset").addEventListener("click", () => store.set({ hidden: [], without: [] }));
  byId("filters").addEventListener("click", () => {
    const open = byId("legend").classList.toggle("open");
    byId("filters").setAttribute("aria-expanded", String(open));
  });
}

/** Keys that work wherever the focus is, unless one is typing. */
function keys(app, search) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape") app.escape();
  });
}

start();
