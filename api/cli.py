"""The `shuqing` command. Each command translates, calls one thing and prints; wrong input ends with a clear message."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

from api import (
    bootstrap,
    checks,
    cli_agency,
    cli_cards,
    cli_connector,
    cli_deals,
    cli_delivery,
    cli_dispute,
    cli_element,
    cli_foreign,
    cli_intake,
    cli_journal,
    cli_likeness,
    cli_market,
    cli_national,
    cli_nontax,
    cli_price,
    cli_report,
    cli_retention,
    cli_rules,
    cli_seal,
    cli_service,
    cli_settle,
    court,
    erasing,
    hardware,
    jobs,
    keyfiles,
    memory,
    sealing,
    settings,
    status,
    uploads,
)
from api import worker as working
from api.apikey import issue
from api.command import HomeOption, said_clearly, stored, system_of
from api.proofs import ALL, bundle_of
from api.trust_file import trust_of
from clearing.pricing.trial import trial_allowance, trial_price, trial_value
from clearing.settlement.service_order.trial import trial_order
from clearing.settlement.trial import trial_netting, trial_settlement, trial_split
from ledger import answer, archive, canonical, checkpoint, subject_map, trust, verify
from ledger.errors import FieldError, Malformed
from ledger.reading import body_of
from registry.party import IdType

app = typer.Typer(
    help="数清 ShuQing：数据产权登记与交易清算 / data property registration and exchange clearing",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
facts_app = typer.Typer(help="事实的导出与导入 / facts out and in", no_args_is_help=True)
keys_app = typer.Typer(help="密钥文件与接口密钥 / key files and API keys", no_args_is_help=True)
trial_app = typer.Typer(help="试算：不触碰数据库 / what-if cases that touch no database", no_args_is_help=True)
ledger_app = typer.Typer(help="日志 / the log", no_args_is_help=True)
app.add_typer(facts_app, name="facts")
app.add_typer(keys_app, name="keys")
app.add_typer(trial_app, name="trial")
app.add_typer(ledger_app, name="ledger")
app.add_typer(cli_likeness.app, name="likeness")
app.add_typer(cli_rules.calendar_app, name="calendar")
app.add_typer(cli_rules.rules_app, name="rules")
app.command("precheck")(cli_rules.precheck_)
app.add_typer(cli_intake.app, name="intake")
app.add_typer(cli_foreign.app, name="foreign")
app.add_typer(cli_seal.app, name="seal")
app.add_typer(cli_national.app, name="national")
app.add_typer(cli_agency.app, name="agency")
app.add_typer(cli_cards.app, name="cards")
app.add_typer(cli_delivery.app, name="delivery")
app.add_typer(cli_dispute.app, name="dispute")
app.add_typer(cli_settle.app, name="settle")
app.add_typer(cli_nontax.app, name="nontax")
app.add_typer(cli_report.app, name="report")
app.add_typer(cli_service.app, name="service")
app.add_typer(cli_market.app, name="market")
app.add_typer(cli_element.app, name="element")
app.add_typer(cli_price.app, name="price")
app.add_typer(cli_deals.app, name="deals")
app.add_typer(cli_connector.app, name="connector")
app.add_typer(cli_journal.app, name="journal")
app.add_typer(cli_retention.app, name="retention")
app.add_typer(cli_agency.handover_app, name="handover")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="结果目录 / folder for the results")] = Path("demo-out"),
    calls: Annotated[int, typer.Option(min=1, max=20000, help="数据接口调用次数 / calls of the data API")] = 2000,
) -> None:
    """主流程演示：登记→上架→签约→使用→定价→清算→核验 / the main job, end to end."""
    try:
        from scripts.demo.story import run
    except ModuleNotFoundError as error:
        typer.echo(
            "演示需要源码目录（git clone 后 make demo）。 / The demo needs a checkout: git clone, make demo.", err=True
        )
        raise typer.Exit(2) from error
    raise typer.Exit(run(out, calls))


@app.command()
def init(
    source: Annotated[
        Path, typer.Argument(help="设置文件（JSON），字段见 README / settings as JSON, fields in the README")
    ],
    home: HomeOption = None,
) -> None:
    """建立安装目录：检查设置、生成四把密钥和演示用印 / makes the home folder: settings, keys, a trial seal."""
    with said_clearly():
        folder = home or settings.home_from_environment()
        made = settings.check(canonical.parse(source.read_bytes()), folder)
        if (folder / settings.FILE).exists():
            raise settings.SettingsError(f"{folder} 已有安装，未改动。 / {folder} holds an installation already.")
        holders = dict.fromkeys(bootstrap.KEY_FILES, made.operator) | {bootstrap.AGENCY_KEYS: made.agency}
        for name, holder in holders.items():
            keys = keyfiles.create(folder / "keys" / name, f"party:{holder}")
            typer.echo(json.dumps({"file": name, "by": keys.by, "sm2": keys.sm2.public, "evm": keys.address}))
        sealing.create(sealing.path_of(folder), made.agency_name, at=bootstrap.clock(made.clock_file)())
        settings.save(made)
    typer.echo(f"已建立 {folder}；下一步部署合约并放置 deployment.json。 / Made {folder}; next: deploy the contracts.")


@app.command()
def serve(
    home: HomeOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="端口 / port")] = 8000,
    host: Annotated[str, typer.Option(help="地址 / address")] = "127.0.0.1",
) -> None:
    """HTTP 服务 / the HTTP application."""
    from api.app import create  # which takes as long to load as most commands do in all

    with said_clearly():
        system = system_of(home)
        bootstrap.migrate(system.settings.database)
    uploads.sweep(system.settings.home)
    app = create(system)
    memory.settle()
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)


@app.command()
def worker(
    home: HomeOption = None,
    once: Annotated[bool, typer.Option(help="只运行到无事可做 / until nothing is left to do")] = False,
) -> None:
    """后台任务：计时、入列、签头、见证、锚定 / timers, integration, heads, witnesses, anchoring."""
    with said_clearly():
        system = system_of(home)
        bootstrap.require_seal(system)
        bootstrap.migrate(system.settings.database)
        if once:
            working.once(system)
            return
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    memory.settle()
    typer.echo("worker ready")
    working.run(system, stop)


@app.command("verify")
def verify_(
    bundle: Annotated[Path, typer.Argument(help="证据包 / proof bundle")],
    trust_file: Annotated[Path, typer.Option("--trust", help="信任文件 / trust file of your own")],
    home: HomeOption = None,
    head: Annotated[Path | None, typer.Option(help="独立取得的树头 / a signed note you obtained yourself")] = None,
) -> None:
    """核验一个证据包或完备性证明 / checks one proof bundle, or all facts of a subject, step by step."""
    with said_clearly():
        trusted = trust.read(canonical.parse(trust_file.read_bytes()))
        point = checkpoint.parse(head.read_text(encoding="utf-8"))[0] if head else None
        chain = None if head else bootstrap.connect(settings.load(home or settings.home_from_environment()), None)
        data = bundle.read_bytes()
        check = answer.verify_answer if answer.recognised(data) else verify.verify
        report = check(data, trusted, chain=chain, head=point, rules=bootstrap.rules())
    for step in report.steps:
        typer.echo(
            f"({step.number:2}) {'✓' if step.ok else '✗'} {step.code} {step.name}{step.detail and '：' + step.detail}"
        )
    typer.echo(f"完整性 / integrity: {'INTACT' if report.intact else 'REFUSED'}")
    typer.echo(f"状态 / status: {report.status.code} {report.status.reason} （截至 / as of {report.status.as_of}）")
    typer.echo(f"信任级别 / trust level: {report.trust_level}")
    if report.not_checked:
        typer.echo(f"未核对（没有询问节点） / not checked, no node was asked: {', '.join(report.not_checked)}")
    for limit in report.not_proved:
        typer.echo(f"未证明 / not proved: {limit}")
    raise typer.Exit(0 if report.intact else 1)


@app.command()
def audit(
    home: HomeOption = None,
    offline: Annotated[bool, typer.Option(help="不询问链（会注明） / do not ask the chain, and say so")] = False,
) -> None:
    """从证据重算一切 / recomputes everything from the evidence; exit 1 and the row's name on any difference."""
    with said_clearly():
        system = stored(home)
        findings = 0
        for area, found in checks.audit(system, offline=offline):
            findings += len(found)
            typer.echo(f"{'✓' if not found else '✗'} {area}")
            for finding in found:
                typer.echo(f"   {finding}")
        for note in checks.erased(system):
            typer.echo(f"ℹ {note}")
    typer.echo(f"差异 / differences: {findings}")
    if offline:
        typer.echo("未询问链：链上一致性没有核对。 / The chain was not asked: agreement with it is unchecked.")
    raise typer.Exit(1 if findings else 0)


