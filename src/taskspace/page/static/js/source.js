/** Where the page reads from: a server beside it, or a document inside it. */

import { byId } from "./dom.js";
import { inlinedSource } from "./inlined.js";
import { restSource } from "./rest.js";

/**
 * @typedef {object} Source
 * @property {boolean} live whether what it answers can change
 * @property {(signal?: AbortSignal) => Promise<any>} health
 * @property {(signal?: AbortSignal) => Promise<any>} spaces
 * @property {(query: {space?: string, method?: string}, signal?: AbortSignal) => Promise<any>} map
 * @property {(name: string, space: string, signal?: AbortSignal) => Promise<any>} card
 * @property {(name: string, space: string, signal?: AbortSignal, k?: number) => Promise<any>} near
 * @property {(name: string, space: string, signal?: AbortSignal, k?: number) => Promise<any>} rank
 * @property {(first: string, second: string, space: string, signal?: AbortSignal) => Promise<any>} compare
 * @property {(names: string[] | null, space: string, signal?: AbortSignal) => Promise<any>} similarities
 * @property {(name: string, signal?: AbortSignal) => Promise<{from: any[], to: any[]}>} transfers
 */

/** @returns {Source} */
export function openSource() {
  const inlined = byId("atlas-data");
  return inlined ? inlinedSource(JSON.parse(inlined.textContent)) : restSource();
}
