// The one script of the office pages: keys, login, signing, digests of files. Everything else is plain HTML from the
// server. It writes text only, asks only this site, and never sends a private key anywhere.
import { canonicalText, hex, twin } from "../verifier_page/core.mjs";
import { signAct } from "./act.mjs";
import { all, csrf, element, one, say, send, twoTongues } from "./dom.mjs";
import { current, forget, hold, lock, open } from "./keys.mjs";
import { documentOf } from "./parts.mjs";
import { readStatement, shown, signText } from "./statement.mjs";
import { addressOf, newKeys, publicOf } from "./sm2.mjs";
import { commitmentOf, holderOf, maskedName, newPerson } from "./person.mjs";

const MOST = 256 * 1024 * 1024, NATURAL = "自然人";

/** Runs a step of the page; a button cannot be pressed twice meanwhile, and what goes wrong is said. */
function onPress(button, said, step) {
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await step();
    } catch (error) {
      say(said, error.message, true);
    }
    button.disabled = false;
  });
}
function download(name, text) {
  const link = element("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: "application/json" })) });
  document.body.append(link);
  link.click();
  link.remove();
}
const fileName = (by) => `${by.replace(":", "-")}.shuqing-key.json`;

// The key box: unlock, keep, forget --------------------------------------------------------------------------------------
function showKey(box) {
  const keys = current();
  box.dataset.unlocked = keys ? "yes" : "no";
  one("[data-key-state]", box).replaceChildren(...(keys
    ? [element("strong", {}, "钥匙已解锁："), keys.by] : [element("strong", {}, "钥匙未解锁。"), "请选择自己的钥匙文件并输入口令。"]));
  one("[data-key-open]", box).hidden = Boolean(keys);
  one("[data-key-forget]", box).hidden = !keys;
}
async function unlocked(box) {
  if (current()) return current();
  const file = one("[data-key-file]", box).files[0];
  if (!file) throw new Error("请先选择钥匙文件。 / Choose your key file first.");
  const keys = await open(await file.text(), one("[data-key-pass]", box).value);
  hold(keys, one("[data-key-keep]", box).checked);
  one("[data-key-pass]", box).value = "";
  showKey(box);
  return keys;
}
for (const box of all("[data-key-box]")) {
  const said = one("[data-key-said]", box);
  onPress(one("[data-key-unlock]", box), said, async () => {
    await unlocked(box);
    say(said, "已解锁。钥匙只在本浏览器中使用。 / Unlocked; the key stays in this browser.");
  });
  onPress(one("[data-key-forget]", box), said, async () => {
    forget();
    showKey(box);
    say(said, "已清除。 / Forgotten.");
  });
  showKey(box);
}

// Login and logout ---------------------------------------------------------------------------------------------------------
for (const section of all("[data-login]")) {
  const said = one("[data-login-said]", section);
  onPress(one("[data-login-go]", section), said, async () => {
    const keys = await unlocked(one("[data-key-box]"));
    const asked = await send("/office/login/challenge", { by: keys.by });
    const { statement } = readStatement(asked.statement);
    const { by, site } = statement.body;
    if (statement.kind !== "login/v1" || by !== keys.by || site !== location.origin) {
      throw new Error("登录请求与本站地址不符，未签署。 / The challenge is for another address; nothing was signed.");
    }
    const answer = await send("/office/login", { signatures: [signText(asked.statement, keys)], statement, next: section.dataset.next });
    location.assign(answer.location);
  });
}
for (const form of all("[data-logout]")) form.addEventListener("submit", forget);

// New keys -------------------------------------------------------------------------------------------------------------------
function passphrase(root) {
  const [first, second] = all("[data-new-pass]", root).map((input) => input.value);
  if (first !== second) throw new Error("两次输入的口令不同。 / The passphrases differ.");
  return first;
}
for (const section of all("[data-new-key]")) {
  const said = one("[data-new-said]", section);
  onPress(one("[data-new-go]", section), said, async () => {
    const identity = one("[data-new-by]", section).value.trim();
    if (!/^(?:[A-Za-z0-9._-]{1,64})$/u.test(identity)) throw new Error("编号只能用字母、数字和 . _ -。 / Letters, digits and . _ - only.");
    const keys = newKeys(`${one("[data-new-kind]", section).value}:${identity}`);
    download(fileName(keys.by), await lock(keys, passphrase(section)));
    one("[data-new-public]", section).textContent = publicOf(keys.sm2);
    say(said, "钥匙文件已下载，请妥善保管；口令无法找回。公钥如下，交给登记机构入册。 / Downloaded; keep it safe, the passphrase cannot be recovered.");
  });
}
for (const section of all("[data-relock]")) {
  const said = one("[data-relock-said]", section);
  onPress(one("[data-relock-go]", section), said, async () => {
    const file = one("[data-relock-file]", section).files[0];
    if (!file) throw new Error("请先选择钥匙文件。 / Choose a key file first.");
    const keys = await open(await file.text(), one("[data-relock-old]", section).value);
    download(fileName(keys.by), await lock(keys, passphrase(section)));
    say(said, `已用新口令另存。公钥 ${keys.public} / Saved under the new passphrase.`);
  });
}
for (const form of all("[data-enrol]")) {
  const said = one("[data-enrol-said]", form);
  const asked = () => {
    const natural = form.elements.kind.value === NATURAL;
    for (const [selector, wanted] of [["[data-of-person]", natural], ["[data-of-organisation]", !natural]]) {
      for (const box of all(selector, form)) {
        box.hidden = !wanted;
        for (const input of all("input, select", box)) input.disabled = !wanted;
      }
    }
  };
  form.elements.kind.addEventListener("change", asked);
  asked();
  onPress(one("[data-enrol-go]", form), said, async () => {
    if (!form.reportValidity()) return;
    const field = (name) => form.elements[name].value.trim().normalize("NFC");
    const person = field("kind") === NATURAL ? newPerson(field("id_type"), field("id_no"), field("name")) : null;
    const commitment = person && commitmentOf(person);
    const keys = newKeys(person ? holderOf(commitment) : `party:${field("uscc")}`);
    if (person) keys.person = person;
    const locked = await lock(keys, passphrase(form));
    const own = person ? { commitment, name: maskedName(person.name), uscc: "" } : { name: field("name"), uscc: field("uscc") };
    const body = { evm: addressOf(keys.evm), kind: field("kind"), roles: [field("role")], sm2: publicOf(keys.sm2), ...own };
    const statement = { body, kind: "party/v1", no: 0, subject: keys.by };
    const signature = signText(canonicalText(statement), { ...keys, public: body.sm2 });
    const contact = { contact: field("contact"), phone: field("phone") };
    download(fileName(keys.by), locked);
    const answer = await send("/office/enrol", { contact, ...(person ? { person } : {}), signatures: [signature], statement });
    one("[data-enrol-done]", form).hidden = false;
    one("[data-enrol-number]", form).textContent = answer.number;
    say(said, "已提交，等待登记机构核对证照。钥匙文件已下载，请妥善保管。 / Submitted; your key file was downloaded, keep it safe.");
    one("[data-enrol-done]", form).focus();
  });
}

// A natural person's own fields: the site does not have them, the key file does ------------------------------------------------
for (const section of all("[data-person]")) {
  const said = one("[data-person-said]", section);
  onPress(one("[data-person-go]", section), said, async () => {
    const keys = await unlocked(one("[data-key-box]", section)), identity = section.dataset.person;
    if (keys.by !== `party:${identity}` || !keys.person) throw new Error(`不是 ${identity} 的自然人钥匙文件。 / Not the key file of this person.`);
    const input = (place, name) => one(`[name="applicants.${place}.${name}"]`);
    const places = all('[name^="applicants."][name$=".party"]').map((field) => field.name.split(".")[1]);
    const place = places.find((at) => input(at, "party").value === identity) ?? places.find((at) => !input(at, "id_no").value);
    if (place === undefined) throw new Error("请先添加一名登记申请人。 / Add an applicant first.");
    const own = { ...keys.person, kind: NATURAL, party: identity };
    for (const [name, text] of Object.entries(own)) input(place, name).value = text;
    say(said, `已填入第 ${Number(place) + 1} 名登记申请人，请核对。 / Filled in; compare it.`);
  });
}

// The signature desk ---------------------------------------------------------------------------------------------------------
function table(rows) {
  return element("dl", { class: "statement" }, ...rows.map(([name, value]) => element("div", {},
    element("dt", {}, ...twoTongues(name)),
    element("dd", {}, ...(Array.isArray(value) ? [table(value)] : twoTongues(value))))));
}
for (const section of all("[data-statement]")) {
  const said = one("[data-sign-said]", section), text = section.dataset.statement;
  try {
    const { statement, sha256, sm3 } = readStatement(text);
    const button = one("[data-sign-go]", section), { parts } = section.dataset;
    const content = parts === undefined && !button ? null : documentOf(statement, JSON.parse(parts ?? "[]"));
    one("[data-words]", section).replaceChildren(table(shown(statement, content)));
    one("[data-digests]", section).replaceChildren(table([["SHA-256", sha256], ["SM3", sm3]]));
    if (button) {
      button.disabled = false;
      onPress(button, said, async () => {
        const keys = await unlocked(one("[data-key-box]"));
        if (keys.by !== section.dataset.by) throw new Error(`钥匙属于 ${keys.by}，当前登录的是 ${section.dataset.by}。 / This key is not that of who is logged in.`);
        const { address, role } = section.dataset;
        const typed = address ? { typed: signAct(statement, keys, role, address) } : {};
        const answer = await send(section.dataset.post, { signature: signText(text, keys, role), ...typed });
        location.assign(answer.location);
      });
    }
  } catch (error) {
    say(said, error.message, true);
  }
}

// Files: of data only names, sizes and digests go into a form; papers are also handed in to this site ---------------------------------------------------------------------
const clean = (name) => name.normalize("NFC").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").replace(/[/\\|]/gu, "_").trim().slice(-200) || "文件";
async function digested(file, kind) {
  if (file.size > MOST) throw new Error(`${file.name} 超过 256 MB，请用命令行计算摘要。 / Too large for the browser.`);
  const bytes = new Uint8Array(await file.arrayBuffer()), digest = twin(bytes);
  const common = { digest: { sha256: hex(digest.sha256), sm3: hex(digest.sm3) }, name: clean(file.name), size: file.size };
  if (kind === null) return { ...common, rows: bytes.reduce((lines, byte) => lines + (byte === 10), 0) };
  return { ...common, kind, media_type: file.type || "application/octet-stream" };
}
/** Hands a paper in: its bytes as they are. The answer is the record the site keeps of it; throws with its words. */
function handIn(box, file, kind, tell) {
  const form = new FormData();
  form.append("kind", kind);
  form.append("file", file, clean(file.name));
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not say how far an upload is
    request.open("POST", box.dataset.upload);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRF-Token", csrf);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => tell(event.lengthComputable ? Math.floor((100 * event.loaded) / event.total) : 0));
    request.addEventListener("load", () => (request.status === 200
      ? resolve(request.response) : reject(new Error(request.response?.message ?? `HTTP ${request.status}`))));
    request.addEventListener("error", () => reject(new Error(`${file.name}：上传中断，请重试。 / The upload broke off, try again.`)));
    request.send(form);
  });
}
/** Says before anything is sent what the site would refuse anyway. */
function requireFit(box, file) {
  const endings = box.dataset.endings.split(" "), ending = /\.([^.]+)$/u.exec(file.name.toLowerCase())?.[1] ?? "";
  if (!endings.includes(ending)) throw new Error(`${file.name}：扩展名应为 ${endings.join("、")} 之一。 / Its ending must be one of ${endings.join(", ")}.`);
  if (!file.size) throw new Error(`${file.name}：文件是空的。 / The file is empty.`);
  if (file.size > Number(box.dataset.most)) throw new Error(`${file.name}：超过 ${box.dataset.most} 字节。 / More than ${box.dataset.most} bytes.`);
}
async function keptPaper(box, file, kind, said) {
  requireFit(box, file);
  const own = await digested(file, kind);
  const kept = await handIn(box, file, kind, (percent) => say(said, `正在上传 ${file.name}：${percent}% / Uploading: ${percent}%`));
  if (kept.sha256 !== own.digest.sha256 || kept.sm3 !== own.digest.sm3 || kept.size !== own.size) {
    throw new Error(`${file.name}：本站收到的内容与所选文件不同，请重试。 / What arrived is not this file, try again.`);
  }
  return { digest: { sha256: kept.sha256, sm3: kept.sm3 }, kind: kept.kind, media_type: kept.media_type, name: kept.name, size: kept.size };
}
for (const box of all("[data-papers]")) {
  const store = one("[data-papers-json]", box), said = one("[data-papers-said]", box), list = one("[data-papers-list]", box);
  const kind = one("[data-papers-kind]", box);
  let items = JSON.parse(store.value || "[]");
  const show = () => {
    store.value = items.length ? canonicalText(items) : "";
    list.replaceChildren(...items.map((item, place) => {
      const words = `${item.kind ? `${item.kind}：` : ""}${item.name}，${item.size} 字节${item.rows ? `，${item.rows} 行` : ""}`;
      const remove = element("button", { type: "button", class: "plain", "aria-label": `移除 ${item.name}` }, "移除");
      remove.addEventListener("click", () => {
        items = items.filter((_, other) => other !== place);
        show();
      });
      return element("li", {}, words, " ", element("code", { class: "hex small" }, `SM3 ${item.digest.sm3}`), " ", remove);
    }));
  };
  const input = one("[data-papers-file]", box);
  let busy = false;
  box.closest("form")?.addEventListener("submit", (event) => {
    if (!busy) return;
    event.preventDefault();
    say(said, "文件还在处理，请稍候再提交。 / A file is still on its way; wait a moment.", true);
  });
  input.addEventListener("change", async () => {
    busy = true;
    try {
      for (const file of [...input.files]) {
        say(said, `正在计算 ${file.name} 的摘要…… / Computing digests…`);
        const item = box.dataset.upload ? await keptPaper(box, file, kind.value, said) : await digested(file, kind ? kind.value : null);
        items = [...items.filter((other) => other.name !== item.name || other.kind !== item.kind), item];
        show();
      }
      say(said, box.dataset.upload
        ? "已上传并列入，内容与所选文件一致。 / Uploaded and listed; the content is that of the file chosen."
        : "摘要已算好，文件没有上传。 / Digests computed; the files were not uploaded.");
    } catch (error) {
      say(said, error.message, true);
    }
    busy = false;
    input.value = "";
  });
  show();
}

// A page that is looked at keeps its session alive ---------------------------------------------------------------------------------
if (csrf) send("/office/session", {}).catch(() => {});
