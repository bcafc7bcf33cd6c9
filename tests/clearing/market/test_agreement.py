"""Agreements: what must be signed by whom, and everything that must not pass (issue: 0 illegal acceptances)."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from clearing.errors import BadTerms, NotSigned, WrongMove
from clearing.market import service, store
from clearing.market.agreement import (
    ACT_CODES,
    MOVES,
    NEEDS_GROUND,
    ROLE_CODES,
    SIGNED_BY,
    STATE_CODES,
    Act,
    Domain,
    Ground,
    GroundKind,
    Role,
    State,
    Terms,
    TermsParty,
    act_of,
    check_terms,
    read_terms,
    sign_act,
    signers_hash,
    standing,
    subject_of,
    terms_digest,
    terms_parts,
    typed_act,
    typed_digest,
)
from clearing.market.errors import GateRefused, NotEntitled
from clearing.market.listing import Move
from clearing.market.policy import Standing
from clearing.terms import BillingBasis, SharingPlan, Step, StepKind, Tariff, TariffKind, Tier
from ledger import canonical, eip712
from ledger.errors import BadSignature, Conflict, FieldError, LedgerError, Stale
from ledger.facts import EIP712, SM2, PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of, read
from registry.asset import Twin
from registry.rights import Right
from registry.tables import HoldingRow
from tests.clearing.market.house import (
    CODE,
    CONSUMER,
    COURT,
    DAY,
    DOMAIN,
    NOW,
    OPERATOR,
    PROVIDER,
    SELLER,
    House,
    new_keys,
    policy_of,
    terms_of,
)

REFUSALS = (NotSigned, BadTerms, WrongMove, NotEntitled, GateRefused, BadSignature, Stale, Conflict, FieldError)
CODES = json.loads((Path(__file__).parents[3] / "contracts" / "codes.json").read_text(encoding="utf-8"))


def record(house: House, signed: Signed, at: int = NOW) -> None:
    house.take(signed, at)


def refused(house: House, signed: Signed, *errors: type[Exception], at: int = NOW) -> None:
    """The act is refused and no row of any view changes."""
    before = [house.session.execute(table.select()).all() for table in store.VIEWS]
    with pytest.raises(errors or REFUSALS):
        record(house, signed, at)
    assert [house.session.execute(table.select()).all() for table in store.VIEWS] == before


# The one table of codes ----------------------------------------


def test_codes__python_and_the_file_solidity_is_pinned_to__same():
    assert {state.value: code for state, code in STATE_CODES.items()} == CODES["agreementStates"]
    assert {act.value: code for act, code in ACT_CODES.items()} == CODES["agreementActs"]
    assert {role.value: code for role, code in ROLE_CODES.items()} == CODES["agreementRoles"]
    for act in Act:
        row = CODES["agreementMoves"][act.value]
        assert {f"{a}>{b}" for a, b in MOVES[act]} == set(row["moves"])
        assert (SIGNED_BY[act].value, act in NEEDS_GROUND) == (row["signers"], row["ground"])


# The encodings ----------------------------------------


def test_typed_act__against_eth_account__same_digest_and_signature(house: House):
    """eth-account builds the digest from the wallet document alone: an independent oracle."""
    statement = house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=house.terms(house.listed()))
    signer, keys, nonce = house.signers()[0], house.keys[PROVIDER], secrets.randbits(256)
    document = typed_act(statement, signer, nonce)
    message = encode_typed_data(full_message=document | {"types": document["types"] | {"EIP712Domain": [
        {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
    ]}})  # fmt: skip
    ours = sign_act(statement, signer, keys.sm2, keys.evm, nonce)[1]
    assert Account.sign_message(message, keys.evm).signature.hex() == ours.value
    assert Account.recover_message(message, signature=bytes.fromhex(ours.value)).lower() == signer.address


def test_typed_act__digests_are_those_of_the_statement(house: House):
    identity, signed = house.conclude()
    statement = house.by_court(identity, Act.SUSPEND, State.SUSPENDED).statement
    message = typed_act(statement, house.signer(Role.AUTHORITY, COURT), 1)["message"]
    digest, before = statement.digest(), signed.statement.digest()
    assert (message["actSha256"], message["actSm3"]) == (digest.sha256, digest.sm3)
    assert (message["prevActSha256"], message["prevActSm3"]) == (before.sha256, before.sm3)
    assert message["signersHash"] == signers_hash(house.signers())
    assert message["agreementId"].hex() == identity


def test_terms__as_document_and_back__same_value(house: House):
    terms = house.terms(house.listed())
    assert read(Terms, canonical.decode(canonical.encode(body_of(terms)))) == terms


# Concluding ----------------------------------------


def test_conclude__everything_in_order__in_force_with_its_terms(house: House):
    identity, signed = house.conclude()
    row = store.agreement(house.session, identity)
    assert (row.state, row.revision, row.consumer, row.seller) == (State.EFFECTIVE, 1, CONSUMER, SELLER)
    revision, terms, stands = store.terms_at(house.session, identity, NOW)
    assert (revision, terms_digest(terms), stands) == (1, act_of(signed.statement).terms_digest, Standing.EFFECTIVE)
    assert [found.id for found in store.agreements_in_force(house.session, NOW)] == [identity]
    assert [found.id for found in store.agreements(house.session, party=PROVIDER)] == [identity]
    assert [item.terms for item in service.agreement_terms(house.session, NOW, NOW + DAY)] == [terms.settlement]
    assert service.agreement_terms(house.session, NOW - 2 * DAY, NOW - DAY) == []


def test_conclude__sent_again__first_answer(house: House):
    _, signed = house.conclude()
    again = house.take(signed, NOW + 9)
    assert (again.replayed, again.fact.at) == (True, NOW)


def test_conclude__same_number_other_content__conflict(house: House):
    identity, signed = house.conclude()
    body = signed.statement.body | {"deadline": NOW + 9}
    refused(house, house.sign(replace(signed.statement, body=body)), Conflict)
    assert identity in signed.statement.subject


@pytest.fixture
def offer(house: House) -> Signed:
    """A complete act nobody has sent yet."""
    statement = house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=house.terms(house.listed()))
    return house.sign(statement)


@pytest.mark.parametrize("left_out", range(6))
def test_conclude__one_of_the_six_signatures_missing__refused(house: House, offer: Signed, left_out: int):
    kept = tuple(s for i, s in enumerate(offer.signatures) if i != left_out)
    refused(house, replace(offer, signatures=kept), NotSigned)


def test_conclude__one_signature_too_many__refused(house: House, offer: Signed):
    extra = sign_act(offer.statement, house.signer(Role.BROKER, OPERATOR), house.keys[OPERATOR].sm2,
                     house.keys[OPERATOR].evm)  # fmt: skip
    refused(house, replace(offer, signatures=offer.signatures + extra), NotSigned)
    refused(house, replace(offer, signatures=offer.signatures + offer.signatures[:1]), NotSigned)


@pytest.mark.parametrize("position", range(6))
def test_conclude__a_signature_in_another_role__refused(house: House, offer: Signed, position: int):
    changed = list(offer.signatures)
    changed[position] = replace(changed[position], role=Role.BROKER.value)
    refused(house, replace(offer, signatures=tuple(changed)), NotSigned)


def test_conclude__roles_of_two_signers_swapped__refused(house: House, offer: Signed):
    swap = {Role.PROVIDER.value: Role.OPERATOR.value, Role.OPERATOR.value: Role.PROVIDER.value}
    changed = tuple(replace(s, role=swap.get(s.role, s.role)) for s in offer.signatures)
    refused(house, replace(offer, signatures=changed), NotSigned)


@pytest.mark.parametrize("alg", [SM2, EIP712])
def test_conclude__signed_with_a_key_not_on_record__refused(house: House, offer: Signed, alg: str):
    stranger = new_keys()
    signer = house.signers()[0]
    false = sign_act(offer.statement, signer, stranger.sm2, stranger.evm)
    replaced = tuple(
        next(f for f in false if f.alg == alg) if (s.alg, s.by) == (alg, f"party:{signer.party}") else s
        for s in offer.signatures
    )
    refused(house, replace(offer, signatures=replaced), NotSigned)


def test_conclude__address_of_another_party_in_the_list__refused(house: House):
    """The consumer's place carries the operator's address and the operator signs it: the key on record decides."""
    listing = house.listed()
    false = replace(house.signer(Role.CONSUMER, CONSUMER), address=house.keys[OPERATOR].address)
    signers = tuple(false if s.role is Role.CONSUMER else s for s in house.signers())
    statement = house.act(
        secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=house.terms(listing), signers=signers
    )
    signatures: list[Signature] = []
    for signer in signers:
        evm = house.keys[OPERATOR].evm if signer == false else house.keys[signer.party].evm
        signatures += sign_act(statement, signer, house.keys[signer.party].sm2, evm)
    refused(house, Signed(statement, tuple(signatures)), NotSigned)


@pytest.mark.parametrize(
    "domain", [Domain(1, DOMAIN.contract), Domain(DOMAIN.chain_id, "0x" + "cd" * 20)], ids=["chain", "contract"]
)
def test_conclude__for_another_chain_or_contract__refused(house: House, domain: Domain):
    terms = house.terms(house.listed())
    refused(
        house,
        house.sign(house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms, domain=domain)),
        BadTerms,
    )


@pytest.mark.parametrize(
    "domain", [Domain(1, DOMAIN.contract), Domain(DOMAIN.chain_id, "0x" + "cd" * 20)], ids=["chain", "contract"]
)
def test_conclude__signatures_made_for_another_domain_put_on_ours__refused(house: House, offer: Signed, domain: Domain):
    elsewhere = replace_body(offer.statement, domain=body_of(domain))
    signatures = []
    for signature in offer.signatures:
        signer = next(s for s in house.signers() if f"party:{s.party}" == signature.by)
        if signature.alg == EIP712:
            digest = typed_digest(elsewhere, signer, int(signature.nonce))
            signature = replace(signature, value=eip712.sign(house.keys[signer.party].evm, digest).hex())
        signatures.append(signature)
    refused(house, replace(offer, signatures=tuple(signatures)), NotSigned)


def test_conclude__signatures_of_another_agreement__refused(house: House, offer: Signed):
    statement = offer.statement
    other = replace(statement, subject=subject_of(secrets.token_hex(32)))
    refused(house, Signed(other, offer.signatures), NotSigned)


@pytest.mark.parametrize("field", ["deadline", "negotiation_id"])
def test_conclude__a_field_changed_after_signing__refused(house: House, offer: Signed, field: str):
    value = NOW + 5 if field == "deadline" else "0" * 64
    refused(house, Signed(replace_body(offer.statement, **{field: value}), offer.signatures), NotSigned)


def test_conclude__terms_changed_after_signing__refused_even_with_the_digest_recomputed(house: House, offer: Signed):
    terms = brought(house, offer)
    cheaper = replace(
        terms, settlement=replace(terms.settlement, tariff=replace(terms.settlement.tariff, tiers=(Tier(0, 1, 10),)))
    )
    parts = terms_parts(cheaper)
    root = PartsRoot.over(parts)
    house.parts[offer.statement.parts] = house.parts[root] = parts
    refused(house, offer, BadTerms)
    refused(house, Signed(replace(offer.statement, parts=root), offer.signatures), BadTerms)
    sealed = replace_body(offer.statement, terms_digest=body_of(terms_digest(cheaper)))
    refused(house, Signed(replace(sealed, parts=root), offer.signatures), NotSigned)


def test_conclude__fields_renamed_reordered_or_salted_otherwise__refused(house: House, offer: Signed):
    """The parts are those that follow from the terms, so nobody can plant a field that opens differently."""
    names, parts = act_of(offer.statement).fields, house.parts[offer.statement.parts]
    assert names is not None
    swapped = (parts[1], parts[0], *parts[2:])
    other_salt = (canonical.encode(canonical.decode(parts[0]) | {"salt": "0" * 64}), *parts[1:])
    for fields, data in (
        (names, swapped), (names, other_salt), (names[:-1], parts[:-1]), (names[1:], parts), (names[::-1], parts),
    ):  # fmt: skip
        root = PartsRoot.over(data)
        house.parts[root] = tuple(data)
        statement = replace(replace_body(offer.statement, fields=list(fields)), parts=root)
        refused(house, house.sign(statement), FieldError, BadTerms)


def test_conclude__nonce_spent_in_another_agreement__refused(house: House):
    listing = house.listed()
    _, first = house.conclude(listing=listing)
    nonce = next(int(s.nonce) for s in first.signatures if s.alg == EIP712 and s.role == Role.PROVIDER)
    statement = house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=house.terms(listing))
    signatures: list[Signature] = []
    for signer in house.signers():
        keys = house.keys[signer.party]
        signatures += sign_act(statement, signer, keys.sm2, keys.evm, nonce if signer.role is Role.PROVIDER else None)
    refused(house, Signed(statement, tuple(signatures)), NotSigned)


def test_conclude__after_the_deadline__refused(house: House):
    terms = house.terms(house.listed())
    signed = house.sign(house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms, deadline=NOW))
    refused(house, signed, BadTerms, at=NOW + 1)
    record(house, signed)


def test_conclude__signers_in_another_order__refused(house: House):
    terms = house.terms(house.listed())
    statement = house.act(
        secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms, signers=house.signers()[::-1]
    )
    refused(house, house.sign(statement), BadTerms)


def test_conclude__a_party_of_the_terms_does_not_sign__refused(house: House):
    terms = house.terms(house.listed())
    statement = house.act(
        secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms, signers=house.signers()[:2]
    )
    refused(house, house.sign(statement, house.signers()[:2]), BadTerms)


def test_conclude__open_conditions__pending_then_activated(house: House):
    identity = secrets.token_hex(32)
    terms = house.terms(house.listed(), conditions=("备案",))
    refused(house, house.sign(house.act(identity, Act.CONCLUDE, State.EFFECTIVE, terms=terms)), BadTerms)
    record(house, house.sign(house.act(identity, Act.CONCLUDE, State.PENDING, terms=terms)))
    assert store.terms_at(house.session, identity, NOW)[2] is Standing.NOT_YET
    record(house, house.sign(house.act(identity, Act.ACTIVATE, State.EFFECTIVE)), NOW + 5)
    assert store.terms_at(house.session, identity, NOW + 5)[2] is Standing.EFFECTIVE
    assert store.revisions(house.session, identity) == [(1, NOW + 5, None)]


# Gates ----------------------------------------


def test_conclude__listing_suspended__gate_closed(house: House, offer: Signed):
    house.review(brought(house, offer).product.listing, Move.SUSPEND, reason="演示")
    refused(house, offer, GateRefused)


def test_conclude__certificate_lapsed_since_listing__gate_closed(house: House):
    terms = house.terms(house.listed())
    statement = house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms, deadline=NOW + 2000 * DAY)
    refused(house, house.sign(statement), GateRefused, at=NOW + 901 * DAY)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"expiry": NOW + 901 * DAY}, GateRefused),
        ({"expiry": NOW - DAY}, BadTerms),
    ],
)
def test_conclude__term_outside_the_certificate_or_empty__refused(house: House, changes: dict, error: type[Exception]):
    terms = house.terms(house.listed(), **changes)
    refused(house, house.sign(house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms)), error)


def test_conclude__more_granted_than_held__gate_g1(house: House):
    house.session.delete(house.session.get(HoldingRow, (CODE, 1, Right.USE.value, SELLER)))
    terms = house.terms(house.listed())
    refused(
        house, house.sign(house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms)), GateRefused
    )


def test_conclude__another_product_version__refused(house: House):
    terms = house.terms(house.listed())
    for changed in (replace(terms.product, version=2), replace(terms.product, digest=Twin("0" * 64, "0" * 64))):
        signed = house.sign(
            house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=replace(terms, product=changed))
        )
        refused(house, signed, GateRefused)


def silent(party: TermsParty) -> TermsParty:
    return replace(party, connectors=())


def no_price(terms: Terms) -> Tariff:
    return replace(terms.settlement.tariff, kind=TariffKind.FIXED)


def half(terms: Terms) -> SharingPlan:
    step = terms.settlement.plan.steps[0]
    return replace(terms.settlement.plan, steps=(replace(step, weights=step.weights[:1]),))


def guaranteed(terms: Terms, guarantor: str, least: int = 5) -> Terms:
    """The provider is to have `least` fen, first out of the seller's share."""
    step = Step(StepKind.GUARANTEE, PROVIDER, least, funder=SELLER, guarantor=guarantor)
    plan = replace(terms.settlement.plan, steps=(*terms.settlement.plan.steps, step))
    return replace(terms, settlement=replace(terms.settlement, plan=plan))


