// What you see is what you sign: the table on the page is made from the very bytes that are signed.
import { canonicalText, hex, readJson, twin, utf8 } from "../verifier_page/core.mjs";
import { messageOf, sign, SIGNER_ID } from "./sm2.mjs";
import { label, spoken, words } from "./words.mjs";

/** The statement in a canonical text. Throws unless the text is the one form of its content. */
export function readStatement(text) {
  const bytes = utf8(text), statement = readJson(bytes);
  if (canonicalText(statement) !== text || typeof statement.kind !== "string" || typeof statement.subject !== "string") {
    throw new Error("文件不是规范形式，不能签署。 / Not in canonical form: it cannot be signed.");
  }
  const digest = twin(bytes);
  return { statement, bytes, sha256: hex(digest.sha256), sm3: hex(digest.sm3) };
}
/** The signature document of `keys` over the text, in a role. */
export function signText(text, keys, role = "") {
  const { statement, bytes } = readStatement(text);
  const value = sign(keys.sm2, messageOf(statement.kind, bytes));
  return { alg: "sm2-sm3", by: keys.by, key: keys.public, ...(role ? { role } : {}), signer_id: SIGNER_ID, value };
}
/** What the fields of a body are named under, where they mean something else than in most. */
const service = ["service-scheme", "service-order", "order-score", "order-acceptance", "order-zeroed", "monthly-score", "waiver",
  "incident", "project-acceptance", "project-settlement", "project-invoice", "project-payment"];
const roots = { "price-quote/v1": "quote", ...Object.fromEntries(service.map((kind) => [`${kind}/v1`, "service"])) };
/** A statement as nested lists of names and values, text only; `document` is what its parts hold. */
export function shown(statement, document = null) {
  const { body, kind, subject, no, ...rest } = statement;
  const root = body.content ?? "terms";
  return [
    ["事项 / Kind", `${words.kinds[kind] ?? "未知事项"}（${kind}）`],
    ["主体与序号 / Subject", `${subject} 第 ${no} 号`],
    ...(document ? [[`${words.values["body.content"][root] ?? root} / Content`, entries(document, [root])]] : []),
    ...entries(body, [roots[kind] ?? "body"]),
    ...entries(rest, []),
  ];
}
function entries(value, path) {
  return Object.entries(value).map(([name, inner]) => {
    const here = [...path, name];
    if (name === "right" && value.left === "dateTime") return [label(here), spoken(here, inner, true)];
    return [label(here), content(inner, here)];
  });
}
function content(value, path) {
  if (Array.isArray(value)) {
    if (!value.length) return "无";
    if (value.every((item) => typeof item !== "object")) return value.map((item) => spoken(path, item)).join("；");
    return value.map((item, place) => [`${place + 1}`, entries(item, path)]);
  }
  if (typeof value === "object") return entries(value, path);
  return value === "" ? "（空）" : spoken(path, value);
}
