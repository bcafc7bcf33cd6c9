#!/usr/bin/env python3
# fmt: off
"""Checks one ShuQing proof bundle without trusting whoever made it. 独立核验数清证据包，不依赖其制作者。

    python3 verify_bundle.py BUNDLE --trust TRUST.json (--rpc URL | --head FILE) [--json]

One file, Python 3.9 or later, standard library only, written from the format descriptions; it shares no code with the
software that makes bundles. The steps V01 to V14 are in section 9; the first failure ends the check.
BUNDLE brings no keys: log, witnesses, chain, contracts and identities are those of TRUST.json, which is yours.
--rpc asks a node of yours. --head compares with a head you obtained independently (a signed note, or JSON
{"size","sha256","sm3","time"}); then the chain is not asked: status UNKNOWN, chain.tx and chain.block not checked.
Exit code 0: integrity intact. 1: refused, the step is named. 2: wrong usage, unreadable trust file, head or node.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import time
import unicodedata
import urllib.request
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any


# 1 refusing ----------------------------------------------------------------------------------------------------------
class Refused(Exception):
    """A step failed: its code, what was expected, what was found."""
    def __init__(self, code: str, expected: str, got: object) -> None:
        super().__init__(f"{code}: {shown(expected)}: {shown(got)}")
        self.code, self.expected, self.got = code, shown(expected), shown(got)
class Unusable(Exception):
    """The verifier's own input cannot be used (trust file, head file, node): no verdict, exit code 2."""
def shown(value: object) -> str:
    """A short printable form of anything a stranger may have put into a bundle."""
    text = str(value) if isinstance(value, (str, Exception)) else repr(value)
    return "".join(mark if mark.isprintable() else "?" for mark in text[:200]) + ("…" if len(text) > 200 else "")
def require(holds: bool, code: str, expected: str, got: object) -> None:
    """Raises `Refused` unless the condition holds."""
    if not holds:
        raise Refused(code, expected, got)
BROKEN = (LookupError, TypeError, ValueError, AttributeError, OSError)  # what reading hostile values can raise
@contextmanager
def reading(code: str, expected: str) -> Iterator[None]:
    """What cannot be read is refused with this code, or `Unusable` where the file is the verifier's own (code "")."""
    try:
        yield
    except BROKEN as error:
        why = shown(error if isinstance(error, ValueError) else repr(error))
        raise (Refused(code, expected, why) if code else Unusable(f"{expected}: {why}")) from None

# 2 strict JSON -------------------------------------------------------------------------------------------------------
MAX_BYTES, MAX_DEPTH, MAX_INT = 1024 * 1024, 24, 2**53 - 1
KEY = re.compile(r"[A-Za-z0-9_.:@$/\-]{1,128}")
# Controls, line separators, surrogates, specials, and whatever Unicode calls default ignorable.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-"
    "\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")
def read_json(data: bytes) -> Any:
    """A value of the profile: no null, no fractions, |integer| ≤ 2^53-1, NFC text, no key twice. Raises ValueError."""
    text = data.decode("utf-8")
    marks = re.sub(r'"[^"\\]*(?:\\.[^"\\]*)*"', "", text)  # without its strings: how deep are the brackets?
    if max(accumulate((mark in "[{") - (mark in "]}") for mark in marks), default=0) > MAX_DEPTH + 1:
        refuse("嵌套过深 / nested too deeply")  # before the parser, whose recursion would end in a crash
    value = json.loads(text, parse_int=lambda digits: int(digits[:18]), parse_float=refuse, parse_constant=refuse,
                       object_pairs_hook=members)  # 18 digits are too large already; no chewing on a megabyte of them
    check_profile(value, 0)
    return value
def refuse(what: str) -> Any: raise ValueError(f"不接受 / not accepted: {shown(what)}")
def members(pairs: list) -> dict:
    return dict(pairs) if len(dict(pairs)) == len(pairs) else refuse("键名重复 / duplicate key")
def check_profile(value: Any, depth: int) -> None:
    """Raises ValueError at the first value outside the profile."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    holds = (not FORBIDDEN.search(value) and unicodedata.is_normalized("NFC", value) if isinstance(value, str)
             else all(KEY.fullmatch(key) for key in value) if isinstance(value, dict)
             else isinstance(value, list) or (isinstance(value, int) and abs(value) <= MAX_INT))
    (holds and depth <= MAX_DEPTH) or refuse(repr(value))
    for item in inner:
        check_profile(item, depth + 1)
def canonical(value: Any) -> bytes:
    """The one byte form of a value of the profile (RFC 8785): sorted keys, no white space, raw UTF-8."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
def read_canonical(data: bytes) -> Any:
    """The value of canonical bytes. Raises ValueError."""
    value = read_json(data)
    return value if canonical(value) == data else refuse("键序、空白或转义 / key order, white space or escapes")
def read_base64(text: str) -> bytes:
    """Standard base64 with padding, in the one form an encoder writes. Raises ValueError."""
    value = base64.b64decode(text.encode("ascii"), validate=True)
    return value if base64.b64encode(value).decode() == text else refuse(f"base64: {text}")

# 3 hashes ------------------------------------------------------------------------------------------------------------
def rotate(value: int, count: int, bits: int = 32) -> int:
    count %= bits
    return (value << count | value >> (bits - count)) & (1 << bits) - 1
def words_of(data: bytes) -> list[int]: return [int.from_bytes(data[i : i + 4], "big") for i in range(0, len(data), 4)]
SM3_START = words_of(bytes.fromhex("7380166f4914b2b9172442d7da8a0600a96f30bc163138aae38dee4db0fb0e4e"))
def sm3(data: bytes) -> bytes:
    """SM3, GB/T 32905-2016 chapter 5, as written there."""
    state = SM3_START
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "big")
    for start in range(0, len(padded), 64):
        state = sm3_block(state, padded[start : start + 64])
    return b"".join(word.to_bytes(4, "big") for word in state)
def sm3_block(state: list[int], block: bytes) -> list[int]:
    w = words_of(block)
    for j in range(16, 68):
        mixed = w[j - 16] ^ w[j - 9] ^ rotate(w[j - 3], 15)
        mixed ^= rotate(mixed, 15) ^ rotate(mixed, 23)  # P1
        w.append(mixed ^ rotate(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        constant = 0x79CC4519 if j < 16 else 0x7A879D8A
        ss1 = rotate((rotate(a, 12) + e + rotate(constant, j)) & 0xFFFFFFFF, 7)
        ss2 = ss1 ^ rotate(a, 12)
        ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
        gg = e ^ f ^ g if j < 16 else e & f | ~e & g
        tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) & 0xFFFFFFFF
        tt2 = (gg + h + ss1 + w[j]) & 0xFFFFFFFF
        a, b, c, d = tt1, a, rotate(b, 9), c
        e, f, g, h = tt2 ^ rotate(tt2, 9) ^ rotate(tt2, 17), e, rotate(f, 19), g  # P0
    return [state[i] ^ word for i, word in enumerate((a, b, c, d, e, f, g, h))]
def sha256(data: bytes) -> bytes: return hashlib.sha256(data).digest()
def twin(data: bytes) -> Twin: return Twin(sha256(data), sm3(data))
Twin = namedtuple("Twin", "sha256 sm3")  # both digests of the same bytes
ZERO, NO_TWIN = Twin(bytes(32), bytes(32)), {"sha256": "0" * 64, "sm3": "0" * 64}
def read_twin(value: dict, code: str, where: str) -> Twin:
    """{"sha256": 64 hex, "sm3": 64 hex}; a missing side is refused."""
    for side in ("sha256", "sm3"):
        require(side in value, code, f"{where}.{side}", "缺少一侧摘要 / this side is missing")
        form = code if code != "V04" else "V03"
        require(bool(HEX64.fullmatch(value[side])), form, f"{where}.{side}: 64 hex", value[side])
    return Twin(bytes.fromhex(value["sha256"]), bytes.fromhex(value["sm3"]))
KECCAK_ROUNDS = (
    0x1, 0x8082, 0x800000000000808A, 0x8000000080008000, 0x808B, 0x80000001, 0x8000000080008081, 0x8000000000008009,
    0x8A, 0x88, 0x80008009, 0x8000000A, 0x8000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x800A, 0x800000008000000A, 0x8000000080008081, 0x8000000000008080,
    0x80000001, 0x8000000080008008)
def keccak256(data: bytes) -> bytes:
    """Keccak-256 with the original padding 0x01, as Ethereum uses it (not SHA3-256)."""
    rate = 136
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % rate))
    padded[-1] |= 0x80
    lanes = [0] * 25  # lane (x, y) at x + 5y
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            lanes[i] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        for constant in KECCAK_ROUNDS:
            lanes = keccak_round(lanes, constant)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
