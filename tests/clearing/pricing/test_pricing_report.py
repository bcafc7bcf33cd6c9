"""The report: recomputed byte for byte anywhere, every changed leaf named, every refusal without a price."""

import itertools
import json
import os
import subprocess
import sys
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_cases import AS_OF, CAP, EXAMPLE, EXCLUDED_TRADES, ROOT, changed, example, leaves, trade

from clearing.pricing import policies
from clearing.pricing.errors import CODES, PricingRefused
from clearing.pricing.inputs import read_input
from clearing.pricing.manifest import Counted
from clearing.pricing.policy import read_policy
from clearing.pricing.price_report import from_evidence, price, verify
from clearing.pricing.request import read_request
from clearing.pricing.trial import trial_price
from ledger import canonical
from ledger.digest import twin
from tests.counts import few

REPORT = canonical.encode(trial_price(example())["report"])
EVIDENCE = canonical.encode(trial_price(example())["evidence"])


def refused(document: dict) -> PricingRefused:
    with pytest.raises(PricingRefused) as caught:
        trial_price(document)
    return caught.value


def own_digest(report: dict) -> dict:
    return twin(canonical.encode(changed(report, "/digests/report", ...))).document()


def result(document: dict) -> dict:
    return trial_price(document)["report"]["result"]


def test_report__example__has_every_block_and_both_digests():
    report = canonical.decode(REPORT)
    blocks = {"kind", "identity", "inputs", "method", "intermediate", "result", "sensitivity", "digests"}
    assert set(report) == blocks
    assert report["identity"]["kind"] == "trial"
    assert report["result"]["cold_start"] is True
    assert report["digests"]["report"] == own_digest(report)
    assert report["digests"]["evidence"] == twin(EVIDENCE).document()
    assert verify(REPORT, EVIDENCE).equal


def test_report__profiles__stay_in_the_evidence():
    profiles = [column["profile"] for column in canonical.decode(REPORT)["inputs"]["columns"]]
    assert all(set(profile) == {"sha256", "sm3"} for profile in profiles)


def _replaced(value: object) -> object:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case _:
            return ["x"]


def test_verify__any_single_leaf_of_the_report_changed__is_named():
    report = canonical.decode(REPORT)
    pointers = list(leaves(report))
    assert len(pointers) > 200
    for pointer, value in pointers[::3]:
        forged = changed(report, pointer, _replaced(value))
        verdict = verify(canonical.encode(forged), EVIDENCE)
        assert not verdict.equal
        assert verdict.where == "report"
        assert verdict.pointer in (pointer, f"{pointer}/0"), pointer
        removed = verify(canonical.encode(changed(report, pointer, ...)), EVIDENCE)
        assert not removed.equal


def test_verify__resealed_report__is_still_refused():
    report = changed(canonical.decode(REPORT), "/result/guide_fen", 1)
    report["digests"]["report"] = own_digest(report)
    assert verify(canonical.encode(report), EVIDENCE).pointer == "/result/guide_fen"


@pytest.mark.parametrize(
    ("pointer", "value", "named"),
    [
        ("/counted/rules/1/passed", 979, "/inputs/quality/counts/1/passed"),
        ("/counted/columns/0/profile/0", [401, 1], ""),
        ("/counted/columns/1/profile", [[4, 150], [1, 400]], ""),
        ("/request/costs/0/amount_fen", 1200001, "/inputs/cost/table/sha256"),
        ("/request/expected_return", "0.09", "/inputs/expected_return"),
        ("/policy/scheme/weights/accuracy", "0.2500", "/inputs/quality/scheme/weights/accuracy"),
        ("/policy/strategies/volume", "volume.centred@1", "/method/strategies/volume"),
        ("/policy/constants/joint_share", "0.61", "/method/constants/joint_share"),
        ("/information/0/entropy_bits", "1.5", "/intermediate/columns/0/E"),
    ],
)
def test_verify__changed_evidence__does_not_give_the_report(pointer, value, named):
    forged = changed(canonical.decode(EVIDENCE), pointer, value)
    verdict = verify(REPORT, canonical.encode(forged))
    assert not verdict.equal
    assert verdict.pointer == named


