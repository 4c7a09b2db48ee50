/** Watch: asks the server now and then whether the atlas has changed, and whether it is there at all. */

import { Unreachable } from "./rest.js";

const EVERY_MS = 4000;
const AT_MOST_MS = 20000;

/**
 * @param {import("./source.js").Source} source
 * @param {{health: (health: any) => void, gone: () => void, back: () => void}} tell
 * @returns {{now: () => Promise<void>}} asks at once
 */
export function watch(source, tell) {
  let away = 0;
  let timer = 0;
  let asking = false;

  const now = async () => {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    try {
      const health = await source.health();
      if (away) tell.back();
      away = 0;
      tell.health(health);
    } catch (error) {
      if (!(error instanceof Unreachable)) console.warn(error.message);
      else if (!away++) tell.gone();
    } finally {
      asking = false;
    }
    if (source.live) timer = setTimeout(later, Math.min(EVERY_MS * 1.6 ** away, AT_MOST_MS));
  };
  const later = () => (document.hidden ? undefined : now());

  if (source.live) {
    addEventListener("focus", now);
    addEventListener("online", now);
    document.addEventListener("visibilitychange", later);
    timer = setTimeout(later, EVERY_MS);
  }
  return { now };
}
