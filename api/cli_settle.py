"""`shuqing settle`: what a period lacks, its inputs put before both sides, what is to be valued, the close of a cycle.

Inputs are signed by `shuqing deals sign`. A close goes from hand to hand as one file, from operator to auditor and
back: each signs it with its own key, on its own machine, for the contract on the chain.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Meta, Struct

from api import keyfiles
from api.cli_deals import KeyOption, evm_of
from api.client import PlatformClient
from api.command import said_clearly
from clearing.money import yuan
from clearing.settlement.close import CycleClose, commitment_of, operator_id
from clearing.settlement.onchain import CONTRACT, sign_close
from clearing.settlement.service import AUDITOR, OPERATOR
from clearing.settlement.weighing import EXACT_PARTIES, Sampling, coalitions_met
from clearing.terms import Address
from ledger import canonical, trust
from ledger.errors import FieldError, Malformed
from ledger.facts import Signature, Signed, Statement
from ledger.reading import body_of, read

app = typer.Typer(help="账期要素 / what both sides state of a period", no_args_is_help=True)

UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[Path, typer.Option("--api-key", help="接口密钥所在的文件 / file with the API key")]


@app.command()
def asked(
    cycle: Annotated[str, typer.Argument(help="账期编号 / the cycle")], url: UrlOption, api_key: ApiKeyOption
) -> None:
    """本方各合约在该账期应申报什么、缺什么、何者暂缓 / what one's agreements ask for and lack, and what is held."""
    with said_clearly(), PlatformClient(url, keyfiles.token(api_key)) as client:
        typer.echo(json.dumps(client.get(f"/api/cycles/{cycle}/inputs"), ensure_ascii=False))


@app.command()
def inputs(
    file: Annotated[Path, typer.Argument(help="JSON：agreement、revision、period、inputs，可含 weights")],
    url: UrlOption,
    api_key: ApiKeyOption,
) -> None:
    """核对后送到付款方与开票方的签署台 / checked, then put onto the desk for buyer and invoice issuer.

    The fields are those of clearing.settlement.inputs.Inputs, weights those of clearing.settlement.weighing.Derived.
    """
    with said_clearly(), PlatformClient(url, keyfiles.token(api_key)) as client:
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise Malformed(f"{file} 不是 JSON：{error}。 / {file} is not JSON: {error}.") from error
        answer = client.post("/api/period-inputs/drafts", document)
        typer.echo(json.dumps(answer, ensure_ascii=False))


@app.command()
def coalitions(
    parties: Annotated[list[str], typer.Argument(help="各方 / the contributors")],
    start: Annotated[str, typer.Option(help="起始值，64 位十六进制 / start value, 64 hex")],
    permutations: Annotated[int, typer.Option(help="抽样次数 / how many permutations")],
) -> None:
    """抽样计算 Shapley 时须估值的各组合（JSON） / the coalitions a sampled Shapley step asks a value of, before any."""
    with said_clearly():
        sampling = read(Sampling, {"start": start, "permutations": permutations}, "sampling")
        if len(set(parties)) != len(parties) or len(parties) <= EXACT_PARTIES:
            expected = f"各一次，多于 {EXACT_PARTIES} 方，否则须全部组合 / each once, more of them, else all coalitions"
            raise FieldError("parties", expected, " ".join(parties)[:200])
        met = [sorted(members) for members in coalitions_met(parties, sampling)]
        typer.echo(json.dumps(sorted(met, key=lambda members: (len(members), members)), ensure_ascii=False))


CloseArgument = Annotated[Path, typer.Argument(help="关账文件（JSON） / the close, a JSON file")]


class Domain(Struct, frozen=True, forbid_unknown_fields=True):
    """The chain and the SettlementBook a close is signed for."""

    chain_id: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    address: Address


COMPARED = "链、合约、运营方与信任文件一致。 / Chain, contract and operator agree with the trust file."
NOT_COMPARED = (
    "未给 --trust：链、合约、运营方没有与任何信任文件核对。"
    " / Without --trust: chain, contract and operator were compared with nothing."
)


@app.command("close-draft")
def close_draft(
    cycle: Annotated[str, typer.Argument(help="账期编号 / the cycle")],
    file: CloseArgument,
    auditor: Annotated[str, typer.Option(help="审计方的链上地址 0x… / the auditor's address")],
    url: UrlOption,
    api_key: ApiKeyOption,
) -> None:
    """取已结清账期的待签关账，写入文件 / the close of a settled cycle, to be signed by operator and auditor."""
    with said_clearly(), PlatformClient(url, keyfiles.token(api_key)) as client:
        answer = client.get(f"/api/cycles/{cycle}/close", auditor=auditor)
        _keep(file, Statement.of_document(answer["statement"]), read(Domain, answer["domain"], "domain"), ())
    typer.echo(str(file))


