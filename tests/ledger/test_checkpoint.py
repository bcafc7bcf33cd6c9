"""Checkpoints, cosignatures and the witness's rule (decisions D5, D27)."""

import base64
import re
import textwrap

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import checkpoint, merkle, sm
from ledger.checkpoint import Checkpoint, LogKeys, LogPublic, NoteLine
from ledger.digest import TwinDigest, sha256, sm3, twin
from ledger.errors import BadSignature, FieldError, Malformed
from ledger.witness import Reason, Refused, add_checkpoint, judge
from tests.counts import few
from tests.second_sm2 import second_sm2

KEYS = LogKeys("log.demo", b"\x01" * 32, sm.from_private(b"\x02" * 32))
LOG = KEYS.public()
WITNESS = b"\x03" * 32
WITNESSES = {"w.demo": checkpoint.ed25519_public(WITNESS)}
LEAVES = [twin(bytes([i])) for i in range(40)]
TREE = {size: merkle.MemoryTree(LEAVES[:size]) for size in range(1, 41)}
NOW = 1_772_413_200


def head(size: int, at: int = NOW) -> Checkpoint:
    return Checkpoint(LOG.origin, size, TREE[size].root() if size else merkle.EMPTY, at)


def note_of(size: int) -> str:
    return checkpoint.sign_note(head(size), KEYS)


def path(first: int, second: int) -> list[TwinDigest]:
    return merkle.consistency_path(TREE[second].read, first, second)


def cosigned() -> str:
    note = note_of(7)
    return checkpoint.add_lines(note, [checkpoint.cosign(note, "w.demo", WITNESS, NOW + 1)])


def check(note: str) -> tuple[tuple[str, int], ...]:
    """What a verifier does with a note."""
    checkpoint.verify_log(note, LOG.origin, LOG.ed25519, LOG.sm2)
    return checkpoint.verify_witnesses(note, WITNESSES)


def example() -> str:
    """The worked example of the module's docstring."""
    lines = checkpoint.__doc__.rstrip("\n").split("\n")
    return textwrap.dedent("\n".join(lines[lines.index("    log.demo") :])) + "\n"


def test_worked_example__keys_as_the_docstring_says__verifies_to_what_it_says() -> None:
    note = example()
    assert checkpoint.verify_log(note, "log.demo", LOG.ed25519, LOG.sm2) == Checkpoint(
        "log.demo", 3, twin(b"example"), NOW
    )
    assert check(note) == (("w.demo", NOW + 1),)


def test_worked_example__read_with_nothing_of_ours__every_signature_is_what_the_table_says() -> None:
    text, _, tail = example().partition("\n\n")
    body = (text + "\n").encode()
    first, second, third = (base64.b64decode(line.split(" ")[2]) for line in tail.strip().split("\n"))

    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(LOG.ed25519))
    public.verify(first[4:], body)
    assert first[:4] == sha256(b"log.demo\n\x01" + public.public_bytes_raw())[:4]

    assert second[:4] == sha256(b"log.demo\n\xffsm2" + bytes.fromhex(LOG.sm2))[:4]
    message = sm3(b"shuqing/checkpoint/v1\x00" + body)
    assert second_sm2(LOG.sm2).verify_with_sm3(second[4:].hex(), message)

    witness = Ed25519PublicKey.from_public_bytes(bytes.fromhex(WITNESSES["w.demo"]))
    assert third[:4] == sha256(b"w.demo\n\x04" + witness.public_bytes_raw())[:4]
    time = int.from_bytes(third[4:12], "big")
    witness.verify(third[12:], b"cosignature/v1\ntime %d\n" % time + body)


@settings(max_examples=few(40), deadline=None)
@given(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789./-", min_size=1, max_size=40),
    st.integers(0, 2**53 - 1),
    st.binary(max_size=8),
    st.integers(0, 2**53 - 1),
)
def test_note__any_checkpoint__parses_back_to_itself(origin: str, size: int, seed: bytes, at: int) -> None:
    given_ = Checkpoint(origin, size, twin(seed), at)
    note = checkpoint.sign_note(given_, LogKeys(origin, KEYS.ed25519, KEYS.sm2))
    parsed, lines = checkpoint.parse(note)
    assert parsed == given_
    assert note == checkpoint.text(parsed) + "\n" + "".join(line.text() + "\n" for line in lines)


