// The fields a statement commits to (terms, an inquiry, a price), which travel beside it (ledger/disclosure.py,
// ledger/merkle.py): what is shown of them is proved to be what the signature covers.
import { sha256 } from "@noble/hashes/sha2.js";
import { both, canonicalText, hex, join, readJson, sm3, twin, utf8 } from "../verifier_page/core.mjs";

const TAG = utf8("shuqing/leaf/v1\0");

function rootOver(leaves, hash) {
  let level = leaves.map((leaf) => hash(join([0], leaf)));
  while (level.length > 1) {
    const above = [];
    for (let place = 0; place + 1 < level.length; place += 2) above.push(hash(join([1], level[place], level[place + 1])));
    if (level.length % 2) above.push(level.at(-1));
    level = above;
  }
  return hex(level[0]);
}
/** {count, root} over the texts of the parts. */
export function rootOf(parts) {
  const leaves = parts.map((part) => join(TAG, both(twin(utf8(part)))));
  return { count: parts.length, root: { sha256: rootOver(leaves, sha256), sm3: rootOver(leaves, sm3) } };
}
/** Are these the report and the evidence that a quote states, by their digests, and is the price the report's? The
    report's own digest covers it without itself. */
function quoted(body, parts) {
  if (parts.length !== 2) return false;
  const digest = (text) => { const found = twin(utf8(text)); return { sha256: hex(found.sha256), sm3: hex(found.sm3) }; };
  const report = readJson(utf8(parts[0])), { report: own, ...others } = report.digests ?? {};
  const bare = canonicalText({ ...report, digests: others });
  return [[digest(bare), own], [own, body.report], [digest(parts[1]), others.evidence], [others.evidence, body.evidence]]
    .every(([found, stated]) => stated !== undefined && canonicalText(found) === canonicalText(stated))
    && report.identity.report_id === body.report_id && report.result.guide_fen === body.guide_fen;
}
/** The document in the parts of a statement, or null if it has none. Throws unless the statement commits to exactly
    these parts, its body names their fields, and it states the digest of this very document; of a quote, that report
    and evidence are those it states (there is no document to show beside the body). */
export function documentOf(statement, parts) {
  if (!statement.parts && !parts.length) return null;
  const wrong = new Error("所附字段与签署内容不符，不能签署。 / The fields are not those the statement commits to.");
  if (!statement.parts || !parts.length || canonicalText(rootOf(parts)) !== canonicalText(statement.parts)) throw wrong;
  if (statement.kind === "price-quote/v1") {
    if (!quoted(statement.body, parts)) throw wrong;
    return null;
  }
  const fields = parts.map((part) => readJson(utf8(part)));
  const names = statement.kind === "agreement-act/v1" || statement.kind === "negotiation-message/v1" ? statement.body.fields : null;
  if (!names || canonicalText(names) !== canonicalText(fields.map((field) => field.field))) throw wrong;
  const document = Object.fromEntries(fields.map((field) => [field.field, field.value])), digest = twin(utf8(canonicalText(document)));
  const stated = statement.body.terms_digest ?? statement.body.digest;
  if (stated?.sha256 !== hex(digest.sha256) || stated?.sm3 !== hex(digest.sm3)) throw wrong;
  return document;
}