L = "a" * 32
D = Twin("0" * 64, "0" * 64)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("terms.expiry", lambda t: replace(t, expiry=t.effective)),
        ("terms.settlement.buyer", lambda t: replace(t, settlement=replace(t.settlement, buyer=OPERATOR))),
        ("terms.policy_digest", lambda t: replace(t, policy=policy_of(L, 6))),
        ("terms.policy.assignee", lambda t: replace(t, policy=replace(t.policy, assignee=OPERATOR))),
        ("terms.policy.target", lambda t: replace(t, policy=replace(t.policy, target="b" * 32))),
        ("terms.policy.permission[0].constraints", lambda t: replace(t, purposes=("teaching",))),
        ("terms.parties.connectors", lambda t: replace(t, parties=(silent(t.parties[0]), *t.parties[1:]))),
        ("terms.parties.connectors", lambda t: replace(t, billing=BillingBasis.BOTH)),
        ("terms.parties.connectors", lambda t: replace(t, billing=BillingBasis.CONSUMER)),
        ("terms.parties", lambda t: replace(t, parties=(t.parties[0], t.parties[2]))),
        ("tariff.tiers", lambda t: replace(t, settlement=replace(t.settlement, tariff=no_price(t)))),
        ("plan.steps[0].weights", lambda t: replace(t, settlement=replace(t.settlement, plan=half(t)))),
        ("terms.settlement.plan.steps[1].guarantor", lambda t: guaranteed(t, OPERATOR)),
        ("plan.steps[1].guarantor", lambda t: guaranteed(t, PROVIDER)),
        ("plan.steps[1].limit_fen", lambda t: guaranteed(t, CONSUMER, 10**15)),
    ],
)  # fmt: skip
def test_check_terms__one_thing_wrong__names_the_field(field: str, change):
    good = terms_of(L, D)
    check_terms(good)
    with pytest.raises(BadTerms) as error:
        check_terms(change(good))
    assert error.value.field == field