@app.command()
def reindex(home: HomeOption = None) -> None:
    """由事实与链重建全部视图与日志 / rebuilds every view and the log from facts and chain."""
    with said_clearly():
        system = system_of(home)
        bootstrap.migrate(system.settings.database)
        for name, number in jobs.reindex(system).items():
            typer.echo(f"{name}: {number}")


@app.command()
def bundle(
    fact: Annotated[str, typer.Argument(help="事实编号（SHA-256） / fact id")],
    out: Annotated[Path | None, typer.Option(help="输出文件 / output file")] = None,
    home: HomeOption = None,
    part: Annotated[int | None, typer.Option(min=0, help="分项序号 / number of the part")] = None,
    fields: Annotated[str | None, typer.Option(help="公开的字段，逗号分隔 / fields to show, by comma")] = None,
    all_fields: Annotated[bool, typer.Option("--all-fields", help="公开全部字段 / show every field")] = False,
    court_zip: Annotated[Path | None, typer.Option("--court", help="法庭用证据包（zip） / package for a court")] = None,
    trust_file: Annotated[
        Path | None, typer.Option("--trust", help="核验所用信任文件，缺省为本安装的 / trust file to check with")
    ] = None,
) -> None:
    """导出证据包或法庭用证据包 / writes the proof bundle of a fact, with one of its parts or the chosen fields."""
    with said_clearly():
        if (out is None) == (court_zip is None):
            raise FieldError("--out | --court", "恰好其一 / exactly one of them", "都有或都没有 / both or none")
        system = stored(home)
        with jobs.snapshot(system) as session:
            data = bundle_of(session, fact, system.houses, part, ALL if all_fields else fields).bytes()
        if court_zip is not None:
            now = system.clock()
            trusted = trust_file.read_bytes() if trust_file else _own_trust(system, now)
            out, data = court_zip, court.package(data, trusted, system, at=now)
        assert out is not None
        out.write_bytes(data)


