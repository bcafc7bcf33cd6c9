"""Whose keys count, and who must have signed: the two questions a verifier answers from the trust file.

A rule of `Trust.required` is `[field=value|value… ]demand[ or demand…]`. With a condition it applies only to statements
whose body.field is one of the values; a statement to which no rule applies is refused. Every rule that applies must be
satisfied, by any one of its demands:

| demand      | satisfied when                                                                                     |
|-------------|----------------------------------------------------------------------------------------------------|
| `role:R`    | a trusted identity with role R, or with one of R|R…, signed                                        |
| `by:NAME`   | that signer signed; in NAME `{id}` is the subject's part after the colon, `{F}` the text body.F    |
| `each:F`    | every entry {party, role, address} of body.F signed in its role with SM2 and with EIP-712, and     |
|             | nobody else signed                                                                                 |
| `one:F`     | exactly one entry of body.F did, and nobody else signed                                            |
| `the:F@R|R` | the entry body.F did, nobody else signed, and its identity (in the trust file, or a vouched        |
|             | support) has one of the roles R                                                                    |
| `any:K`     | every signer is a `K:…`, such as a party that nobody but its own key can speak for                 |
| `staff:C@R` | for each capacity of C|C… another person signed in it, who holds it by an identity fact that a     |
|             | trusted identity with one of the roles R|R… vouched for, and nobody else signed                    |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from ledger.errors import FieldError
from ledger.facts import EIP712, SM2, Fact
from ledger.trust import Trust

_DEMAND = r"(?P<form>role|by|each|one|the|any|staff):(?P<argument>[A-Za-z0-9:._{}|-]+)(?:@(?P<roles>[a-z_|-]+))?"
_RULE = re.compile(r"(?:(?P<field>[a-z_]+)=(?P<values>[A-Za-z0-9_|-]+) )?(?P<demands>\S+(?: or \S+)*)")
_WITH_ROLES = frozenset({"the", "staff"})

_PLACE = re.compile(r"\{([a-z_]+)\}")

Keys = frozenset[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Keys that count, as (algorithm, signer, key in lower case); roles by signer; who vouched for a signer that the
    trust file does not name; supports nobody vouched for."""

    keys: Keys
    roles: Mapping[str, frozenset[str]]
    vouchers: Mapping[str, frozenset[str]]
    unvouched: tuple[str, ...]


def accepted(trust: Trust, facts: Iterable[Fact]) -> Accepted:
    """The keys of the trust file, and of those identity facts that a key accepted before vouches for.

    The signatures of `facts` must have been verified. Nobody but the trust file says which keys its own names have.
    """
    keys: set[tuple[str, str, str]] = set()
    roles: dict[str, frozenset[str]] = {}
    vouchers: dict[str, frozenset[str]] = {}
    for name, identity in trust.identities.items():
        keys |= _keys(name, {"sm2": identity.sm2, "evm": identity.evm})
        roles[name] = frozenset(identity.roles)
    waiting = [fact for fact in facts if fact.subject not in trust.identities]
    while True:
        vouched = [(fact, by) for fact in waiting if (by := _vouchers(fact, keys, trust))]
        if not vouched:
            return Accepted(frozenset(keys), roles, vouchers, tuple(fact.subject for fact in waiting))
        for fact, by in vouched:
            waiting.remove(fact)
            vouchers[fact.subject] = by
            keys |= _keys(fact.subject, fact.body)
            stated = fact.body.get("roles", [])
            roles[fact.subject] = frozenset(filter(_is_text, stated if isinstance(stated, list) else []))


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand of a rule, read."""

    form: str
    argument: str
    roles: frozenset[str] = frozenset()

    def unmet(self, fact: Fact, trust: Trust, known: Accepted) -> str:
        """What is missing, "" if nothing is. Raises `FieldError` if the body lacks the entries the rule names."""
        signers = {signature.by for signature in fact.signatures}
        if self.form == "role":
            holders = _holders(trust, _split(self.argument))
            return "" if signers & holders else f"角色 {self.argument} 的签名 / signed in role {self.argument}"
        if self.form == "by":
            named = {**fact.body, "id": fact.subject.partition(":")[2]}
            wanted = _PLACE.sub(lambda place: str(named.get(place[1], "")), self.argument)
            return "" if wanted in signers else wanted
        if self.form == "any":
            own = all(name.startswith(f"{self.argument}:") for name in signers)
            return "" if own else f"只由 {self.argument}:… 签署 / signed by {self.argument}:… only"
        if self.form == "staff":
            return self._staff(fact, trust, known)
        entries = _entries(fact.body.get(self.argument), self.form, self.argument)
        given = sorted((s.alg, s.by, s.role, s.key.lower() if s.alg == EIP712 else "") for s in fact.signatures)
        if self.form == "one":
            return "" if any(given == _pair(entry) for entry in entries) else "恰好其一双签 / exactly one, with both"
        if given != sorted(part for entry in entries for part in _pair(entry)):
            return "恰好各方双签 / exactly each of them, with both"
        if self.form == "the" and not known.roles.get(_name(entries[0]), frozenset()) & self.roles:
            return f"{_name(entries[0])} 的角色 / in a role of {sorted(self.roles)}"
        return ""

    def _staff(self, fact: Fact, trust: Trust, known: Accepted) -> str:
        wanted, may = sorted(self.argument.split("|")), _holders(trust, self.roles)
        given = sorted(signature.role for signature in fact.signatures)
        different = len({signature.by for signature in fact.signatures}) == len(wanted)
        entitled = all(
            signature.role in known.roles.get(signature.by, frozenset())
            and known.vouchers.get(signature.by, frozenset()) & may
            for signature in fact.signatures
        )
        if given == wanted and different and entitled:
            return ""
        return f"{sorted(self.roles)} 的经办人各一名 / one of its staff each, as {wanted}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the trust file, read: its condition, and the demands any one of which satisfies it."""

    text: str
    demands: tuple[Demand, ...]
    field: str = ""
    values: frozenset[str] = frozenset()

    def applies(self, body: Mapping[str, Any]) -> bool:
        given = body.get(self.field)
        return not self.field or (isinstance(given, str) and given in self.values)

    def unmet(self, fact: Fact, trust: Trust, known: Accepted) -> str:
        """What every demand misses, "" if one of them is met. Raises `FieldError` as `Demand.unmet`."""
        missing = []
        for demand in self.demands:
            missing.append(demand.unmet(fact, trust, known))
            if not missing[-1]:
                return ""
        return "; ".join(missing)


