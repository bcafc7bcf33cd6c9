"""`shuqing seal …`: the agency's seal is made, certified by an authority, and looked at on a paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from api import bootstrap, sealing, settings
from api.command import HomeOption, said_clearly
from registry.calendar import text_of

app = typer.Typer(help="登记专用章 / the agency's seal", no_args_is_help=True)


@app.command()
def new(home: HomeOption = None) -> None:
    """生成演示用印（自签） / a seal with a certificate of its own making, where there is none yet."""
    with said_clearly():
        made = settings.load(home or settings.home_from_environment())
        sealing.create(sealing.path_of(made.home), made.agency_name, at=bootstrap.clock(made.clock_file)())
    typer.echo(f"已生成 {sealing.path_of(made.home)}：自签，凭证上印“演示用印”。 / A trial seal that signs itself.")


@app.command()
def request(
    file: Annotated[Path, typer.Argument(help="写入证书请求（PKCS #10） / where the request goes")],
    home: HomeOption = None,
) -> None:
    """为印章密钥申请证书 / a certificate request for the seal's key."""
    with said_clearly():
        made = settings.load(home or settings.home_from_environment())
        file.write_bytes(sealing.request(sealing.path_of(made.home), made.agency_name))


@app.command()
def install(
    file: Annotated[Path, typer.Argument(help="认证机构给的证书（PEM，根证书在末） / the certificates, the root last")],
    home: HomeOption = None,
) -> None:
    """装入认证机构签发的证书 / puts the authority's certificates beside the seal's key."""
    with said_clearly():
        made = settings.load(home or settings.home_from_environment())
        at = bootstrap.clock(made.clock_file)()
        name = sealing.install(sealing.path_of(made.home), file.read_bytes(), at=at)
    typer.echo(f"印章证书：{name} / the seal's certificate")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="凭证 PDF / a certificate paper")],
    root: Annotated[Path, typer.Option(help="您信任的印章根证书（PEM） / the root you trust for seals")],
    stamp_root: Annotated[
        Path | None, typer.Option(help="您信任的时间戳根证书（PEM） / the root you trust for time stamps")
    ] = None,
    at: Annotated[int | None, typer.Option(min=0, help="按此时刻核验（秒，UTC） / as of this second UTC")] = None,
) -> None:
    """核验 PDF 上的印章与时间戳；不说明凭证现在有效 / seal and time stamp on a PDF; not whether it is in force."""
    from registry.pades import examine  # slow to load, and only this command of all looks at a signature

    with said_clearly():
        stamps = (sealing.root_of(stamp_root),) if stamp_root else ()
        moment = bootstrap.clock(None)() if at is None else at
        seen = examine(file.read_bytes(), (sealing.root_of(root),), stamps, at=moment)
    found = {"holder": seen.holder, "certificate_sha256": seen.certificate.sha256, "unaltered": True}
    if seen.stamped_at is not None:
        found |= {"stamped_at": text_of(seen.stamped_at), "stamped_by": seen.stamped_by}
    typer.echo(json.dumps(found, ensure_ascii=False))
