/** The colours of the style sheet, as canvas wants them; the style sheet is the only place that knows them. */

/** Families that have a colour of their own; those after them share the colour of no family. */
export const FAMILIES = 8;

const NAMES = ["paper", "ink", "quiet", "line", "accent", "gain", "loss", "none", "heat-low", "heat-mid", "heat-high"];

/**
 * @typedef {Record<string, string> & {families: string[]}} Palette CSS colours by name, as `rgb(…)`
 * @returns {Palette}
 */
export function palette() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(NAMES.map((name) => [name, read(name)]));
  const families = Array.from({ length: FAMILIES }, (_, i) => read(`family-${i}`));
  probe.remove();
  return /** @type {any} */ ({ ...found, families });
}

/** The three numbers of `rgb(r, g, b)`, 0 to 255. */
export function channels(colour) {
  return colour.match(/[\d.]+/g).slice(0, 3).map(Number);
}

/** The colour of a family by its place, that of none from the ninth on. */
export function familyColour(colours, family) {
  return family >= 0 && family < FAMILIES ? colours.families[family] : colours.none;
}

/** The class that gives an SVG glyph the colour of its family. */
export function familyClass(family) {
  return family >= 0 && family < FAMILIES ? `family-${family}` : "family-none";
}
