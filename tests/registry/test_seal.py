"""The sealed paper, looked at by pyHanko's validator, by a check of our own making, and by programs that read."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pypdf
import pypdfium2
import pytest
import rfc3161_client
import zxingcpp
from asn1crypto import cms, parser
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given, settings
from hypothesis import strategies as st
from test_document import a_paper, text_of_pdf

from ledger.digest import twin
from registry import answering, issuing
from registry.catalogue import Integrity
from registry.document import Paper, check_address, render_pdf, render_seal
from registry.errors import PaperRefused
from registry.pades import BOX, FIELD, examine
from registry.seal import Seal
from tests.counts import few
from tests.registry.registry_house import FONTS, House, a_form, moment
from tests.registry.seal_maker import Stamper, a_seal, authority, der, shared

AT = moment("2026-09-01 10:30")


def pressed(seal: Seal, body: bytes, at: int = AT) -> bytes:
    picture = render_seal("浙江某某数据登记有限公司（演示）", True, FONTS)
    return seal.press(body, picture, reason="核发（演示）", place="浙江某某数据登记有限公司（演示）", at=at).pdf


@pytest.fixture(scope="module")
def paper() -> Paper:
    return a_paper()


@pytest.fixture(scope="module")
def body(paper: Paper) -> bytes:
    return render_pdf(paper, FONTS)


@pytest.fixture(scope="module")
def stamper() -> Stamper:
    return Stamper(authority("演示时间戳根"), AT + 5)


@pytest.fixture(scope="module")
def seal(stamper: Stamper) -> Seal:
    return a_seal(stamper=stamper)


@pytest.fixture(scope="module")
def signed(seal: Seal, body: bytes) -> bytes:
    return pressed(seal, body)


def second_look(pdf: bytes) -> dict[str, Any]:
    """A check that shares nothing with pyHanko: byte range, digest, and ECDSA signature over the signed attributes."""
    field = pypdf.PdfReader(io.BytesIO(pdf)).get_fields()[FIELD]["/V"]  # type: ignore[index]
    first, length, resumed, rest = map(int, field["/ByteRange"])
    assert (first, resumed + rest) == (0, len(pdf))
    covered = pdf[:length] + pdf[resumed:]
    content = cms.ContentInfo.load(bytes(field["/Contents"]))["content"]
    (info,) = content["signer_infos"]
    attributes = {item["type"].native: item["values"][0] for item in info["signed_attrs"]}
    assert attributes["message_digest"].native == hashlib.sha256(covered).digest()
    leaf = next(
        item.chosen for item in content["certificates"]
        if item.chosen.serial_number == info["sid"].chosen["serial_number"].native
    )  # fmt: skip
    key = load_der_x509_certificate(leaf.dump()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(info["signature"].native, info["signed_attrs"].untag().dump(), ec.ECDSA(SHA256()))
    token = next((item for item in info["unsigned_attrs"] if item["type"].native == "signature_time_stamp_token"), None)
    return {
        "leaf": leaf.dump(),
        "token": token["values"][0].dump() if token is not None else b"",
        "signature": info["signature"].native,
        "dictionary": field,
    }


def forms_drawn(pdf: bytes, scale: int = 3) -> pypdfium2.PdfBitmap:
    """Page 1 as a reader shows it, with the signature's visible mark."""
    document = pypdfium2.PdfDocument(pdf)
    document.init_forms()
    return document[0].render(scale=scale, may_draw_forms=True, rev_byteorder=True)


# Pressing -------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G27", "I-27")
def test_seal__body__stays_byte_for_byte_and_two_programs_find_the_signature_good(
    seal: Seal, signed: bytes, body: bytes, stamper: Stamper
) -> None:
    assert signed.startswith(body)
    assert signed != body
    seen = examine(signed, (der(shared().root),), (der(stamper.house.root),), at=AT)
    found = second_look(signed)
    assert found["leaf"] == seal.chain[0]
    assert seen.certificate.sha256 == hashlib.sha256(seal.chain[0]).hexdigest()
    assert (seen.stamped_at, seen.stamped_by) == (AT + 5, "演示时间戳机构")
    assert found["dictionary"]["/SubFilter"] == "/ETSI.CAdES.detached"


def test_seal__without_an_authority__bears_no_time_stamp(body: bytes) -> None:
    seal = a_seal()
    sealed = seal.press(body, render_seal("某某", False, FONTS), reason="核发", place="某某", at=AT)
    assert (sealed.mark.stamped_at, sealed.mark.stamped_by, sealed.mark.trial) == (None, "", True)
    assert second_look(sealed.pdf)["token"] == b""


