// The second signature under an act of an agreement: EIP-712 over secp256k1, which the contract checks. The typed
// message is made here from the very bytes that are shown (clearing/market/agreement.py says the same in Python).
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { agreementDigest, evmAddressOf, hex, join, number, unhex } from "../verifier_page/core.mjs";

const ALGORITHM = "eip712-secp256k1";

/** The 32 bytes that the signer in `role` at `address` signs with this nonce, on the chain the statement names. */
export function digestOf(statement, role, address, nonce) {
  const { chain_id, contract } = statement.body.domain;
  const context = { contract: () => contract, trust: { chain: { chain_id } } };
  return agreementDigest(context, statement, { key: address, nonce, role });
}
/** The signature document of `keys` over an act, in a role; what was made is checked before it leaves. */
export function signAct(statement, keys, role, address) {
  if (keys.address !== address) {
    throw new Error(`钥匙的链上地址是 ${keys.address}，合约所列的是 ${address}。 / This key has another address than the act names.`);
  }
  const nonce = number(crypto.getRandomValues(new Uint8Array(32))).toString();
  const digest = digestOf(statement, role, address, nonce);
  const made = secp256k1.sign(digest, unhex(keys.evm), { format: "recovered", prehash: false });
  const value = join(made.slice(1), [27 + made[0]]);
  if (evmAddressOf(digest, value) !== address) throw new Error("链上签名自检失败 / the EIP-712 signature does not verify");
  return { alg: ALGORITHM, by: keys.by, key: address, nonce, role, value: hex(value) };
}