def test_verify__stored_entropy_that_is_not_that_of_its_profile__is_named_in_the_evidence():
    forged = canonical.encode(changed(canonical.decode(EVIDENCE), "/information/0/entropy_bits", "1.5"))
    verdict = verify(from_evidence(forged).data, forged)
    assert (verdict.equal, verdict.where, verdict.pointer) == (False, "evidence", "/information/0/entropy_bits")


def test_verify__altered_policy_under_a_published_name__is_told_apart():
    evidence = canonical.decode(EVIDENCE)
    raised = canonical.encode(changed(evidence, "/policy/constants/unit_value_fen", 999999))
    verdict = verify(from_evidence(raised).data, raised)
    assert verdict.equal
    assert verdict.policy == "altered"
    own = canonical.encode(changed(evidence, "/policy/id", "own.policy"))
    assert verify(from_evidence(own).data, own).policy == "unpublished"
    assert verify(REPORT, EVIDENCE).policy == "published"


PROGRAM = """
import json, sys
if sys.argv[2] == "pure":
    sys.modules["_decimal"] = None
import decimal
assert (sys.argv[2] == "pure") == (not hasattr(decimal, "__libmpdec_version__") or "_pydecimal" in sys.modules)
decimal.getcontext().prec = 7
decimal.getcontext().rounding = decimal.ROUND_UP
sys.path[:0] = [sys.argv[3]]
from clearing.pricing.trial import trial_price
from ledger import canonical
def turned(value):
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value
document = turned(json.load(open(sys.argv[1], encoding="utf-8")))
print(canonical.encode(trial_price(document)["report"]).hex())
"""


@pytest.mark.parametrize(
    ("decimal_build", "environment"),
    [
        ("c", {"LC_ALL": "de_DE.UTF-8", "TZ": "America/New_York", "PYTHONHASHSEED": "1"}),
        ("pure", {"LC_ALL": "C.UTF-8", "TZ": "Asia/Kolkata", "PYTHONHASHSEED": "4242"}),
    ],
)
def test_report__another_process_locale_zone_seed_context_and_decimal_build__same_bytes(decimal_build, environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(EXAMPLE), decimal_build, str(ROOT)],
        capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert bytes.fromhex(done.stdout.strip()) == REPORT


def test_report__ambient_decimal_context__moves_nothing():
    with localcontext(Context(prec=5, rounding="ROUND_CEILING")):
        assert from_evidence(EVIDENCE).data == REPORT


@pytest.mark.parametrize("value", [0.5, float("nan"), None, 2**53, -(2**53)], ids=repr)
def test_refusal__float_null_or_huge_number_anywhere__is_refused(value):
    document = changed(example(), "/policy", policies.POLICIES[1].document())
    for pointer, _ in leaves(document):
        with pytest.raises(PricingRefused) as caught:
            trial_price(changed(document, pointer, value))
        assert caught.value.code in ("INPUT_FORM", "NO_STAGE"), pointer


@pytest.mark.parametrize(
    "text", ["NaN", "1e-1", "+1", "-0", "-0.0", ".5", "0,5", "01", "0." + "1" * 19, "Infinity", ""]
)
@pytest.mark.parametrize(
    "field", ["/request/expected_return", "/request/market_factor", "/counted/rules/0/rule/weight"]
)
def test_refusal__number_in_another_form__is_refused(field, text):
    assert refused(changed(example(), field, text)).code == "INPUT_FORM"