def test_seal__time_stamp__another_program_finds_it_good_and_over_this_signature(
    signed: bytes, stamper: Stamper
) -> None:
    found = second_look(signed)
    token = cms.ContentInfo.load(found["token"])
    answer = _answer(token)
    root = load_der_x509_certificate(der(stamper.house.root))
    verifier = rfc3161_client.VerifierBuilder().add_root_certificate(root).build()
    assert verifier.verify_message(answer, found["signature"])
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify_message(answer, found["signature"] + b"x")


def _answer(token: cms.ContentInfo) -> rfc3161_client.TimeStampResponse:
    from asn1crypto import tsp

    response = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token})
    return rfc3161_client.decode_timestamp_response(response.dump())


def test_seal__instants__are_the_houses_and_never_the_machines(signed: bytes) -> None:
    written = second_look(signed)["dictionary"]["/M"]
    assert written.startswith(datetime.fromtimestamp(AT, UTC).strftime("D:2026090110300"))
    this_year = str(datetime.now(UTC).year + 1).encode()
    assert b"D:" + this_year not in signed
    metadata = pypdf.PdfReader(io.BytesIO(signed)).trailer["/Root"]["/Metadata"].get_data()
    assert b"pyHanko" not in metadata


def test_seal__of_two_papers__nothing_is_asked_twice(body: bytes, stamper: Stamper) -> None:
    before = stamper.asked
    pressed(a_seal(stamper=stamper), body)
    assert stamper.asked == before + 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [(b"", "empty"), (b"<html>", "no ASN.1"), (bytes.fromhex("30053003020102"), "a rejection")],
)
def test_seal__authority_answers_nonsense__no_paper_is_made(body: bytes, answer: bytes, why: str) -> None:
    seal = replace(a_seal(), ask=lambda _: answer, stamp_root=der(authority().root))
    with pytest.raises(PaperRefused):
        pressed(seal, body)


def test_seal__stamp_of_a_stranger__no_paper_is_made(body: bytes, stamper: Stamper) -> None:
    seal = replace(a_seal(stamper=stamper), stamp_root=der(authority("另一机构").root))
    with pytest.raises(PaperRefused, match="时间戳"):
        pressed(seal, body)


def test_seal__expired_key_certificate__no_paper_is_made(body: bytes) -> None:
    with pytest.raises(PaperRefused, match="有效期"):
        pressed(a_seal(days=30), body)


# Looking --------------------------------------------------------------------------------------------------------------


def test_examine__root_of_somebody_else__is_refused(signed: bytes, stamper: Stamper) -> None:
    stamps = (der(stamper.house.root),)
    with pytest.raises(PaperRefused, match="不可信"):
        examine(signed, (der(authority("另一机构").root),), stamps, at=AT)
    with pytest.raises(PaperRefused, match="时间戳"):
        examine(signed, (der(shared().root),), (der(authority("另一机构").root),), at=AT)


def test_examine__years_later__the_time_stamp_says_that_the_certificate_still_held(body: bytes) -> None:
    stamper = Stamper(authority("演示时间戳根"), AT)
    short = a_seal(stamper=stamper, days=365)
    signed, later = pressed(short, body), moment("2028-01-01 00:00")
    roots, stamps = (der(shared().root),), (der(stamper.house.root),)
    assert examine(signed, roots, stamps, at=later).stamped_at == AT
    with pytest.raises(PaperRefused, match="有效期"):
        examine(signed, roots, at=later)


def places(pdf: bytes) -> list[int]:
    """Every 997th byte, each byte around the seams of the signature, and the whole of what its update says."""
    field = pypdf.PdfReader(io.BytesIO(pdf)).get_fields()[FIELD]["/V"]  # type: ignore[index]
    _, length, resumed, _ = map(int, field["/ByteRange"])
    seams = [*range(length - 40, length + 80), *range(resumed - 300, resumed + 120)]
    return sorted({*range(0, len(pdf), 997), *seams, len(pdf) - 1})