def test_note__any_byte_of_any_line_flipped__refused_or_one_witness_less() -> None:
    note = cosigned().encode()
    assert check(note.decode()) == (("w.demo", NOW + 1),)
    last_line = note.rindex("\n— ".encode()) + 1
    for position in range(len(note)):
        for bit in (1, 4, 32):
            changed = bytearray(note)
            changed[position] ^= bit
            try:
                found = check(changed.decode())
            except (Malformed, BadSignature, UnicodeDecodeError):
                continue
            # A changed name or key id is a line of an unknown key: ignored, and the quorum misses it.
            assert position >= last_line, f"byte {position} of the log's part may be changed"
            assert found == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda note: note.replace("\n7\n", "\n07\n"), "checkpoint.size"),
        (lambda note: note.replace("\n7\n", "\n+7\n"), "checkpoint.size"),
        (lambda note: note.replace("\n7\n", "\n9007199254740993\n"), "checkpoint.size"),
        (lambda note: note.replace("sm3 ", "sm4 "), "sm3"),
        (lambda note: note.replace("time ", "extra x\ntime "), "5 行"),
        (lambda note: re.sub("sm3 .*\n", "", note), "5 行"),
        (lambda note: note.replace("\n\n", "\n"), "空行"),
        (lambda note: note.rstrip("\n"), "换行"),
        (lambda note: note + "\n", "签名行"),
        (lambda note: note.partition("\n\n")[0] + "\n\n", "签名行"),
        (lambda note: note.replace("— log.demo", "- log.demo", 1), "签名行"),
        (lambda note: note + note.split("\n")[-2] + "\n", "一行|两行"),
        (lambda note: note.replace("log.demo", "log demo", 1), "checkpoint.origin"),
        (lambda note: note.replace("\n", "\r\n"), "空行"),
    ],
)
def test_parse__malformed_note__says_what_is_wrong(change, field: str) -> None:
    with pytest.raises(Malformed, match=field):
        checkpoint.parse(change(note_of(7)))


def test_parse__base64_with_spare_bits__refused() -> None:
    note = note_of(7)
    root = base64.b64encode(head(7).root.sha256).decode()
    spare = root[:-2] + chr(ord(root[-2]) + 1) + "="
    assert base64.b64decode(spare) == head(7).root.sha256
    with pytest.raises(FieldError, match="canonical base64"):
        checkpoint.parse(note.replace(root, spare))


def test_verify_log__line_missing_or_other_key_or_other_origin__refused() -> None:
    note = note_of(7)
    text, first, second = note.partition("\n\n")[0], *note.strip().split("\n")[-2:]
    other = LogKeys("log.demo", b"\x09" * 32, sm.generate())
    for wrong in (f"{text}\n\n{first}\n", f"{text}\n\n{second}\n", checkpoint.sign_note(head(7), other)):
        with pytest.raises(BadSignature):
            checkpoint.verify_log(wrong, LOG.origin, LOG.ed25519, LOG.sm2)
    with pytest.raises(BadSignature, match=r"log\.demo"):
        checkpoint.verify_log(note, "log.other", LOG.ed25519, LOG.sm2)


def test_verify_log__signatures_of_one_head_moved_under_another__refused() -> None:
    seven, eight = note_of(7), note_of(8)
    with pytest.raises(BadSignature):
        check(eight.partition("\n\n")[0] + "\n\n" + seven.partition("\n\n")[2])


def test_verify_witnesses__unknown_keys_ignored_known_but_wrong_refused_and_one_key_never_counts_twice() -> None:
    note = note_of(7)
    stranger = checkpoint.cosign(note, "w.demo", b"\x08" * 32, NOW)
    assert checkpoint.verify_witnesses(checkpoint.add_lines(note, [stranger]), WITNESSES) == ()
    foreign = checkpoint.cosign(note_of(8), "w.demo", WITNESS, NOW)
    with pytest.raises(BadSignature):
        checkpoint.verify_witnesses(checkpoint.add_lines(note, [foreign]), WITNESSES)
    with pytest.raises(FieldError, match="key"):
        checkpoint.verify_witnesses(note, {**WITNESSES, "w.twin": WITNESSES["w.demo"]})


def test_add_lines__same_witness_again__keeps_its_first_line() -> None:
    note = cosigned()
    assert checkpoint.add_lines(note, [checkpoint.cosign(note, "w.demo", WITNESS, NOW + 9)]) == note
    with pytest.raises(Malformed):
        checkpoint.add_lines(note, ["— w.demo AAAA\n— log.demo AAAA"])


