/** Numbers and words, written the same way everywhere. */

const WHOLE = new Intl.NumberFormat("en");
const MINUS = "\u2212";
const THIN = "\u202f"; // a narrow space that does not break

/** @param {number} value */
export function count(value) {
  return WHOLE.format(value);
}

/** `3 tasks`, `1 task`. */
export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A number with a true minus sign. */
export function fixed(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** The same with a plus before what is above 0. */
export function signed(value, digits = 3) {
  const text = fixed(value, digits);
  return Number(text) > 0 ? `+${text}` : text;
}

export function percent(value) {
  if (value === null || value === undefined) return "–";
  return value > 0 && value < 0.01 ? `below 1${THIN}%` : `${Math.round(100 * value)}${THIN}%`;
}

/** A date as people write it, from ISO 8601. */
export function day(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
}

const KINDS = { dataset: ["data set", "data sets"], model: ["model", "models"], prompt: ["prompt", "prompts"], adapter: ["adapter", "adapters"] };

/** A kind for people; one that is not known keeps its own word. */
export function kindName(kind, many = false) {
  return (KINDS[kind] ?? [kind, kind])[many ? 1 : 0];
}
