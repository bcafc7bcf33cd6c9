// What every script of the office pages needs: finding, making and filling elements, asking this site.
import { canonicalText } from "../verifier_page/core.mjs";

export const all = (selector, root = document) => [...root.querySelectorAll(selector)];
export const one = (selector, root = document) => root.querySelector(selector);
export const csrf = one('meta[name="csrf"]')?.content ?? "";

export function element(name, attributes, ...children) {
  const result = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) result.setAttribute(key, value);
  result.append(...children);
  return result;
}
/** "中文 / English" as Chinese followed by a small English part. */
export function twoTongues(text) {
  const cut = text.indexOf(" / ");
  return cut < 0 ? [text] : [text.slice(0, cut), " ", element("small", { lang: "en" }, text.slice(cut + 3))];
}
export function say(place, text, bad = false) {
  if (!place) return;
  place.className = bad ? "note bad" : "note";
  place.replaceChildren(...twoTongues(text));
}
/** Sends JSON to this site; throws with the server's own words when it refuses. */
export async function send(path, value) {
  const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": csrf };
  const answer = await fetch(path, { method: "POST", headers, body: canonicalText(value), credentials: "same-origin" });
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(document.message ?? `HTTP ${answer.status}`);
  return document;
}
