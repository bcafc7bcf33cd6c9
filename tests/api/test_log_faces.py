"""The C2SP faces: byte for byte what the specifications say, public, and 404 for whatever is not there."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from ledger import checkpoint, log, merkle, store
from ledger.merkle import MemoryTree
from tests.api.house import Platform, open_platform
from tests.api.published import KEY, NAME, Published
from tests.ledger.test_tiles import WRONG

BINARY = "application/octet-stream"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Published]:
    """A log of a little more than two tiles; a few facts were integrated after the newest head."""
    with open_platform(tmp_path_factory.mktemp("tiles") / "home", empty_database) as platform:
        made = Published(platform)
        made.grow(200)
        made.grow(400)
        yield made


def get(platform: Platform, path: str) -> bytes:
    answer = platform.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, BINARY), path
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    return answer.content


def test_checkpoint__newest_cosigned_note_and_its_keys(platform: Platform) -> None:
    made = Published(platform)
    answer = platform.client.get("/log/checkpoint")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    cosigned = made.grow(3)
    made.seal(3)
    answer = platform.client.get("/log/checkpoint")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.content.decode() == cosigned.note
    keys = platform.client.get("/log/vkey").text.splitlines()
    public = platform.system.log_keys.public()
    for line, name, kind, key in (
        (keys[0], public.origin, 1, public.ed25519),
        (keys[1], NAME, 4, checkpoint.ed25519_public(KEY)),
    ):
        data = bytes([kind]) + bytes.fromhex(key)
        name_, key_id, data_ = line.split("+", 2)
        assert (name_, base64.b64decode(data_)) == (name, data)
        assert bytes.fromhex(key_id) == hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    assert len(keys) == 2


def test_tiles__every_width_there_is__and_both_trees(published: Published) -> None:
    platform = published.platform
    with platform.reading() as session:
        head = log.latest(session)
        tree = MemoryTree([fact.digest() for fact in store.all_facts(session)])
    assert head is not None
    size = head.checkpoint.size
    assert 512 < size < 768
    for name, prefix in (("sha256", "/log/tile"), ("sm3", "/log/sm3/tile")):
        for position in range(3):
            for width in (1, 2, 77, 255, 256):
                path = f"{prefix}/0/{position:03}" + (f".p/{width}" if width < 256 else "")
                first = 256 * position
                if first + width <= size:
                    hashes = [getattr(tree.read(0, first + i), name) for i in range(width)]
                    assert get(platform, path) == b"".join(hashes)
                else:
                    assert platform.client.get(path).status_code == 404
        tops = b"".join(getattr(merkle.subtree(tree.read, start, start + 256), name) for start in (0, 256))
        assert get(platform, f"{prefix}/1/000.p/2") == tops
        assert get(platform, f"{prefix}/1/000.p/1") == tops[:32]


def test_entries__length_and_leaf_text_hash_to_the_tile(published: Published) -> None:
    platform = published.platform
    for place, width in (("000", 256), ("002.p/9", 9), ("001.p/255", 255)):
        for prefix, name in (("/log/tile", "sha256"), ("/log/sm3/tile", "sm3")):
            entries = get(platform, f"{prefix}/entries/{place}")
            hashes = get(platform, f"{prefix}/0/{place}")
            assert len(entries) == 82 * width
            found = b""
            for start in range(0, len(entries), 82):
                assert entries[start : start + 2] == b"\0\x50"
                found += hashlib.new(name, b"\0" + entries[start + 2 : start + 82]).digest()
            assert found == hashes


def test_tiles__beyond_the_signed_head_or_not_an_address__404(published: Published) -> None:
    client = published.platform.client
    beyond = ("0/002", "0/003", "0/003.p/1", "1/000", "1/000.p/3", "1/001.p/1", "2/000.p/1", "63/000.p/1",
              "entries/002", "entries/003.p/1", "0/x009/007/000", "0/x999/x999/x999/x999/x999/x999/999")  # fmt: skip
    for prefix in ("/log/tile", "/log/sm3/tile"):
        for place in (*beyond, *WRONG, "%00", "0%2f000%00", "..%2f..%2fcheckpoint", "%ff%fe/000", "9" * 4000):
            if place.endswith("\n"):
                continue  # the router drops one line feed at the end before anybody sees it
            answer = client.get(f"{prefix}/{quote(place, safe='/%')}")
            assert answer.status_code == 404, place
            assert "immutable" not in answer.headers.get("cache-control", "")


def test_faces__read_only_and_get_only(published: Published) -> None:
    platform = published.platform
    before = platform.count()
    for path in ("/log/checkpoint", "/log/vkey", "/log/tile/0/000", "/log/sm3/tile/0/000"):
        assert platform.client.post(path, content=b"x").status_code == 405
        assert platform.client.get(path, headers={"Authorization": "Bearer nonsense"}).status_code == 200
    assert platform.count() == before
