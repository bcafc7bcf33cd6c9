"""`shuqing foreign`: transcripts of other issuers' certificates, taken in and checked by the agency's staff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.facts import Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2
from ledger.sm import Sm2Key
from registry.asset import Twin
from registry.foreign.check import CHECKED, ForeignCheck, ForeignState, Method
from registry.foreign.paper import FOREIGN, ForeignPaper, require_plausible, subject_of

app = typer.Typer(help="外部凭证的导入与核验 / certificates of other issuers", no_args_is_help=True)

KeyOption = Annotated[Path, typer.Option(help="经办人密钥文件 / key file of the member of staff")]
ByOption = Annotated[str, typer.Option(help="经办人，如 staff:clerk / who signs")]
RoleOption = Annotated[str, typer.Option(help="intake | reviewer | approver")]
UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON 列表，每项一张凭证 / a list in JSON, one certificate an item")],
    key: KeyOption,
    by: ByOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    role: RoleOption = "intake",
) -> None:
    """导入外部凭证；先整体检查，有一项不符即全部不导入 / takes certificates in; one wrong item and nothing is sent."""
    with said_clearly():
        papers = _papers(file.read_bytes(), file.parent)
        for place, paper in enumerate(papers):
            earlier = [(p.issuer, p.paper_type) for p in papers[:place] if p.number == paper.number]
            try:
                require_plausible(paper, earlier)
            except FieldError as error:
                raise FieldError(f"[{place}].{error.field}", error.expected, error.given) from error
        signer = keyfiles.load(key).sm2
        with PlatformClient(url, api_key) as client:
            for paper in papers:
                statement = Statement(FOREIGN, subject_of(paper), 0, None, body_of(paper))
                _submit(client, "/api/foreign-certificates", statement, signer, by, role)
                typer.echo(f"{subject_of(paper)}  {paper.paper_type.value}  {paper.number}")


@app.command("check")
def check(
    identity: Annotated[str, typer.Argument(help="外部凭证 foreign:… / the foreign certificate")],
    result: Annotated[ForeignState, typer.Option(help="VERIFIED | FAILED | UNVERIFIABLE")],
    method: Annotated[Method, typer.Option(help="核验方式 / how it was checked")],
    evidence: Annotated[Path, typer.Option(help="核验依据，只提交摘要 / what was kept of it: only a digest is sent")],
    as_of: Annotated[int, typer.Option(help="核验时刻，UTC 秒 / when, in seconds UTC")],
    key: KeyOption,
    by: ByOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    note: Annotated[str, typer.Option(help="说明 / a note")] = "",
    valid_until: Annotated[str, typer.Option(help="签发方所述有效期至 / valid until, as its issuer says")] = "",
    role: RoleOption = "reviewer",
) -> None:
    """记录一次核验结果 / states what a check found."""
    with said_clearly():
        body = ForeignCheck(result, method, as_of, Twin.of(twin(evidence.read_bytes())), note, valid_until or None)
        read(ForeignCheck, body_of(body))
        signer = keyfiles.load(key).sm2
        with PlatformClient(url, api_key) as client:
            statement = client.draft(CHECKED, identity, body_of(body))
            answer = _submit(client, "/api/foreign-certificates/checks", statement, signer, by, role)
    typer.echo(json.dumps(answer, ensure_ascii=False))


def _papers(data: bytes, folder: Path) -> list[ForeignPaper]:
    """The certificates of a file. An item may name the `transcript_file` it was read from instead of its digests."""
    items = canonical.parse(data)
    if not isinstance(items, list) or not items:
        raise FieldError("file", "非空列表 / a list of certificates", type(items).__name__)
    return [_paper(item, f"[{place}]", folder) for place, item in enumerate(items)]


def _paper(item: Any, where: str, folder: Path) -> ForeignPaper:
    if isinstance(item, dict) and "transcript_file" in item:
        name = item.pop("transcript_file")
        if not isinstance(name, str) or Path(name).name != name:
            raise FieldError(f"{where}.transcript_file", "同目录的文件名 / a file beside this one", repr(name)[:80])
        digest = twin((folder / name).read_bytes())
        item = item | {"transcript": digest.document()}
    return read(ForeignPaper, item, where)


def _submit(
    client: PlatformClient, path: str, statement: Statement, signer: Sm2Key, by: str, role: str
) -> dict[str, Any]:
    answer: dict[str, Any] = client.submit(path, statement, [lambda item: sign_sm2(signer, item, by=by, role=role)])
    return answer
