/** The atlas over REST, relative to the page, so that it works under any prefix. */

/** What the server answered with a sentence. */
export class Refused extends Error {
  constructor(kind, sentence) {
    super(sentence);
    this.name = kind;
  }
}

/** No answer at all. */
export class Unreachable extends Error {}

/** @typedef {import("./source.js").Source} Source */

/** @param {string} base @returns {Source} */
export function restSource(base = "v1") {
  const ask = (path, query, signal) => request(`${base}/${path}`, query, signal);
  return {
    live: true,
    health: (signal) => ask("health", {}, signal),
    spaces: (signal) => ask("spaces", {}, signal),
    map: (query, signal) => ask("map", query, signal),
    card: (name, space, signal) => ask("task", { name, space }, signal),
    near: (name, space, signal, k = 10) => ask("near", { name, space, k }, signal),
    rank: (name, space, signal, k = 10) => ask("rank", { name, space, k }, signal),
    compare: (first, second, space, signal) => ask("compare", { first, second, space }, signal),
    similarities: (names, space, signal) => ask("similarities", { space, name: names ?? [] }, signal),
    transfers: (name, signal) => bothWays(name, (query) => ask("transfers", { ...query, limit: 500 }, signal)),
  };
}

async function bothWays(name, ask) {
  const [from, to] = await Promise.all([ask({ source: name }), ask({ target: name })]);
  return { from: from.transfers, to: to.transfers };
}

async function request(url, query, signal) {
  const words = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") words.append(key, one);
    }
  }
  const asked = words.size ? `${url}?${words}` : url;
  let response;
  try {
    response = await fetch(asked, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("the server does not answer");
  }
  if (response.ok) return response.json();
  throw await refusal(response);
}

async function refusal(response) {
  try {
    const { error } = await response.json();
    return new Refused(error.kind, error.sentence);
  } catch {
    return response.status >= 502 ? new Unreachable("the server does not answer") : new Refused("Error", `the server answered ${response.status}`);
  }
}
