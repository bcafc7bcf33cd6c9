// What both verifying and signing stand on: how something is refused, bytes, and strict canonical JSON.
// 1 refusing ----------------------------------------------------------------------------------------------------------
/** A step failed: its code, what was expected, what was found. */
export class Refused extends Error {
  constructor(code, expected, got) {
    super(`${code}: ${shown(expected)}: ${shown(got)}`);
    Object.assign(this, { code, expected: shown(expected), got: shown(got) });
  }
}
/** The verifier's own input cannot be used (trust file, head file, node): no verdict. */
export class Unusable extends Error {}

/** A short printable form of anything a stranger may have put into a bundle. */
export function shown(value) {
  const text = typeof value === "string" ? value : value instanceof Error ? value.message
    : JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? inner.toString() : inner)) ?? String(value);
  const marks = [...text];
  return marks.slice(0, 200).join("").replace(FORBIDDEN_ALL, "?") + (marks.length > 200 ? "…" : "");
}
export function demand(holds, code, expected, got) {
  if (!holds) throw new Refused(code, expected, got);
}
/** What cannot be read is refused with this code, or `Unusable` where the file is the verifier's own (code ""). */
export function reading(code, expected, read) {
  try {
    return read();
  } catch (error) {
    throw failure(code, expected, error);
  }
}
export function failure(code, expected, error) {
  if (error instanceof Refused || error instanceof Unusable) return error;
  return code ? new Refused(code, expected, error) : new Unusable(`${expected}: ${shown(error)}`);
}
export function refuse(what) {
  throw new Error(`不接受 / not accepted: ${shown(what)}`);
}

// 2 bytes -------------------------------------------------------------------------------------------------------------
export const utf8 = (text) => new TextEncoder().encode(text);
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export function unhex(text) {
  if (typeof text !== "string" || !/^(?:[0-9a-fA-F]{2})*$/u.test(text)) refuse(text);
  return Uint8Array.from(text.match(/../gu) ?? [], (pair) => parseInt(pair, 16));
}
export function join(...pieces) {
  const result = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  pieces.reduce((place, piece) => (result.set(piece, place), place + piece.length), 0);
  return result;
}
export const number = (bytes) => BigInt(`0x${hex(bytes) || "0"}`);
export const word = (value, length = 32) => unhex(value.toString(16).padStart(2 * length, "0"));
export const same = (left, right) => hex(left) === hex(right);
/** Own members only: a bundle may use any name, also that of something every object has. */
export const has = (record, name) => typeof record === "object" && record !== null && Object.hasOwn(record, name);
export const get = (record, name) => (has(record, name) ? record[name] : undefined);
export function need(record, name) {
  return has(record, name) ? record[name] : refuse(`缺失 / missing: ${name}`);
}
export const isText = (value) => typeof value === "string";
export const textOf = (value) => (isText(value) ? value : refuse(value));
export const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const afterColon = (text) => (text.includes(":") ? text.slice(text.indexOf(":") + 1) : "");

// 3 strict JSON -------------------------------------------------------------------------------------------------------
export const MAX_BYTES = 1024 * 1024;
const MAX_DEPTH = 24;
const KEY = /^[A-Za-z0-9_.:@$/-]{1,128}$/u;
// Controls, bidirectional and zero-width marks, line separators, surrogates, specials.
const MARKS = "\\x00-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f" +
  "\\u3164\\ud800-\\udfff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\uffff\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}";
const FORBIDDEN = new RegExp(`[${MARKS}]`, "u"), FORBIDDEN_ALL = new RegExp(`[${MARKS}]`, "gu");
const TOKEN = /[ \t\n\r]*(?:([[\]{},:])|("[^"\\]*(?:\\.[^"\\]*)*")|(-?(?:0|[1-9][0-9]*))(?![.eE0-9])|(true|false)(?![a-z]))/suy;

/** A value of the profile: no null, no fractions, |integer| ≤ 2^53-1, NFC text, no key twice. */
export function readJson(bytes) {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  let place = 0, token;
  const next = () => {
    TOKEN.lastIndex = place;
    token = TOKEN.exec(text) ?? refuse(`JSON: ${text.slice(place, place + 40)}`);
    place = TOKEN.lastIndex;
    return token[1] ?? "";
  };
  /** Items up to the closing mark, a comma between any two; `take` reads one that begins at the current token. */
  const items = (end, take) => {
    if (next() === end) return;
    for (;;) {
      take();
      if (next() === end) return;
      if (token[1] !== ",") refuse(token[0]);
      next();
    }
  };
  const member = (result, depth) => {
    const key = token[2] ? string(token[2]) : refuse(token[0]);
    if (!KEY.test(key) || has(result, key)) refuse(`键名 / key: ${key}`);
    if (next() !== ":") refuse(token[0]);
    next();
    // Not by assignment: "__proto__" is a name like any other.
    Object.defineProperty(result, key, { value: value(depth), enumerable: true });
  };
  const value = (depth) => {
    if (depth > MAX_DEPTH) refuse("嵌套过深 / nested too deeply");
    const result = token[1] === "{" ? {} : token[1] === "[" ? [] : null;
    if (token[1] === "{") items("}", () => member(result, depth + 1));
    if (token[1] === "[") items("]", () => result.push(value(depth + 1)));
    return result ?? scalar(token);
  };
  next();
  const result = value(0);
  if (text.slice(place).replace(/^[ \t\n\r]+/u, "")) refuse("多余内容 / more after the end");
  return result;
}
function scalar([whole, , quoted, digits, truth]) {
  if (quoted) return string(quoted);
  if (digits) return Number.isSafeInteger(Number(digits)) ? Number(digits) + 0 : refuse(digits);
  return truth ? truth === "true" : refuse(whole);
}
function string(token) {
  const text = JSON.parse(token);
  return FORBIDDEN.test(text) || text.normalize("NFC") !== text ? refuse(text) : text;
}
/** The one byte form of a value of the profile (RFC 8785): sorted keys, no white space, raw UTF-8. */
export function canonicalText(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonicalText(value[key])}`).join(",")}}`;
}
export const canonical = (value) => utf8(canonicalText(value));
export function readCanonical(bytes) {
  const value = readJson(bytes);
  return same(canonical(value), bytes) ? value : refuse("键序、空白或转义 / key order, white space or escapes");
}
/** Standard base64 with padding, in the one form an encoder writes. */
export function readBase64(text) {
  const bytes = Uint8Array.from(atob(textOf(text)), (mark) => mark.charCodeAt(0));
  return btoa(String.fromCharCode(...bytes)) === text ? bytes : refuse(`base64: ${text}`);
}
