// Key files: made, locked and opened here; a private key never leaves this page except into the holder's own file.
import { hex, unhex, utf8 } from "../verifier_page/core.mjs";
import { addressOf, publicOf } from "./sm2.mjs";

const FORMAT = "shuqing-key/v1", ITERATIONS = 600_000, PLACE = "shuqing.key";
let opened = null;

/** The unlocked key {by, sm2, evm, …}, or null; of a natural person with `person`, which opens the commitment. */
export function current() {
  if (!opened) opened = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
  return opened;
}
/** Keeps the key in memory until the page is left; with `keep` until the tab is closed or the holder logs out. */
export function hold(keys, keep) {
  opened = keys;
  if (keep) sessionStorage.setItem(PLACE, JSON.stringify(keys));
  else sessionStorage.removeItem(PLACE);
}
export function forget() {
  opened = null;
  sessionStorage.removeItem(PLACE);
}
/** Reads a key file: locked (made here) or plain (made by `shuqing keys new`). Throws with words for a person. */
export async function open(text, passphrase) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("不是钥匙文件。 / Not a key file.");
  }
  const keys = file?.format === FORMAT ? await unlock(file, passphrase) : file;
  const hexOf = (value, length) => typeof value === "string" && new RegExp(`^[0-9a-f]{${length}}$`, "u").test(value);
  if (typeof keys?.evm === "object" && keys.evm !== null) {
    throw new Error("此钥匙的链上密钥在硬件令牌内，网页不能使用：请用 shuqing deals sign 签署。 / Its secp256k1 key is inside a hardware token, which a page cannot use: sign with shuqing deals sign.");
  }
  if (typeof keys?.by !== "string" || !hexOf(keys.sm2, 64) || !hexOf(keys.evm, 64)) throw new Error("不是钥匙文件。 / Not a key file.");
  return { ...keys, public: publicOf(keys.sm2), address: addressOf(keys.evm) };
}
/** A locked key file: AES-256-GCM under a key that PBKDF2 (SHA-256, 600,000 rounds) makes of the passphrase. */
export async function lock(keys, passphrase) {
  if ([...passphrase].length < 8) throw new Error("口令至少 8 个字符。 / The passphrase needs at least 8 characters.");
  const salt = crypto.getRandomValues(new Uint8Array(16)), iv = crypto.getRandomValues(new Uint8Array(12));
  const { by, ed25519, evm, person, sm2 } = keys;
  const key = await derived(passphrase, salt, ITERATIONS);
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8(by) }, key, utf8(JSON.stringify({ by, ed25519, evm, person, sm2 })));
  const file = { by, cipher: "AES-256-GCM", data: hex(new Uint8Array(data)), format: FORMAT, iterations: ITERATIONS, iv: hex(iv), kdf: "PBKDF2-SHA256", public: publicOf(sm2), salt: hex(salt) };
  return `${JSON.stringify(file, null, 1)}\n`;
}
async function unlock(file, passphrase) {
  if (!passphrase) throw new Error("请输入口令。 / Enter the passphrase.");
  try {
    if (!(Number.isInteger(file.iterations) && file.iterations >= 100_000 && file.iterations <= 10_000_000)) throw new Error();
    const key = await derived(passphrase, unhex(file.salt), file.iterations);
    const data = await crypto.subtle.decrypt({ name: "AES-GCM", iv: unhex(file.iv), additionalData: utf8(file.by) }, key, unhex(file.data));
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    throw new Error("口令不对，或文件已损坏。 / Wrong passphrase, or the file is damaged.");
  }
}
async function derived(passphrase, salt, iterations) {
  if (!globalThis.crypto?.subtle) {
    throw new Error("浏览器未提供加密功能：请用 https 或本机地址打开本站。 / No WebCrypto here: open this site by https or on this machine.");
  }
  const base = await crypto.subtle.importKey("raw", utf8(passphrase.normalize("NFC")), "PBKDF2", false, ["deriveKey"]);
  return crypto.subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}
