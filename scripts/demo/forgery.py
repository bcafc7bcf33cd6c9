"""Tries to cheat the stand-alone verifier with each bundle: once re-sealed with one meaning changed, once by a flipped
byte. The re-sealed forgery is what a forger with the file and no key can do best: change one word, write the document
in canonical form again and recompute every checksum that nobody signed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.keyfiles import KeyFile
from ledger import canonical
from ledger.digest import twin
from ledger.facts import Statement
from ledger.merkle import MemoryTree
from scripts.demo.world import ROOT

VERIFIER = ROOT / "scripts" / "verify_bundle.py"

Change = Callable[[dict[str, Any]], str]


def show(name: str, bundle: Path, trust: Path, rpc: str, operator: KeyFile) -> bool:
    """Verifies the bundle and its two forgeries, printing each outcome; True if the first passed and both failed."""
    code, verdict = verify(bundle, trust, rpc)
    print(f"     {bundle.name}: {'✓ 通过 / verified' if code == 0 else '✗ ' + verdict}")
    forged = bundle.with_name(f"forged-{name}.json")
    what = reseal(name, bundle, forged, operator)
    forged_code, forged_verdict = verify(forged, trust, rpc)
    print(f"        伪造（{what}）→ {'未被发现！' if forged_code == 0 else '拒绝 / refused: ' + forged_verdict}")
    flipped = bundle.with_name(f"flipped-{name}.json")
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 0x01
    flipped.write_bytes(bytes(data))
    flipped_code, flipped_verdict = verify(flipped, trust, rpc)
    print(f"        翻转一个字节 → {'未被发现！' if flipped_code == 0 else '拒绝 / refused: ' + flipped_verdict}")
    return code == 0 and forged_code == 1 and flipped_code == 1


def verify(bundle: Path, trust: Path, rpc: str) -> tuple[int, str]:
    """Runs the stand-alone verifier as a stranger would; its exit code and the step that failed."""
    command = [sys.executable, "-I", str(VERIFIER), str(bundle), "--trust", str(trust), "--rpc", rpc]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = done.stdout.splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith("✗")), None)
    if at is None:
        return done.returncode, done.stderr.strip()[:200]
    step, *reasons = (" ".join(line.split()) for line in lines[at : at + 3])
    return done.returncode, f"{step.removeprefix('✗ ')} {'；'.join(reason[:90] for reason in reasons)}"


def reseal(name: str, bundle: Path, target: Path, operator: KeyFile) -> str:
    """Writes the forgery of this kind of bundle to `target`; says what was changed.

    The statement line is forged by the operator itself, who holds the key that signs statements.
    """
    document = json.loads(bundle.read_text(encoding="utf-8"))
    what = CHANGES[name](document)
    if name == "statement-line":
        statement = Statement.of_document(document["fact"]["statement"])
        document["fact"]["signatures"] = [operator.signer.sign(statement).document()]
        what += "，运营方以自己的密钥重新签名"
    target.write_bytes(canonical.encode(document) + b"\n")
    return what


def _holder(document: dict[str, Any]) -> str:
    body = document["fact"]["statement"]["body"]
    code = body["code"]
    body["code"] = code[:-1] + ("2" if code[-1] != "2" else "3")
    return f"凭证编号 {code} → {body['code']}"


def _price(document: dict[str, Any]) -> str:
    """The one field shown is the settlement: its tariff becomes one fen cheaper."""

    def change(item: dict[str, Any]) -> str:
        tier = item["value"]["tariff"]["tiers"][0]
        tier["numerator"] -= 1
        return f"单价 {tier['numerator'] + 1} → {tier['numerator']} 分"

    return _part(document, change)


def _quantity(document: dict[str, Any]) -> str:
    return _part(document, lambda item: item.update(quantity=item["quantity"] + 1) or "一次使用记为两次")


def _amount(document: dict[str, Any]) -> str:
    return _part(document, lambda item: item.update(amount=item["amount"] + 1) or "账单行金额多一分")


def _totals(document: dict[str, Any]) -> str:
    body = document["fact"]["statement"]["body"]
    body["closed_at"] += 1
    return "关账时间晚一秒"


def _part(document: dict[str, Any], change: Callable[[dict[str, Any]], str]) -> str:
    """Changes the part and makes a tree of one with it, recomputing root and path."""
    item = json.loads(document["parts"][0]["data"])
    what = change(item)
    data = canonical.encode(item)
    document["parts"] = [{"data": data.decode(), "index": 0, "path": {"sha256": "", "sm3": ""}}]
    root = MemoryTree([twin(data)]).root()
    document["fact"]["statement"]["parts"] = {"count": 1, "root": root.document()}
    return what


def _name(document: dict[str, Any]) -> str:
    return _part(document, lambda item: item["value"][0].update(name="冒名者") or "权利人换了名称")


def _days(document: dict[str, Any]) -> str:
    return _part(document, lambda item: item.update(value=item["value"] + 1) or "验收期多一天")


CHANGES: dict[str, Change] = {
    "certificate": _holder,
    "agreement": _price,
    "usage-record": _quantity,
    "statement-line": _amount,
    "period-close": _totals,
    "certificate-rights": _name,
    "agreement-whole": _days,
}
