/** List: what the map shows as a table, for everyone who would rather read, and in short for those who listen. */

import { byId, fill, h } from "./dom.js";
import { count, kindName, plural } from "./format.js";
import { named } from "./ranking.js";

const PAGE = 100;
const SPOKEN = 30;

/** All shown tasks by family and name, a page at a time. */
export function showList(points, selected, does, pages = 1) {
  const rows = ordered(points);
  const part = rows.slice(0, pages * PAGE);
  const row = (i) =>
    h("tr", { "data-name": points.names[i] },
      h("th", { scope: "row" }, named({ name: points.names[i], kind: points.kindOf(i) }, points, does)),
      h("td", {}, kindName(points.kindOf(i))), h("td", {}, points.familyOf(i) || "–"), h("td", {}, points.informative[i] ? "" : "says nothing"));
  const head = h("tr", {}, ["name", "kind", "family", ""].map((word) => h("th", { scope: "col" }, word)));
  fill(byId("list"),
    h("table", {}, h("caption", {}, `${plural(rows.length, "task")}, by family and name`), h("thead", {}, head), h("tbody", {}, part.map(row))),
    part.length < rows.length && h("button", { type: "button", onclick: () => showList(points, selected, does, pages + 1) }, `Show ${Math.min(PAGE, rows.length - part.length)} more of ${count(rows.length)}`));
  markList(selected);
}

/** Mark the selected task, wherever it stands in the list. */
export function markList(selected) {
  for (const row of byId("list").querySelectorAll("[data-name]")) row.setAttribute("aria-current", String(row.dataset.name === selected));
}

/** The points on the screen, nearest to its middle first, for screen readers. */
export function outline(points, view) {
  const { first, total } = middlemost(points, view);
  const words = `${plural(total, "task")} on the screen${total > SPOKEN ? `, the ${SPOKEN} nearest to its middle` : ""}`;
  const head = h("tr", {}, ["name", "kind", "family"].map((word) => h("th", { scope: "col" }, word)));
  fill(byId("outline"), h("caption", {}, words), h("thead", {}, head),
    h("tbody", {}, first.map((i) => h("tr", {}, h("th", { scope: "row" }, points.names[i]), h("td", {}, kindName(points.kindOf(i))), h("td", {}, points.familyOf(i))))));
}

/** The nearest to the middle of the screen, and how many are on it; in one pass, since there may be very many. */
function middlemost(points, view) {
  const first = [];
  let total = 0;
  points.within(view.bounds(), (i) => {
    total++;
    const far = (points.x[i] - view.x) ** 2 + (points.y[i] - view.y) ** 2;
    if (first.length === SPOKEN && far >= first[SPOKEN - 1].far) return;
    let at = first.length;
    while (at > 0 && first[at - 1].far > far) at--;
    first.splice(at, 0, { i, far });
    first.length = Math.min(first.length, SPOKEN);
  });
  return { first: first.map(({ i }) => i), total };
}

function ordered(points) {
  const rows = [];
  for (let i = 0; i < points.count; i++) if (points.shown[i]) rows.push(i);
  const family = (i) => (points.family[i] < 0 ? points.families.length : points.family[i]);
  return rows.sort((a, b) => family(a) - family(b) || (points.names[a] < points.names[b] ? -1 : 1));
}
