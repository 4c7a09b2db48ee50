/** Search: a combobox over the names; results as one types, chosen with arrow keys and Enter. */

import { byId, fill, h } from "./dom.js";
import { count, kindName, plural } from "./format.js";
import { glyph } from "./legend.js";
import { say } from "./status.js";

/**
 * @param {() => any} points the points that are searched now
 * @param {{choose: (i: number) => void, mark: (places: number[]) => void}} does
 */
export function searchBox(points, does) {
  const [input, list] = [byId("search"), byId("found")];
  let found = [];
  let active = -1;

  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
    does.mark([]);
  };
  const choose = (i) => {
    input.value = "";
    close();
    does.choose(i);
  };
  const activate = (next) => {
    active = next;
    for (const [at, option] of [...list.querySelectorAll("[role=option]")].entries()) option.setAttribute("aria-selected", String(at === active));
    const option = byId(`found-${active}`);
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
    does.mark(active < 0 ? found : [found[active]]);
  };
  const search = () => {
    if (!points() || !input.value.trim()) return close();
    const result = points().search(input.value);
    found = result.found;
    fill(list, found.map((i, at) => row(points(), i, at, choose)), more(result));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    activate(found.length ? 0 : -1);
    does.mark(found);
    return say(result.total ? `${plural(result.total, "task")} found` : "nothing found");
  };

  input.addEventListener("input", search);
  input.addEventListener("focus", search);
  input.addEventListener("blur", close);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length && !list.hidden) activate((active + step + found.length) % found.length);
    else if (event.key === "Enter" && active >= 0) choose(found[active]);
    else if (event.key === "Escape" && input.value) [input.value, found] = ["", []];
    else return;
    if (event.key === "Escape") close();
    event.preventDefault();
    event.stopPropagation();
  });
  return { focus: () => input.select() || input.focus() };
}

function row(points, i, at, choose) {
  const props = { role: "option", id: `found-${at}`, "aria-selected": "false", onclick: () => choose(i) };
  return h("li", props, glyph(points.kindOf(i), points.family[i], points.informative[i] > 0), h("span", { class: "name", title: points.names[i] }, points.names[i]), h("span", { class: "about" }, kindName(points.kindOf(i))));
}

function more({ total, found }) {
  const text = total === 0 ? "Nothing here has such a name." : total > found.length ? `and ${count(total - found.length)} more` : "";
  return text && h("li", { class: "about", role: "presentation" }, text);
}
