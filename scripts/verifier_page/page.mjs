// What the verifier page shows. It reads three inputs, asks core.mjs, and writes text only: nothing of a bundle ever
// becomes markup. 页面部分：读取三项输入，调用核验，只以纯文本显示结果。
import { hex, instant, MAX_BYTES, Node, readGiven, readTrust, selfTest, sm3, twin, Unusable, verify } from "./core.mjs";

const at = (id) => document.getElementById(id);
const chosen = { bundle: null, trust: null, head: null };
const STATUS = {
  UNKNOWN: "未知（不等于有效）", "N/A": "不适用", IN_FORCE: "有效", NOT_IN_FORCE: "无效", IN_FORCE_LIMITED: "有效但受限",
  PENDING: "待生效", EFFECTIVE: "履行中", SUSPENDED: "中止", EXPIRED: "到期", COMPLETED: "完成", TERMINATED: "协商解除",
  RESCINDED: "单方解除", VOID: "无效或撤销", CLOSED: "已关账",
};
const KINDS = {
  "register-entry/v1": "数据产权登记凭证（登记簿条目）", "agreement-act/v1": "数字合约动作", "usage-batch/v1": "使用记录批次",
  "statement/v1": "清分账单", "cycle-closed/v1": "账期关账",
};

// What each step asks, for a reader who is no engineer.
const ASKS = [
  "文件是否只有一种写法，有无未知字段、重复键、隐藏字符", "是否属于信任文件所列的那一本日志", "陈述、签名、身份事实的形式是否完整",
  "SHA-256 与国密 SM3 两种摘要能否各自重算", "能否由内容重建每个签名所签的原文，链与合约是否一致", "签名是否有效，公钥是否受信或由有权者担保",
  "应当签署的各方是否都签了", "事实及所出示的分项是否在日志树中的所述位置", "树头是否有日志双签和足够数量的见证方联署",
  "与您独立取得的树头是否一致", "合约代码、链上摘要、交易与区块是否与节点的回答一致", "受理、签头、见证的时间是否吻合",
  "链上合约此刻怎样回答该事项的状态", "出示的分项是否属于本事实，全部出示时是否与所列摘要一致",
];

/** A new element with a class and text or children; text is set as text. */
function element(name, className, ...children) {
  const result = document.createElement(name);
  if (className) result.className = className;
  result.append(...children);
  return result;
}
/** "中文 / English" as Chinese followed by a small English line. */
function twoTongues(text) {
  const cut = text.indexOf(" / ");
  return cut < 0 ? [text] : [text.slice(0, cut), " ", element("small", "", text.slice(cut + 3))];
}
const grouped = (digest) => digest.match(/.{8}/gu).join(" ");
/** An instant in UTC as Beijing time, which has no summer time. */
const beijing = (utc) => `${new Date(Date.parse(utc) + 8 * 3600_000).toISOString().slice(0, 19).replace("T", " ")} 北京时间`;
const pretty = (text) => element("pre", "value", JSON.stringify(JSON.parse(text), null, 1));
const rows = (...pairs) => pairs.flatMap(([name, ...value]) => [element("dt", "", ...twoTongues(name)), element("dd", "", ...value)]);
const mono = (text) => element("span", "mono", text);

async function take(name, input) {
  const file = input.files[0], limit = 4 * MAX_BYTES;
  chosen[name] = file && file.size <= limit ? new Uint8Array(await file.slice(0, limit).arrayBuffer()) : null;
  const said = !file ? "" : chosen[name] ? `${file.name}，${file.size} 字节` : `${file.name} 过大，未读取 / too large`;
  at(`${name}-said`).replaceChildren(said);
  if (chosen[name]) at(`${name}-said`).append(...digests(chosen[name]));
  at("result").hidden = true;
  if (name === "trust") showTrust();
  at("go").disabled = !(chosen.bundle && chosen.trust);
}
function digests(bytes) {
  const digest = twin(bytes);
  return [element("dl", "digests", ...rows(["SHA-256", mono(grouped(hex(digest.sha256)))], ["SM3", mono(grouped(hex(digest.sm3)))]))];
}
function showTrust() {
  const box = at("trust-words");
  box.replaceChildren();
  if (!chosen.trust) return;
  try {
    const trust = readTrust(chosen.trust), { witnesses, chain } = trust;
    box.append(element("dl", "", ...rows(
      ["日志 / Log", trust.origin], ["制作时间 / Made at", instant(trust.made_at)],
      ["见证方 / Witnesses", `${Object.keys(witnesses.keys).join("、")}（至少 ${witnesses.k} 家）`],
      ["链 / Chain", `编号 ${chain.chain_id}；合约 ${Object.keys(chain.contracts).join("、")}`],
      ["直接信任的主体 / Identities", Object.entries(trust.identities).map(([name, { roles }]) => `${name}（${(roles ?? []).join("、")}）`).join("；")])));
  } catch (error) {
    box.append(element("p", "bad", ...twoTongues(error.message)));
  }
}
function usesNode() {
  return at("use-node").checked;
}
function chooseSource() {
  at("node-box").hidden = !usesNode();
  at("head-box").hidden = usesNode();
  at("result").hidden = true;
}

