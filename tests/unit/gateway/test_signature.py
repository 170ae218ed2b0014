"""Signatures of pushes, by vectors computed from the documented algorithm."""

from __future__ import annotations

import pytest

from services.gateway.douyin import sign, verify

ROOM = "7214015683695250235"
COMMENT_BODY = (
    '[{"msg_id":"7250000000000000001","sec_openid":"_000user0001","content":"1",'
    '"avatar_url":"https://example.invalid/a.png","nickname":"小明","timestamp":1757000000123}]'
).encode()
GIFT_BODY = (
    '[{"msg_id":"7250000000000000002","sec_openid":"_000user0002","sec_gift_id":"FAKEGIFTID0001==","gift_num":3,'
    '"gift_value":30,"avatar_url":"https://example.invalid/b.png","nickname":"A&B=\\"c\\"","timestamp":1757000001000,'
    '"test":true},{"msg_id":"7250000000000000003","sec_openid":"_000user0003","sec_gift_id":"FAKEGIFTID0002==",'
    '"gift_num":1,"gift_value":990,"avatar_url":"","nickname":"😀","timestamp":1757000001010}]'
).encode()

VECTORS = {
    "a comment": (
        ("live_comment", "a1B2c3D4e5F6g7H8", ROOM, "1757000000456"),
        COMMENT_BODY, "test-secret-comment", "HzXhjMktPoBEpFpzyBszWw==",
    ),
    "gifts with separators, quotes and an emoji": (
        ("live_gift", "nonce-0002", ROOM, "1757000001500"),
        GIFT_BODY, "test-secret-gift", "9uUFC4kUQeCzgRcDxqrF0g==",
    ),
    "an empty batch with the default secret": (
        ("live_like", "0", "1000000000000000000", "1"),
        b"[]", "default", "pVYSEf7k662y3xzdSOJuSA==",
    ),
}  # fmt: skip
NAMES = ("x-msg-type", "x-nonce-str", "x-roomid", "x-timestamp")


@pytest.mark.parametrize(("values", "body", "secret", "signature"), VECTORS.values(), ids=VECTORS.keys())
def test_vectors(values: tuple[str, ...], body: bytes, secret: str, signature: str) -> None:
    headers = dict(zip(NAMES, values, strict=True))
    assert sign(headers, body, secret) == signature
    assert verify(headers | {"x-signature": signature}, body, secret)


def test_the_bodies_of_the_vectors_have_the_published_lengths() -> None:
    assert (len(COMMENT_BODY), len(GIFT_BODY)) == (167, 414)


def test_header_names_in_any_case_other_headers_and_a_text_body_change_nothing() -> None:
    values, body, secret, signature = VECTORS["a comment"]
    headers = {name.upper(): value for name, value in zip(reversed(NAMES), reversed(values), strict=True)}
    assert sign(headers | {"Content-Type": "application/json", "X-Signature": "?"}, body.decode(), secret) == signature


@pytest.mark.parametrize("position", range(0, 167, 7))
def test_one_changed_byte_anywhere_is_noticed(position: int) -> None:
    values, body, secret, signature = VECTORS["a comment"]
    changed = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
    assert not verify(dict(zip(NAMES, values, strict=True)) | {"x-signature": signature}, changed, secret)


@pytest.mark.parametrize("name", NAMES)
def test_every_signed_header_counts(name: str) -> None:
    values, body, secret, signature = VECTORS["a comment"]
    headers = dict(zip(NAMES, values, strict=True)) | {"x-signature": signature}
    assert not verify(headers | {name: headers[name] + "0"}, body, secret)
    with pytest.raises(KeyError):
        sign({key: value for key, value in headers.items() if key != name}, body, secret)


def test_a_missing_or_foreign_signature_does_not_fit() -> None:
    values, body, secret, _ = VECTORS["a comment"]
    headers = dict(zip(NAMES, values, strict=True))
    assert not verify(headers, body, secret)
    assert not verify(headers | {"x-signature": "é" * 24}, body, secret)
