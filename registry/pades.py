"""The seal's PDF signature (PAdES): made with a `Seal`, and examined. The only door to pyHanko.

The signature is an incremental update after the unsigned body: whoever cuts it off takes the seal off with it. It
certifies (DocMDP 1: nothing may be changed afterwards) and, where a time-stamp authority is asked, carries its token
(RFC 3161).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, core, parser, tsp, x509
from asn1crypto import keys as asn1_keys
from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, BoxConstraints, SimpleBoxLayoutRule
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.timestamps.common_utils import TimestampRequestError
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from ledger.digest import twin
from registry.asset import Twin
from registry.calendar import SHANGHAI
from registry.errors import PaperRefused
from registry.seal import Ask, Seal, Seen

FIELD = "RegistrationSeal"
BOX = 366, 123, 468, 225
"""Where the seal lies on page 1, in points from the lower left corner; `certificate.typ` leaves this place free."""

FRAME, STAMP = 2_048, 8_192
"""Bytes kept for the signature beside its certificates, and for a time stamp with those of its own. Readers go through
them digit by digit, so they are not many more than needed; a larger time stamp is refused, never cut."""


def examine(pdf: bytes, roots: Sequence[bytes], stamp_roots: Sequence[bytes] = (), *, at: int) -> Seen:
    """Is this one signature over the whole file, by a key that leads to one of `roots` (DER) at `at` (seconds UTC)?

    With `stamp_roots` there must be a time stamp that leads to one of them, and then its instant counts instead of
    `at`; without, a time stamp is passed over. Raises `PaperRefused` naming what is wrong. Never believes a root
    certificate in the file.
    """
    try:
        (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
        status = validate_pdf_signature(signature, _context(roots, at), _context(stamp_roots or roots, at))
        found = status.timestamp_validity if stamp_roots else None
        stamped_at = int(found.timestamp.timestamp()) if found is not None else None
        if stamped_at is not None and not status.trusted:
            status = validate_pdf_signature(signature, _context(roots, stamped_at), _context(stamp_roots, at))
        start, length, resumed, rest = (int(number) for number in signature.byte_range)
        alone = _alone(pdf[start + length : resumed], signature.pkcs7_content)
    except Exception as error:  # whatever a hostile file breaks in the parser is the same answer: it is not the paper
        raise PaperRefused("不是盖有一枚完好印章的 PDF。", f"no PDF with one whole seal: {error!r}"[:300]) from error
    if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE or resumed + rest != len(pdf) or start != 0:
        raise PaperRefused("签名没有覆盖整个文件。", "the signature does not cover the whole file")
    if not status.intact or not status.valid or not status.docmdp_ok:
        raise PaperRefused("文件在盖章后被改动。", "the file was changed after it was sealed")
    if not alone:
        raise PaperRefused("签名域中有多余内容。", "something else stands beside the signature")
    if not status.trusted:
        raise PaperRefused(
            "印章证书不可信或不在有效期。", "its key certificate leads to no trusted root, or has expired"
        )
    if stamp_roots and found is None:
        raise PaperRefused("没有时间戳。", "there is no time stamp")
    if found is not None and not (found.intact and found.valid and found.trusted):
        raise PaperRefused("时间戳无效或不可信。", "its time stamp is not valid or not trusted")
    stamped_by = _name(found.signing_cert) if found is not None else ""
    certificate = signature.signer_cert
    return Seen(_name(certificate), Twin.of(twin(certificate.dump())), stamped_at, stamped_by)


def signed(seal: Seal, body: bytes, picture: bytes, reason: str, place: str, at: int) -> bytes:
    """The body with the signature after it. Raises `PaperRefused`."""
    certificates = [x509.Certificate.load(data) for data in seal.chain]
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple(certificates[1:])
    signer = SimpleSigner(certificates[0], asn1_keys.PrivateKeyInfo.load(seal.key), store, embed_roots=False)
    metadata = PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        location=place,
        reason=reason,
        name=_name(certificates[0]),
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    middle = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MID, AxisAlignment.ALIGN_MID)
    pdf_signer = PdfSigner(
        metadata,
        signer,
        timestamper=_Stamper(seal.ask) if seal.ask else None,
        stamp_style=StaticStampStyle(border_width=0, background=_Picture(picture), background_layout=middle),
        new_field_spec=SigFieldSpec(FIELD, on_page=0, box=BOX),
    )
    moment = datetime.fromtimestamp(at, SHANGHAI)

    async def work() -> bytes:
        session = pdf_signer.init_signing_session(_Update(io.BytesIO(body)))
        session.system_time = moment
        room = sum(map(len, seal.chain)) + FRAME + (STAMP if seal.ask else 0)
        prepared = session.prepare_tbs_document(None, bytes_reserved=2 * room)  # in hexadecimal digits
        output = io.BytesIO()
        digest, _ = prepared.digest_tbs_document(output=output)
        attributes = PdfCMSSignedAttributes(signing_time=moment)
        signed = await prepared.perform_signature(digest.document_digest, attributes)
        await signed.post_signature_processing(output)
        return output.getvalue()

    try:
        return asyncio.run(work())
    except (SigningError, PdfError, TimestampRequestError, ValueError) as error:
        raise PaperRefused(f"盖章失败：{error}"[:300], f"sealing failed: {error!r}"[:300]) from error


class _Update(IncrementalPdfFileWriter):
    """An update that leaves the document's own metadata alone: the body says when it was made, and by what."""

    def _update_meta(self) -> None:
        """pyHanko would write the machine's clock into them."""