async function run(event) {
  event.preventDefault();
  at("go").disabled = true;
  at("said").replaceChildren("正在核验…… / Checking…");
  at("result").hidden = true;
  try {
    const trust = readTrust(chosen.trust);
    if (!usesNode() && !chosen.head) throw new Unusable("请选择独立取得的树头文件，或改用节点 / choose a head file, or use a node");
    const node = usesNode() ? new Node(at("rpc").value.trim()) : null;
    const report = await verify(chosen.bundle, trust, node, node ? null : readGiven(chosen.head, trust));
    show(report);
    at("said").replaceChildren("");
  } catch (error) {
    const help = usesNode() ? "：请确认地址正确、节点在运行，并允许网页跨源访问（CORS）；否则请改用树头文件或 verify_bundle.py。" : "";
    at("said").replaceChildren(element("p", "bad", element("strong", "", "没有得出结论"), help, " ", element("small", "", "No verdict: "), error.message));
  }
  at("go").disabled = false;
}
function show(report) {
  const intact = report.integrity === "INTACT";
  at("integrity").className = `answer ${intact ? "good" : "bad"}`;
  at("integrity-word").replaceChildren(intact ? "通过" : `拒绝：第 ${Number(report.failed.slice(1))} 步 ${report.failed}`);
  at("integrity-code").replaceChildren(intact ? "INTACT" : `REFUSED ${report.failed}`);
  at("status-word").replaceChildren(intact ? STATUS[report.status] ?? report.status : "不作判断");
  at("status-code").replaceChildren(intact ? `${report.status}: ${report.reason}` : "not judged");
  at("as-of-word").replaceChildren(intact ? beijing(report.as_of) : "—");
  at("as-of-code").replaceChildren(intact ? `${report.as_of}; ${report.trust_level}` : "");
  at("steps").replaceChildren(...report.steps.map(stepRow));
  at("content-box").hidden = !intact;
  if (intact) at("content").replaceChildren(...contentRows(report.content));
  const limits = intact ? [...report.not_proved, ...report.not_checked.map((name) => `未核对（没有询问节点）：${name} / not checked, no node was asked`)] : [];
  at("limits").replaceChildren(...limits.map((text) => element("li", "", ...twoTongues(text))));
  at("limits-box").hidden = !intact;
  const { content, ...rest } = report, digest = twin(chosen.bundle), trust = twin(chosen.trust);
  const record = { bundle: { sha256: hex(digest.sha256), sm3: hex(digest.sm3) }, trust: { sha256: hex(trust.sha256), sm3: hex(trust.sm3) }, ...rest };
  at("save").href = URL.createObjectURL(new Blob([`${JSON.stringify(record, null, 1)}\n`], { type: "application/json" }));
  at("result").hidden = false;
  at("result").focus();
}
function stepRow(step) {
  const mark = { true: "✓ 通过", false: "✗ 不符", null: "– 未询问" }[step.ok];
  const found = step.ok === false
    ? [element("dl", "", ...rows(["应为 / expected", step.expected], ["实为 / found", step.got]))] : [mono(step.detail)];
  return element("tr", step.ok === false ? "bad" : step.ok ? "good" : "open",
    element("td", "", step.code),
    element("td", "", ...twoTongues(step.name), element("div", "asks", ASKS[step.no - 1])), element("td", "mark", mark), element("td", "found", ...found));
}
function contentRows(content) {
  const named = (name) => (content.names[name] ? `${content.names[name]}　` : "");
  const signers = content.signers.map((s) => element("div", "", named(s.by), mono(`${s.by} ${s.role} ${s.alg}`)));
  const shownParts = content.parts.map((part) => [part.name ? "公开字段 / disclosed" : "分项 / part", part.name || `№ ${part.index}`, pretty(part.value)]);
  const held = content.withheld.length ? [["未公开字段 / withheld", content.withheld.join("、")]] : [];
  const body = element("details", "", element("summary", "", "展开全文"), pretty(content.body));
  return rows(["类别 / Kind", `${KINDS[content.kind] ?? content.kind}　`, mono(content.kind)], ["对象 / Subject", mono(`${content.subject} № ${content.no}`)],
    ["受理时间 / Taken in", beijing(content.at)], ["签署 / Signed by", ...signers],
    ["事实 SHA-256", mono(grouped(content.sha256))], ["事实 SM3", mono(grouped(content.sm3))], ["陈述内容 / Statement", body],
    ["分项 / Parts", `出示 ${content.parts.length} 项，共 ${content.count} 项`], ...shownParts, ...held);
}

if (typeof document === "undefined") {
  globalThis.ShuQing = { Node, hex, readGiven, readTrust, selfTest, sm3, verify }; // for tests that run this very file in Node
} else {
  const tests = selfTest();
  at("self-test").replaceChildren(...Object.entries(tests).map(([name, holds]) => element("li", holds ? "good" : "bad", `${holds ? "✓" : "✗"} ${name}`)));
  for (const name of Object.keys(chosen)) at(name).addEventListener("change", (event) => take(name, event.target));
  for (const name of ["use-node", "use-head"]) at(name).addEventListener("change", chooseSource);
  at("form").addEventListener("submit", run);
  chooseSource();
}
