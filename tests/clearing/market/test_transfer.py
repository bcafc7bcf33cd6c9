"""Transfer: every word in every state from either side, and who may open a provider's connector."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearing.errors import BadTerms, WrongMove
from clearing.market.agreement import Role, TermsParty
from clearing.market.negotiation.message import Side
from clearing.market.transfer import SKEW, TRANSFER_REQUEST, State, TransferRequest, Word, after, check_request
from ledger import sm
from ledger.errors import BadSignature, FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from ledger.sm import Sm2Key
from registry.asset import Twin
from registry.party import CONNECTOR, Connector
from tests.clearing.market.house import CONSUMER, NOW, PROVIDER, terms_of

C, P = Side.CONSUMER, Side.PROVIDER
LEADS = {
    (State.REQUESTED, Word.START, P): State.STARTED,
    **{(state, Word.TERMINATE, side): State.TERMINATED
       for state in (State.REQUESTED, State.STARTED, State.SUSPENDED) for side in Side},
    **{(State.STARTED, Word.SUSPEND, side): State.SUSPENDED for side in Side},
    **{(State.STARTED, Word.COMPLETE, side): State.COMPLETED for side in Side},
}  # fmt: skip
"""What the protocol's figure draws; going on after a suspension is asked apart."""


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("word", Word)
@pytest.mark.parametrize("state", State)
def test_after__every_state_word_and_side(state: State, word: Word, side: Side) -> None:
    for suspended_by in (None, C, P):
        goes_on = (state, word) == (State.SUSPENDED, Word.START) and side is suspended_by
        expected = State.STARTED if goes_on else LEADS.get((state, word, side))
        if expected is None:
            with pytest.raises(WrongMove):
                after("urn:uuid:1", state, word, side, suspended_by)
        else:
            assert after("urn:uuid:1", state, word, side, suspended_by) is expected


OWNER, CONNECTING, OTHER = sm.generate(), sm.generate(), sm.generate()
AGREEMENT = "a" * 64
KEYS = {CONSUMER: OWNER.public, PROVIDER: OTHER.public}
TERMS = replace(
    terms_of("b" * 32, Twin("c" * 64, "d" * 64)),
    parties=(TermsParty(PROVIDER, Role.PROVIDER, ("conn-p",)), TermsParty(CONSUMER, Role.CONSUMER, ("conn-c",))),
)


def registered(identity: str = "conn-c", owner: str = CONSUMER, key: Sm2Key = OWNER, kind: str = CONNECTOR) -> Signed:
    body = body_of(Connector(owner, CONNECTING.public, "shuqing-connector/1"))
    statement = Statement(kind, f"connector:{identity}", 0, None, body)
    return Signed(statement, (sign_sm2(key, statement, by=f"party:{owner}"),))


def asked(
    identity: str = "conn-c", key: Sm2Key = CONNECTING, kind: str = TRANSFER_REQUEST, subject: str = "",
    at: int = NOW, token: str = "e" * 64,
) -> Signed:  # fmt: skip
    body = body_of(TransferRequest(identity, "urn:uuid:1", "e" * 64, at)) | {"token_sha256": token}
    statement = Statement(kind, subject or f"agreement:{AGREEMENT}", 0, None, body)
    return Signed(statement, (sign_sm2(key, statement, by=f"connector:{identity}"),))


def test_check_request__of_the_consumers_connector() -> None:
    for at in (NOW - SKEW, NOW, NOW + SKEW):
        assert check_request(asked(at=at), registered(), TERMS, KEYS, NOW).connector == "conn-c"


@pytest.mark.parametrize(
    ("signed", "registration", "error"),
    [
        (asked(key=OTHER), registered(), BadSignature),
        (asked(), registered(key=OTHER), BadSignature),
        (asked(), registered(key=CONNECTING), BadSignature),
        (asked("conn-p"), registered("conn-p", PROVIDER, OTHER), BadTerms),
        (asked("conn-x"), registered("conn-x"), BadTerms),
        (asked(), registered("conn-x"), BadTerms),
        (asked(), registered(kind="party/v1"), BadTerms),
        (asked(kind="connector/v1"), registered(), BadTerms),
        (asked(subject="listing:" + "b" * 32), registered(), BadTerms),
        (asked(at=NOW - SKEW - 1), registered(), BadTerms),
        (asked(at=NOW + SKEW + 1), registered(), BadTerms),
        (asked(token="E" * 64), registered(), FieldError),
        (Signed(asked().statement, ()), registered(), BadSignature),
        (asked(), Signed(registered().statement, ()), BadSignature),
    ],
)
def test_check_request__forged_foreign_or_late__refused(
    signed: Signed, registration: Signed, error: type[Exception]
) -> None:
    with pytest.raises(error):
        check_request(signed, registration, TERMS, KEYS, NOW)


def test_check_request__party_that_did_not_sign_the_agreement__refused() -> None:
    with pytest.raises(BadSignature):
        check_request(asked(), registered(), TERMS, {PROVIDER: OTHER.public}, NOW)