GUIDED = {"/request/regime": "guided", "/request/purpose": "industry"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"/request/stage": ...}, "NO_STAGE"),
        ({"/policy": ..., "/request/stage": "asset"}, "NO_STAGE"),
        ({"/policy": ..., "/request/domain": "别的领域"}, "NO_POLICY"),
        ({"/policy": ..., "/request/as_of": 1700000000}, "NO_POLICY"),
        ({"/policy/version": 9}, "NO_POLICY"),
        ({"/request/gate/2/passed": False}, "GATE_FAILED"),
        ({"/request/gate/2/evidence": ""}, "GATE_FAILED"),
        ({"/request/gate/4": ...}, "GATE_FAILED"),
        ({"/request/billing_size": 1}, "UNIT_MISMATCH"),
        ({"/request/valid_until": AS_OF}, "INPUT_FORM"),
        ({"/request/data_time": AS_OF + 1}, "NEGATIVE_AGE"),
        ({"/request/evaluator/valid_until": AS_OF - 1}, "QUALITY_EXPIRED"),
        ({"/request/evaluator/applicant": "演示质量评价机构"}, "NOT_INDEPENDENT"),
        ({"/request/sources": []}, "RIGHT_MISSING"),
        ({"/request/sources/0/right": "HOLD"}, "RIGHT_MISSING"),
        ({"/request/sources/0/valid_to": AS_OF}, "RIGHT_MISSING"),
        ({"/request/costs/3/pool": "data"}, "INDIRECT_COST"),
        ({"/request/costs/0/attribution": "shared"}, "INDIRECT_COST"),
        ({"/request/costs/0/amount_fen": -1}, "INPUT_FORM"),
        ({"/request/costs/0/code": "subsidy"}, "INPUT_FORM"),
        ({"/request/expected_return": "1.01"}, "SCORE_RANGE"),
        ({"/request/market_factor": "1.1"}, "INPUT_FORM"),
        ({"/request/market_factor": "0"}, "SCORE_RANGE"),
        ({"/request/element/citable": True}, "STATE_FORBIDS"),
        ({"/request/unknown": 1}, "INPUT_FORM"),
        ({"/counted/rules/0/rule/weight": "0.9"}, "SCORE_RANGE"),
        ({"/counted/rules/0/applicable": 0, "/counted/rules/0/passed": 0}, "NOT_ASSESSED"),
        ({"/counted/rules/0/passed": 981}, "INPUT_FORM"),
        ({"/counted/columns/0/profile/0": [399, 1]}, "INPUT_FORM"),
        ({"/counted/columns/3/kind": "text", "/counted/columns/0/kind": "text", "/counted/columns/1/kind": "text",
          "/counted/columns/1/binning": ...}, "NO_DISTRIBUTION"),
        ({"/counted/columns/1/binning/unit": "month"}, "METHOD_NOT_ALLOWED"),
        ({"/request/trades": [trade("t1", 100, at=AS_OF + 1)]}, "FUTURE_TRADE"),
        ({"/request/income": {"rate": "0.1", "derivation": "x", "flows": []}}, "METHOD_NOT_ALLOWED"),
        ({"/request/regime": "guided"}, "PURPOSE_MISSING"),
        (GUIDED, "CAP_MISSING"),
        ({**GUIDED, "/request/cap": CAP | {"effective_to": AS_OF}}, "CAP_MISSING"),
        ({**GUIDED, "/request/cap": CAP | {"billing_size": 1}}, "UNIT_MISMATCH"),
        ({"/request/market_factor": "0.00001", "/request/market_factor_approval": "演示批文"}, "ROUNDS_TO_ZERO"),
    ],
)  # fmt: skip
def test_refusal__each_code__names_the_field_and_carries_no_price(changes, code):
    document = example()
    for pointer, value in changes.items():
        document = changed(document, pointer, value)
    error = refused(document)
    assert error.code == code
    assert error.field
    assert error.expected
    assert CODES[code][0] in error.zh
    assert CODES[code][1] in error.en
    assert "guide_fen" not in str(error)


