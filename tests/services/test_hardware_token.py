"""An act of an agreement signed with a key inside a PKCS #11 token (SoftHSM 2, from Debian's packages)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api import hardware, keyfiles
from clearing.market.agreement import Role, Signer, act_statement, sign_act, typed_digest
from ledger import eip712
from ledger.errors import FieldError
from ledger.signing import verify_sm2
from registry.asset import Twin
from tests.clearing.market.house import CONSUMER, terms_of
from tests.clearing.market.talks import concluding
from tests.played import shuqing

pytestmark = pytest.mark.services

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN, BY = "481516", "party:91330100MA0000005U"


@dataclass(frozen=True)
class Token:
    """A token of one test's own."""

    folder: Path
    pin: Path

    def make(self, name: str, key: str, code: int = 0, pin: Path | None = None) -> str:
        done = shuqing(
            "keys", "token", self.folder / name, "--by", BY, "--module", MODULE, "--token", "sq", "--key", key,
            "--pin-file", pin or self.pin,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """One for all: a module reads its configuration once in a process."""
    tmp_path = tmp_path_factory.mktemp("token")
    if not MODULE.exists() and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", "softhsm2"], capture_output=True, check=False)
    if not MODULE.exists():
        pytest.skip("缺少 softhsm2，未试硬件令牌 / no softhsm2: no token is tried")
    (tmp_path / "tokens").mkdir()
    config = tmp_path / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    command = ["softhsm2-util", "--init-token", "--free", "--label", "sq", "--so-pin", "12345678", "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    pin = tmp_path / "pin"
    pin.write_text(PIN + "\n")
    pin.chmod(0o600)
    yield Token(tmp_path, pin)
    del os.environ["SOFTHSM2_CONF"]


def test_token__key_made_inside_signs_what_the_contracts_take_and_cannot_be_read_out(token: Token) -> None:
    import pkcs11
    from pkcs11.exceptions import PKCS11Error

    told = token.make("key.json", "k1")
    keys = keyfiles.load(token.folder / "key.json")
    assert keys.hardware is not None
    assert keys.address in told
    with hardware.opened(keys.hardware, PIN) as sign:
        for number in range(200):
            digest = number.to_bytes(32, "big")
            assert eip712.recover(digest, sign(digest)) == keys.address
    with pkcs11.lib(str(MODULE)).get_token(token_label="sq").open(user_pin=PIN) as session:
        private = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label="k1")
        with pytest.raises(PKCS11Error):
            private[pkcs11.Attribute.VALUE]


def test_token__signs_an_act_of_an_agreement__as_the_key_in_software_would_be_recovered(token: Token) -> None:
    token.make("act.json", "k2")
    keys = keyfiles.load(token.folder / "act.json")
    assert keys.hardware is not None
    signer = Signer(Role.PROVIDER, BY.removeprefix("party:"), keys.address.lower())
    other = Signer(Role.CONSUMER, CONSUMER, "0x" + "9" * 40)
    terms = terms_of("1" * 32, Twin("2" * 64, "3" * 64))
    statement = act_statement("agreement:" + "4" * 64, 0, None, concluding(terms, "5" * 64, (signer, other)), terms)
    with hardware.opened(keys.hardware, PIN) as sign:
        own, typed = sign_act(statement, signer, keys.sm2, sign, nonce=1)
    assert verify_sm2(statement, own)
    digest = typed_digest(statement, signer, 1)
    assert eip712.recover(digest, bytes.fromhex(typed.value)) == keys.address


def test_token__wrong_pin_label_or_key__said_and_nothing_made(token: Token) -> None:
    token.make("third-party.json", "k5")
    assert "k5" in token.make("second.json", "k5", code=2)
    assert "已存在" in token.make("third-party.json", "k6", code=2)
    wrong = token.folder / "wrong"
    wrong.write_text("0000")
    wrong.chmod(0o600)
    assert "PIN" in token.make("third.json", "k3", code=2, pin=wrong)
    assert not (token.folder / "second.json").exists()
    assert not (token.folder / "third.json").exists()
    keys = keyfiles.load(token.folder / "third-party.json").hardware
    assert keys is not None
    token.make("other.json", "k4")
    other = keyfiles.load(token.folder / "other.json").hardware
    assert other is not None
    for spoiled in (
        hardware.HardwareKey(keys.module, keys.token, "nothing", keys.address),
        hardware.HardwareKey(keys.module, "nothing", keys.key, keys.address),
        hardware.HardwareKey(keys.module, keys.token, keys.key, other.address),
    ):
        with pytest.raises(Exception) as error, hardware.opened(spoiled, PIN):
            pass
        assert isinstance(error.value, FieldError) or "令牌" in str(error.value)