@pytest.mark.parametrize("guarantor", [CONSUMER, SELLER])
def test_check_terms__a_guarantee_of_a_party_that_signs__is_accepted(guarantor: str) -> None:
    """Also of the buyer, and of whoever funds it first."""
    check_terms(guaranteed(terms_of(L, D), guarantor))


# Life after concluding ----------------------------------------


def test_amend__new_terms_signed_by_all__old_revision_before_new_one_after(house: House):
    listing = house.listed()
    identity, _ = house.conclude(listing=listing)
    terms = house.terms(listing, limit=9)
    record(house, house.sign(house.act(identity, Act.AMEND, State.EFFECTIVE, terms=terms)), NOW + 100)
    assert store.terms_at(house.session, identity, NOW + 99)[0] == 1
    assert store.terms_at(house.session, identity, NOW + 100)[:2] == (2, terms)
    assert store.revisions(house.session, identity) == [(1, NOW, NOW + 100), (2, NOW + 100, None)]


def test_amend__one_party_does_not_sign__refused(house: House):
    listing = house.listed()
    identity, _ = house.conclude(listing=listing)
    statement = house.act(identity, Act.AMEND, State.EFFECTIVE, terms=house.terms(listing, limit=9))
    for i in range(3):
        refused(house, house.sign(statement, tuple(s for k, s in enumerate(house.signers()) if k != i)), NotSigned)


