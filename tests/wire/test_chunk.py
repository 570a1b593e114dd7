from __future__ import annotations

import pytest

from streamroute.wire.openai import decode_error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "bad key"}}', "bad key"),
        (b'{"error": "bad key"}', "bad key"),
        (b'{"object": "error", "message": "bad key"}', "bad key"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"msg": "field required"}]}', '[{"msg": "field required"}]'),
        (b'{"error": {"message": null, "type": "server_error"}}', "server_error"),
        (b'{"hello": 1}', ""),
        (b"upstream\n  connect error", "upstream connect error"),
        (b"<html><h1>502</h1></html>", ""),
        (b"\x00\x01", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[]", "[]"),
        (b"", ""),
    ],
)
def test_the_message_is_found_in_every_shape(body: bytes, message: str) -> None:
    assert decode_error(body)[0] == message


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": {"message": "no", "code": "context_length_exceeded"}}', "context_length_exceeded"),
        (b'{"error": {"message": "no", "code": 429}}', "429"),
        (b'{"error": {"message": "no"}}', None),
        (b"no", None),
    ],
)
def test_the_code_is_the_peers_own(body: bytes, code: str | None) -> None:
    assert decode_error(body) == ("no", code)


@pytest.mark.parametrize(
    "body", [b'{"error": "\xff"}', b'{"error":' * 5000, b'{"error": ' + b"[" * 5000 + b"]" * 5000 + b"}"]
)
def test_no_body_is_too_odd_to_be_read(body: bytes) -> None:
    message, code = decode_error(body)
    assert len(message) <= 500
    assert code is None


def test_a_message_is_bounded() -> None:
    message = decode_error(b'{"error": "' + b"x" * 10_000 + b'"}')[0]
    assert len(message) == 500
    assert message.endswith("…")