def test_cap__industry__binds_after_rounding_and_is_reported():
    document = example()
    for pointer, value in {**GUIDED, "/request/cap": CAP}.items():
        document = changed(document, pointer, value)
    capped = result(document)
    assert capped["guide_fen"] == 5000
    assert capped["capped"] is True
    assert capped["rounded_fen"] > 5000
    assert capped["cap"] == {"id": "cap-1", "fen": 5000}


@pytest.mark.parametrize("purpose", ["governance", "welfare"])
def test_public__free_purposes__cost_nothing_and_the_model_still_runs(purpose):
    document = changed(changed(example(), "/request/regime", "guided"), "/request/purpose", purpose)
    free = trial_price(document)["report"]
    assert free["result"]["guide_fen"] == 0
    assert free["result"]["rounded_fen"] > 0
    assert {row["price_fen"] for row in free["sensitivity"]} == {0}
    assert refused(changed(document, "/request/gate/0/passed", False)).code == "GATE_FAILED"


REASONS = {
    "related_party", "relation_not_checked", "self_dealing", "non_cash", "subsidised", "disputed", "refunded",
    "zero_price", "bound_by_cap", "not_comparable:scene", "not_comparable:billing_unit", "not_comparable:tax_basis",
    "outside_window", "circle", "not_comparable:version",
}  # fmt: skip


def test_cold_start__no_trades_equals_only_excluded_trades():
    plain = trial_price(example())["report"]
    cold = trial_price(changed(example(), "/request/trades", EXCLUDED_TRADES))["report"]
    assert cold["result"] == plain["result"]
    assert {item["reason"] for item in cold["inputs"]["trades"]["excluded"]} == REASONS
    assert "seller" not in json.dumps(cold["inputs"]["trades"])


def test_history__arms_length_trades__enter_by_their_median_and_excluded_ones_never_move_it():
    real = [trade("r1", 9000), trade("r2", 11000), trade("r3", 70000)]
    one = trial_price(changed(example(), "/request/trades", real))["report"]
    other = trial_price(changed(example(), "/request/trades", [*EXCLUDED_TRADES, *reversed(real)]))["report"]
    assert one["intermediate"]["C0_fen"] == 11000
    assert one["result"] == other["result"]
    assert one["result"]["cold_start"] is False
    assert one["result"]["guide_fen"] != trial_price(example())["report"]["result"]["guide_fen"]


def test_columns__identifier_like__changes_only_the_list_and_digests():
    full = trial_price(example())["report"]
    without = changed(changed(example(), "/counted/columns/2", ...), "/counted/manifest/columns/2", ...)
    less = trial_price(without)["report"]
    assert less["intermediate"] == full["intermediate"]
    assert less["result"] == full["result"]
    assert [c["reason"] for c in full["inputs"]["columns"] if not c["admitted"]] == ["identifier_like"]


def test_volume__one_half_at_zero__is_said_in_the_report():
    assert "volume_is_one_half_at_zero_rows" in result(example())["warnings"]


JOINTS = ("joint.linear@1", "joint.cobb_douglas@1", "joint.cost_plus@1")
INCOME = {"rate": "0.1", "derivation": "演示", "flows": [{"cash_fen": 100000, "attribution": "0.5"}]}


def _staged(stage: str, joint: str, share: str, market: bool) -> dict:
    base = next(policy for policy in policies.POLICIES if policy.stage == ("element" if market else "resource"))
    policy = base.document()
    policy |= {"id": "own", "stage": stage, "strategies": policy["strategies"] | {"joint": joint}}
    policy["constants"] |= {"joint_share": share}
    document = changed(changed(example(), "/policy", policy), "/request/stage", stage)
    document["request"]["mode"] = "agreed"
    if stage == "resource":
        document["request"]["income"] = INCOME
    return document