class _Picture(PdfContent):
    """The drawn seal, page 1 of a PDF in memory, as the visible mark of the signature."""

    def __init__(self, pdf: bytes) -> None:
        super().__init__()
        self._pdf = pdf

    def render(self) -> bytes:
        drawn = self._ensure_writer.import_page_as_xobject(PdfFileReader(io.BytesIO(self._pdf)), page_ix=0)
        self.resources.xobject["/Seal"] = drawn
        left, bottom, right, top = drawn.get_object()["/BBox"]
        self.box = BoxConstraints(width=right - left, height=top - bottom)
        return b"/Seal Do"


class _Stamper(TimeStamper):
    """Asks the authority through `Ask`, once per signature."""

    def __init__(self, ask: Ask) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ask = ask

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        return tsp.TimeStampResp.load(self._ask(req.dump()))


def _alone(between: bytes, contents: bytes) -> bool:
    """Is what the signature does not cover nothing but itself, in hexadecimal, and filled up with zeros?

    A CMS has places that no signature covers and readers pass over (versions, lengths, empty parameters): so it is
    written anew around what is signed or judged, and must come out the same to the byte.
    """
    length = parser.peek(contents)
    written = contents.hex().encode()
    if between not in (b"<" + written + b">", b"<" + written.upper() + b">") or any(contents[length:]):
        return False
    signed = cms.ContentInfo.load(contents[:length], strict=True)["content"]
    (info,) = signed["signer_infos"]
    kept = ("sid", "signed_attrs", "signature_algorithm", "signature", "unsigned_attrs")
    sha256 = {"algorithm": "sha256", "parameters": core.Null()}
    anew = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [sha256],
            "encap_content_info": {"content_type": "data"},
            "certificates": signed["certificates"],
            "signer_infos": [
                {"version": "v1", "digest_algorithm": sha256, **{name: info[name] for name in kept if info[name]}}
            ],
        }
    )
    whole = cms.ContentInfo({"content_type": "signed_data", "content": anew}).dump(force=True)
    return _fills(whole) and whole == contents[:length]


def _fills(data: bytes) -> bool:
    """Do DER values fill these bytes exactly, and their own insides likewise, all the way down?"""
    while data:
        length = parser.peek(data)
        _, constructed, _, _, inside, _ = parser.parse(data[:length], strict=True)
        if length > len(data) or (constructed and not _fills(inside)):
            return False
        data = data[length:]
    return True


def _context(roots: Sequence[bytes], at: int) -> ValidationContext:
    trusted = [x509.Certificate.load(data) for data in roots]
    moment = datetime.fromtimestamp(at, UTC)
    return ValidationContext(trust_roots=trusted, moment=moment, allow_fetching=False)


def _name(certificate: Any) -> str:
    """Who a key certificate names: organisation and common name."""
    subject = certificate.subject.native
    return "　".join(str(subject[key]) for key in ("organization_name", "common_name") if key in subject)[:200]
