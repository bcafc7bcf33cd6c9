"""The only reader of the environment: one typed object, read once and passed in.

Everything has a place under one home folder. `settings.json` in that folder is read first, then `SHUQING_…` variables
win over it. Keys never stand in settings: they are files under `keys/`, readable by their owner only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

FILE = "settings.json"


FONTS = Path("node_modules/@expo-google-fonts/noto-sans-sc")


def fonts_folder(fonts: Path = FONTS) -> Path:
    """A font folder: absolute, or under the distribution's root."""
    return fonts if fonts.is_absolute() else Path(__file__).resolve().parent.parent / fonts


class SettingsError(Exception):
    """The settings cannot be used; the text names the field (Chinese first)."""


class WitnessSettings(BaseModel):
    """An independent witness of the log: its name, address, Ed25519 public key (64 hex), and what it speaks.

    "twin" follows both trees; "c2sp" is a stock witness, which follows the SHA-256 tree (`ledger/witness.py`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    url: str
    public: str
    speaks: Literal["twin", "c2sp"] = "twin"


class AuthoritySettings(BaseModel):
    """The deposit authority: address, USCC, name and SM2 public key (130 hex)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    uscc: str
    name: str
    sm2: str


class StampSettings(BaseModel):
    """The time-stamp authority (RFC 3161): address, and the file with its root certificate (PEM, under home)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    root: Path


class PeerSettings(BaseModel):
    """A peer of the Dataspace Protocol that may be called back: its USCC, under which addresses, and what stands in the
    header Authorization of such a call, if anything does (a file under home, readable by its owner only)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uscc: str
    url: str = Field(pattern=r"^https?://[^/?#@\\\s]+(/[^?#\\\s]*)?\z")
    authorization: Path | None = None


class Settings(BaseSettings):
    """What an installation must say about itself. Fields without a default must be given."""

    model_config = SettingsConfigDict(env_prefix="SHUQING_", extra="forbid", frozen=True)

    home: Path
    origin: str = Field(description="name of the log, e.g. shuqing/agency-x")
    database_url: str = ""
    rpc_url: str = "http://127.0.0.1:8545"
    chain_id: int = 31337
    confirmations: int = Field(default=1, ge=1)
    """How many blocks deep a receipt must be, its own block counted; 1 where a block is final at once."""
    gas_price: int = Field(default=0, ge=0)
    gas_price_cap: int = Field(default=0, ge=0)
    """In wei: what a transaction offers, and the most it may offer when one that is stuck is replaced."""
    replace_seconds: int = Field(default=15, ge=1)
    """After how long an unmined transaction is sent again or outbid."""
    deployment: Path = Path("deployment.json")
    agency: str = Field(description="USCC of the registration agency")
    operator: str = Field(description="USCC of the platform operator")
    agency_name: str
    agency_region: str
    agency_digit: str
    agency_catalogue_no: str
    witnesses: tuple[WitnessSettings, ...] = ()
    witness_quorum: int = 2
    deposit_authority: AuthoritySettings
    time_stamp_authority: StampSettings | None = None
    """Without one the seal bears no time stamp, and the check page says so."""
    national: Literal["deposit", "http", "file"] = "deposit"
    """How the national system is reached: deposits over HTTP and our own release of publicity; both over HTTP; or both
    by packages and receipts as files."""
    lease_seconds: int = Field(default=10, ge=1)
    """How long a worker that died keeps the others waiting."""
    seal_entries: int = Field(default=1_000, ge=1)
    seal_milliseconds: int = Field(default=500, ge=10, le=1_000)
    """A head is signed when so many entries wait, or the first has waited so long."""
    check_base_url: str = "http://127.0.0.1:8000"
    fonts: Path = FONTS
    clock_file: Path | None = None
    """A file with the current second: for demonstrations on the development chain only."""
    papers_received: bool = True
    """Must the papers a form names have been handed in here? False where another system keeps them."""
    dataspace_peers: tuple[PeerSettings, ...] = ()
    """Who of the Dataspace Protocol is called back. A peer that is not listed asks for the state itself: an address
    that anybody could name would let them send requests from inside the operator's network."""
    demo: bool = False
    """Marks every page and paper 演示."""

    @property
    def fonts_folder(self) -> Path:
        """Where the certificate's Chinese font lies: absolute, or under the distribution's root."""
        return fonts_folder(self.fonts)

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'shuqing.db'}"

    def path(self, value: Path) -> Path:
        """A path from the settings, relative ones under the home folder."""
        return value if value.is_absolute() else self.home / value


def load(home: Path) -> Settings:
    """Settings of the installation in `home`. Raises `SettingsError` naming what is missing or wrong."""
    file = home / FILE
    if not file.exists():
        raise SettingsError(
            f"{home} 没有安装（缺少 {FILE}），请先 shuqing init。 / No installation in {home}: run shuqing init first."
        )
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{FILE} 不是有效的 JSON：{error}。 / {FILE} is not valid JSON: {error}.") from error
    return check(stored, home)


def check(stored: object, home: Path) -> Settings:
    """A settings document with the environment's variables over it. Raises `SettingsError` naming the field."""
    if not isinstance(stored, dict):
        raise SettingsError("设置应为 JSON 对象。 / Settings must be a JSON object.")
    try:
        settings = Settings(**{**stored, **EnvSettingsSource(Settings)(), "home": home})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"设置 {field}：{first['msg']}（{home}）。 / Setting {field}: {first['msg']}.") from error
    if settings.clock_file is not None and settings.chain_id != 31337:
        raise SettingsError(
            "clock_file 只能用于开发链 31337。 / clock_file is allowed on the development chain 31337 only."
        )
    return settings


def save(settings: Settings) -> None:
    """Writes `settings.json` into the home folder."""
    document = settings.model_dump(mode="json", exclude={"home"}, exclude_none=True)
    (settings.home / FILE).write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def home_from_environment() -> Path:
    """SHUQING_HOME, else ~/.shuqing."""
    return _Home().home.expanduser()


class _Home(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHUQING_", extra="ignore")

    home: Path = Path("~/.shuqing")
