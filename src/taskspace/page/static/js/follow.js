/** Follow: what to do when the atlas has changed behind the page, or the server goes and comes back. */

import { byId } from "./dom.js";
import { clearNotice, notice } from "./status.js";

const WELCOME_MS = 2500;

/** What to tell {@link watch}. @param {import("./app.js").App} app */
export function following(app) {
  let told = "";

  /** The state of all that is shown, as one word. */
  const stateOf = (health) => (app.space ? (health.generations[app.space.fingerprint] ?? "none") : Object.values(health.generations).join());

  const health = (found) => {
    byId("atlas").textContent = found.atlas ?? "";
    if (!app.points) return void app.load({ at: app.store.state.at });
    const now = stateOf(found);
    if (!app.points.count) return found.entries > 0 && now !== told ? ((told = now), void app.load()) : undefined;
    if (now === app.points.map.generation) return told && now !== told ? ((told = ""), clearNotice()) : undefined;
    if (now === told) return undefined;
    told = now;
    return notice("The atlas has changed.", { label: "Show the new map", run: () => app.load({ at: app.stage.view.get() }) });
  };

  const back = () => {
    told = "";
    app.refresh();
    notice("The server answers again.");
    setTimeout(() => told || clearNotice(), WELCOME_MS);
  };

  return { health, gone: sayGone, back };
}

export function sayGone() {
  notice("The server does not answer. What is shown stays; trying again.");
}