@pytest.mark.clause("G27")
def test_examine__any_byte_flipped__is_found(signed: bytes, stamper: Stamper) -> None:
    """Except in the time stamp's frame (its copy of its root, its list of algorithms), which nothing signs and nobody
    believes: there the same is seen, and the digest in the issued fact finds the flip."""
    roots, stamps = (der(shared().root),), (der(stamper.house.root),)
    good = examine(signed, roots, stamps, at=AT)
    token = second_look(signed)["token"].hex().upper().encode()
    start = signed.index(token)
    every = places(signed)
    for place in every[:: max(1, len(every) // few(40))]:
        altered = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
        try:
            seen = examine(altered, roots, stamps, at=AT)
        except PaperRefused:
            continue
        assert start <= place < start + len(token), place
        assert seen == good


def frame(data: bytes, base: int = 0) -> Iterator[int]:
    """Where DER only frames: every byte of a header, and what stands in values of one byte or none."""
    while data:
        length = parser.peek(data)
        _, constructed, _, header, inside, _ = parser.parse(data[:length])
        yield from range(base, base + len(header) + (1 if len(inside) == 1 and not constructed else 0))
        if constructed:
            yield from frame(inside, base + len(header))
        base, data = base + length, data[length:]


def test_examine__any_digit_of_the_signatures_frame_flipped__is_found(signed: bytes, stamper: Stamper) -> None:
    """Versions, lengths and empty parameters, which no signature covers, have the one writing that we write."""
    roots, stamps = (der(shared().root),), (der(stamper.house.root),)
    field = pypdf.PdfReader(io.BytesIO(signed)).get_fields()[FIELD]["/V"]  # type: ignore[index]
    contents = bytes(field["/Contents"])
    contents = contents[: parser.peek(contents)]
    token = contents.index(second_look(signed)["token"])
    first = int(field["/ByteRange"][1]) + 1
    unseen = []
    digits = [2 * at + half for at in frame(contents) if at < token for half in (0, 1)]
    for digit in digits:
        altered = signed[: first + digit] + bytes([signed[first + digit] ^ 1]) + signed[first + digit + 1 :]
        try:
            examine(altered, roots, stamps, at=AT)
        except PaperRefused:
            continue
        unseen.append(digit)
    assert unseen == []
    assert len(digits) > 200


def test_examine__time_stamp_taken_out__is_found(signed: bytes, stamper: Stamper) -> None:
    """The token lies outside what the signature covers; whoever asks for a time stamp does not go without."""
    with pytest.raises(PaperRefused, match="没有时间戳"):
        examine(
            pressed(a_seal(), signed[: signed.index(b"%%EOF") + 6]),
            (der(shared().root),),
            (der(stamper.house.root),),
            at=AT,
        )


@pytest.mark.parametrize("more", [b" ", b"\n%%EOF\n", b"1 0 obj\n<<>>\nendobj\n"])
def test_examine__something_appended__is_found(signed: bytes, more: bytes) -> None:
    with pytest.raises(PaperRefused):
        examine(signed + more, (der(shared().root),), at=AT)


def test_examine__the_seal_cut_off__is_no_paper(signed: bytes, body: bytes) -> None:
    for data in (body, b"", b"%PDF-1.7\n", b"{}"):
        with pytest.raises(PaperRefused, match="印章"):
            examine(data, (der(shared().root),), at=AT)


def test_examine__signed_twice__is_refused(signed: bytes) -> None:
    with pytest.raises(PaperRefused):
        pressed(a_seal(), signed)


@settings(max_examples=few(60))
@given(st.binary(max_size=400))
def test_examine__any_bytes__never_anything_but_refused(data: bytes) -> None:
    with pytest.raises(PaperRefused):
        examine(b"%PDF-1.7\n" + data, (der(shared().root),), at=AT)


# Reading back ---------------------------------------------------------------------------------------------------------


def test_sealed_paper__text_qr_and_attachments__read_back_by_programs(signed: bytes, paper: Paper) -> None:
    assert paper.entry.code in text_of_pdf(signed)
    bitmap = forms_drawn(signed)
    rows = memoryview(bytes(bitmap.buffer)).cast("B", shape=(bitmap.height, bitmap.width, bitmap.n_channels))
    assert [item.text for item in zxingcpp.read_barcodes(rows)] == [check_address(paper)]
    attached = pypdf.PdfReader(io.BytesIO(signed)).attachments
    assert sorted(attached) == ["SJ3312026090001-v1.json", "SJ3312026090001-v1.vc.json"]
    assert json.loads(attached["SJ3312026090001-v1.vc.json"][0])


def test_sealed_paper__seal__is_red_in_its_place_and_lies_on_nothing(signed: bytes, body: bytes) -> None:
    """Where the seal goes, the body is white; with the seal a tenth and more of the square is red."""
    for pdf, red in ((body, False), (signed, True)):
        found = list(_pixels(pdf))
        white = sum(1 for pixel in found if pixel == (255, 255, 255))
        reds = sum(1 for r, g, b in found if r > 150 and g < 90 and b < 90)
        assert (white == len(found)) is not red
        assert (reds > len(found) // 10) is red


def _pixels(pdf: bytes) -> Iterator[tuple[int, int, int]]:
    bitmap = forms_drawn(pdf, 2)
    data, left, right = bytes(bitmap.buffer), BOX[0] * 2, BOX[2] * 2
    for y in range(bitmap.height - BOX[3] * 2, bitmap.height - BOX[1] * 2):
        row = y * bitmap.stride
        for x in range(left, right):
            start = row + x * bitmap.n_channels
            yield data[start], data[start + 1], data[start + 2]


@pytest.mark.parametrize("agency", ["某", "某某数据局", "浙江某某数据登记有限公司（演示）", "某" * 30])
def test_drawn_seal__says_name_and_note_inside_its_square(agency: str) -> None:
    for trial in (True, False):
        picture = render_seal(agency, trial, FONTS)
        text = text_of_pdf(picture)
        assert sorted(agency + "登记专用章" + "演示用印" * trial) == sorted(text)
        (page,) = pypdfium2.PdfDocument(picture)
        for item in page.get_objects():
            left, bottom, right, top = item.get_bounds()
            assert min(left, bottom) >= -1
            assert max(right, top) <= 103


# In the house ---------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G27", "I-27")
def test_issue__states_body_and_sealed_file__and_the_bare_body_is_no_issued_paper(house: House) -> None:
    code = house.certificate(a_form())
    papers, draft = house.issue(code), house.drawn(code)
    forms = {item["form"]: item for item in papers.fact.body["documents"]}
    assert set(forms) == {"body", "pdf", "json", "vc"}
    assert forms["body"]["digest"]["sha256"] == hashlib.sha256(draft.body).hexdigest()
    assert forms["pdf"]["digest"]["sm3"] == twin(papers.pdf).sm3.hex()
    assert papers.pdf[: forms["body"]["size"]] == draft.body

    def integrity(data: bytes) -> Integrity:
        return answering.check(house.session, code, house.now, file=twin(data)).integrity

    assert {integrity(data) for data in (papers.pdf, papers.json, papers.credential)} == {Integrity.INTACT}
    assert integrity(draft.body) is Integrity.ALTERED
    shown = answering.check(house.session, code, house.now).seal
    assert shown is not None
    assert (shown.trial, shown.stamped_at) == (True, None)


def test_issue__again_with_another_signature_over_the_same_body__is_refused(house: House) -> None:
    code = house.certificate(a_form())
    first = house.issue(code)
    house.kept[code, 1] = pressed(house.seal, house.drawn(code).body, house.now)
    with pytest.raises(PaperRefused):
        house.issue(code)
    house.kept[code, 1] = first.pdf
    assert house.issue(code).fact == first.fact


def test_issue__years_later_with_other_keys__makes_the_same_body_from_facts_alone(house: House) -> None:
    from tests.registry.seal_maker import an_issuer

    code = house.certificate(a_form())
    first = house.issue(code)
    house.now += 900 * 86_400
    house.seal, house.issuer = a_seal(trial=False), an_issuer("https://elsewhere.test")
    assert house.issue(code).replayed
    assert first.pdf.startswith(house.drawn(code).body)


def test_issue__file_that_is_not_the_drafts__is_refused_and_nothing_is_stated(house: House) -> None:
    one, other = (house.certificate(a_form(content=content)) for content in (b"a\n1\n", b"a\n2\n"))
    draft, wrong = house.drawn(one), house.drawn(other)
    sealed = house.seal.press(wrong.body, wrong.picture, reason="", place="", at=house.now)
    from registry_house import CALENDAR

    with pytest.raises(PaperRefused):
        issuing.issue(house.session, house.agency, draft, sealed, signer=house.signer, at=house.now, calendar=CALENDAR)
    assert not answering.check(house.session, one, house.now).issued


def test_issue__seal_that_counts__the_paper_does_not_say_demonstration_seal(house: House) -> None:
    house.seal = a_seal(trial=False)
    code = house.certificate(a_form())
    assert "演示用印" not in text_of_pdf(house.issue(code).pdf)
    shown = answering.check(house.session, code, house.now).seal
    assert shown is not None
    assert not shown.trial
