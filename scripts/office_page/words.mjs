// The Chinese names of fields and values, the same file from which the server's pages are written.
import words from "../../api/office/words.json";

export { words };
const instants = new Set(words.instants);

/** "parent.name" first, then "name": one word may mean two things. Index places do not count. */
function found(table, path) {
  const names = path.filter((step) => typeof step === "string");
  const last = names.at(-1), parent = names.at(-2);
  return (parent && table[`${parent}.${last}`]) ?? table[last];
}
export const label = (path) => found(words.fields, path) ?? String(path.filter((step) => typeof step === "string").at(-1));

/** A scalar as a person reads it; the exact value stays beside its name where the two differ. */
export function spoken(path, value) {
  const name = path.filter((step) => typeof step === "string").at(-1);
  if (value === true) return "是";
  if (value === false) return "否";
  if (typeof value === "number" && instants.has(name)) return `${beijing(value)} 北京时间`;
  if (name === "move" && words.moves[value]) return `${value} ${words.moves[value]}`;
  const named = found(words.values, path)?.[value];
  return named === undefined || named === value ? String(value) : named.includes(value) ? named : `${named}（${value}）`;
}
export const beijing = (seconds) => new Date((seconds + 8 * 3600) * 1000).toISOString().slice(0, 19).replace("T", " ");
