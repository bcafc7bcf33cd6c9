"""The limit of checks per address, and the strict reading of the check page's form."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.bodies import WrongType
from api.pages.guard import CHECKS, SECONDS, Window
from api.pages.upload import CheckForm, read_form
from ledger.errors import FieldError
from tests.api.house import Platform
from tests.counts import few

TYPE = "multipart/form-data; boundary=xyz"


def form(*parts: bytes, end: bytes = b"--xyz--\r\n") -> bytes:
    return b"".join(b"--xyz\r\n" + part + b"\r\n" for part in parts) + end


def field(name: str, value: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value


def test_window__limit_reached__waits_until_the_oldest_leaves() -> None:
    window = Window(limit=3, seconds=10)
    assert [window.take("a", second) for second in (0, 4, 5)] == [0, 0, 0]
    assert window.take("a", 6) == 4
    assert window.take("b", 6) == 0
    assert window.take("a", 9) == 1
    assert window.take("a", 10) == 0
    assert window.take("a", 10) == 4


def test_window__many_addresses__memory_is_bounded() -> None:
    window = Window(limit=1, seconds=10, addresses=100)
    for number in range(1_000):
        assert window.take(str(number), 0) == 0
    assert len(window._taken) == 100
    assert window.take("999", 0) > 0


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 5), st.integers(1, 8))
@settings(max_examples=few(60), deadline=None)
def test_window__never_more_than_the_limit_in_any_window(steps: list[int], limit: int, seconds: int) -> None:
    window, now, let_in = Window(limit, seconds), 0, []
    for step in steps:
        now += step
        if window.take("a", now) == 0:
            let_in.append(now)
    for first in let_in:
        assert sum(first <= second < first + seconds for second in let_in) <= limit


def test_check__too_often__429_in_both_forms(platform: Platform) -> None:
    platform.app.state.window = Window()
    client = platform.client
    for _ in range(CHECKS // 2):
        assert client.get("/check").status_code == 200
        assert client.get("/api/check/SJ3312026080001").status_code == 200
    answer = client.get("/api/check/SJ3312026080001")
    assert answer.status_code == 429
    assert answer.json()["error"] == "TooMany"
    assert "查询过于频繁" in answer.json()["message"]
    assert 0 < int(answer.headers["retry-after"]) <= SECONDS
    page = client.post("/check", data={"code": "x"}, files={"file": ("a", b"x")})
    assert page.status_code == 429
    assert "查询过于频繁" in page.text
    assert "text/html" in page.headers["content-type"]
    assert client.get("/register").status_code == 200


def test_form__browser_s_own_bytes__read() -> None:
    file = b"\x00\r\n--xy\r\n\xff"
    body = form(
        field("code", b" SJ "), field("v", b"1"), field("t", "令".encode()),
        field("file", file, '; filename="a;name=b.pdf"\r\nContent-Type: application/pdf'),
    )  # fmt: skip
    assert read_form(TYPE, body) == CheckForm(" SJ ", "1", "令", file=file)
    assert read_form('multipart/form-data; boundary="xyz"', body).file == file


def test_form__no_file_chosen__none() -> None:
    assert read_form(TYPE, form(field("code", b"x"), field("file", b"", '; filename=""'))).file is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"x", form(end=b""), form(field("code", b"x"), end=b""), form(field("other", b"x")), form(b"no gap"),
        form(field("code", b"x"), field("code", b"y")), form(b"X: y\r\n\r\nvalue"), b"--xyz", b"\xff" * 100,
    ],
)  # fmt: skip
def test_form__broken__refused(body: bytes) -> None:
    with pytest.raises(FieldError):
        read_form(TYPE, body)


@pytest.mark.parametrize("named", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=é"])
def test_form__other_type__refused(named: str) -> None:
    with pytest.raises(WrongType):
        read_form(named, form(field("code", b"x")))


@given(st.binary(max_size=200).filter(lambda data: b"\r\n--xyz" not in data))
@settings(max_examples=few(60), deadline=None)
def test_form__any_file__comes_back_byte_for_byte(data: bytes) -> None:
    assert (read_form(TYPE, form(field("file", data, '; filename="a"'))).file or b"") == data


def test_upload__hostile_request__page_with_a_clear_message(platform: Platform) -> None:
    cases = (("text/plain", b"x", 415), (TYPE, b"", 422), (TYPE, form(field("x", b"")), 422))
    for content_type, body, status in cases:
        answer = platform.client.post("/check", content=body, headers={"Content-Type": content_type})
        assert answer.status_code == status
        assert "请求未完成" in answer.text
    large = b" " * (17 * 1024 * 1024)
    answer = platform.client.post("/check", content=large, headers={"Content-Type": TYPE})
    assert answer.status_code == 413
    assert "请求超过" in answer.text
