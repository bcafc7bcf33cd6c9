// The Chinese names of fields and values, the same file from which the server's pages are written.
import words from "../../api/office/words.json";

export { words };
const instants = new Set(words.instants), fen = new Set(words.fen);

/** "parent.name" first, then "name": one word may mean two things. Index places do not count. */
function found(table, path) {
  const names = path.filter((step) => typeof step === "string");
  const last = names.at(-1), parent = names.at(-2);
  return (parent && table[`${parent}.${last}`]) ?? table[last];
}
export const label = (path) => found(words.fields, path) ?? String(path.filter((step) => typeof step === "string").at(-1));

/** A scalar as a person reads it; the exact value stays beside its name where the two differ. `instant`: a number that
    is a time whatever its field is called. */
export function spoken(path, value, instant = false) {
  const [parent, name] = ["", ...path.filter((step) => typeof step === "string")].slice(-2);
  const among = (names) => names.has(name) || names.has(`${parent}.${name}`);
  if (value === true) return "是";
  if (value === false) return "否";
  if (typeof value === "number" && (instant || among(instants))) return value ? `${beijing(value)} 北京时间` : "自始";
  if (typeof value === "number" && among(fen)) return `${yuan(value)} 元（${value} 分）`;
  if (typeof value === "number" && name === "bp") return `${share(value, 100)}%（${value} 个基点）`;
  if (typeof value === "number" && name === "weight") return `${share(value, 10_000_000)}%（${value}）`;
  if (name === "move" && words.moves[value]) return `${value} ${words.moves[value]}`;
  const named = found(words.values, path)?.[value];
  return named === undefined || named === value ? String(value) : named.includes(value) ? named : `${named}（${value}）`;
}
export const beijing = (seconds) => new Date((seconds + 8 * 3600) * 1000).toISOString().slice(0, 19).replace("T", " ");
/** Fen as yuan, without any arithmetic of fractions. */
export const yuan = (value) => `${value < 0 ? "-" : ""}${Math.trunc(Math.abs(value) / 100)}.${String(Math.abs(value) % 100).padStart(2, "0")}`;
/** value / whole with its decimals and no more. */
function share(value, whole) {
  const rest = String(value % whole).padStart(String(whole).length - 1, "0").replace(/0+$/u, "");
  return `${Math.trunc(value / whole)}${rest && `.${rest}`}`;
}