@app.command("close-sign")
def close_sign(
    file: CloseArgument,
    key: KeyOption,
    trust_file: Annotated[
        Path | None, typer.Option("--trust", help="与其核对链、合约、运营方的信任文件 / trust file of your own")
    ] = None,
    pin_file: Annotated[
        Path | None, typer.Option("--pin-file", help="令牌 PIN 所在文件；缺省为询问 / file with the token's PIN")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """核对金额后，以本方链上密钥签署 / shows the sums, then signs with one's own key, as auditor or operator.

    With --trust the file must be for the chain, the SettlementBook and an operator that the trust file names.
    """
    with said_clearly():
        statement, domain, signatures = _kept(file)
        body = read(CycleClose, statement.body)
        if trust_file is not None:
            _compare(body, domain, trust.read(canonical.parse(trust_file.read_bytes())))
        keys = keyfiles.load(key)
        role = AUDITOR if keys.address.lower() == body.auditor else OPERATOR
        if role == OPERATOR and keys.by != f"party:{body.operator}":
            raise FieldError("--key", f"party:{body.operator} | {body.auditor}", f"{keys.by} {keys.address.lower()}")
        _show(body, domain)
        typer.echo(COMPARED if trust_file is not None else NOT_COMPARED)
        if not yes:
            typer.confirm(f"以{'审计方' if role == AUDITOR else '运营方'}身份签署？ / Sign as {role}?", abort=True)
        with evm_of(keys, pin_file) as evm:
            made = sign_close(
                evm, statement, by=keys.by, role=role, chain_id=domain.chain_id, address=domain.address
            )  # fmt: skip
        _keep(file, statement, domain, (*(item for item in signatures if item.role != role), made))
    typer.echo(f"已签署 / signed: {made.by} {made.key}")


@app.command()
def close(file: CloseArgument, url: UrlOption, api_key: ApiKeyOption) -> None:
    """提交双方已签的关账 / hands in a close both have signed; it is taken in once."""
    with said_clearly(), PlatformClient(url, keyfiles.token(api_key)) as client:
        statement, _, signatures = _kept(file)
        missing = {OPERATOR, AUDITOR} - {item.role for item in signatures}
        if missing:
            raise FieldError("signatures", f"{OPERATOR} + {AUDITOR}", f"缺 / without {' + '.join(sorted(missing))}")
        answer = client.post("/api/closes", Signed(statement, signatures).document())
    typer.echo(f"已关账 / closed: {answer['fact']}")


def _compare(body: CycleClose, domain: Domain, trusted: trust.Trust) -> None:
    """Is it for the chain, the contract and the operator of this trust file? Raises `FieldError`."""
    contract = trusted.chain.contracts.get(CONTRACT)
    if contract is None:
        raise FieldError("trust.chain.contracts", CONTRACT, ", ".join(sorted(trusted.chain.contracts)))
    operators = sorted(by for by, identity in trusted.identities.items() if "operator" in identity.roles)
    for field, expected, given in (
        ("domain.chain_id", [str(trusted.chain.chain_id)], str(domain.chain_id)),
        ("domain.address", [contract.address.lower()], domain.address),
        ("operator", operators, f"party:{body.operator}"),
        ("operator_id", [operator_id(body.operator)], body.operator_id),
    ):
        if given not in expected:
            raise FieldError(field, " | ".join(expected), given)


def _show(body: CycleClose, domain: Domain) -> None:
    """The sums, which the chain never sees, and that its commitment is to them. Raises `FieldError`."""
    totals = body.totals
    if commitment_of(totals) != body.totals_commitment:
        raise FieldError("totals_commitment", commitment_of(totals), body.totals_commitment)
    for name, text in (
        ("账期 / period", body.name),
        ("清分账单 / statements", f"{body.statements} 份"),
        ("计费含税 / charged, gross", f"{yuan(totals.gross)} 元"),
        ("计费不含税 / net", f"{yuan(totals.net)} 元"),
        ("已清分 / shared", f"{yuan(totals.shared)} 元"),
        ("轧差总额 / netted", f"{yuan(totals.netted)} 元"),
        ("入金 / money in", f"{yuan(totals.money_in)} 元"),
        ("出金 / money out", f"{yuan(totals.money_out)} 元"),
        ("待查 / in suspense", f"{yuan(totals.suspense)} 元"),
        ("链与合约 / chain and contract", f"{domain.chain_id} {domain.address}"),
    ):
        typer.echo(f"{name}：{text}")


def _kept(file: Path) -> tuple[Statement, Domain, tuple[Signature, ...]]:
    value = canonical.parse(file.read_bytes())
    if not isinstance(value, dict) or value.keys() != {"statement", "domain", "signatures"}:
        raise Malformed(f"{file} 不是关账文件。 / {file} is not the file of a close.")
    statement = Statement.of_document(value["statement"])
    if statement.kind != "cycle-closed/v1":
        raise FieldError("statement.kind", "cycle-closed/v1", statement.kind)
    signatures = tuple(Signature.of_document(item) for item in read(list[Any], value["signatures"], "signatures"))
    return statement, read(Domain, value["domain"], "domain"), signatures


def _keep(file: Path, statement: Statement, domain: Domain, signatures: tuple[Signature, ...]) -> None:
    document: dict[str, Any] = {
        "statement": statement.document(),
        "domain": body_of(domain),
        "signatures": [item.document() for item in signatures],
    }
    file.write_bytes(canonical.encode(document))
