"""A net payer does not bring its money: who bears what, in a fixed order, and a run over those who remain.

(1) the defaulter's own collateral and advance, (2) its named guarantor, up to the guarantee; if these do not make up
what is missing, (3) all of the defaulter's obligations leave the run and the rest is netted again, and (4) each of its
creditors bears its own exposure. No mutual fund, no sharing of losses, and nobody funds twice: what a party had paid in
counts towards its new position, and what it paid in too much comes back. Source: domain clearing §8.

Obligations that left stay owed outside of the run, in both directions, without set-off. What the defaulter had paid in
and its cover then go to its creditors in proportion to their claims, to the fen by the largest remainder. A creditor
that lost a claim may have to bring more (`Funding.due`); if it does not, the same function is asked again over the
obligations kept. Defaulters are those short in the run as given; one that its cover cures stays in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearing import money
from clearing.errors import BadTerms
from clearing.settlement.netting.certificate import Certificate, net
from clearing.settlement.netting.sum_tree import Funded
from clearing.settlement.statement import Obligation


@dataclass(frozen=True, slots=True)
class Guarantee:
    """The named guarantor of a party and the most it pays, fen ≥ 0."""

    guarantor: str
    limit: int


@dataclass(frozen=True, slots=True)
class Cover:
    """What stands behind a party: its own `collateral` and unused `advance`, fen ≥ 0, and its guarantee."""

    collateral: int = 0
    advance: int = 0
    guarantee: Guarantee | None = None

    def sources(self, party: str) -> tuple[tuple[str, str, int], ...]:
        """(source, who pays, at most) in the order in which they are used."""
        own = (("collateral", party, self.collateral), ("advance", party, self.advance))
        if self.guarantee is None:
            return own
        return (*own, ("guarantee", self.guarantee.guarantor, self.guarantee.limit))


@dataclass(frozen=True, slots=True)
class Borne:
    """Fen that `party` brings for a defaulter; `source` is funded, collateral, advance or guarantee."""

    defaulter: str
    source: str
    party: str
    amount: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a creditor of a defaulter that left is owed by it (`claim`), gets from its cover, and bears itself, fen."""

    defaulter: str
    creditor: str
    claim: int
    covered: int
    borne: int


@dataclass(frozen=True, slots=True)
class Funding:
    """A party that remains, fen: its new `position`, what is there for it (paid in or from its cover), what it has yet
    to bring, and what it is paid: `funded + due − paid_out = −position`."""

    party: str
    position: int
    funded: int
    due: int
    paid_out: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who bears what. `certificate` is the run over `kept`; `removed` are the obligations that left it. All sorted."""

    cured: tuple[str, ...]
    excluded: tuple[str, ...]
    borne: tuple[Borne, ...]
    exposures: tuple[Exposure, ...]
    kept: tuple[Obligation, ...]
    removed: tuple[Obligation, ...]
    certificate: Certificate
    funding: tuple[Funding, ...]


@dataclass(frozen=True, slots=True)
class Default:
    """The body of a funding-default fact: the run and the instructions it undoes (fact ids), what was paid in under
    them and counts on, who left, and what each creditor of those bears. What is owed between them stays owed, outside
    of the run. `returned` is what guarantors had paid for a party that did not need it in the end: it is theirs."""

    cycle: str
    netting: str
    instructions: str
    funded: tuple[Funded, ...]
    excluded: tuple[str, ...]
    exposures: tuple[Exposure, ...]
    returned: tuple[Funded, ...] | None = None


def within(obligations: Sequence[Obligation], funded: Mapping[str, int]) -> dict[str, int]:
    """Of what was paid in, fen, what its payers bring to a run over these obligations: who left an earlier run gets its
    money back and is asked for nothing here."""
    named = {party for item in obligations for party in (item.debtor, item.creditor)}
    return {party: amount for party, amount in funded.items() if party in named}


_NONE = Cover()


def resolve(obligations: Sequence[Obligation], funded: Mapping[str, int], covers: Mapping[str, Cover]) -> Resolution:
    """The waterfall over a run. `funded` is what each party has paid in, fen; who is not named has paid nothing.

    Raises BadTerms for a party that is not in the run or guarantees itself, BadMoney for amounts out of bounds.
    """
    certificate = net(obligations)
    _check({item.party for item in certificate.positions}, funded, covers)
    short = {item.party for item in certificate.positions if item.net + funded.get(item.party, 0) < 0}
    excluded: set[str] = set()
    kept = tuple(obligations)
    while True:
        missing = {item.party: -item.net - funded.get(item.party, 0) for item in certificate.positions}
        failed = {
            party
            for party in short - excluded
            if missing.get(party, 0) > sum(most for *_, most in covers.get(party, _NONE).sources(party))
        }
        if not failed:
            break
        excluded |= failed
        kept = tuple(item for item in kept if item.debtor not in failed and item.creditor not in failed)
        certificate = net(kept)
    cured = sorted(short - excluded)
    borne = [line for party in cured for line in _drawn(party, missing.get(party, 0), covers, 0)]
    exposures: list[Exposure] = []
    for party in sorted(excluded):
        claims: dict[str, int] = {}
        for item in obligations:
            if item.debtor == party:
                claims[item.creditor] = claims.get(item.creditor, 0) + item.amount
        lines = _drawn(party, sum(claims.values()), covers, funded.get(party, 0))
        borne += lines
        exposures += _exposures(party, claims, sum(line.amount for line in lines))
    brought = {party: funded.get(party, 0) for party in sorted(set(funded) | {p.party for p in certificate.positions})}
    for line in borne:
        if line.defaulter not in excluded:
            brought[line.defaulter] += line.amount
    position = {item.party: item.net for item in certificate.positions}
    funding = tuple(
        Funding(party, own := position.get(party, 0), paid, max(0, -own - paid), max(0, own + paid))
        for party, paid in brought.items()
        if party not in excluded
    )
    removed = tuple(item for item in obligations if item.debtor in excluded or item.creditor in excluded)
    return Resolution(
        tuple(cured), tuple(sorted(excluded)), tuple(borne), tuple(exposures), kept, removed, certificate, funding
    )


def _drawn(party: str, need: int, covers: Mapping[str, Cover], funded: int) -> list[Borne]:
    """Draw on the sources in order until the need is met; what the party itself had paid in comes first."""
    found = []
    for source, payer, most in (("funded", party, funded), *covers.get(party, _NONE).sources(party)):
        amount = min(need, most)
        if amount > 0:
            found.append(Borne(party, source, payer, amount))
            need -= amount
    return found


def _exposures(defaulter: str, claims: Mapping[str, int], cover: int) -> list[Exposure]:
    parts = money.split(cover, claims) if claims else {}
    return [
        Exposure(defaulter, creditor, claims[creditor], parts[creditor], claims[creditor] - parts[creditor])
        for creditor in sorted(claims)
    ]


def _check(parties: set[str], funded: Mapping[str, int], covers: Mapping[str, Cover]) -> None:
    for party, amount in funded.items():
        money.fen(amount, f"funded.{party}", least=0)
    for party, cover in covers.items():
        for source, payer, most in cover.sources(party):
            money.fen(most, f"covers.{party}.{source}", least=0)
            if source == "guarantee" and payer == party:
                raise BadTerms(f"covers.{party}.guarantee", "a guarantor other than the party", payer)
    strangers = (set(funded) | set(covers)) - parties
    if strangers:
        raise BadTerms("funded, covers", "parties of the run", sorted(strangers))
