// Checks one ShuQing proof bundle without trusting whoever made it. 独立核验数清证据包，不依赖其制作者。
//
// The same steps, in the same order and with the same codes, as scripts/verify_bundle.py; tests let both judge the same
// bundles and forgeries. Nothing here touches the page: bytes in, report out. Curves and standard hashes are noble's;
// SM3 and SM2 (on noble's curve arithmetic), canonical JSON, tree, note and EIP-712 are written here from their
// descriptions. Parts: 1 to 3 in strict.mjs, 4 hashes, 5 signatures, 6 tree and head, 7 Ethereum,
// 8 self-test, 9 trust file and shapes, 10 the steps V01 to V14 (the first failure ends the check), 11 report.
import { weierstrass } from "@noble/curves/abstract/weierstrass.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { keccak_256 as keccak256 } from "@noble/hashes/sha3.js";
import {
  afterColon, canonical, canonicalText, demand, failure, get, has, hex, isRecord, isText, join, MAX_BYTES, need,
  number, readBase64, readCanonical, reading, readJson, refuse, Refused, same, shown, textOf, unhex, Unusable,
  utf8, word,
} from "./strict.mjs";

export { canonicalText, hex, join, MAX_BYTES, number, readJson, unhex, Unusable, utf8, word } from "./strict.mjs";

// 4 hashes ------------------------------------------------------------------------------------------------------------
const rotate = (value, count) => (value << count % 32) | (value >>> (32 - (count % 32)) % 32);
const SM3_START = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];

/** SM3, GB/T 32905-2016 chapter 5, as written there. */
export function sm3(bytes) {
  const length = word(BigInt(8 * bytes.length), 8);
  const padded = join(bytes, [0x80], new Uint8Array((119 - (bytes.length % 64)) % 64), length);
  const view = new DataView(padded.buffer), w = new Int32Array(68), result = new Uint8Array(32);
  let state = SM3_START;
  for (let start = 0; start < padded.length; start += 64) {
    for (let j = 0; j < 16; j++) w[j] = view.getInt32(start + 4 * j);
    for (let j = 16; j < 68; j++) {
      const mixed = w[j - 16] ^ w[j - 9] ^ rotate(w[j - 3], 15);
      w[j] = mixed ^ rotate(mixed, 15) ^ rotate(mixed, 23) ^ rotate(w[j - 13], 7) ^ w[j - 6];
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let j = 0; j < 64; j++) {
      const constant = j < 16 ? 0x79cc4519 : 0x7a879d8a;
      const ss1 = rotate((rotate(a, 12) + e + rotate(constant, j)) | 0, 7), ss2 = ss1 ^ rotate(a, 12);
      const ff = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c), gg = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
      const tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) | 0, tt2 = (gg + h + ss1 + w[j]) | 0;
      [a, b, c, d, e, f, g, h] = [tt1, a, rotate(b, 9), c, tt2 ^ rotate(tt2, 9) ^ rotate(tt2, 17), e, rotate(f, 19), g];
    }
    state = [a, b, c, d, e, f, g, h].map((value, i) => value ^ state[i]);
  }
  const out = new DataView(result.buffer);
  state.forEach((value, i) => out.setInt32(4 * i, value));
  return result;
}
/** Both digests of the same bytes. */
export const twin = (bytes) => ({ sha256: sha256(bytes), sm3: sm3(bytes) });
export const both = (digest) => join(digest.sha256, digest.sm3);
const ZERO = { sha256: new Uint8Array(32), sm3: new Uint8Array(32) };

/** {"sha256": 64 hex, "sm3": 64 hex}; a missing side is refused. */
function readTwin(value, code, where) {
  for (const side of ["sha256", "sm3"]) {
    demand(has(value, side), code, `${where}.${side}`, "缺少一侧摘要 / this side is missing");
    const form = code === "V04" ? "V03" : code;
    demand(isText(value[side]) && HEX64.test(value[side]), form, `${where}.${side}: 64 hex`, value[side]);
  }
  return { sha256: unhex(value.sha256), sm3: unhex(value.sm3) };
}

// 5 signatures --------------------------------------------------------------------------------------------------------
export const SM2_CURVE = {
  p: 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn,
  a: 0xfffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffcn,
  b: 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n,
  n: 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n, h: 1n,
  Gx: 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
  Gy: 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
};
export const Sm2Point = weierstrass(SM2_CURVE);
/** u·G + v·point; noble checks that the scalars are below the order. */
const combine = (Point, u, v, point) => Point.BASE.multiplyUnsafe(u).add(point.multiplyUnsafe(v));

/** GB/T 32918.2 chapter 7; public 04‖x‖y in hex, value r‖s. Z binds signer id, curve and key (5.5). */
export function sm2Verify(publicHex, message, value, signerId) {
  const key = unhex(publicHex), identity = utf8(signerId), { p, n, a, b, Gx, Gy } = SM2_CURVE;
  if (key.length !== 65 || key[0] !== 4 || value.length !== 64 || !(identity.length > 0 && identity.length < 8192)) return false;
  const [x, y, r, s] = [key.slice(1, 33), key.slice(33), value.slice(0, 32), value.slice(32)].map(number);
  const onCurve = x < p && y < p && (y * y - x * x * x - a * x - b) % p === 0n;
  if (!onCurve || r <= 0n || r >= n || s <= 0n || s >= n || (r + s) % n === 0n) return false;
  const z = sm3(join(word(BigInt(8 * identity.length), 2), identity, ...[a, b, Gx, Gy].map((each) => word(each)), key.slice(1)));
  const e = number(sm3(join(z, message)));
  const point = combine(Sm2Point, s, (r + s) % n, Sm2Point.fromAffine({ x, y }));
  return !point.is0() && (e + point.toAffine().x) % n === r;
}
/** The 0x address whose key signed the 32-byte digest (r‖s‖v, low s, v 27 or 28), or "" if there is none. */
export function evmAddressOf(digest, value) {
  const { Fn, Fp } = secp256k1.Point, order = Fn.ORDER;
  if (value.length !== 65 || ![27, 28].includes(value[64])) return "";
  const r = number(value.slice(0, 32)), s = number(value.slice(32, 64)), e = Fn.create(number(digest));
  if (r <= 0n || r >= order || r >= Fp.ORDER || s <= 0n || s > order / 2n) return "";
  let lifted;
  try {
    lifted = secp256k1.Point.fromBytes(join([value[64] - 25], word(r)));
  } catch {
    return "";
  }
  const inverse = Fn.inv(r);
  const key = combine(secp256k1.Point, Fn.mul(Fn.neg(e), inverse), Fn.mul(s, inverse), lifted);
  return key.is0() ? "" : `0x${hex(keccak256(key.toBytes(false).slice(1)).slice(12))}`;
}
/** RFC 8032 section 5.1.7 without cofactor: s < L, and R is exactly the encoding of [s]B - [k]A. */
export function ed25519Verify(publicKey, message, value) {
  const { Point } = ed25519, order = Point.Fn.ORDER;
  if (publicKey.length !== 32 || value.length !== 64) return false;
  const s = number(value.slice(32).reverse());
  let key;
  try {
    key = Point.fromBytes(publicKey, false);
  } catch {
    return false;
  }
  if (s >= order) return false;
  const k = number(sha512(join(value.slice(0, 32), publicKey, message)).reverse()) % order;
  return same(combine(Point, s, k, key.negate()).toBytes(), value.slice(0, 32));
}

