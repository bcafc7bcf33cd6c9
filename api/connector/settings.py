"""The connector's configuration file, and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from api.connector.source import FOLDER
from clearing.usage.record import Side
from ledger import canonical
from ledger.reading import read


class Mode(StrEnum):
    """Whose connector it is: it stands before the data API, or before the consumer's own calls."""

    PROVIDER = "provider"
    CONSUMER = "consumer"


SIDES = {Mode.PROVIDER: Side.PROVIDE, Mode.CONSUMER: Side.CONSUME}


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration file. Paths are taken relative to the file; secrets are in files of their own.

    `upstream` is the address of the data API, or "folder:" with a path: then every file below it can be fetched as
    /files/<name>; in the mode consumer the address of the provider's connector.
    `admin_token_sha256` is the SHA-256 of the administrator's token, `log_key` the operator's SM2 public key (empty:
    promises are kept unchecked), `watch` whether it asks the platform for acts of its agreements, `clock_file` a file
    with the present second (the demo's fixed timeline). `state_key_file` holds the key the state is sealed with, beside
    the key file if not named: it is made at the first start, and without it the state is lost, so it is backed up too.
    `dataspace_url` is where other connectors and data spaces find this one; without it, its doors of the Dataspace
    Protocol are shut. `dataspace_peers` are the addresses, each with what is below it, at which a provider's connector
    calls its consumers back. `registration_file` holds its owner's signed word for its key, which opens transfers.
    """

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
    key_file: str
    state: str
    upstream: str
    platform: str
    admin_token_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    mode: Mode = Mode.PROVIDER
    api_key_file: str = ""
    state_key_file: str = ""
    dataspace_url: str = ""
    dataspace_peers: tuple[str, ...] = ()
    registration_file: str = ""
    log_key: str = ""
    clock_file: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    batch_size: Annotated[int, Meta(ge=1, le=5000)] = 500
    watch: bool = True
    flush_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 30
    upstream_timeout: Annotated[int, Meta(ge=1, le=600)] = 30


def load_settings(path: Path) -> Settings:
    """Reads a configuration file. Raises `FieldError` or `Malformed`."""
    settings = read(Settings, canonical.parse(path.read_bytes()), "config")
    base = path.resolve().parent

    def placed(name: str) -> str:
        return str(base / name) if name else ""

    def source(upstream: str) -> str:
        return FOLDER + placed(upstream.removeprefix(FOLDER)) if upstream.startswith(FOLDER) else upstream

    return replace(
        settings,
        upstream=source(settings.upstream),
        key_file=placed(settings.key_file),
        state=placed(settings.state),
        state_key_file=placed(settings.state_key_file) or str((base / settings.key_file).with_name("state.key")),
        api_key_file=placed(settings.api_key_file),
        clock_file=placed(settings.clock_file),
        registration_file=placed(settings.registration_file),
    )


def clock_of(settings: Settings) -> Callable[[], int]:
    """The present second: the machine's, or the number in the clock file."""
    if not settings.clock_file:
        return lambda: int(time.time())
    path = Path(settings.clock_file)
    return lambda: int(path.read_text(encoding="ascii"))