def test_suspend_and_resume__by_an_authority__use_is_off_then_on(house: House):
    identity, _ = house.conclude()
    record(house, house.by_court(identity, Act.SUSPEND, State.SUSPENDED), NOW + 10)
    assert store.terms_at(house.session, identity, NOW + 10)[2] is Standing.SUSPENDED
    assert store.terms_at(house.session, identity, NOW + 9)[2] is Standing.EFFECTIVE
    record(house, house.by_court(identity, Act.RESUME, State.EFFECTIVE), NOW + 20)
    assert store.terms_at(house.session, identity, NOW + 20)[2] is Standing.EFFECTIVE


def test_suspend__by_a_party_that_is_no_authority__refused(house: House):
    identity, _ = house.conclude()
    statement = house.by_court(identity, Act.SUSPEND, State.SUSPENDED).statement
    for party in (SELLER, OPERATOR):
        seller = house.signer(Role.AUTHORITY, party)
        refused(house, house.sign(replace_body(statement, authority=body_of(seller)), (seller,)), NotEntitled)
    refused(house, house.sign(statement), NotSigned)


def test_rescind__by_one_party_with_ground__ends_it(house: House):
    identity, _ = house.conclude()
    ground = Ground(GroundKind.AGREED, "对方违约", secrets.token_hex(32))
    statement = house.act(identity, Act.RESCIND, State.RESCINDED, ground=ground)
    refused(house, house.sign(statement, house.signers()[:2]), NotSigned)
    refused(house, house.sign(replace_body(statement, ground=None), house.signers()[:1]), BadTerms)
    record(house, house.sign(statement, house.signers()[1:2]), NOW + 3)
    assert store.agreement(house.session, identity).state is State.RESCINDED
    assert store.terms_at(house.session, identity, NOW + 3)[2] is Standing.ENDED


