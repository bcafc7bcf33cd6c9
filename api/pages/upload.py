"""A form with a file (multipart/form-data, RFC 7578), read strictly: the few fields of the check page, nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.bodies import WrongType
from ledger.errors import FieldError

FIELDS = ("code", "v", "t", "purpose")
_TYPE = re.compile(r'multipart/form-data\s*;\s*boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?\s*', re.IGNORECASE)
_NAME = re.compile(rb'content-disposition\s*:\s*form-data\s*;(?:[^\r\n]*;)?\s*name="([^"\r\n]*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CheckForm:
    """What the check page's form carries; `file` is None where no file was chosen."""

    code: str = ""
    v: str = ""
    t: str = ""
    purpose: str = ""
    file: bytes | None = None


def read_form(content_type: str, body: bytes) -> CheckForm:
    """The form in a request body. Raises `WrongType` or `FieldError`."""
    found = _TYPE.fullmatch(content_type)
    if found is None:
        raise WrongType("Content-Type", "multipart/form-data; boundary=…", content_type[:80])
    mark = b"\r\n--" + found[1].encode()
    head, *parts = (b"\r\n" + body).split(mark)
    if head not in (b"", b"\r\n") or not parts or not parts[-1].startswith(b"--"):
        raise FieldError("form", "完整的表单 / a complete form", f"{len(body)} 字节 / bytes")
    values: dict[str, bytes] = {}
    for part in parts[:-1]:
        lines, gap, content = part.partition(b"\r\n\r\n")
        named = _NAME.search(lines)
        name = named[1].decode("utf-8", "replace") if named else ""
        if not gap or name not in (*FIELDS, "file"):
            raise FieldError("form", " | ".join((*FIELDS, "file")), repr(name)[:80])
        if name in values:
            raise FieldError(f"form.{name}", "出现一次 / once", "重复出现 / twice")
        values[name] = content
    texts = {name: values.get(name, b"").decode("utf-8", "replace") for name in FIELDS}
    return CheckForm(**texts, file=values.get("file") or None)