def keccak_round(a: list[int], constant: int) -> list[int]:
    column = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]  # theta
    a = [a[i] ^ column[(i + 4) % 5] ^ rotate(column[(i + 1) % 5], 1, 64) for i in range(25)]
    x, y, current = 1, 0, a[1]
    for t in range(24):  # rho and pi
        x, y = y, (2 * x + 3 * y) % 5
        current, a[x + 5 * y] = a[x + 5 * y], rotate(current, (t + 1) * (t + 2) // 2, 64)
    rows = [a[5 * row : 5 * row + 5] for row in range(5)]  # chi
    a = [rows[y][x] ^ ~rows[y][(x + 1) % 5] & rows[y][(x + 2) % 5] for y in range(5) for x in range(5)]
    a[0] ^= constant  # iota
    return a

# 4 signatures --------------------------------------------------------------------------------------------------------
class Curve(namedtuple("Curve", "p a b n gx gy")):
    """y² = x³ + ax + b over p, with generator (gx, gy) of prime order n. A point is (x, y), or None at infinity."""
    def holds(self, x: int, y: int) -> bool:
        return 0 <= x < self.p and 0 <= y < self.p and (y * y - x * x * x - self.a * x - self.b) % self.p == 0
    def add(self, left: tuple | None, right: tuple | None) -> tuple | None:
        if left is None or right is None:
            return left or right
        (x1, y1), (x2, y2) = left, right
        if x1 == x2 and (y1 + y2) % self.p == 0:
            return None
        top, bottom = (3 * x1 * x1 + self.a, 2 * y1) if left == right else (y2 - y1, x2 - x1)
        slope = top * pow(bottom, -1, self.p)
        x3 = (slope * slope - x1 - x2) % self.p
        return x3, (slope * (x1 - x3) - y1) % self.p
    def combine(self, u: int, v: int, point: tuple | None) -> tuple | None:
        """u·G + v·point, both scalars walked together."""
        table, result = (None, self[4:], point, self.add(self[4:], point)), None
        for bit in range(255, -1, -1):
            result = self.add(result, result)
            result = self.add(result, table[(u >> bit & 1) | (v >> bit & 1) << 1])
        return result
SM2_CURVE = Curve(2**256 - 2**224 - 2**96 + 2**64 - 1, 2**256 - 2**224 - 2**96 + 2**64 - 4,
    0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)
EVM_CURVE = Curve(2**256 - 2**32 - 977, 0, 7, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
def sm2_verify(public: str, message: bytes, value: bytes, signer_id: str) -> bool:
    """GB/T 32918.2 chapter 7; public 04‖x‖y in hex, value r‖s. Z binds signer id, curve and key (5.5)."""
    c, key, identity = SM2_CURVE, bytes.fromhex(public), signer_id.encode()
    if len(key) != 65 or key[0] != 4 or len(value) != 64 or not 0 < len(identity) < 8192:
        return False
    x, y = int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big")
    r, s = int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")
    if not c.holds(x, y) or not (0 < r < c.n and 0 < s < c.n) or (r + s) % c.n == 0:
        return False
    parameters = b"".join(number.to_bytes(32, "big") for number in (c.a, c.b, c.gx, c.gy))
    z = sm3((8 * len(identity)).to_bytes(2, "big") + identity + parameters + key[1:])
    e = int.from_bytes(sm3(z + message), "big")
    point = c.combine(s, (r + s) % c.n, (x, y))
    return point is not None and (e + point[0]) % c.n == r
def evm_address_of(digest: bytes, value: bytes) -> str:
    """The 0x address whose key signed the 32-byte digest (r‖s‖v, low s, v 27 or 28), or "" if there is none."""
    c = EVM_CURVE
    if len(value) != 65 or value[64] not in (27, 28):
        return ""
    r, s, e = int.from_bytes(value[:32], "big"), int.from_bytes(value[32:64], "big"), int.from_bytes(digest, "big")
    y = pow(r * r * r + 7, (c.p + 1) // 4, c.p)
    if not (0 < r < c.n and 0 < s <= c.n // 2 and c.holds(r, y)):
        return ""
    y = y if y & 1 == value[64] - 27 else c.p - y
    inverse = pow(r, -1, c.n)
    key = c.combine(-e * inverse % c.n, s * inverse % c.n, (r, y))
    return "0x" + keccak256(b"".join(number.to_bytes(32, "big") for number in key))[12:].hex() if key else ""
ED_P, ED_L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P
def ed_add(left: tuple, right: tuple) -> tuple:
    """RFC 8032 section 5.1.4, extended coordinates (X, Y, Z, T)."""
    a = (left[1] - left[0]) * (right[1] - right[0]) % ED_P
    b = (left[1] + left[0]) * (right[1] + right[0]) % ED_P
    c = 2 * left[3] * right[3] * ED_D % ED_P
    d = 2 * left[2] * right[2] % ED_P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % ED_P, g * h % ED_P, f * g % ED_P, e * h % ED_P
def ed_decode(encoded: bytes) -> tuple | None:
    """The point of 32 bytes, or None. Only canonical encodings: y < p, and no sign on x = 0."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    square = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_P) % ED_P
    x = pow(square, (ED_P + 3) // 8, ED_P)
    if (x * x - square) % ED_P:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    if y >= ED_P or (x * x - square) % ED_P or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else ED_P - x
    return x, y, 1, x * y % ED_P
ED_BASE = ed_decode((4 * pow(5, -1, ED_P) % ED_P).to_bytes(32, "little")) or ()
def ed25519_verify(public: bytes, message: bytes, value: bytes) -> bool:
    """RFC 8032 section 5.1.7 without cofactor: s < L, and R is exactly the encoding of [s]B - [k]A."""
    key = ed_decode(public) if len(public) == 32 and len(value) == 64 else None
    s = int.from_bytes(value[32:], "little")
    if key is None or s >= ED_L:
        return False
    k = int.from_bytes(hashlib.sha512(value[:32] + public + message).digest(), "little") % ED_L
    neutral, minus = (0, 1, 1, 0), (ED_P - key[0], key[1], 1, ED_P - key[3])
    table, result = (neutral, ED_BASE, minus, ed_add(ED_BASE, minus)), neutral
    for bit in range(252, -1, -1):
        result = ed_add(result, result)
        result = ed_add(result, table[(s >> bit & 1) | (k >> bit & 1) << 1])
    inverse = pow(result[2], -1, ED_P)
    x, y = result[0] * inverse % ED_P, result[1] * inverse % ED_P
    return (y | (x & 1) << 255).to_bytes(32, "little") == value[:32]

# 5 tree and head -----------------------------------------------------------------------------------------------------
def root_of_path(hasher: Callable, leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2; None if a path of this length cannot belong to (index, size)."""
    if not 0 <= index < size:
        return None
    fn, sn, result = index, size - 1, hasher(b"\x00" + leaf)
    for sibling in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            result = hasher(b"\x01" + sibling + result)
            while fn & 1 == 0 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = hasher(b"\x01" + result + sibling)
        fn, sn = fn >> 1, sn >> 1
    return result if sn == 0 else None
NOTE_NAME = re.compile(r"[!-*,-~]{1,128}")
NOTE_ROWS = (NOTE_NAME, *map(re.compile, (
    "0|[1-9][0-9]{0,15}", "[A-Za-z0-9+/]{43}=", "sm3 [A-Za-z0-9+/]{43}=", "time (0|[1-9][0-9]{0,15})")))
# A checkpoint of the log: `text` is what was signed, `lines` maps (name, key id) to what that key wrote.
Head = namedtuple("Head", "origin size root time text lines")
def read_head(rows: list[str]) -> Head:
    """The signed note split at line feeds: five lines, an empty one, signature lines, "". Raises ValueError."""
    if not 8 <= len(rows) <= 71 or rows[5] or rows[-1]:
        refuse("应为 5 行正文、空行、签名行、结尾换行 / 5 lines, an empty line, signature lines, final LF expected")
    for i, pattern in enumerate(NOTE_ROWS):
        pattern.fullmatch(rows[i]) or refuse(f"检查点第 {i + 1} 行 / line {i + 1} of the checkpoint: {rows[i]}")
    lines = {}
    for row in rows[6:-1]:  # — name base64(key id ‖ value)
        dash, name, encoded = row.split(" ") if row.count(" ") == 2 else ("", "", "")
        value = read_base64(encoded)
        if dash != "—" or not NOTE_NAME.fullmatch(name) or len(value) < 5 or (name, value[:4]) in lines:
            refuse(f"签名行 / signature line: {row}")
        lines[name, value[:4]] = value[4:]
    root = Twin(read_base64(rows[2]), read_base64(rows[3][4:]))
    return Head(rows[0], int(rows[1]), root, int(rows[4][5:]), "\n".join([*rows[:5], ""]).encode(), lines)
def line_of(head: Head, name: str, algorithm: bytes, public: str) -> bytes:
    """What this key wrote under the head, b"" if nothing. Lines of unknown keys are ignored, as C2SP asks."""
    return head.lines.get((name, sha256(name.encode() + b"\n" + algorithm + bytes.fromhex(public))[:4]), b"")
def check_head(head: Head, trust: dict, code: str) -> dict[str, int]:
    """Both log signatures and k distinct witnesses; answers witness name → time. Raises `Refused` with `code`."""
    name, log = trust["origin"], trust["log"]
    require(head.origin == name, code, f"origin {name}", head.origin)
    edwards, sm2 = line_of(head, name, b"\x01", log["ed25519"]), line_of(head, name, b"\xffsm2", log["sm2"])
    good = ed25519_verify(bytes.fromhex(log["ed25519"]), head.text, edwards)
    require(good, code, "日志 Ed25519 签名 / the log's Ed25519 signature", "无效 invalid" if edwards else "缺 missing")
    good = sm2_verify(log["sm2"], sm3(b"shuqing/checkpoint/v1\x00" + head.text), sm2, "1234567812345678")
    require(good, code, "日志 SM2 签名 / the log's SM2 signature", "无效 invalid" if sm2 else "缺 missing")
    times = {}
    for witness, public in sorted(trust["witnesses"]["keys"].items()):
        value = line_of(head, witness, b"\x04", public)
        if value:
            times[witness] = int.from_bytes(value[:8], "big")
            signed = b"cosignature/v1\ntime %d\n" % times[witness] + head.text
            good = ed25519_verify(bytes.fromhex(public), signed, value[8:])
            require(good, code, f"{witness} 的见证签名 / its cosignature", "无效 / invalid")
    least = trust["witnesses"]["k"]
    require(len(times) >= least, code, f"≥ {least} 个不同见证方 / distinct witnesses", f"{len(times)} {list(times)}")
    return times

# 6 Ethereum ----------------------------------------------------------------------------------------------------------
def abi_word(kind: str, value: Any) -> bytes:
    """One 32-byte word of a static ABI type: uintN from int, address from 0x text, bytesN. Raises ValueError."""
    if kind.startswith("uint"):
        good = type(value) is int and 0 <= value < 1 << int(kind[4:])
        return value.to_bytes(32, "big") if good else refuse(f"{kind}: {value}")
    data = bytes.fromhex(value[2:]) if kind == "address" else value
    len(data) == (20 if kind == "address" else int(kind[5:])) or refuse(f"{kind}: {len(data)} 字节 / bytes")
    return data.rjust(32, b"\0") if kind == "address" else data.ljust(32, b"\0")
def abi_words(kinds: str, *values: Any) -> bytes:
    """Static values side by side, e.g. abi_words("uint64,bytes32", 1, root)."""
    return b"".join(abi_word(kind, values[i]) for i, kind in enumerate(kinds.split(",")))
def struct_hash(type_: str, *values: Any) -> bytes:
    """EIP-712 hashStruct of a struct of one-word fields; `type_` is its encodeType, values in its order."""
    kinds = ",".join(field.split(" ")[0] for field in type_[type_.index("(") + 1 : -1].split(","))
    return keccak256(keccak256(type_.encode()) + abi_words(kinds, *values))
def typed_digest(name: str, chain_id: int, contract: str, struct: bytes) -> bytes:
    """EIP-712: keccak256(19 01 ‖ domain separator ‖ hashStruct), domain version "1"."""
    type_ = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    names = keccak256(type_) + keccak256(name.encode()) + keccak256(b"1")
    return keccak256(b"\x19\x01" + keccak256(names + abi_words("uint256,address", chain_id, contract)) + struct)
class Node:
    """A node of the verifier's choice, asked by JSON-RPC; any failure to answer is `Unusable`, never a verdict."""
    def __init__(self, url: str, timeout: float = 10.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise Unusable(f"--rpc 应为 http(s) 地址 / expected an http(s) address: {shown(url)}")
        self.url, self.timeout = url, timeout
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # nobody in between
    def ask_json(self, method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        try:
            request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
            with self.opener.open(request, timeout=self.timeout) as answer:
                return json.loads(answer.read(4 * MAX_BYTES))["result"]
        except Exception as error:  # sockets, HTTP, JSON raise their own families; none is a verdict
            raise Unusable(f"节点没有可用的回答 / no usable answer of the node to {method}: {shown(error)}") from None
    def ask(self, method: str, *params: Any) -> bytes:
        answer = self.ask_json(method, *params)
        with reading("", f"节点没有可用的回答 / no usable answer of the node to {method}"):
            return bytes.fromhex("0" * (len(answer) % 2) + answer[2:])
    def call(self, address: str, function: str, count: int, *values: Any) -> list[bytes]:
        """The `count` words a view function answers; `function` is its signature, e.g. "commitmentAt(uint64)"."""
        data = keccak256(function.encode())[:4] + abi_words(function[function.index("(") + 1 : -1], *values)
        answer = self.ask("eth_call", {"to": address, "data": "0x" + data.hex()}, "latest")
        if len(answer) != 32 * count:
            raise Unusable(f"{function}: 应答 {count} × 32 字节 / answer of {count} × 32 bytes ≠ {len(answer)}")
        return [answer[i : i + 32] for i in range(0, len(answer), 32)]

# 7 self-test ---------------------------------------------------------------------------------------------------------
def self_test() -> None:
    """Known answers of every algorithm before anything else is believed. Raises `Unusable`."""
    sm2_key = ("0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"  # GB/T 32918.5-2017 annex A.2
               "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13")
    sm2_value = read_base64("9aA7BkjSxGMO6sUT4buBoVlE2jgn1bdBQ6x+rO7nILOxtqop3yEv2HYxgrwNQhyhu5A4/R9/QtSEC2nEhbvBqg==")
    ed_key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")  # RFC 8032 7.1 TEST 2
    ed_value = read_base64("kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA==")
    mail = bytes.fromhex("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")  # EIP-712, its example
    content = bytes.fromhex("c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e")
    mail_value = read_base64("Q1XEfWOSTopy5Qm2UCkFLrbCmdU6BOFnxXdf1GZ1HJ0HKZk20wTBU/ZEPfoF9A/wB9cpEbb3Iwf5liMWBbkVYhw=")
    h = [sha256(bytes([0, i])) for i in range(3)]  # RFC 9162 2.1.5: three leaves, the third proved by both others
    left = sha256(b"\x01" + h[0] + h[1])
    checks = {"SHA-256": sha256(b"abc").hex().startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"),
        "SM3": sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
        "Keccak": keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
        "SM2": sm2_verify(sm2_key, b"message digest", sm2_value, "1234567812345678"),
        "Ed25519": ed25519_verify(ed_key, b"\x72", ed_value) and not ed25519_verify(ed_key, b"\x73", ed_value),
        "EIP-712": typed_digest("Ether Mail", 1, "0x" + "cc" * 20, content) == mail,
        "secp256k1": evm_address_of(mail, mail_value) == "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826",
        "RFC 9162": root_of_path(sha256, b"\x02", 2, 3, [left]) == sha256(b"\x01" + left + h[2])}
    for name, holds in checks.items():
        if not holds:
            raise Unusable(f"自检失败，本机不可用于核验 / self-test failed, this machine cannot verify: {name}")

# 8 trust file and shapes ---------------------------------------------------------------------------------------------
text = re.compile
HEX64, SM2_KEY, ADDRESS, FIELD = map(text, ("[0-9a-f]{64}", "04[0-9a-f]{128}", "0x[0-9a-fA-F]{40}", "[a-z_]{1,40}"))
KIND, SUBJECT = text("[a-z][a-z0-9-]{0,62}/v[1-9][0-9]?"), text("[a-z][a-z0-9-]{0,30}:[A-Za-z0-9:._-]{1,200}")
SM2, EVM = "sm2-sm3", "eip712-secp256k1"
# Which fields there are, of which type (V01). A missing side of a twin is a finding of V04.
TWIN = {"sha256?": str, "sm3?": str}
SIGNATURE = {"alg": str, "by": str, "key": str, "value": str, "role?": str, "signer_id?": str, "nonce?": str}
PARTS = {"count": int, "root": TWIN}
STATEMENT = {"body": dict, "kind": str, "no": int, "subject": str, "prev?": TWIN, "parts?": PARTS}
FACT = {"at": int, "salt": str, "signatures": [SIGNATURE], "statement": STATEMENT}
PROVED = {"fact": FACT, "entry": {"index": int, "path": TWIN}}
PLACE = {"chain_id": int, "contract": text("0x[0-9a-f]{40}"), "tx": text("0x[0-9a-f]{64}"), "block": int}
BUNDLE = {"format": text("shuqing-bundle/v1"), **PROVED, "parts?": [{"data": str, "index": int, "path": TWIN}],
    "supports": [PROVED], "head": {"note": [str]}, "chain": PLACE}
# What their text looks like (V03).
SIGNATURE_FORM = {SM2: {"key": SM2_KEY, "value": text("[0-9a-f]{128}"), "signer_id": text(".{1,64}")},
    EVM: {"key": ADDRESS, "value": text("[0-9a-f]{130}"), "nonce": text("0|[1-9][0-9]{0,77}")}}
CONTRACT = {"address": ADDRESS, "code_keccak256": text("0x[0-9a-f]{64}")}
DEMAND = "(?:(?:role|by|each|one|any):[A-Za-z0-9:._{}|-]+|(?:the|staff):[A-Za-z0-9:._{}|-]+@[a-z_|-]+)"
RULE = text(f"(?:[a-z_]+=[A-Za-z0-9_|-]+ )?{DEMAND}(?: or {DEMAND})*")
PERSON = {"sm2": SM2_KEY, "evm?": ADDRESS, "roles?": [str]}
TRUST = {"format": text("shuqing-trust/v1"), "made_at": int, "origin": NOTE_NAME,
    "log": {"name": str, "ed25519": HEX64, "sm2": SM2_KEY}, "witnesses": {"k": int, "keys": {"*": HEX64}},
    "chain": {"chain_id": int, "contracts": {"*": CONTRACT}}, "identities": {"*": PERSON},
    "required": {"*": [RULE]}, "vouchers": {"*": text("role:.+|body:.+")}}
def conform(value: Any, shape: Any, where: str) -> None:
    """Raises ValueError unless the value has the shape ("?" optional, "*" any name); integers are not negative."""
    kind = {re.Pattern: str, range: int}.get(type(shape), shape if isinstance(shape, type) else type(shape))
    fits = type(value) is kind and (kind is not int or value in (shape if type(shape) is range else range(2**53)))
    if not fits or (isinstance(shape, re.Pattern) and not shape.fullmatch(value)):
        refuse(f"{where}: {getattr(shape, 'pattern', kind.__name__)} ≠ {shown(value)}")
    if isinstance(shape, list):
        for position, item in enumerate(value):
            conform(item, shape[0], f"{where}[{position}]")
    elif isinstance(shape, dict):
        for name in value:
            inner = shape.get(name, shape.get(name + "?", shape.get("*")))
            conform(value[name], inner or refuse(f"{where}.{name}: 未知字段 / unknown field"), f"{where}.{name}")
        for name in shape:
            name in value or name[-1] in "?*" or refuse(f"{where}.{name}: 缺失 / missing")
def read_trust(data: bytes) -> dict:
    """The verifier's own trust file. Raises `Unusable`: without trust there is no verdict."""
    with reading("", "信任文件不可用 / the trust file cannot be used"):
        trust = read_json(data)
        conform(trust, TRUST, "trust")
        keys = list(trust["witnesses"]["keys"].values())
        if trust["log"]["name"] != trust["origin"] or "EvidenceLog" not in trust["chain"]["contracts"]:
            refuse("log.name ≠ origin, chain.contracts.EvidenceLog")
        if len(set(keys)) != len(keys) or not 1 <= trust["witnesses"]["k"] <= len(keys):
            refuse("witnesses: 1 ≤ k ≤ n, 密钥各不相同 / distinct keys")
    return trust
def read_given(data: bytes, trust: dict) -> tuple:
    """(size, sha256, sm3, time) of --head: a note (its signatures are checked too) or JSON of the four values."""
    with reading("", "--head 文件不可用 / the head file cannot be used"):
        if data.lstrip()[:1] == b"{":
            value = read_json(data)
            conform(value, {"size": int, "sha256": HEX64, "sm3": HEX64, "time": int}, "head")
            return value["size"], value["sha256"], value["sm3"], value["time"]
        head = read_head(data.decode("utf-8").split("\n"))
    check_head(head, trust, "V10")
    return head.size, head.root.sha256.hex(), head.root.sm3.hex(), head.time

# 9 the steps ---------------------------------------------------------------------------------------------------------
SKEW = 300  # seconds by which the clocks of intake, log and witnesses may differ
class Case:
    """What the steps share. Either `node` is asked or `given`, the independent head, is compared."""
    def __init__(self, data: bytes, trust: dict, node: Node | None, given: tuple | None) -> None:
        self.data, self.trust, self.node, self.given = data, trust, node, given
        self.bundle, self.statement = {}, {}  # the document, and the statement of the fact that is proved
        self.items: list[dict] = []  # {"fact", "entry"}: the bundle itself, then its supports
        self.parts: list[dict] = []  # the parts shown
        self.messages: list[bytes] = []  # what each signature of each item must be over
        self.head, self.witnesses = Head("", 0, ZERO, 0, b"", {}), {}
        self.roles: dict[str, set] = {}  # of each signer whose keys are accepted
        self.vouchers: dict[str, set] = {}  # who vouched for a signer that the trust file does not name
        self.status = ("UNKNOWN", "未询问链 / the chain was not asked", 0)  # code, words, as of (0: of the head)
    def contract(self, name: str, code: str) -> str:
        known = self.trust["chain"]["contracts"]
        require(name in known, code, f"信任文件中的合约 / a contract of the trust file: {name}", list(known))
        return known[name]["address"].lower()
    def holders(self, roles: str) -> set[str]:  # "R|R…": whom the trust file names with one of them
        known = self.trust["identities"].items()
        return {name for name, person in known if set(roles.split("|")) & set(person.get("roles", []))}
def v01_parse(case: Case) -> str:
    require(len(case.data) <= MAX_BYTES, "V01", f"≤ {MAX_BYTES} 字节 / bytes", "更大 / larger")
    with reading("V01", "shuqing-bundle/v1 的规范 JSON / canonical JSON of this format"):
        case.bundle = read_canonical(case.data[:-1] if case.data.endswith(b"\n") else case.data)
        conform(case.bundle, BUNDLE, "bundle")
    case.items, case.parts = [case.bundle, *case.bundle["supports"]], case.bundle.get("parts", [])
    case.statement = case.bundle["fact"]["statement"]
    rows = [[part["index"] for part in case.parts], [item["entry"]["index"] for item in case.items[1:]]]
    good = case.bundle.get("parts") != [] and len(rows[1]) <= 32 and all(row == sorted(set(row)) for row in rows)
    require(good, "V01", "parts ≥ 1, supports ≤ 32, 升序、各一次 / ascending, each once", rows)
    return f"{len(case.data)} 字节 / bytes"
def v02_trust(case: Case) -> str:
    origin = (case.bundle["head"]["note"] or [""])[0]
    require(origin == case.trust["origin"], "V02", f"日志 / log {case.trust['origin']}", origin)
    return f"{origin}; {instant(case.trust['made_at'])}"
def v03_form(case: Case) -> str:
    count = case.statement.get("parts", {"count": 0})["count"]
    with reading("V03", "形式完整的陈述、签名、身份事实 / well-formed statement, signatures, supports"):
        for item in case.items:
            check_fact(item["fact"]["statement"], item["fact"]["signatures"])
            conform(item["fact"]["salt"], HEX64, "salt")
        for support in case.items[1:]:
            statement, others = support["fact"]["statement"], [item for item in case.items if item is not support]
            if f"{statement['subject'].partition(':')[0]}/v1" != statement["kind"] or not any(
                    s["by"] == statement["subject"] for item in others for s in item["fact"]["signatures"]):
                refuse(f"{statement['subject']} 不是签署者的身份事实 / not the identity of a signer")
            conform(statement["kind"], text("|".join(case.trust["vouchers"])), "kind")
        not case.parts or case.parts[-1]["index"] < count or refuse(f"part {case.parts[-1]['index']} ≥ {count}")
    return f"{case.statement['kind']} {case.statement['subject']} № {case.statement['no']}"
def check_fact(statement: dict, signatures: list) -> None:
    conform(statement["kind"], KIND, "statement.kind")
    conform(statement["subject"], SUBJECT, "statement.subject")
    if ("prev" in statement) != (statement["no"] > 0) or statement.get("parts", {"count": 1})["count"] < 1:
        refuse(f"no {statement['no']}: prev 当且仅当 no > 0; parts.count ≥ 1 / prev exactly when no > 0")
    for signature in signatures:
        form = SIGNATURE_FORM.get(signature["alg"], {"key": text("(?!)")})
        conform(signature, {"alg": str, "by": SUBJECT, **form, "role?": text(".{1,64}")}, "signature")
    places = {(s["alg"], s["by"], s.get("role")) for s in signatures}
    1 <= len(signatures) == len(places) <= 64 or refuse("signatures: 1…64, 每人每角色每算法一个 / each once")
def v04_digests(case: Case) -> str:
    for item in case.items:
        statement = item["fact"]["statement"]
        read_twin(statement.get("prev", NO_TWIN), "V04", "prev")
        read_twin(statement.get("parts", {"root": NO_TWIN})["root"], "V04", "parts.root")
        read_path(item["entry"]["path"], "entry.path")
    for part in case.parts:
        read_path(part["path"], "parts.path")
    digest = twin(canonical(case.bundle["fact"]))
    return f"SHA-256 {digest.sha256.hex()} SM3 {digest.sm3.hex()}"
def read_path(value: dict, where: str) -> list[list[bytes]]:
    """Both sides of an inclusion path, each a list of 32-byte hashes, nearest sibling first."""
    sides = []
    for side in ("sha256", "sm3"):
        require(side in value, "V04", f"{where}.{side}", "缺少一侧 / this side is missing")
        with reading("V03", f"{where}.{side}: base64"):
            data = read_base64(value[side])
        require(len(data) % 32 == 0 and len(data) <= 64 * 32, "V03", f"{where}.{side}: n × 32", len(data))
        sides.append([data[i : i + 32] for i in range(0, len(data), 32)])
    require(len(sides[0]) == len(sides[1]), "V04", f"{where}: 两侧等长 / equal sides", [len(side) for side in sides])
    return sides
def v05_messages(case: Case) -> str:
    structs = {"agreement-act/v1": agreement_digest, "cycle-closed/v1": close_digest}  # kinds that have one
    for item in case.items:
        statement, signatures = item["fact"]["statement"], item["fact"]["signatures"]
        plain = sm3(b"shuqing/" + statement["kind"].encode() + b"\x00" + b"".join(twin(canonical(statement))))
        with reading("V05", f"可重建的 EIP-712 结构 / an EIP-712 struct that can be rebuilt: {statement['kind']}"):
            for s in signatures:
                case.messages.append(plain if s["alg"] == SM2 else structs[statement["kind"]](case, statement, s))
    return f"{len(case.messages)} 条 / messages"
AGREEMENT_ACT = ("AgreementAct(bytes32 agreementId,bytes32 negotiationId,uint32 revision,uint8 act,uint8 fromState,"
    "uint8 toState,uint8 role,address signer,bytes32 signersHash,bytes32 termsSha256,bytes32 termsSm3,"
    "bytes32 actSha256,bytes32 actSm3,bytes32 prevActSha256,bytes32 prevActSm3,bytes32 groundSha256,bytes32 groundSm3,"
    "uint256 nonce,uint64 deadline)")
CYCLE_CLOSE = ("CycleClose(bytes32 operatorId,bytes32 cycle,bytes3 currency,bytes32 rootSha256,bytes32 rootSm3,"
    "bytes32 totalsCommitment,uint64 closedAt,address auditor,uint64 deadline)")
CLOSE_FIELDS = tuple(names.split() for names in (
    "auditor closed_at currency cycle deadline name operator operator_id root_sha256 root_sm3 statements totals "
    "totals_commitment", "gross money_in money_out net netted salt shared suspense"))
STATES = ("NONE", "PENDING", "EFFECTIVE", "SUSPENDED", "EXPIRED", "COMPLETED", "TERMINATED", "RESCINDED", "VOID")
ACTS = ("", "CONCLUDE", "ACTIVATE", "AMEND", "SUSPEND", "RESUME", "TERMINATE", "RESCIND", "VOID", "COMPLETE", "EXPIRE")
ROLES = {"PROVIDER": 1, "CONSUMER": 2, "DEVELOPER": 3, "OPERATOR": 4, "BROKER": 5, "SERVICE": 6, "AUTHORITY": 9}
SIGNER = {"role": text("[A-Z]+"), "party": str, "address": text("0x[0-9a-f]{40}")}
ACT_BODY = {"subject": text("agreement:[0-9a-f]{64}"), "act": text("|".join(ACTS[1:])),
    "from_state": text("|".join(STATES)), "to_state": text("|".join(STATES)), "revision": int,
    "negotiation_id": HEX64, "signers": [SIGNER], "authority?": SIGNER, "deadline": int,
    "domain": {"chain_id": int, "contract": text("0x[0-9a-f]{40}")}, "terms_digest": TWIN, "fields?": [FIELD],
    "ground?": {"kind": text("agreed|statutory|decision"), "text": str, "salt": HEX64, "document?": TWIN}}
def agreement_digest(case: Case, statement: dict, signature: dict) -> bytes:
    body, signers = statement["body"], statement["body"]["signers"]
    conform({**body, "subject": statement["subject"]}, ACT_BODY, "body")
    listed, decides = [(ROLES[item["role"]], item["address"]) for item in signers], body.get("authority", signers[0])
    good = body["revision"] and 2 <= len(signers) <= 16 and listed == sorted(listed)
    mine = ROLES[signature["role"]], signature["key"].lower()
    good = good and mine in [*listed, (ROLES[decides["role"]], decides["address"])]
    good or refuse(f"revision ≥ 1, 2…16 个已排序的签署方及其一 / sorted signers, one of them: {mine}")
    wanted = (case.trust["chain"]["chain_id"], case.contract("AgreementRegistry", "V05"))
    place = (body["domain"]["chain_id"], body["domain"]["contract"].lower())
    require(place == wanted, "V05", f"链与合约 / chain and contract {wanted}", place)
    return typed_digest("ShuQing Agreement", *wanted, struct_hash(AGREEMENT_ACT,
        bytes.fromhex(statement["subject"].partition(":")[2]), bytes.fromhex(body["negotiation_id"]), body["revision"],
        ACTS.index(body["act"]), STATES.index(body["from_state"]), STATES.index(body["to_state"]),
        ROLES[signature["role"]], signature["key"], signers_hash(signers),
        *read_twin(body["terms_digest"], "V05", "terms_digest"), *twin(canonical(statement)),
        *read_twin(statement.get("prev", NO_TWIN), "V05", "prev"),
        *(twin(canonical(body["ground"])) if "ground" in body else ZERO), int(signature["nonce"]), body["deadline"]))
def signers_hash(signers: list) -> bytes:
    listed = b"".join(abi_words("uint8,address", ROLES[item["role"]], item["address"]) for item in signers)
    return keccak256(abi_words("uint256,uint256", 32, len(signers)) + listed)
def close_digest(case: Case, statement: dict, signature: dict) -> bytes:
    place, body = (case.trust["chain"]["chain_id"], case.contract("SettlementBook", "V05")), statement["body"]
    (sorted(body), sorted(body["totals"])) == CLOSE_FIELDS or refuse(f"body: {sorted(body)} {sorted(body['totals'])}")
    return typed_digest("ShuQing Settlement", *place, struct_hash(CYCLE_CLOSE, *close_values(body)))
def close_values(body: dict) -> tuple:
    """The fields of CycleClose in order; `name` is the cycle's name on the chain."""
    operator, *digests = [bytes.fromhex(HEX64.fullmatch(body[field])[0]) for field in (  # in their one writing
        "operator_id", "root_sha256", "root_sm3", "totals_commitment")]
    return (operator, body["name"].encode("ascii").ljust(32, b"\0"), body["currency"].encode("ascii"), *digests,
        body["closed_at"], SIGNER["address"].fullmatch(body["auditor"])[0], body["deadline"])
def v06_signatures(case: Case) -> str:
    pairs = list(zip([s for item in case.items for s in item["fact"]["signatures"]], case.messages))  # noqa: B905
    for s, message in pairs:
        value = bytes.fromhex(s["value"])
        good = (sm2_verify(s["key"], message, value, s["signer_id"]) if s["alg"] == SM2
                else evm_address_of(message, value) == s["key"].lower())
        require(good, "V06", f"{s['by']} 的有效 {s['alg']} 签名 / a valid signature", "与内容或公钥不符 / does not fit")
    accepted = accepted_keys(case)
    for s, _ in pairs:
        require(owned(s) in accepted, "V06", f"{s['by']} 的受信公钥 / an accepted key", f"{s['alg']} {s['key']}")
    return f"{len(pairs)} 个签名 / signatures, {len(case.items) - 1} 个身份事实 / identity facts"
def owned(signature: dict) -> tuple: return signature["by"], signature["alg"], signature["key"].lower()
def accepted_keys(case: Case) -> set[tuple]:
    """(signer, algorithm, key) of the trust file, which alone speaks for its names, then of vouched identity facts."""
    accepted: set[tuple] = set()
    known, facts = case.trust["identities"], [item["fact"] for item in case.items]
    waiting = [fact for fact in facts if fact["statement"]["kind"] in case.trust["vouchers"]
               and fact["statement"]["subject"] not in known]
    found = list(known.items())
    while found:
        for name, body in found:
            accepted |= {(name, SM2, str(body.get("sm2")).lower()), (name, EVM, str(body.get("evm")).lower())}
            roles = body.get("roles", [])
            case.roles[name] = {role for role in (roles if isinstance(roles, list) else []) if isinstance(role, str)}
        vouched = [fact for fact in waiting if is_vouched(case, fact["statement"], fact["signatures"], accepted)]
        found = [(fact["statement"]["subject"], fact["statement"]["body"]) for fact in vouched]
        waiting = [fact for fact in waiting if fact not in vouched]
    expected = "身份事实由有权者签署 / identity facts signed by who may state them"
    require(not waiting, "V06", expected, [fact["statement"]["subject"] for fact in waiting])
    return accepted
def is_vouched(case: Case, statement: dict, signatures: list, accepted: set[tuple]) -> bool:
    """Signed by who may say so by the trust file? Else any accepted signer could invent identities for others."""
    body, (form, _, argument) = statement["body"], case.trust["vouchers"][statement["kind"]].partition(":")
    may = case.holders(argument) if form == "role" else {f"party:{body.get(argument)}"}
    by = case.vouchers[statement["subject"]] = {s["by"] for s in signatures if s["by"] in may and owned(s) in accepted}
    return bool(by) and body.get("active") is not False
def v07_required(case: Case) -> str:
    """[field=value|… ]demand[ or demand…]: the rules that apply to this body, at least one; see RULE and demand_met."""
    kind, body, rules = case.statement["kind"], case.statement["body"], []
    for rule in case.trust["required"].get(kind, []):
        field, given, values = rule.split(" ")[0].partition("=")
        if not given or body.get(field) in values.split("|"):
            demands = [part.partition(":") for part in rule.split(" ") if ":" in part]
            rules.append((rule, [(form, *rest.partition("@")[::2]) for form, _, rest in demands]))
    require(bool(rules), "V07", f"信任文件规定 {kind} 由谁签署 / a rule who signs this", "没有 / none")
    for rule, demands in rules:
        with reading("V07", rule):
            signers = [(s["alg"], s["by"], s.get("role")) for s in case.bundle["fact"]["signatures"]]
            require(any(demand_met(case, *demand) for demand in demands), "V07", rule, signers)
    return ", ".join(rule for rule, _ in rules)
def demand_met(case: Case, form: str, argument: str, roles: str) -> bool:
    """role: a holder signed. by: that signer, {field} of the body. any: nobody but K:… signed. staff: in each capacity
    one of the staff of a holder of a role did. each, one, the: all entries {party, role, address} of the field, one,
    the only one (in one of the roles) signed with SM2 and with the address. Of the last four nobody else signed."""
    body, signatures = case.statement["body"], case.bundle["fact"]["signatures"]
    signers, named = {s["by"] for s in signatures}, {**body, "id": case.statement["subject"].partition(":")[2]}
    if form in ("role", "by"):
        name = re.sub(r"\{([a-z_]+)\}", lambda place: str(named.get(place[1], "")), argument)
        return bool(signers & (case.holders(argument) if form == "role" else {name}))
    if form == "any":
        return all(signer.startswith(f"{argument}:") for signer in signers)
    if form == "staff":
        wanted, places = sorted(argument.split("|")), [(s["by"], s.get("role", "")) for s in signatures]
        held = [role in case.roles[by] and case.vouchers.get(by, set()) & case.holders(roles) for by, role in places]
        return sorted(role for _, role in places) == wanted and len(signers) == len(wanted) and all(held)
    entries = [body[argument]] if form == "the" else body[argument]
    given = [(s["alg"], s["by"], s.get("role", ""), s["key"].lower() if s["alg"] == EVM else "") for s in signatures]
    pairs = [[(EVM, f"party:{item['party']}", item["role"], item["address"].lower()),
              (SM2, f"party:{item['party']}", item["role"], "")] for item in entries]
    if form == "one":
        return sorted(given) in pairs
    held = case.roles.get(f"party:{entries[0]['party']}", set()) & set(roles.split("|"))
    return sorted(given) == sorted(item for pair in pairs for item in pair) and (form == "each" or bool(held))
def v08_inclusion(case: Case) -> str:
    with reading("V09", "签名检查点 / a signed checkpoint"):
        case.head = read_head(case.bundle["head"]["note"])
    for item in case.items:
        prove(canonical(item["fact"]), item["entry"], case.head.size, case.head.root, "entry")
    for part in case.parts:
        count, root = case.statement["parts"]["count"], case.statement["parts"]["root"]
        prove(part["data"].encode(), part, count, read_twin(root, "V08", "parts.root"), f"part {part['index']}")
    return f"№ {case.bundle['entry']['index']} / {case.head.size}, parts {[part['index'] for part in case.parts]}"
def prove(data: bytes, place: dict, size: int, root: Twin, where: str) -> None:
    """These bytes stand at place["index"] under both roots."""
    sides, leaf = read_path(place["path"], where), b"shuqing/leaf/v1\x00" + b"".join(twin(data))
    for i, (name, hasher) in enumerate((("sha256", sha256), ("sm3", sm3))):
        found = root_of_path(hasher, leaf, place["index"], size, sides[i])
        got = found.hex() if found else f"路径与位置不符 / the path does not fit {place['index']} / {size}"
        require(found == root[i], "V08", f"{where} {name} {root[i].hex()}", got)
def v09_checkpoint(case: Case) -> str:
    case.witnesses = check_head(case.head, case.trust, "V09")
    return f"Ed25519, SM2, {len(case.witnesses)} ≥ {case.trust['witnesses']['k']}: {', '.join(case.witnesses)}"
def v10_head(case: Case) -> str | None:
    found = (case.head.size, case.head.root.sha256.hex(), case.head.root.sm3.hex(), case.head.time)
    require(case.given in (None, found), "V10", f"(size, sha256, sm3, time) = {case.given}", found)
    return None if case.given is None else f"{case.head.size}, {instant(case.head.time)}"
ANCHORED = "0x" + keccak256(b"Anchored(uint64,bytes32,bytes32,uint64)").hex()
def v11_chain(case: Case) -> str | None:
    chain, hint, head, log = case.trust["chain"], case.bundle["chain"], case.head, case.contract("EvidenceLog", "V11")
    place = (hint["chain_id"], hint["contract"].lower())
    require(place == (chain["chain_id"], log), "V11", f"chain {chain['chain_id']} {log}", place)
    if case.node is None:
        return None
    found = int.from_bytes(case.node.ask("eth_chainId"), "big")
    require(found == chain["chain_id"], "V11", f"chain {chain['chain_id']}", found)
    for name, contract in chain["contracts"].items():
        code = "0x" + keccak256(case.node.ask("eth_getCode", contract["address"], "latest")).hex()
        require(code == contract["code_keccak256"], "V11", f"{name} code {contract['code_keccak256']}", code)
    expected = keccak256(abi_words("uint64,bytes32,bytes32,uint64", head.size, *head.root, head.time))
    (stored,) = case.node.call(log, "commitmentAt(uint64)", 1, head.size)
    require(stored == expected, "V11", f"commitmentAt({head.size}) {expected.hex()}", stored.hex())
    receipt, topics = case.node.ask_json("eth_getTransactionReceipt", hint["tx"]) or {}, [ANCHORED, head.size]
    with reading("", "节点没有可用的回执 / no usable receipt of the node"):
        logs = [event["topics"] for event in receipt.get("logs", []) if event["address"].lower() == log]
        logs = [(words[0], int(words[1], 16)) for words in logs if len(words) == 2]
        got = (int(receipt.get("status", "0x0"), 16), int(receipt.get("blockNumber", "0x0"), 16), logs)
    what = f"交易成功、区块 {hint['block']}、Anchored({head.size}) / it succeeded, in this block, with this event"
    require(got[:2] == (1, hint["block"]) and tuple(topics) in logs, "V11", what, got)
    return f"chain {found}, commitmentAt({head.size}), {hint['tx']} № {hint['block']}"
def v12_times(case: Case) -> str:
    sealed, at = case.head.time, case.bundle["fact"]["at"]
    require(at <= sealed + SKEW, "V12", f"fact.at ≤ {sealed + SKEW}", at)
    for fact in (item["fact"] for item in case.items[1:]):  # a key counts from the moment it was on record
        require(fact["at"] <= at + SKEW, "V12", f"{fact['statement']['subject']} ≤ {at + SKEW}", fact["at"])
    for name, seen in case.witnesses.items():
        require(seen >= sealed - SKEW, "V12", f"{name} ≥ {sealed - SKEW}", seen)
    return f"{instant(at)} … {instant(sealed)}"
def v13_status(case: Case) -> str | None:
    ask = {"register-entry/v1": certificate_status, "agreement-act/v1": agreement_status,
           "cycle-closed/v1": close_status}.get(case.statement["kind"])
    if ask is None or case.node is None:
        case.status = case.status if ask else ("N/A", "此类事实没有链上状态 / this kind has no status on the chain", 0)
        return None
    with reading("V13", "可查询状态的内容 / a body whose status can be asked"):
        case.status = ask(case, case.statement, case.node)
    return ": ".join(case.status[:2])
IN_FORCE = ("UNKNOWN", "IN_FORCE", "NOT_IN_FORCE", "IN_FORCE_LIMITED")
REASONS = ("未上链 not on the chain", "有效 valid", "尚未生效 not yet valid", "已失效 lapsed", "已被取代 superseded",
           "已转出 transferred", "已注销 cancelled", "届满待续 renewal filed", "有负担 encumbered", "有异议 objection",
           "有负担且有异议 encumbered and objection", "更早的历史 older history")
NAME, SURE, INSTANT, VERSION = text(".{1,200}"), {"sha256": HEX64, "sm3": HEX64}, range(2**32), range(1, 2**53)
ENTRY = {"code": str, "version": VERSION, "paper_type": str, "agency": text(".{1,64}"), "agency_name": NAME,
    "agency_catalogue_no": text(".{0,200}"), "fields": [FIELD], "record_digest": SURE, "receipt": SURE,
    "receipt_number": NAME, "authority_name": NAME, "deposited_at": INSTANT, "valid_from": INSTANT,
    "valid_until": INSTANT, "last_day": text("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"),
    "type?": text("(初次|转让|变更|续期|注销)登记"), "predecessor?": {"code": text(".{0,200}"), "version": VERSION,
        "status": text("SUPERSEDED|TRANSFERRED|CANCELLED"), "successors?": range(1, 3)}}
CODE = text("SJ[0-9]{3}20[0-9]{2}(0[1-9]|1[0-2])(?!0000)[0-9]{4}")
def certificate_status(case: Case, statement: dict, node: Node) -> tuple:
    """RightsRegistry: is this very fact deposited under the certificate's key, and is the certificate in force?"""
    body, registry = statement["body"], case.contract("RightsRegistry", "V13")
    conform(body, ENTRY, "body")
    agency, code = sha256(f"agency:{body['agency']}".encode()), body["code"].encode("ascii").ljust(32, b"\0")
    paper = {"REGISTRATION_CERT": 1}[body["paper_type"]]
    key = keccak256(abi_words("bytes32,uint8,bytes32,uint32", agency, paper, code, body["version"]))
    answer = [int.from_bytes(word, "big") for word in node.call(registry, "inForce(bytes32)", 3, key)]
    (match,) = node.call(registry, "matches(bytes32,bytes32,bytes32)", 1, key, *twin(canonical(case.bundle["fact"])))
    what = f"{body['code']} v{body['version']} 的链上摘要即本事实 / its digests on the chain are this fact's"
    require(any(match) or answer[:2] == [0, 0], "V13", what, "不同 / they differ")
    return IN_FORCE[answer[0]], REASONS[answer[1]], answer[2]
def agreement_status(case: Case, statement: dict, node: Node) -> tuple:
    """AgreementRegistry: the state, and whether this act is the last one."""
    identity = bytes.fromhex(statement["subject"].partition(":")[2])
    words = node.call(case.contract("AgreementRegistry", "V13"), "agreement(bytes32)", 6, identity)
    state, as_of = STATES[int.from_bytes(words[0], "big")], int.from_bytes(words[5], "big")
    if state == "NONE" or int.from_bytes(words[1], "big") < statement["body"]["revision"]:
        return "UNKNOWN", "链上没有该协议的这一版 / the chain does not hold this revision", as_of
    expected = signers_hash(statement["body"]["signers"])
    require(words[2] == expected, "V13", f"signersHash {expected.hex()}", words[2].hex())
    last = words[4] == keccak256(b"".join(twin(canonical(statement))))
    return state, f"链上末项为{'本动作 / this act' if last else '另一动作 / another act'} is the last one there", as_of
def close_status(case: Case, statement: dict, node: Node) -> tuple:
    """SettlementBook: is this very close in the book?"""
    values, book = close_values(statement["body"]), case.contract("SettlementBook", "V13")
    (stored,) = node.call(book, "closed(bytes32,bytes32,bytes3)", 1, *values[:3])
    if not any(stored):
        return "UNKNOWN", "链上没有该周期 / the chain does not hold this cycle", 0
    expected = keccak256(abi_words("bytes32,bytes32,bytes32,uint64", *values[3:7]))
    require(stored == expected, "V13", f"closed {expected.hex()}", stored.hex())
    return "CLOSED", "本次关账已上链 / this close is on the chain", 0
WHOLE = {"agreement-act/v1": ("terms_digest", ""), "register-entry/v1": ("record_digest", "deposit-record/v1")}
def v14_kind(case: Case) -> str:
    """Each part shown belongs to its fact and its number; all fields shown make the digest the body names."""
    body, kind, subject = case.statement["body"], case.statement["kind"], case.statement["subject"]
    with reading("V14", f"属于 {kind} 的内容 / content that belongs to this kind"):
        values = [(part["index"], read_canonical(part["data"].encode())) for part in case.parts]
        for number, data in values:
            conform(data, dict, "parts.data")
            expected, got = "", ""
            if kind == "usage-batch/v1":
                expected, got = (body["connector"], body["first_seq"] + number), (data["connector"], data["seq"])
            elif kind == "statement/v1":
                mine = body["party"] in [data.get(name) for name in ("party", "debtor", "creditor")]
                expected, got = (number, True), (data["no"], mine)
            elif kind in WHOLE:
                expected, got = (body["fields"][number], {"field", "salt", "value"}), (data["field"], set(data))
                conform(data["salt"], HEX64, "salt")
            require(expected == got, "V14", shown(expected), got)
        if kind == "usage-batch/v1":
            require(subject == f"connector-log:{body['connector']}", "V14", body["connector"], subject)
        names, count = body.get("fields", []), case.statement.get("parts", {"count": 0})["count"]
        require(kind not in WHOLE or len(names) == count, "V14", f"{len(names)} 个字段 / fields", count)
        document = {data["field"]: data["value"] for _, data in values} if kind in WHOLE else {}
        if kind == "register-entry/v1":
            check_entry(body, document if len(values) == count else body)
        if kind in WHOLE and names and len(values) == count:
            field, tag = WHOLE[kind]
            found = twin(canonical({"record": document, "tag": tag} if tag else document))
            require(read_twin(body[field], "V14", field) == found, "V14", f"{field} {body[field]}", found.sha256.hex())
    return f"{kind}, {len(values)} parts"
def check_entry(body: dict, record: dict) -> None:
    """A version is the next of its own code or the first of a new one; it and its record name one predecessor."""
    conform(body, ENTRY, "body")
    none = {"code": "", "version": 1, "successors": 1}
    mine, theirs = [{"type": item.get("type", "初次登记"), **none, **item.get("predecessor", {})}
                    for item in (body, record)]
    number = mine["version"] + 1 if mine["code"] == body["code"] else 1
    good = CODE.fullmatch(body["code"]) and body["valid_from"] < body["valid_until"] and 1 <= len(body["fields"]) <= 64
    require(good is True and body["version"] == number, "V14", f"{body['code']} v{number}", body["version"])
    require(canonical(mine) == canonical(theirs), "V14", shown(mine), theirs)

# 10 report -----------------------------------------------------------------------------------------------------------
STEPS = (("严格解析 / strict parse", v01_parse), ("信任文件与日志 / trust file and log", v02_trust),
    ("陈述形式 / form of the statements", v03_form), ("双摘要 / twin digests", v04_digests),
    ("签名原文 / signed messages", v05_messages), ("签名与公钥 / signatures and keys", v06_signatures),
    ("应签者 / required signers", v07_required), ("包含路径 / inclusion paths", v08_inclusion),
    ("检查点与见证 / checkpoint and witnesses", v09_checkpoint), ("独立树头 / independent head", v10_head),
    ("链上锚定 / anchored on the chain", v11_chain), ("时间 / times", v12_times),
    ("状态 / status", v13_status), ("类别核对 / kind-specific", v14_kind))
NOT_PROVED = {"register-entry/v1": "来源声明是否真实 / the truth of the source declaration",
    "agreement-act/v1": "是否公平、签署人有无授权 / fairness, and the authority of those who signed",
    "usage-batch/v1": "连接器之外发生的事 / what happened outside the connector",
    "statement/v1": "是否已付款、金额如何得出 / payment, and how the amounts came about"}
def instant(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds < 253402300800 else str(seconds)
def run(case: Case) -> list[dict]:
    """The steps in order; ok is True, False for the one that failed, None for one that was not asked."""
    done: list[dict] = []
    for number, (name, check) in enumerate(STEPS, 1):
        step = {"no": number, "code": f"V{number:02d}", "name": name}
        try:
            detail = check(case)
            done.append({**step, "ok": None if detail is None else True, "detail": detail or "未询问 / not asked"})
        except Refused as failure:
            number = int(failure.code[1:])
            done.append({"no": number, "code": failure.code, "name": STEPS[number - 1][0], "ok": False,
                         "expected": failure.expected, "got": failure.got})
            break
    return done
def report(case: Case, steps: list[dict]) -> dict:
    """The four separate answers: integrity, status, the time they hold for, and on what trust they rest."""
    if steps[-1]["ok"] is False:
        return {"integrity": "REFUSED", "failed": steps[-1]["code"], "steps": steps}
    level = "T2 自有节点 / own node" if case.node else "T1 见证方与独立树头 / witnesses, independent head"
    return {"integrity": "INTACT", "failed": "", "steps": steps, "status": case.status[0], "reason": case.status[1],
            "as_of": instant(case.status[2] or case.head.time), "trust_level": level,
            "not_proved": ["记录之前内容是否真实 / whether the content was true before it was recorded",
                           "此后有无更晚的事项、密钥有无吊销 / whether later acts or revocations of keys exist",
                           *([] if case.node else ["chain.tx, chain.block 没有核对 / not checked: no node was asked"]),
                           *[words for kind, words in NOT_PROVED.items() if kind == case.statement["kind"]]]}
def show(result: dict) -> None:
    for step in result["steps"]:
        mark = {True: "✓", False: "✗", None: "–"}[step["ok"]]
        print(f"{mark} {step['no']:2d} {step['code']} {step['name']}: {step.get('detail', '')}")
    if result["failed"]:
        print(f"       应为 expected: {step['expected']}\n       实为 got:      {step['got']}")
        return print(f"完整性 integrity: 拒绝 REFUSED ({result['failed']})")
    print(f"完整性 integrity: 完好 INTACT\n状态   status:    {result['status']} ({result['reason']})")
    print(f"截至   as of:     {result['as_of']}\n信任   trust:     {result['trust_level']}")
    return print("\n".join(f"未证明 not proved: {words}" for words in result["not_proved"]))
def read_file(path: str) -> bytes:
    with reading("", f"无法读取 / cannot read {shown(path)}"), open(path, "rb") as file:
        return file.read(MAX_BYTES + 2)
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("bundle", help="证据包 / the proof bundle")
    parser.add_argument("--trust", required=True, help="你自己的信任文件 / your own trust file")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--rpc", metavar="URL", help="你自己的节点 / a node of yours")
    source.add_argument("--head", metavar="FILE", help="独立取得的树头 / a head obtained independently")
    parser.add_argument("--json", action="store_true", help="机器可读 / machine-readable")
    options = parser.parse_args(arguments)
    sys.stdout.reconfigure(encoding="utf-8")  # also where the terminal claims less
    try:
        self_test()
        trust = read_trust(read_file(options.trust))
        given = read_given(read_file(options.head), trust) if options.head else None
        case = Case(read_file(options.bundle), trust, Node(options.rpc) if options.rpc else None, given)
        result = report(case, run(case))
    except (Unusable, Refused) as error:  # Refused: the signatures of a --head note
        machine = {"integrity": "NOT CHECKED", "error": str(error)}
        print(json.dumps(machine) if options.json else error, file=sys.stdout if options.json else sys.stderr)
        return 2
    print(json.dumps(result, ensure_ascii=False, indent=1)) if options.json else show(result)
    return 1 if result["failed"] else 0

if __name__ == "__main__":
    sys.exit(main())