def test_expire__before_the_end_of_the_term__refused(house: House):
    identity, _ = house.conclude()
    signed = house.sign(house.act(identity, Act.EXPIRE, State.EXPIRED), house.signers()[:1])
    refused(house, signed, BadTerms)
    record(house, signed, NOW + 300 * DAY)


def test_act__on_a_wrong_or_stale_prev__refused(house: House):
    identity, first = house.conclude()
    one = house.sign(house.act(identity, Act.TERMINATE, State.TERMINATED))
    record(house, house.by_court(identity, Act.SUSPEND, State.SUSPENDED), NOW + 1)
    refused(house, one, Conflict)
    late = Statement(one.statement.kind, one.statement.subject, 2, first.statement.digest(), one.statement.body)
    refused(house, house.sign(late), Stale)


def test_act__every_move_from_every_state__only_the_table_passes(house: House):
    """We try each (act, from, to) against an agreement that stands in `from`; 0 illegal acceptances."""
    listing = house.listed()
    paths: dict[State, list[tuple[Act, State]]] = {
        State.EFFECTIVE: [],
        State.SUSPENDED: [(Act.SUSPEND, State.SUSPENDED)],
        State.TERMINATED: [(Act.TERMINATE, State.TERMINATED)],
        State.COMPLETED: [(Act.COMPLETE, State.COMPLETED)],
        State.VOID: [(Act.VOID, State.VOID)],
    }
    wrong = 0
    for start, path in paths.items():
        identity, _ = house.conclude(listing=listing)
        for act, target in path:
            record(house, signed_act(house, identity, act, target, listing))
        for act, target in product(Act, State):
            if (start, target) in MOVES[act]:
                continue
            with pytest.raises((WrongMove, BadTerms, FieldError)):
                record(house, signed_act(house, identity, act, target, listing))
            wrong += 1
        assert store.agreement(house.session, identity).state is start
    assert wrong > 400


