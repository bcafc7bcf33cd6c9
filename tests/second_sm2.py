"""gmssl, an SM2 in plain Python that shares nothing with the product's, given any key as it is."""

from __future__ import annotations

from gmssl.sm2 import CryptSM2


def second_sm2(public: str, private: str = "") -> CryptSM2:
    """gmssl with a key in hex, 04 || x || y.

    Its constructor takes every leading 0 and 4 of what starts with 04 away: with the prefix one key in eight is
    cut, and without it one in 256 whose x starts with 04. So the point is put in after it.
    """
    assert (len(public), public[:2]) == (130, "04")
    key = CryptSM2(private_key=private, public_key="")
    key.public_key = public[2:]
    return key
