// SM2 keys and signatures (GB/T 32918.2 chapter 6) on noble's curve arithmetic; hashes and checks are the verifier's.
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 as keccak256 } from "@noble/hashes/sha3.js";
import { both, hex, join, number, SM2_CURVE, Sm2Point, sm2Verify, sm3, twin, unhex, utf8, word } from "../verifier_page/core.mjs";

export const SIGNER_ID = "1234567812345678";
const { n, a, b, Gx, Gy } = SM2_CURVE;

/** A uniform number from 1 to below: 48 random bytes leave no bias worth a name. */
function randomBelow(order) {
  return (number(crypto.getRandomValues(new Uint8Array(48))) % (order - 1n)) + 1n;
}
/** 04‖x‖y in hex of a private key (64 hex). Throws unless 1 ≤ d ≤ n − 2. */
export function publicOf(privateHex) {
  const d = number(unhex(privateHex));
  if (privateHex.length !== 64 || d < 1n || d >= n - 1n) throw new Error("不是 SM2 私钥 / not an SM2 private key");
  const { x, y } = Sm2Point.BASE.multiply(d).toAffine();
  return hex(join([4], word(x), word(y)));
}
/** r‖s in hex. The nonce is fresh from the browser's generator; what was made is verified before it leaves. */
export function sign(privateHex, message) {
  const d = number(unhex(privateHex)), publicHex = publicOf(privateHex), identity = utf8(SIGNER_ID);
  const z = sm3(join(word(BigInt(8 * identity.length), 2), identity, ...[a, b, Gx, Gy].map((each) => word(each)), unhex(publicHex).slice(1)));
  const e = number(sm3(join(z, message)));
  for (;;) {
    const k = randomBelow(n), r = (e + Sm2Point.BASE.multiply(k).toAffine().x) % n;
    if (r === 0n || r + k === n) continue;
    const s = (inverse(1n + d) * ((((k - r * d) % n) + n) % n)) % n;
    if (s === 0n) continue;
    const value = join(word(r), word(s));
    if (!sm2Verify(publicHex, message, value, SIGNER_ID)) throw new Error("签名自检失败 / the signature does not verify");
    return hex(value);
  }
}
/** M = SM3("shuqing/⟨kind⟩" ‖ 00 ‖ SHA-256(bytes) ‖ SM3(bytes)), the message every signer signs (decisions D13). */
export function messageOf(kind, bytes) {
  return sm3(join(utf8(`shuqing/${kind}\0`), both(twin(bytes))));
}
/** Fresh keys of one holder, named and written as `shuqing keys new` writes them. */
export function newKeys(by) {
  const d = (number(crypto.getRandomValues(new Uint8Array(48))) % (n - 2n)) + 1n;
  const random = (length) => hex(crypto.getRandomValues(new Uint8Array(length)));
  return { by, ed25519: random(32), evm: hex(secp256k1.utils.randomSecretKey()), sm2: hex(word(d)) };
}
/** The 0x address of a secp256k1 private key. */
export function addressOf(privateHex) {
  return `0x${hex(keccak256(secp256k1.getPublicKey(unhex(privateHex), false).slice(1)).slice(12))}`;
}
function inverse(value) {
  let [low, high, x, y] = [((value % n) + n) % n, n, 1n, 0n];
  while (low > 1n) [low, high, x, y] = [high % low, low, y - (high / low) * x, x];
  return ((x % n) + n) % n;
}