def test_standing__term_and_state_together():
    assert standing(State.EFFECTIVE, 10, 20, 9) is Standing.NOT_YET
    assert standing(State.EFFECTIVE, 10, 20, 10) is Standing.EFFECTIVE
    assert standing(State.EFFECTIVE, 10, 20, 20) is Standing.ENDED
    assert standing(State.SUSPENDED, 10, 20, 15) is Standing.SUSPENDED
    assert standing(State.VOID, 10, 20, 15) is Standing.ENDED


def test_replay__every_part_of_a_signed_act_elsewhere__none_accepted(house: House):
    """Each signed act is replayed under other numbers, subjects, bodies and signature sets."""
    listing = house.listed()
    made = [house.conclude(listing=listing)[1] for _ in range(4)]
    accepted = tried = 0
    for one, other in product(made, made):
        if one is other:
            continue
        statement = other.statement
        for candidate in (
            Signed(statement, one.signatures),
            Signed(replace(statement, subject=subject_of(secrets.token_hex(32))), other.signatures),
            Signed(replace(statement, no=1, prev=statement.digest()), other.signatures),
            Signed(replace(statement, subject=one.statement.subject), other.signatures),
        ):
            tried += 1
            try:
                taken = house.take(candidate, NOW + 1)
                accepted += not taken.replayed
            except (LedgerError, *REFUSALS):
                pass
    assert (accepted, tried) == (0, 48)


def brought(house: House, signed: Signed) -> Terms:
    """The terms an act brings."""
    terms = read_terms(signed.statement, act_of(signed.statement), house.parts[signed.statement.parts])
    assert terms is not None
    return terms


def signed_act(house: House, identity: str, act: Act, target: State, listing: str) -> Signed:
    if SIGNED_BY[act].value == "authority":
        return house.by_court(identity, act, target)
    more: dict[str, object] = {}
    if act in (Act.CONCLUDE, Act.AMEND):
        more["terms"] = house.terms(listing)
    if act is Act.RESCIND:
        more["ground"] = Ground(GroundKind.AGREED, "演示", secrets.token_hex(32))
    statement = house.act(identity, act, target, **more)
    one = SIGNED_BY[act].value == "one"
    return house.sign(statement, house.signers()[:1] if one else None)


def replace_body(statement: Statement, **changes: object) -> Statement:
    body = {name: value for name, value in (statement.body | changes).items() if value is not None}
    return Statement(statement.kind, statement.subject, statement.no, statement.prev, body, statement.parts)
