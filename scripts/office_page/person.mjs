// A natural person: the identity that follows from a salted commitment, made here and kept in the person's own key file
// (registry/party.py says the same in Python).
import { canonicalText, hex, twin, utf8 } from "../verifier_page/core.mjs";

const TAG = "person-commitment/v1", WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const RESIDENT = "居民身份证";

/** The name where others see it: its first character, and a star for each one more. */
export function maskedName(name) {
  const letters = [...name];
  return letters[0] + "*".repeat(Math.max(1, letters.length - 1));
}
/** Has a number the form, and the check character, of its kind of paper? */
export function numberIsValid(kind, number) {
  if (kind !== RESIDENT) return /^[0-9A-Z()/-]{4,64}$/u.test(number);
  if (!/^[0-9]{17}[0-9X]$/u.test(number)) return false;
  return number[17] === "10X98765432"[WEIGHTS.reduce((sum, weight, place) => sum + weight * Number(number[place]), 0) % 11];
}
/** The commitment {sha256, sm3} of {id_type, id_no, name, salt}. */
export function commitmentOf({ id_no, id_type, name, salt }) {
  const digest = twin(utf8(canonicalText({ id_no, id_type, name, salt, tag: TAG })));
  return { sha256: hex(digest.sha256), sm3: hex(digest.sm3) };
}
/** "party:P…": what the person signs under. */
export const holderOf = (commitment) => `party:P${commitment.sha256.slice(0, 17).toUpperCase()}`;
/** A person with a fresh salt of 256 bits. Throws with words for a person. */
export function newPerson(id_type, id_no, name) {
  if (!numberIsValid(id_type, id_no)) {
    throw new Error("证件号码格式或校验位不正确，请核对证件。 / The identity number has a wrong form or check character.");
  }
  return { id_no, id_type, name, salt: hex(crypto.getRandomValues(new Uint8Array(32))) };
}
