/** Elements, made from plain values: text becomes text and never markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, any>} [props] attributes; functions under `onclick` and the like become listeners;
 *   null, undefined and false are left out
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any} the element
 */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

/** @param {string} id @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/** Put children in the place of whatever the node held. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter(told));
}

function filled(node, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (!told(value)) continue;
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter(told));
  return node;
}

function told(value) {
  return value !== null && value !== undefined && value !== false;
}