def _allowed(stage: str, joint: str, share: Decimal, market: bool) -> bool:
    """Section 6 of the specification, written out again."""
    match stage, joint:
        case "resource", "joint.cost_plus@1":
            return not market
        case "resource", _:
            return not market and share <= Decimal("0.5")
        case _, "joint.cost_plus@1":
            return False
        case "element", _:
            return market and 0 < share < 1
        case _:
            return market and share > 0


@pytest.mark.parametrize(
    ("stage", "joint", "share", "market"),
    list(itertools.product(("resource", "element", "product"), JOINTS, ("0", "0.3", "0.5", "0.6", "1"), (True, False))),
)
def test_stage__every_triple__is_priced_or_refused_as_section_6_says(stage, joint, share, market):
    document = _staged(stage, joint, share, market)
    if _allowed(stage, joint, Decimal(share), market):
        report = trial_price(document)["report"]
        assert ("bidding_guide_fen" in report["result"]) == market
        assert ("income_approach_fen" in report["result"]) == (stage == "resource")
    else:
        assert refused(document).code == "METHOD_NOT_ALLOWED"


def test_strategy__retired__takes_no_new_quote_but_stays_executable(monkeypatch):
    from dataclasses import replace

    from clearing.pricing import element_price

    id_ = "volume.logistic@1"
    retired = replace(element_price.STRATEGIES[id_], retired=AS_OF)
    monkeypatch.setitem(element_price.STRATEGIES, id_, retired)
    assert refused(example()).code == "STRATEGY_RETIRED"
    later = replace(retired, retired=AS_OF + 1)
    monkeypatch.setitem(element_price.STRATEGIES, id_, later)
    assert from_evidence(EVIDENCE).data == REPORT


def test_quality__percent_scores_all_below_one__are_suspect():
    document = example()
    document["counted"]["rules"] = [
        r for r in document["counted"]["rules"] if r["rule"]["dimension"] != "accessibility"
    ]
    given_ = {"dimension": "accessibility", "scale": "percent", "value": "0.97", "evidence": "演示"}
    assert refused(changed(document, "/counted/assessed", [given_])).code == "SCALE_SUSPECT"
    assert result(changed(document, "/counted/assessed", [given_ | {"value": "97"}]))["guide_fen"] > 0


@settings(max_examples=few(12), deadline=None)
@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_sensitivity__signs_agree_and_the_base_is_between(data_cost, value):
    document = changed(example(), "/request/costs/0/amount_fen", data_cost)
    document["policy"] = policies.POLICIES[1].document()
    document["policy"]["constants"]["unit_value_fen"] = value + 1
    document["policy"]["id"] = "own"
    rows = trial_price(document)["report"]["sensitivity"]
    for row in rows:
        if row["input"] not in ("joint_share", "history_weight") and "change_fen" in row:
            assert row["change_fen"] <= 0 if row["change"] == "-10%" else row["change_fen"] >= 0, row


def test_sensitivity__can_be_left_out():
    report = trial_price(changed(example(), "/request/sensitivity", False))["report"]
    assert report["sensitivity"] == []
    assert report["result"] == canonical.decode(REPORT)["result"]


def test_price__same_question_through_the_typed_door__same_bytes():
    document = example()
    counted = read_input(Counted, document["counted"], "counted")
    report = price(read_request(document["request"]), policies.POLICIES[1], counted)
    assert (report.data, report.evidence) == (REPORT, EVIDENCE)


def test_policy__weights_not_summing_to_one__are_refused():
    own = changed(policies.POLICIES[1].document(), "/scheme/weights/accuracy", "0.2500000000000001")
    assert refused(changed(example(), "/policy", own)).code == "SCORE_RANGE"
    with pytest.raises(PricingRefused, match="INPUT_FORM"):
        read_policy(own | {"extra": 1})


def test_trial__file_and_counts_together_or_neither__is_refused():
    assert refused(changed(example(), "/data", {})).code == "INPUT_FORM"
    assert refused(changed(example(), "/counted", ...)).code == "INPUT_FORM"
    assert refused(changed(example(), "/extra", 1)).field == "extra"