// 6 tree and head -----------------------------------------------------------------------------------------------------
/** RFC 9162 section 2.1.3.2; null if a path of this length cannot belong to (index, size). */
export function rootOfPath(hash, leaf, index, size, path) {
  let fn = BigInt(index), sn = BigInt(size) - 1n, result = hash(join([0], leaf));
  if (fn < 0n || fn > sn) return null;
  for (const sibling of path) {
    if (sn === 0n) return null;
    if (fn & 1n || fn === sn) {
      result = hash(join([1], sibling, result));
      while (!(fn & 1n) && fn) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      result = hash(join([1], result, sibling));
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n ? result : null;
}
const NOTE_NAME = /^[!-*,-~]{1,128}$/u;
const NOTE_ROWS = [NOTE_NAME, /^(?:0|[1-9][0-9]{0,15})$/u, /^[A-Za-z0-9+/]{43}=$/u, /^sm3 [A-Za-z0-9+/]{43}=$/u,
  /^time (?:0|[1-9][0-9]{0,15})$/u];

/** The signed note split at line feeds: five lines, an empty one, signature lines, "". */
function readHead(rows) {
  if (rows.length < 8 || rows.length > 71 || rows[5] || rows.at(-1))
    refuse("应为 5 行正文、空行、签名行、结尾换行 / 5 lines, an empty line, signature lines, final LF expected");
  NOTE_ROWS.forEach((pattern, i) => pattern.test(rows[i]) || refuse(`检查点第 ${i + 1} 行 / line ${i + 1}: ${rows[i]}`));
  const lines = new Map();
  for (const row of rows.slice(6, -1)) { // — name base64(key id ‖ value)
    const [dash, name, encoded, more] = row.split(" ");
    const value = readBase64(encoded), place = `${name} ${hex(value.slice(0, 4))}`;
    if (more !== undefined || dash !== "—" || !NOTE_NAME.test(name) || value.length < 5 || lines.has(place))
      refuse(`签名行 / signature line: ${row}`);
    lines.set(place, value.slice(4));
  }
  const root = { sha256: readBase64(rows[2]), sm3: readBase64(rows[3].slice(4)) };
  const text = utf8(`${rows.slice(0, 5).join("\n")}\n`);
  return { origin: rows[0], size: BigInt(rows[1]), root, time: BigInt(rows[4].slice(5)), text, lines };
}
/** What this key wrote under the head, empty if nothing. Lines of unknown keys are ignored, as C2SP asks. */
function lineOf(head, name, algorithm, publicHex) {
  const id = sha256(join(utf8(`${name}\n`), algorithm, unhex(publicHex))).slice(0, 4);
  return head.lines.get(`${name} ${hex(id)}`) ?? new Uint8Array();
}
/** Both log signatures and k distinct witnesses; answers a map from witness name to time. */
function checkHead(head, trust, code) {
  const { origin, log, witnesses } = trust;
  demand(head.origin === origin, code, `origin ${origin}`, head.origin);
  const edwards = lineOf(head, origin, [1], log.ed25519), sm2 = lineOf(head, origin, [255, ...utf8("sm2")], log.sm2);
  const lacks = (value) => (value.length ? "无效 / invalid" : "缺 / missing");
  demand(ed25519Verify(unhex(log.ed25519), head.text, edwards), code, "日志 Ed25519 签名 / the log's Ed25519 signature", lacks(edwards));
  const message = sm3(join(utf8("shuqing/checkpoint/v1\0"), head.text));
  demand(sm2Verify(log.sm2, message, sm2, "1234567812345678"), code, "日志 SM2 签名 / the log's SM2 signature", lacks(sm2));
  const times = new Map();
  for (const name of Object.keys(witnesses.keys).sort()) {
    const key = witnesses.keys[name], value = lineOf(head, name, [4], key);
    if (!value.length) continue;
    times.set(name, number(value.slice(0, 8)));
    const signed = join(utf8(`cosignature/v1\ntime ${times.get(name)}\n`), head.text);
    demand(ed25519Verify(unhex(key), signed, value.slice(8)), code, `${name} 的见证签名 / its cosignature`, "无效 / invalid");
  }
  const expected = `≥ ${witnesses.k} 个不同见证方 / distinct witnesses`;
  demand(times.size >= witnesses.k, code, expected, `${times.size} ${[...times.keys()].join(", ")}`);
  return times;
}

// 7 Ethereum ----------------------------------------------------------------------------------------------------------
/** One 32-byte word of a static ABI type: uintN from an integer, address from 0x text, bytesN. */
function abiWord(kind, value) {
  if (kind.startsWith("uint")) {
    const good = (typeof value === "bigint" || Number.isInteger(value)) && value >= 0 && BigInt(value) < 1n << BigInt(kind.slice(4));
    return good ? word(BigInt(value)) : refuse(`${kind}: ${shown(value)}`);
  }
  const bytes = kind === "address" ? unhex(textOf(value).slice(2)) : value;
  if (bytes.length !== (kind === "address" ? 20 : Number(kind.slice(5)))) refuse(`${kind}: ${bytes.length} 字节 / bytes`);
  const fill = new Uint8Array(32 - bytes.length);
  return kind === "address" ? join(fill, bytes) : join(bytes, fill);
}
/** Static values side by side, e.g. abiWords("uint64,bytes32", 1, root). */
const abiWords = (kinds, ...values) => join(...kinds.split(",").map((kind, i) => abiWord(kind, values[i])));

/** EIP-712 hashStruct of a struct of one-word fields; `type` is its encodeType, values in its order. */
function structHash(type, ...values) {
  const kinds = type.slice(type.indexOf("(") + 1, -1).split(",").map((field) => field.split(" ")[0]).join(",");
  return keccak256(join(keccak256(utf8(type)), abiWords(kinds, ...values)));
}
/** EIP-712: keccak256(19 01 ‖ domain separator ‖ hashStruct), domain version "1". */
function typedDigest(name, chainId, contract, struct) {
  const type = keccak256(utf8("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"));
  const names = join(type, keccak256(utf8(name)), keccak256(utf8("1")));
  return keccak256(join([0x19, 1], keccak256(join(names, abiWords("uint256,address", chainId, contract))), struct));
}
/** A node of the verifier's choice, asked by JSON-RPC; any failure to answer is `Unusable`, never a verdict. */
export class Node {
  constructor(url, milliseconds = 10_000) {
    if (!/^https?:\/\//u.test(url)) throw new Unusable(`节点应为 http(s) 地址 / the node must be an http(s) address: ${shown(url)}`);
    Object.assign(this, { url, milliseconds });
  }
  async ask(method, ...params) {
    try {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
      const options = { credentials: "omit", referrerPolicy: "no-referrer", redirect: "error", cache: "no-store" };
      const signal = AbortSignal.timeout(this.milliseconds), headers = { "Content-Type": "application/json" };
      const answer = await fetch(this.url, { method: "POST", body, headers, signal, ...options });
      const text = answer.ok ? await answer.text() : refuse(`HTTP ${answer.status}`);
      return text.length <= 4 * MAX_BYTES ? need(JSON.parse(text), "result") : refuse("应答过大 / answer too large");
    } catch (error) {
      throw new Unusable(`节点没有可用的回答 / no usable answer of the node to ${method}: ${shown(error)}`);
    }
  }
  async bytes(method, ...params) {
    return this.usable(await this.ask(method, ...params), method, (answer) => {
      const digits = textOf(answer).slice(2);
      return unhex("0".repeat(digits.length % 2) + digits);
    });
  }
  usable(answer, method, read) {
    return reading("", `节点没有可用的回答 / no usable answer of the node to ${method}`, () => read(answer));
  }
  /** The `count` words a view function answers; `signature` such as "commitmentAt(uint64)". */
  async call(address, signature, count, ...values) {
    const kinds = signature.slice(signature.indexOf("(") + 1, -1);
    const data = `0x${hex(join(keccak256(utf8(signature)).slice(0, 4), abiWords(kinds, ...values)))}`;
    const answer = await this.bytes("eth_call", { to: address, data }, "latest");
    if (answer.length !== 32 * count) throw new Unusable(`${signature}: ${count} × 32 字节 / bytes ≠ ${answer.length}`);
    return Array.from({ length: count }, (_, i) => answer.slice(32 * i, 32 * i + 32));
  }
}

// 8 self-test ---------------------------------------------------------------------------------------------------------
/** Known answers of every algorithm, by name: true where this machine gives them. */
export function selfTest() {
  const sm2Key = "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020" // GB/T 32918.5-2017 annex A.2
    + "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
  const sm2Value = unhex("f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    + "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa");
  const edKey = unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"); // RFC 8032 7.1 TEST 2
  const edValue = unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  const mail = unhex("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"); // EIP-712, its example
  const content = unhex("c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
  const mailValue = unhex("4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
    + "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c");
  const h = [0, 1, 2, 3, 4, 5, 6].map((i) => sha256(Uint8Array.of(0, i))); // RFC 9162 2.1.5: d3 is proved by h2, g, m
  const [g, i, j] = [0, 2, 4].map((n) => sha256(join([1], h[n], h[n + 1])));
  const k = sha256(join([1], g, i)), m = sha256(join([1], j, h[6]));
  const checks = {
    "SHA-256": () => hex(sha256(utf8("abc"))).startsWith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"),
    SM3: () => hex(sm3(utf8("abc"))) === "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    Keccak: () => hex(keccak256(new Uint8Array())).startsWith("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad804"),
    SM2: () => sm2Verify(sm2Key, utf8("message digest"), sm2Value, "1234567812345678"),
    Ed25519: () => ed25519Verify(edKey, Uint8Array.of(0x72), edValue) && !ed25519Verify(edKey, Uint8Array.of(0x73), edValue),
    "EIP-712": () => same(typedDigest("Ether Mail", 1, `0x${"cc".repeat(20)}`, content), mail),
    secp256k1: () => evmAddressOf(mail, mailValue) === "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826",
    "RFC 9162": () => same(rootOfPath(sha256, [3], 3, 7, [h[2], g, m]), sha256(join([1], k, m))),
  };
  const outcome = (check) => {
    try {
      return check();
    } catch {
      return false;
    }
  };
  return Object.fromEntries(Object.entries(checks).map(([name, check]) => [name, outcome(check)]));
}

// 9 trust file and shapes ---------------------------------------------------------------------------------------------
const HEX64 = /^[0-9a-f]{64}$/u, SM2_KEY = /^04[0-9a-f]{128}$/u, ADDRESS = /^0x[0-9a-fA-F]{40}$/u;
const KIND = /^[a-z][a-z0-9-]{0,62}\/v[1-9][0-9]?$/u, SUBJECT = /^[a-z][a-z0-9-]{0,30}:[A-Za-z0-9:._-]{1,200}$/u;
const DEMAND = "(?:(?:role|by|each|one|any):[A-Za-z0-9:._{}|-]+|(?:the|staff):[A-Za-z0-9:._{}|-]+@[a-z_|-]+)";
const RULE = new RegExp(`^(?:([a-z_]+)=([A-Za-z0-9_|-]+) )?(${DEMAND}(?: or ${DEMAND})*)$`, "u");
const SM2 = "sm2-sm3", EVM = "eip712-secp256k1";
const TEXT = /^[^]*$/u, NATURAL = "integer", RECORD = "record";
/** An integer between two bounds, both included. */
class Within {
  constructor(least, most) { Object.assign(this, { least, most }); }
}

// Which fields there are, of which type (V01). A missing side of a twin is a finding of V04.
const TWIN = { "sha256?": TEXT, "sm3?": TEXT };
const SIGNATURE = { alg: TEXT, by: TEXT, key: TEXT, value: TEXT, "role?": TEXT, "signer_id?": TEXT, "nonce?": TEXT };
const STATEMENT = { body: RECORD, kind: TEXT, no: NATURAL, subject: TEXT, "prev?": TWIN, "parts?": { count: NATURAL, root: TWIN } };
const FACT = { at: NATURAL, salt: TEXT, signatures: [SIGNATURE], statement: STATEMENT };
const PLACE = { index: NATURAL, path: TWIN };
const PROVED = { fact: FACT, entry: PLACE };
const BUNDLE = {
  format: /^shuqing-bundle\/v1$/u, ...PROVED, "parts?": [{ data: TEXT, ...PLACE }], supports: [PROVED], head: { note: [TEXT] },
  chain: { block: NATURAL, chain_id: NATURAL, contract: /^0x[0-9a-f]{40}$/u, tx: /^0x[0-9a-f]{64}$/u },
};
// What their text looks like (V03).
const SIGNATURE_FORM = {
  [SM2]: { key: SM2_KEY, value: /^[0-9a-f]{128}$/u, signer_id: /^.{1,64}$/u },
  [EVM]: { key: ADDRESS, value: /^[0-9a-f]{130}$/u, nonce: /^(?:0|[1-9][0-9]{0,77})$/u },
};
const TRUST = {
  format: /^shuqing-trust\/v1$/u, made_at: NATURAL, origin: NOTE_NAME, log: { name: TEXT, ed25519: HEX64, sm2: SM2_KEY },
  witnesses: { k: NATURAL, keys: { "*": HEX64 } },
  chain: { chain_id: NATURAL, contracts: { "*": { address: ADDRESS, code_keccak256: /^0x[0-9a-f]{64}$/u } } },
  identities: { "*": { sm2: SM2_KEY, "evm?": ADDRESS, "roles?": [TEXT] } }, required: { "*": [RULE] },
  vouchers: { "*": /^(?:role|body):.+$/u },
};

/** The value, if it has the shape; throws if not ("?" optional, "*" any name); integers are not negative. */
function conform(value, shape, where) {
  const [fits, wanted] = shape instanceof RegExp ? [isText(value) && shape.test(value), shape.source]
    : shape === NATURAL ? [Number.isInteger(value) && value >= 0, NATURAL]
      : shape instanceof Within ? [Number.isInteger(value) && value >= shape.least && value <= shape.most, "integer"]
      : Array.isArray(shape) ? [Array.isArray(value), "list"] : [isRecord(value), RECORD];
  if (!fits) refuse(`${where}: ${wanted} ≠ ${shown(value)}`);
  if (Array.isArray(shape)) value.forEach((item, i) => conform(item, shape[0], `${where}[${i}]`));
  else if (isRecord(shape) && !(shape instanceof RegExp) && !(shape instanceof Within)) {
    for (const name of Object.keys(value)) {
      const inner = get(shape, name) ?? get(shape, `${name}?`) ?? get(shape, "*") ?? refuse(`${where}.${name}: 未知字段 / unknown field`);
      conform(value[name], inner, `${where}.${name}`);
    }
    for (const name of Object.keys(shape)) if (!/[?*]$/u.test(name) && !has(value, name)) refuse(`${where}.${name}: 缺失 / missing`);
  }
  return value;
}
/** The verifier's own trust file. Throws `Unusable`: without trust there is no verdict. */
export function readTrust(bytes) {
  return reading("", "信任文件不可用 / the trust file cannot be used", () => {
    const trust = readJson(bytes);
    conform(trust, TRUST, "trust");
    const keys = Object.values(trust.witnesses.keys);
    if (trust.log.name !== trust.origin || !has(trust.chain.contracts, "EvidenceLog")) refuse("log.name ≠ origin, chain.contracts.EvidenceLog");
    if (new Set(keys).size !== keys.length || !(trust.witnesses.k >= 1 && trust.witnesses.k <= keys.length))
      refuse("witnesses: 1 ≤ k ≤ n, 密钥各不相同 / distinct keys");
    for (const rule of Object.values(trust.required).flat()) readRule(rule);
    return trust;
  });
}
function readRule(text) {
  const [, field, values, listed] = RULE.exec(text) ?? refuse(text);
  const applies = (body) => field === undefined || (isText(get(body, field)) && values.split("|").includes(body[field]));
  const demands = listed.split(" or ").map((part) => {
    const [argument, roles] = afterColon(part).split("@");
    return { form: part.split(":")[0], argument, roles: roles?.split("|") ?? [] };
  });
  return { text, demands, applies };
}
/** (size, sha256, sm3, time) of a head file: a note (its signatures are checked too) or JSON of the four values. */
export function readGiven(bytes, trust) {
  const what = "树头文件不可用 / the head file cannot be used";
  const head = reading("", what, () => {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!/^\s*\{/u.test(text)) return readHead(text.split("\n"));
    const value = readJson(bytes);
    conform(value, { size: NATURAL, sha256: HEX64, sm3: HEX64, time: NATURAL }, "head");
    return value;
  });
  if (!head.lines) return `${head.size} ${head.sha256} ${head.sm3} ${head.time}`;
  try {
    checkHead(head, trust, "V10");
  } catch (error) {
    throw new Unusable(`${what}: ${shown(error)}`);
  }
  return summary(head);
}
const summary = (head) => `${head.size} ${hex(head.root.sha256)} ${hex(head.root.sm3)} ${head.time}`;

// 10 the steps --------------------------------------------------------------------------------------------------------
const SKEW = 300; // seconds by which the clocks of intake, log and witnesses may differ

/** What the steps share. Either `node` is asked or `given`, the independent head, is compared. */
class Case {
  constructor(bytes, trust, node, given) {
    Object.assign(this, { bytes, trust, node, given });
    this.status = ["UNKNOWN", "未询问链 / the chain was not asked", 0n]; // code, words, as of (0: of the head)
  }
  contract(name, code) {
    const known = this.trust.chain.contracts;
    demand(has(known, name), code, `信任文件中的合约 / a contract of the trust file: ${name}`, Object.keys(known));
    return known[name].address.toLowerCase();
  }
  /** Who has one of these roles by the trust file. */
  holders(roles) {
    const all = Object.entries(this.trust.identities);
    return new Set(all.filter(([, identity]) => roles.some((role) => identity.roles?.includes(role))).map(([name]) => name));
  }
}

function v01Parse(c) {
  demand(c.bytes.length <= MAX_BYTES, "V01", `≤ ${MAX_BYTES} 字节 / bytes`, "更大 / larger");
  reading("V01", "shuqing-bundle/v1 的规范 JSON / canonical JSON of this format", () => {
    c.bundle = readCanonical(c.bytes.at(-1) === 10 ? c.bytes.slice(0, -1) : c.bytes);
    conform(c.bundle, BUNDLE, "bundle");
  });
  c.items = [c.bundle, ...c.bundle.supports];
  c.statement = c.bundle.fact.statement;
  c.parts = c.bundle.parts ?? [];
  const rows = [c.parts.map((part) => part.index), c.bundle.supports.map((item) => item.entry.index)];
  const rising = rows.every((row) => row.every((place, i) => i === 0 || row[i - 1] < place));
  const good = rising && rows[1].length <= 32 && !(c.bundle.parts && !c.parts.length);
  demand(good, "V01", "parts ≥ 1, supports ≤ 32, 升序、各一次 / ascending, each once", rows);
  return `${c.bytes.length} 字节 / bytes`;
}
function v02Trust(c) {
  const origin = c.bundle.head.note[0] ?? "";
  demand(origin === c.trust.origin, "V02", `日志 / log ${c.trust.origin}`, origin);
  return `${origin}; ${instant(c.trust.made_at)}`;
}
function v03Form(c) {
  reading("V03", "形式完整的陈述、签名、身份事实 / well-formed statement, signatures, supports", () => {
    for (const { fact } of c.items) {
      checkFact(fact.statement, fact.signatures);
      conform(fact.salt, HEX64, "salt");
    }
    for (const support of c.bundle.supports) {
      const { kind, subject } = support.fact.statement;
      const signs = c.items.some((item) => item !== support && item.fact.signatures.some((s) => s.by === subject));
      if (kind !== `${subject.split(":")[0]}/v1` || !signs || !has(c.trust.vouchers, kind))
        refuse(`${subject} 不是签署者的身份事实 / not the identity of a signer`);
    }
    for (const part of c.parts) if (!(part.index < (c.statement.parts?.count ?? 0))) refuse(`parts[${part.index}]`);
  });
  return `${c.statement.kind} ${c.statement.subject} № ${c.statement.no}`;
}
function checkFact(statement, signatures) {
  conform(statement.kind, KIND, "statement.kind");
  conform(statement.subject, SUBJECT, "statement.subject");
  if (has(statement, "prev") !== statement.no > 0 || (statement.parts?.count ?? 1) < 1)
    refuse(`no ${statement.no}: prev 当且仅当 no > 0; parts.count ≥ 1 / prev exactly when no > 0`);
  for (const signature of signatures) {
    const form = get(SIGNATURE_FORM, signature.alg) ?? refuse(signature.alg);
    conform(signature, { alg: TEXT, by: SUBJECT, ...form, "role?": /^.{1,64}$/u }, "signature");
  }
  const places = new Set(signatures.map((s) => JSON.stringify([s.alg, s.by, s.role ?? null])));
  if (!(signatures.length >= 1 && signatures.length <= 64 && places.size === signatures.length))
    refuse("signatures: 1…64, 每人每角色每算法一个 / one per signer, role and algorithm");
}

function v04Digests(c) {
  for (const { fact: { statement }, entry } of c.items) {
    if (statement.prev) readTwin(statement.prev, "V04", "prev");
    if (statement.parts) readTwin(statement.parts.root, "V04", "parts.root");
    readPath(entry.path, "entry.path");
  }
  for (const part of c.parts) readPath(part.path, `parts[${part.index}].path`);
  c.digest = twin(canonical(c.bundle.fact));
  return `SHA-256 ${hex(c.digest.sha256)} SM3 ${hex(c.digest.sm3)}`;
}
/** Both sides of an inclusion path, each a list of 32-byte hashes, nearest sibling first. */
function readPath(value, where) {
  const sides = ["sha256", "sm3"].map((side) => {
    demand(has(value, side), "V04", `${where}.${side}`, "缺少一侧 / this side is missing");
    const bytes = reading("V03", `${where}.${side}: base64`, () => readBase64(value[side]));
    demand(bytes.length % 32 === 0 && bytes.length <= 64 * 32, "V03", `${where}.${side}: n × 32`, bytes.length);
    return Array.from({ length: bytes.length / 32 }, (_, i) => bytes.slice(32 * i, 32 * i + 32));
  });
  demand(sides[0].length === sides[1].length, "V04", `${where}: 两侧等长 / equal sides`, sides.map((side) => side.length));
  return { sha256: sides[0], sm3: sides[1] };
}

function v05Messages(c) {
  const structs = { "agreement-act/v1": agreementDigest, "cycle-closed/v1": closeDigest }; // kinds that have one
  c.signed = [];
  for (const { fact: { statement, signatures } } of c.items) {
    const plain = sm3(join(utf8(`shuqing/${statement.kind}\0`), both(twin(canonical(statement)))));
    reading("V05", `可重建的 EIP-712 结构 / an EIP-712 struct that can be rebuilt: ${statement.kind}`, () => {
      for (const s of signatures) c.signed.push([s, s.alg === SM2 ? plain : need(structs, statement.kind)(c, statement, s)]);
    });
  }
  return `${c.signed.length} 条 / messages`;
}
const AGREEMENT_ACT = "AgreementAct(bytes32 agreementId,bytes32 negotiationId,uint32 revision,uint8 act,uint8 fromState,"
  + "uint8 toState,uint8 role,address signer,bytes32 signersHash,bytes32 termsSha256,bytes32 termsSm3,bytes32 actSha256,"
  + "bytes32 actSm3,bytes32 prevActSha256,bytes32 prevActSm3,bytes32 groundSha256,bytes32 groundSm3,uint256 nonce,"
  + "uint64 deadline)";
const CYCLE_CLOSE = "CycleClose(bytes32 operatorId,bytes32 cycle,bytes3 currency,bytes32 rootSha256,bytes32 rootSm3,"
  + "bytes32 totalsCommitment,uint64 closedAt,address auditor,uint64 deadline)";
const STATES = ["NONE", "PENDING", "EFFECTIVE", "SUSPENDED", "EXPIRED", "COMPLETED", "TERMINATED", "RESCINDED", "VOID"];
const ACTS = ["", "CONCLUDE", "ACTIVATE", "AMEND", "SUSPEND", "RESUME", "TERMINATE", "RESCIND", "VOID", "COMPLETE", "EXPIRE"];
const ROLES = { PROVIDER: 1, CONSUMER: 2, DEVELOPER: 3, OPERATOR: 4, BROKER: 5, SERVICE: 6, AUTHORITY: 9 };
const numberOf = (names, name) => (names.includes(name) ? names.indexOf(name) : refuse(name));
const pair = (digest) => [digest.sha256, digest.sm3];

const SIGNER = { role: /^[A-Z]+$/u, party: TEXT, address: /^0x[0-9a-f]{40}$/u };
const oneOf = (names) => new RegExp(`^(?:${names.join("|")})$`, "u");
const ACT_BODY = {
  act: oneOf(ACTS.slice(1)), from_state: oneOf(STATES), to_state: oneOf(STATES), revision: NATURAL, negotiation_id: HEX64,
  signers: [SIGNER], "authority?": SIGNER, deadline: NATURAL, domain: { chain_id: NATURAL, contract: /^0x[0-9a-f]{40}$/u },
  terms_digest: TWIN, "fields?": [/^[a-z_]{1,40}$/u],
  "ground?": { kind: /^(?:agreed|statutory|decision)$/u, text: TEXT, salt: HEX64, "document?": TWIN },
};

export function agreementDigest(c, statement, signature) {
  const { body } = statement, { signers, authority } = conform(body, ACT_BODY, "body");
  const mine = signers.concat(authority ?? []).some((item) => item.role === signature.role && item.address === signature.key.toLowerCase());
  const order = signers.map((item) => need(ROLES, item.role) + item.address), sorted = order.every((text, i) => !i || order[i - 1] <= text);
  if (!mine || !body.revision || order.length < 2 || order.length > 16 || !sorted)
    refuse(`revision ≥ 1, 2…16 个已排序的签署方及其一 / sorted signers, one of them: ${signature.role} ${signature.key}`);
  const contract = c.contract("AgreementRegistry", "V05"), chainId = c.trust.chain.chain_id;
  const place = `${body.domain.chain_id} ${body.domain.contract}`;
  demand(place === `${chainId} ${contract}`, "V05", `链与合约 / chain and contract ${chainId} ${contract}`, place);
  return typedDigest("ShuQing Agreement", chainId, contract, structHash(AGREEMENT_ACT,
    unhex(afterColon(statement.subject)), unhex(body.negotiation_id), body.revision,
    numberOf(ACTS, body.act), numberOf(STATES, body.from_state), numberOf(STATES, body.to_state),
    need(ROLES, signature.role), signature.key, signersHash(signers),
    ...pair(readTwin(body.terms_digest, "V05", "terms_digest")), ...pair(twin(canonical(statement))),
    ...pair(statement.prev ? readTwin(statement.prev, "V05", "prev") : ZERO),
    ...pair(has(body, "ground") ? twin(canonical(body.ground)) : ZERO), BigInt(signature.nonce), body.deadline));
}
function signersHash(signers) {
  const listed = signers.map((item) => abiWords("uint8,address", need(ROLES, item.role), item.address));
  return keccak256(join(abiWords("uint256,uint256", 32, signers.length), ...listed));
}
function closeDigest(c, statement) {
  const contract = c.contract("SettlementBook", "V05");
  return typedDigest("ShuQing Settlement", c.trust.chain.chain_id, contract, structHash(CYCLE_CLOSE, ...closeValues(statement.body)));
}
const ascii = (text) => (/^[\x00-\x7f]*$/u.test(textOf(text)) ? utf8(text) : refuse(text));
function padded(text) {
  const bytes = ascii(text);
  return bytes.length <= 32 ? join(bytes, new Uint8Array(32 - bytes.length)) : refuse(text);
}
/** The fields of CycleClose in order; `name` is the cycle's name on the chain. */
function closeValues(body) {
  const words = ["operator_id", "root_sha256", "root_sm3", "totals_commitment"];
  const [operator, ...digests] = words.map((field) => unhex(conform(need(body, field), HEX64, `body.${field}`)));
  return [operator, padded(need(body, "name")), ascii(need(body, "currency")), ...digests,
    need(body, "closed_at"), conform(need(body, "auditor"), SIGNER.address, "body.auditor"), need(body, "deadline")];
}

function v06Signatures(c) {
  for (const [s, message] of c.signed) {
    const value = unhex(s.value);
    const good = s.alg === SM2 ? sm2Verify(s.key, message, value, s.signer_id) : evmAddressOf(message, value) === s.key.toLowerCase();
    demand(good, "V06", `${s.by} 的有效 ${s.alg} 签名 / a valid signature`, "与内容或公钥不符 / does not fit");
  }
  acceptKeys(c);
  for (const [s] of c.signed) demand(c.accepted.has(owned(s)), "V06", `${s.by} 的受信公钥 / an accepted key`, `${s.alg} ${s.key}`);
  return `${c.signed.length} 个签名 / signatures, ${c.items.length - 1} 个身份事实 / identity facts`;
}
const owned = (s) => `${s.alg} ${s.by} ${s.key.toLowerCase()}`;

/** Keys of the trust file, then those of every identity fact that the right one vouches for. Nobody but the trust file
 *  says which keys its own names have. */
function acceptKeys(c) {
  const { identities: known, vouchers } = c.trust;
  [c.accepted, c.roles, c.vouchers] = [new Set(), new Map(), new Map()]; // vouchers: who vouched for whom
  const accept = (name, body) => {
    for (const [alg, key] of [[SM2, get(body, "sm2")], [EVM, get(body, "evm")]])
      if (isText(key) && key) c.accepted.add(owned({ alg, by: name, key }));
    const roles = get(body, "roles");
    c.roles.set(name, Array.isArray(roles) ? roles.filter(isText) : []);
  };
  for (const [name, identity] of Object.entries(known)) accept(name, identity);
  let waiting = c.items.map((item) => item.fact)
    .filter(({ statement }) => has(vouchers, statement.kind) && !has(known, statement.subject));
  for (;;) {
    const vouched = waiting.filter((fact) => isVouched(c, fact));
    if (!vouched.length) break;
    for (const { statement } of vouched) accept(statement.subject, statement.body);
    waiting = waiting.filter((fact) => !vouched.includes(fact));
  }
  const expected = "身份事实由有权者签署 / identity facts signed by who may state them";
  demand(!waiting.length, "V06", expected, waiting.map((fact) => fact.statement.subject));
}
/** Who may say whose key it is stands in the trust file: a role for a party, the organisation for its staff, the owner
 *  for its connector. Without this rule any accepted signer could invent identities for others. */
function isVouched(c, { statement, signatures }) {
  const voucher = c.trust.vouchers[statement.kind], argument = afterColon(voucher);
  if (get(statement.body, "active") === false) return false;
  const may = voucher.startsWith("role:") ? c.holders(argument.split("|")) : new Set([`party:${get(statement.body, argument)}`]);
  const by = signatures.filter((s) => may.has(s.by) && c.accepted.has(owned(s))).map((s) => s.by);
  c.vouchers.set(statement.subject, by);
  return by.length > 0;
}

function v07Required(c) {
  const { kind, body } = c.statement;
  const rules = (get(c.trust.required, kind) ?? []).map(readRule).filter((rule) => rule.applies(body));
  demand(rules.length, "V07", `信任文件规定 ${kind} 由谁签署 / a rule who signs this kind`, "没有 / none");
  const given = c.bundle.fact.signatures.map((s) => `${s.alg} ${s.by} ${s.role ?? ""}`);
  for (const rule of rules) {
    const missing = [];
    const met = reading("V07", rule.text, () => rule.demands.some((one) => !missing[missing.push(unmet(c, one)) - 1]));
    demand(met, "V07", `${rule.text}: ${missing.join("; ")}`, given);
  }
  return rules.map((rule) => rule.text).join(", ");
}
/** A signer's name with its places filled: {id} is the subject's part after the colon, {field} a text of the body. */
function named(argument, { subject, body }) {
  return argument.replace(/\{([a-z_]+)\}/g, (_, name) => (name === "id" ? afterColon(subject) : String(get(body, name) ?? "")));
}
/** What a demand of a rule still lacks, "" if nothing: see ledger/signers.py for the small language of rules. */
function unmet(c, { form, argument, roles }) {
  const { signatures, statement } = c.bundle.fact, signers = new Set(signatures.map((s) => s.by));
  if (form === "role" || form === "by") {
    const wanted = form === "role" ? c.holders(argument.split("|")) : new Set([named(argument, statement)]);
    return [...wanted].some((name) => signers.has(name)) ? "" : `${[...wanted].join(" | ")} 的签名 / signed`;
  }
  if (form === "any") return [...signers].every((by) => by.startsWith(`${argument}:`)) ? "" : `${argument}:…`;
  if (form === "staff") {
    const wanted = argument.split("|").sort(), may = c.holders(roles), given = signatures.map((s) => s.role ?? "").sort();
    const held = signatures.every((s) => c.roles.get(s.by)?.includes(s.role) && c.vouchers.get(s.by)?.some((by) => may.has(by)));
    const fits = held && signers.size === wanted.length && JSON.stringify(given) === JSON.stringify(wanted);
    return fits ? "" : `${roles} 的经办人各一名 / one of its staff each, as ${wanted}`;
  }
  const field = get(statement.body, argument), entries = form === "the" ? [field] : field;
  if (!Array.isArray(entries) || !entries.length) refuse(`body.${argument}`);
  for (const entry of entries)
    for (const name of ["party", "role", "address"]) if (!isRecord(entry) || !isText(get(entry, name))) refuse(`body.${argument}`);
  const name = (entry) => `party:${entry.party}`;
  const two = (entry) => [[SM2, name(entry), entry.role, ""], [EVM, name(entry), entry.role, entry.address.toLowerCase()]];
  const sorted = (rows) => JSON.stringify(rows.map((row) => JSON.stringify(row)).sort());
  const given = sorted(signatures.map((s) => [s.alg, s.by, s.role ?? "", s.alg === EVM ? s.key.toLowerCase() : ""]));
  if (form === "one") return entries.some((entry) => sorted(two(entry)) === given) ? "" : "恰好其一双签 / exactly one, with both";
  if (sorted(entries.flatMap(two)) !== given) return "恰好各方双签 / exactly each of them, with both";
  const held = c.roles.get(name(entries[0])) ?? [];
  return form !== "the" || roles.some((role) => held.includes(role)) ? "" : `${name(entries[0])} 的角色 / in a role of ${roles}`;
}

function v08Inclusion(c) {
  c.head = reading("V09", "签名检查点 / a signed checkpoint", () => readHead(c.bundle.head.note));
  for (const { fact, entry } of c.items) prove(canonical(fact), entry, c.head.size, c.head.root, "entry");
  for (const part of c.parts) {
    const { count, root } = c.statement.parts;
    prove(utf8(part.data), part, count, readTwin(root, "V08", "parts.root"), `parts[${part.index}]`);
  }
  const shownParts = c.parts.length ? `; ${c.parts.length} / ${c.statement.parts.count} 分项 / parts` : "";
  return `№ ${c.bundle.entry.index} / ${c.head.size}${shownParts}`;
}
/** These bytes stand at place.index under both roots. */
function prove(bytes, place, size, root, where) {
  const sides = readPath(place.path, where), leaf = join(utf8("shuqing/leaf/v1\0"), both(twin(bytes)));
  for (const [name, hash] of [["sha256", sha256], ["sm3", sm3]]) {
    const found = rootOfPath(hash, leaf, place.index, size, sides[name]);
    const got = found ? hex(found) : `路径与位置不符 / the path does not fit ${place.index} / ${size}`;
    demand(got === hex(root[name]), "V08", `${where} ${name} ${hex(root[name])}`, got);
  }
}
function v09Checkpoint(c) {
  c.witnesses = checkHead(c.head, c.trust, "V09");
  return `Ed25519, SM2, ${c.witnesses.size} ≥ ${c.trust.witnesses.k}: ${[...c.witnesses.keys()].join(", ")}`;
}
function v10Head(c) {
  if (c.given === null) return null;
  demand(c.given === summary(c.head), "V10", `size, sha256, sm3, time = ${c.given}`, summary(c.head));
  return `${c.head.size}, ${instant(c.head.time)}`;
}
async function v11Chain(c) {
  const { chain } = c.trust, hint = c.bundle.chain, { head, node } = c, log = c.contract("EvidenceLog", "V11");
  const place = `chain ${hint.chain_id} ${hint.contract.toLowerCase()}`;
  demand(place === `chain ${chain.chain_id} ${log}`, "V11", `chain ${chain.chain_id} ${log}`, place);
  if (node === null) return null;
  const found = number(await node.bytes("eth_chainId"));
  demand(found === BigInt(chain.chain_id), "V11", `chain ${chain.chain_id}`, found);
  for (const [name, contract] of Object.entries(chain.contracts)) {
    const code = `0x${hex(keccak256(await node.bytes("eth_getCode", contract.address, "latest")))}`;
    demand(code === contract.code_keccak256, "V11", `${name} code ${contract.code_keccak256}`, code);
  }
  const expected = keccak256(abiWords("uint64,bytes32,bytes32,uint64", head.size, ...pair(head.root), head.time));
  const [stored] = await node.call(log, "commitmentAt(uint64)", 1, head.size);
  demand(same(stored, expected), "V11", `commitmentAt(${head.size}) ${hex(expected)}`, hex(stored));
  await checkReceipt(c, log);
  return `chain ${found}, commitmentAt(${head.size}), block ${hint.block}`;
}
const ANCHORED = "Anchored(uint64,bytes32,bytes32,uint64)";
/** The transaction the bundle names succeeded in the block it names, and anchored this very head. */
async function checkReceipt(c, log) {
  const { tx, block } = c.bundle.chain, { head } = c, receipt = await c.node.ask("eth_getTransactionReceipt", tx);
  const topics = [keccak256(utf8(ANCHORED)), abiWords("uint64", head.size)].map((each) => `0x${hex(each)}`).join();
  const found = receipt === null ? "没有 / none" : c.node.usable(receipt, "eth_getTransactionReceipt", () => {
    const events = need(receipt, "logs").filter((event) => textOf(need(event, "address")).toLowerCase() === log);
    const anchors = events.some((event) => need(event, "topics").join().toLowerCase() === topics);
    return `${BigInt(textOf(get(receipt, "status") ?? "0x0"))} ${BigInt(textOf(need(receipt, "blockNumber")))} ${anchors}`;
  });
  demand(found === `1 ${block} true`, "V11", `${tx} 成功、在区块 ${block} 锚定 ${head.size} / succeeded, in that block, anchors it`, found);
}
function v12Times(c) {
  const sealed = c.head.time, { at } = c.bundle.fact, skew = BigInt(SKEW);
  demand(BigInt(at) <= sealed + skew, "V12", `fact.at ≤ ${sealed + skew}`, at);
  for (const { fact } of c.bundle.supports) // a key counts from the moment it was on record
    demand(fact.at <= at + SKEW, "V12", `${fact.statement.subject} ≤ ${at + SKEW}`, fact.at);
  for (const [name, seen] of c.witnesses) demand(seen >= sealed - skew, "V12", `${name} ≥ ${sealed - skew}`, seen);
  return `${instant(at)} … ${instant(sealed)}`;
}

async function v13Status(c) {
  const kinds = { "register-entry/v1": certificateStatus, "agreement-act/v1": agreementStatus, "cycle-closed/v1": closeStatus };
  const ask = get(kinds, c.statement.kind);
  if (!ask) c.status = ["N/A", "此类事实没有链上状态 / this kind has no status on the chain", 0n];
  if (!ask || c.node === null) return null;
  try {
    c.status = await ask(c, c.statement, c.node);
  } catch (error) {
    throw failure("V13", "可查询状态的内容 / a body whose status can be asked", error);
  }
  return c.status.slice(0, 2).join(": ");
}
const IN_FORCE = ["UNKNOWN", "IN_FORCE", "NOT_IN_FORCE", "IN_FORCE_LIMITED"];
const REASONS = ["未上链 not on the chain", "有效 valid", "尚未生效 not yet valid", "已失效 lapsed", "已被取代 superseded",
  "已转出 transferred", "已注销 cancelled", "届满待续 renewal filed", "有负担 encumbered", "有异议 objection",
  "有负担且有异议 encumbered and objection", "更早的历史 older history"];
const nth = (names, bytes) => names[number(bytes)] ?? refuse(number(bytes));

const NAME = /^.{1,200}$/u, SURE = { sha256: HEX64, sm3: HEX64 }, INSTANT = new Within(0, 2 ** 32 - 1), VERSION = new Within(1, 2 ** 53 - 1);
const ENTRY = {
  code: TEXT, version: VERSION, paper_type: TEXT, agency: /^.{1,64}$/u, agency_name: NAME, agency_catalogue_no: /^.{0,200}$/u,
  fields: [/^[a-z_]{1,40}$/u], record_digest: SURE, receipt: SURE, receipt_number: NAME, authority_name: NAME, deposited_at: INSTANT,
  valid_from: INSTANT, valid_until: INSTANT, last_day: /^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$/u,
  "type?": /^(初次|转让|变更|续期|注销)登记$/u,
  "predecessor?": {
    code: /^.{0,200}$/u, version: VERSION, status: /^(SUPERSEDED|TRANSFERRED|CANCELLED)$/u, "successors?": new Within(1, 2),
  },
};
const CODE = /^SJ[0-9]{3}20[0-9]{2}(0[1-9]|1[0-2])(?!0000)[0-9]{4}$/u;

/** RightsRegistry: is this very fact deposited under the certificate's key, and is the certificate in force? */
async function certificateStatus(c, { body }, node) {
  const registry = c.contract("RightsRegistry", "V13");
  conform(body, ENTRY, "body");
  const agency = sha256(utf8(`agency:${need(body, "agency")}`)), paper = need({ REGISTRATION_CERT: 1 }, need(body, "paper_type"));
  const key = keccak256(abiWords("bytes32,uint8,bytes32,uint32", agency, paper, padded(need(body, "code")), need(body, "version")));
  const answer = await node.call(registry, "inForce(bytes32)", 3, key);
  const [match] = await node.call(registry, "matches(bytes32,bytes32,bytes32)", 1, key, ...pair(c.digest));
  const what = `${body.code} v${body.version} 的链上摘要即本事实 / its digests on the chain are this fact's`;
  demand(number(match) || (!number(answer[0]) && !number(answer[1])), "V13", what, "不同 / they differ");
  return [nth(IN_FORCE, answer[0]), nth(REASONS, answer[1]), number(answer[2])];
}
/** AgreementRegistry: the state, and whether this act is the last one. */
async function agreementStatus(c, statement, node) {
  const identity = unhex(afterColon(statement.subject));
  const words = await node.call(c.contract("AgreementRegistry", "V13"), "agreement(bytes32)", 6, identity);
  const state = nth(STATES, words[0]), asOf = number(words[5]);
  if (state === "NONE" || number(words[1]) < BigInt(need(statement.body, "revision")))
    return ["UNKNOWN", "链上没有该协议的这一版 / the chain does not hold this revision", asOf];
  const expected = signersHash(need(statement.body, "signers"));
  demand(same(words[2], expected), "V13", `signersHash ${hex(expected)}`, hex(words[2]));
  const last = same(words[4], keccak256(both(twin(canonical(statement)))));
  return [state, `链上末项为${last ? "本动作 / this act" : "另一动作 / another act"} is the last one there`, asOf];
}
/** SettlementBook: is this very close in the book? */
async function closeStatus(c, statement, node) {
  const values = closeValues(statement.body), book = c.contract("SettlementBook", "V13");
  const [stored] = await node.call(book, "closed(bytes32,bytes32,bytes3)", 1, ...values.slice(0, 3));
  if (!number(stored)) return ["UNKNOWN", "链上没有该周期 / the chain does not hold this cycle", 0n];
  const expected = keccak256(abiWords("bytes32,bytes32,bytes32,uint64", ...values.slice(3, 7)));
  demand(same(stored, expected), "V13", `closed ${hex(expected)}`, hex(stored));
  return ["CLOSED", "本次关账已上链 / this close is on the chain", 0n];
}

// Kinds that keep their content in salted fields: the digest in the body that names it, and the tag in front of it.
const WHOLE = { "agreement-act/v1": ["terms_digest", ""], "register-entry/v1": ["record_digest", "deposit-record/v1"] };

/** Each part shown belongs to its fact and its number; all fields shown make the digest the body names. */
function v14Kind(c) {
  const { body, kind, subject, parts } = c.statement, whole = get(WHOLE, kind), count = parts?.count ?? 0;
  return reading("V14", `属于 ${kind} 的内容 / content that belongs to this kind`, () => {
    const values = c.parts.map((part) => conform(readCanonical(utf8(part.data)), RECORD, "parts.data"));
    values.forEach((data, i) => {
      const [expected, got] = belonging(kind, body, c.parts[i].index, data);
      demand(canonicalText(expected) === canonicalText(got), "V14", shown(expected), got);
    });
    if (kind === "usage-batch/v1") demand(subject === `connector-log:${need(body, "connector")}`, "V14", body.connector, subject);
    const names = get(body, "fields") ?? [];
    demand(!whole || names.length === count, "V14", `${names.length} 个字段 / fields`, count);
    const document = whole ? Object.fromEntries(values.map((data) => [data.field, data.value])) : {};
    if (kind === "register-entry/v1") checkEntry(body, values.length === count ? document : body);
    if (whole && names.length && values.length === count) {
      const [field, tag] = whole;
      const found = twin(canonical(tag ? { record: document, tag } : document)), named = readTwin(need(body, field), "V14", field);
      demand(same(both(found), both(named)), "V14", `${field} ${hex(named.sha256)}`, hex(found.sha256));
    }
    return `${kind}, ${values.length} 分项 / parts`;
  });
}
/** A version is the next of its own code or the first of a new one; it and its record name one predecessor. */
function checkEntry(body, record) {
  conform(body, ENTRY, "body");
  const none = { code: "", version: 1, successors: 1 };
  const [mine, theirs] = [body, record].map((item) => {
    const before = get(item, "predecessor") ?? {};
    return { type: get(item, "type") ?? "初次登记", ...none, ...(isRecord(before) ? before : refuse("predecessor")) };
  });
  const number = mine.code === body.code ? mine.version + 1 : 1, fields = body.fields.length;
  const good = CODE.test(body.code) && body.valid_from < body.valid_until && fields >= 1 && fields <= 64;
  demand(good && body.version === number, "V14", `${body.code} v${number}`, body.version);
  demand(canonicalText(mine) === canonicalText(theirs), "V14", shown(mine), theirs);
}
/** What a part of this kind must say at this number, and what it says. */
function belonging(kind, body, index, data) {
  if (kind === "usage-batch/v1") {
    const first = need(body, "first_seq"), connector = need(body, "connector");
    return [[connector, Number.isInteger(first) ? first + index : refuse(first)], [need(data, "connector"), need(data, "seq")]];
  }
  if (kind === "statement/v1") {
    const party = canonicalText(need(body, "party")), concerned = ["party", "debtor", "creditor"].filter((name) => has(data, name));
    return [[index, true], [need(data, "no"), concerned.some((name) => canonicalText(data[name]) === party)]];
  }
  if (!has(WHOLE, kind)) return ["", ""];
  conform(need(data, "salt"), HEX64, "salt");
  const name = need(body, "fields")[index];
  return [[name ?? refuse(`fields[${index}]`), ["field", "salt", "value"]], [need(data, "field"), Object.keys(data).sort()]];
}

// 11 report -----------------------------------------------------------------------------------------------------------
const STEPS = [
  ["严格解析 / strict parse", v01Parse], ["信任文件与日志 / trust file and log", v02Trust],
  ["陈述形式 / form of the statements", v03Form], ["双摘要 / twin digests", v04Digests],
  ["签名原文 / signed messages", v05Messages], ["签名与公钥 / signatures and keys", v06Signatures],
  ["应签者 / required signers", v07Required], ["包含路径 / inclusion paths", v08Inclusion],
  ["检查点与见证 / checkpoint and witnesses", v09Checkpoint], ["独立树头 / independent head", v10Head],
  ["链上锚定 / anchored on the chain", v11Chain], ["时间 / times", v12Times],
  ["状态 / status", v13Status], ["类别核对 / kind-specific", v14Kind],
];
const NOT_PROVED = {
  "register-entry/v1": "来源声明是否真实 / the truth of the source declaration",
  "agreement-act/v1": "是否公平、签署人有无授权 / fairness, and the authority of those who signed",
  "usage-batch/v1": "连接器之外发生的事 / what happened outside the connector",
  "statement/v1": "是否已付款、金额如何得出 / payment, and how the amounts came about",
};
const codeOf = (no) => `V${String(no).padStart(2, "0")}`;

/** Seconds since 1970 as text in UTC. */
export function instant(seconds) {
  return seconds < 253402300800 ? new Date(Number(seconds) * 1000).toISOString().replace(".000", "") : String(seconds);
}
/** The report on a bundle: `node` is asked, or `given` (from `readGiven`) is compared. Throws `Unusable`. */
export async function verify(bytes, trust, node, given) {
  const broken = Object.entries(selfTest()).filter(([, holds]) => !holds).map(([name]) => name);
  if (broken.length) throw new Unusable(`自检失败，本机不可用于核验 / self-test failed, this machine cannot verify: ${broken}`);
  const c = new Case(bytes, trust, node, given), steps = [];
  for (const [i, [name, check]] of STEPS.entries()) {
    try {
      const detail = await check(c);
      steps.push({ no: i + 1, code: codeOf(i + 1), name, ok: detail === null ? null : true, detail: detail ?? "未询问 / not asked" });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const no = Number(error.code.slice(1));
      steps.push({ no, code: error.code, name: STEPS[no - 1][0], ok: false, expected: error.expected, got: error.got });
      return { integrity: "REFUSED", failed: error.code, steps };
    }
  }
  const [status, reason, asOf] = c.status;
  return {
    integrity: "INTACT", failed: "", steps, status, reason, as_of: instant(asOf || c.head.time),
    trust_level: node ? "T2 自有节点 / own node" : "T1 见证方与独立树头 / witnesses, independent head",
    not_checked: node ? [] : ["chain.tx", "chain.block"],
    not_proved: ["记录之前内容是否真实 / whether the content was true before it was recorded",
      "此后有无更晚的事项、密钥有无吊销 / whether later acts or revocations of keys exist",
      ...(has(NOT_PROVED, c.statement.kind) ? [NOT_PROVED[c.statement.kind]] : [])],
    content: contentOf(c),
  };
}
/** What was proved, for a reader: the fact, who signed it, the shown parts, and the names of those withheld. */
function contentOf(c) {
  const { statement, signatures, at } = c.bundle.fact, fields = Array.isArray(statement.body.fields) ? statement.body.fields : [];
  const parts = c.parts.map((part) => {
    const data = readJson(utf8(part.data)), field = Object.keys(data).sort().join() === "field,salt,value";
    return { index: part.index, name: field ? data.field : "", value: canonicalText(field ? data.value : data) };
  });
  const open = new Set(parts.map((part) => part.index));
  const withheld = fields.filter((name, i) => isText(name) && !open.has(i));
  const signers = signatures.map(({ by, role = "", alg }) => ({ by, role, alg }));
  const supports = c.bundle.supports.map((item) => item.fact.statement);
  const names = Object.fromEntries(supports.filter((each) => isText(each.body.name)).map((each) => [each.subject, each.body.name]));
  return { kind: statement.kind, subject: statement.subject, no: statement.no, at: instant(at), signers, names, parts, withheld,
    count: statement.parts?.count ?? 0, body: canonicalText(statement.body), sha256: hex(c.digest.sha256), sm3: hex(c.digest.sm3) };
}