def read_rule(text: str) -> Rule:
    """Raises `FieldError` for a text that is no rule."""
    found = _RULE.fullmatch(text)
    demands = [re.fullmatch(_DEMAND, part) for part in found["demands"].split(" or ")] if found else []
    if found is None or not all(item and (item["form"] in _WITH_ROLES) == bool(item["roles"]) for item in demands):
        expected = "[field=value|… ]role: | by: | each: | one: | the:…@… | any: | staff:…@…[ or …]"
        raise FieldError("trust.required", expected, text[:80])
    return Rule(
        text,
        tuple(Demand(item["form"], item["argument"], _split(item["roles"])) for item in demands if item),
        found["field"] or "",
        _split(found["values"]),
    )


def _split(text: str | None) -> frozenset[str]:
    return frozenset(filter(None, (text or "").split("|")))


def _holders(trust: Trust, roles: Set[str]) -> frozenset[str]:
    return frozenset(name for name, identity in trust.identities.items() if roles & set(identity.roles))


def _keys(name: str, body: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    pairs = ((SM2, body.get("sm2")), (EIP712, body.get("evm")))
    return {(alg, name, key.lower()) for alg, key in pairs if isinstance(key, str) and key}


def _vouchers(fact: Fact, keys: set[tuple[str, str, str]], trust: Trust) -> frozenset[str]:
    """Who vouched for this identity fact of those whom the trust file names: holders of a role, or a party named in its
    body."""
    form, _, argument = trust.vouchers.get(fact.kind, "").partition(":")
    if not form or fact.body.get("active") is False:
        return frozenset()
    signers = {s.by for s in fact.signatures if (s.alg, s.by, s.key.lower()) in keys}
    may = _holders(trust, _split(argument)) if form == "role" else {f"party:{fact.body.get(argument)}"}
    return frozenset(signers & may)


def _entries(value: Any, form: str, where: str) -> list[dict[str, str]]:
    entries = [value] if form == "the" else value
    if not isinstance(entries, list) or not entries:
        raise FieldError(f"body.{where}", "签署方 / signers", repr(value)[:80])
    for entry in entries:
        texts = isinstance(entry, dict) and all(_is_text(entry.get(name)) for name in ("party", "role", "address"))
        if not texts:
            raise FieldError(f"body.{where}", "{party, role, address}", repr(entry)[:80])
    return entries


def _pair(entry: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """Both signatures of an entry, in the order of `sorted`."""
    name, role = _name(entry), entry["role"]
    return sorted([(SM2, name, role, ""), (EIP712, name, role, entry["address"].lower())])


def _name(entry: Mapping[str, str]) -> str:
    return f"party:{entry['party']}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