def _own_trust(system: bootstrap.System, now: int) -> bytes:
    return canonical.encode(trust_of(system, {}, at=now).document()) + b"\n"


@facts_app.command("of")
def facts_of(
    subject: Annotated[str, typer.Argument(help="主体，如 agreement:… / subject, type:id")],
    home: HomeOption = None,
    proof: Annotated[Path | None, typer.Option(help="另存事项与完备性证明 / writes facts and proof")] = None,
) -> None:
    """某主体的全部事项 / all facts of a subject; with --proof a file that proves none is left out."""
    with said_clearly():
        system = stored(home)
        with jobs.snapshot(system) as session:
            found = answer.assemble(session, system.settings.origin, subject)
        for row in (*found.facts, *found.newer):
            said = f"{row.fact.kind} {row.fact.at} {row.fact.id}" if row.fact else "已擦除 / erased"
            later = "" if row.no < len(found.facts) else "（总目尚未覆盖 / not yet covered）"
            typer.echo(f"#{row.no} {said}{later}")
        size = subject_map.read(found.map.main.fact)[0]
        typer.echo(f"前 {size} 条目中共 {len(found.facts)} 项 / {len(found.facts)} acts in the first {size} entries")
        if proof is not None:
            proof.write_bytes(found.bytes())


@facts_app.command("erase")
def facts_erase(
    facts: Annotated[list[str], typer.Argument(help="事实编号（SHA-256） / fact ids")],
    ground: Annotated[str, typer.Option(help="擦除理由 / why")],
    basis: Annotated[str, typer.Option(help="依据的条款或决定 / article or decision")],
    ordered_by: Annotated[str, typer.Option(help="决定者 / who ordered it")],
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """依法擦除事实的内容（摘要与证明保留） / erases texts for good; digests and proofs stay, a signed fact says why."""
    if not yes:
        typer.confirm(f"擦除 {len(facts)} 项事实的内容，不能恢复 / erase {len(facts)} texts for good", abort=True)
    with said_clearly():
        for erased in erasing.erase(stored(home), facts, ground=ground, basis=basis, ordered_by=ordered_by):
            typer.echo(f"{erased.body['fact']['sha256']} → {erased.id}")
    typer.echo(
        "归档、备份和已交付的文件须另行处理。 / Archives, backups and papers handed out are not touched by this."
    )


@facts_app.command("export")
def facts_export(
    out: Annotated[Path, typer.Argument(help="归档文件 / archive file")],
    home: HomeOption = None,
) -> None:
    """导出全部事实 / writes every fact, part and head into one archive file."""
    with said_clearly():
        system = stored(home)
        part = out.with_suffix(out.suffix + ".part")
        with jobs.snapshot(system) as session, part.open("wb") as file:
            lines = 0
            for line in archive.export(session, system.settings.origin):
                file.write(line)
                lines += 1
        part.replace(out)
        typer.echo(f"{lines} 行 / lines → {out}")


@facts_app.command("import")
def facts_import(
    source: Annotated[Path, typer.Argument(help="归档文件 / archive file")],
    home: HomeOption = None,
) -> None:
    """导入到空数据库 / puts an archive into an empty database; then run `shuqing reindex`."""
    with said_clearly():
        system = system_of(home)
        bootstrap.migrate(system.settings.database)
        with source.open("rb") as file:
            facts, heads = jobs.import_facts(system, iter(file))
        typer.echo(f"事实 / facts: {facts}，树头 / heads: {heads}")


@keys_app.command("new")
def keys_new(
    file: Annotated[Path, typer.Argument(help="新密钥文件 / the new key file")],
    by: Annotated[str, typer.Option(help="持有者，如 party:统一社会信用代码 / holder")] = "",
    person: Annotated[
        bool, typer.Option("--person", help="自然人：询问证件和姓名，编号由承诺得出 / asks for paper and name")
    ] = False,
) -> None:
    """生成密钥文件（仅本人可读） / makes a key file readable by its owner only and prints the public keys.

    Of a natural person also the body of party/v1 to be signed; number, name and salt stay in the file.
    """
    with said_clearly():
        if bool(by) == person:
            raise FieldError("--by | --person", "恰好其一 / exactly one of them", by[:60] or "都没有 / none")
        keys = _person_keys(file) if person else keyfiles.create(file, keyfiles.holder(by))
        told: dict[str, Any] = {"by": keys.by, "sm2": keys.sm2.public, "evm": keys.address}
        if person:
            told["party"] = body_of(keyfiles.party_of(keys))
    typer.echo(json.dumps(told, ensure_ascii=False))


@keys_app.command("token")
def keys_token(
    file: Annotated[Path, typer.Argument(help="新密钥文件 / the new key file")],
    by: Annotated[str, typer.Option(help="持有者，如 party:统一社会信用代码 / holder")],
    module: Annotated[Path, typer.Option(help="厂商的 PKCS#11 模块 / the maker's PKCS #11 module")],
    token_: Annotated[str, typer.Option("--token", help="令牌标签 / label of the token")],
    key: Annotated[str, typer.Option(help="令牌内新密钥的标签 / label of the key made in it")],
    pin_file: Annotated[
        Path | None, typer.Option("--pin-file", help="PIN 所在文件；缺省为询问 / file with its PIN")
    ] = None,
) -> None:
    """在硬件令牌内生成链上密钥，SM2 密钥仍在文件中 / makes the secp256k1 key inside a hardware token."""
    with said_clearly():
        holder = keyfiles.holder(by)
        if file.exists():
            raise FileExistsError(17, "已存在 / exists already", str(file))
        pin = keyfiles.token(pin_file) if pin_file else str(typer.prompt("PIN", hide_input=True, err=True))
        made = hardware.generate(str(module), token_, key, pin)
        keys = keyfiles.create(file, holder, hardware=made)
    typer.echo(json.dumps({"by": keys.by, "sm2": keys.sm2.public, "evm": keys.address}, ensure_ascii=False))


def _person_keys(file: Path) -> keyfiles.KeyFile:
    """Asked for, not given as options: those stand in the shell's history."""
    kinds = {"1": IdType.RESIDENT, "2": IdType.OTHER}
    kind = typer.prompt("证件类型 1 居民身份证 2 其他证件 / identity paper: 1 resident card, 2 other", err=True)
    if kind.strip() not in kinds:
        raise FieldError("person.id_type", "1 | 2", repr(kind)[:20])
    number = typer.prompt("证件号码 / its number", err=True).strip()
    name = typer.prompt("姓名 / full name", err=True).strip()
    return keyfiles.create_for_person(file, kinds[kind.strip()], number, name)


@keys_app.command("api")
def keys_api(
    holder: Annotated[str, typer.Argument(help="持有者，如 party:… / holder")],
    home: HomeOption = None,
) -> None:
    """签发接口密钥（只显示一次） / issues an API key, shown once."""
    with said_clearly():
        system = system_of(home)
        bootstrap.migrate(system.settings.database)
        with jobs.transaction(system) as session:
            key = issue(session, keyfiles.holder(holder), at=system.clock())
    typer.echo(key)


@ledger_app.command("status")
def ledger_status(
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="机器可读 / for machines")] = False,
) -> None:
    """日志与锚定状态 / how far entries have come, who carries them on; exit 1 when something needs a person."""
    with said_clearly():
        found = status.gather(stored(home))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        for line in status.told(found):
            typer.echo(line)
    raise typer.Exit(1 if found["attention"] else 0)