def test_keys__generated_and_printed__fresh_and_secret() -> None:
    assert len({checkpoint.generate_ed25519() for _ in range(5)}) == 5
    assert KEYS.ed25519.hex() not in repr(KEYS)
    assert "\\x01" not in repr(KEYS)
    assert LogPublic.of_document(LOG.document()) == LOG
    with pytest.raises(FieldError, match=r"checkpoint\.origin"):
        checkpoint.sign_note(Checkpoint("log.other", 0, merkle.EMPTY, 0), KEYS)
    assert NoteLine.of_text(NoteLine("a", b"1234", b"5").text()) == NoteLine("a", b"1234", b"5")


# The witness's rule ---------------------------------------------------------------------------------------------------


@settings(max_examples=few(60), deadline=None)
@given(st.integers(0, 40), st.integers(1, 40))
def test_judge__every_pair_of_sizes__accepts_growth_only(first: int, second: int) -> None:
    previous = head(first) if first else None
    if first <= second:
        assert judge(previous, note_of(second), path(first, second), LOG) == head(second)
    else:
        with pytest.raises(Refused) as caught:
            judge(previous, note_of(second), [], LOG)
        assert (caught.value.reason, caught.value.size) == (Reason.ROLLBACK, first)


def test_judge__same_size_other_root_in_either_hash__equivocation() -> None:
    real = head(7).root
    for root in (TwinDigest(sha256(b"x"), real.sm3), TwinDigest(real.sha256, sm3(b"x"))):
        note = checkpoint.sign_note(Checkpoint(LOG.origin, 7, root, NOW), KEYS)
        with pytest.raises(Refused) as caught:
            judge(head(7), note, [], LOG)
        assert caught.value.reason is Reason.EQUIVOCATION


def test_judge__proof_missing_changed_or_from_elsewhere__refused() -> None:
    good = path(7, 20)
    changed = [TwinDigest(good[0].sha256, sm3(b"x")), *good[1:]]
    for wrong in ([], good[:-1], [*good, good[0]], good[::-1], changed, path(6, 20)):
        with pytest.raises(Refused) as caught:
            judge(head(7), note_of(20), wrong, LOG)
        assert caught.value.reason is Reason.INCONSISTENT
    with pytest.raises(Refused) as caught:
        judge(head(7), note_of(20), path(6, 20), LOG, old_size=6)
    assert (caught.value.reason, caught.value.size) == (Reason.STALE_SIZE, 7)


def test_judge__other_log_or_bad_signature__refused_before_anything_else() -> None:
    stranger = LogKeys("log.other", KEYS.ed25519, KEYS.sm2)
    forger = LogKeys("log.demo", KEYS.ed25519, sm.generate())
    for keys, reason in ((stranger, Reason.UNKNOWN_LOG), (forger, Reason.BAD_SIGNATURE)):
        note = checkpoint.sign_note(Checkpoint(keys.origin, 3, TREE[3].root(), NOW), keys)
        with pytest.raises(Refused) as caught:
            judge(head(7), note, [], LOG)
        assert caught.value.reason is reason


class Memory:
    def __init__(self) -> None:
        self.note: str | None = None
        self.evidence: list[tuple[Reason, str, str]] = []

    def latest(self, origin: str) -> str | None:
        return self.note

    def keep(self, checkpoint_: Checkpoint, note: str) -> None:
        self.note = note

    def keep_evidence(self, reason: Reason, offered: str, cosigned: str) -> None:
        self.evidence.append((reason, offered, cosigned))


def test_add_checkpoint__growth_then_two_histories__cosigns_then_keeps_both_notes() -> None:
    state = Memory()

    def offer(note: str, old_size: int, proof: list[TwinDigest]) -> str:
        return add_checkpoint(
            state, note=note, old_size=old_size, path=proof, log=LOG, name="w.demo", key=WITNESS, now=NOW + 5
        )

    for first, second in ((0, 5), (5, 9)):
        note = note_of(second)
        line = offer(note, first, path(first, second))
        assert check(checkpoint.add_lines(note, [line])) == (("w.demo", NOW + 5),)
    forged = checkpoint.sign_note(Checkpoint(LOG.origin, 9, twin(b"other"), NOW), KEYS)
    with pytest.raises(Refused):
        offer(forged, 9, [])
    with pytest.raises(Refused):
        offer(note_of(5), 9, [])
    assert [(reason, offered == forged) for reason, offered, _ in state.evidence] == [
        (Reason.EQUIVOCATION, True),
        (Reason.ROLLBACK, False),
    ]
    assert state.note == note