def _trial(file: Path, compute: Callable[[Any], Any]) -> None:
    with said_clearly():
        value = canonical.parse(file.read_bytes())
        if not isinstance(value, dict):
            raise Malformed("试算文件应为 JSON 对象。 / A trial file must be a JSON object.")
        result = compute(value)
    typer.echo(json.dumps(result, ensure_ascii=False, indent=2))


FileArgument = Annotated[Path, typer.Argument(help="算例文件（JSON） / the case as JSON", exists=False)]


@trial_app.command("price")
def trial_price_(file: FileArgument) -> None:
    """数据元件价格试算 / price of a data element (format: clearing/pricing/trial.py)."""
    _trial(file, lambda document: trial_price(document, file.parent))


@trial_app.command("value")
def trial_value_(file: FileArgument) -> None:
    """数据资产估值试算 / value by cost, income and market (format: clearing/pricing/trial.py)."""
    _trial(file, trial_value)


@trial_app.command("allowance")
def trial_allowance_(file: FileArgument) -> None:
    """准许收入试算 / allowed revenue of public-data operation (format: clearing/pricing/trial.py)."""
    _trial(file, trial_allowance)


@trial_app.command("split")
def trial_split_(file: FileArgument) -> None:
    """分配试算 / shares of one or many payments (format: clearing/settlement/trial.py)."""
    _trial(file, trial_split)


@trial_app.command("netting")
def trial_netting_(file: FileArgument) -> None:
    """轧差试算 / net positions and transfers (format: clearing/settlement/trial.py)."""
    _trial(file, trial_netting)


@trial_app.command("settlement")
def trial_settlement_(file: FileArgument) -> None:
    """结算试算 / a whole period (format: clearing/settlement/trial.py)."""
    _trial(file, trial_settlement)


@trial_app.command("order")
def trial_order_(file: FileArgument) -> None:
    """服务单项目周期试算 / a 项目周期 of service orders (format: clearing/settlement/service_order/case.py)."""
    _trial(file, trial_order)
