"""Keys: whose they are, what they may ask for, and that they are never kept or compared carelessly."""

from __future__ import annotations

import hmac
from typing import Any

import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from streamroute.config.settings import KeySettings
from streamroute.gateway.access.auth import CLIENT, EVERYONE, PUBLIC, Client, Keyring, hash_of, new_key, require_board
from streamroute.gateway.errors import RefusedError
from tests.gateway.served import QUESTION, serving, virtually

ANN, BOB = (f"sr-{letters * 14}z" for letters in ("aB3", "xY7"))
KEYS = (
    KeySettings(name="ann", hash=hash_of(ANN), routes=("auto",)),
    KeySettings(name="bob", hash=hash_of(BOB), board=True),
)


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_new_key_has_256_random_bits_and_only_its_hash_is_kept() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert len(new_key()) == len("sr-") + 43  # 32 bytes in base64
    assert KeySettings(name="x", hash=hash_of(ANN)).hash.startswith("sha256:")
    assert ANN not in repr(Keyring(KEYS)._known)


@pytest.mark.parametrize(
    "headers",
    [
        bearing(ANN),
        {"Authorization": f"bearer   {ANN} "},
        {"api-key": ANN},
        {"x-api-key": ANN},
        {"Authorization": "Basic abc", "x-api-key": ANN},
    ],
)
def test_a_key_may_come_in_any_of_the_headers_that_clients_use(headers: dict[str, str]) -> None:
    assert Keyring(KEYS, master="m").client(headers).name == "ann"


def test_the_master_key_has_no_name_and_may_ask_for_all() -> None:
    client = Keyring(KEYS, master="topsecret").client(bearing("topsecret"))
    assert (client.name, client.board, client.may_ask("anything")) == (None, True, True)


def test_without_any_key_everyone_may_ask() -> None:
    assert Keyring().client({}) is EVERYONE


@pytest.mark.parametrize("key", ["", " ", "x", ANN[:-1], ANN + "x", ANN.upper(), hash_of(ANN), "ü", "\udcff"])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(RefusedError) as caught:
        Keyring(KEYS, master="m").client(bearing(key))
    assert caught.value.problem.status == 401
    assert key.strip() == "" or key not in str(caught.value)


def test_every_key_is_compared_whichever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def counting(known: Any, given: Any) -> bool:
        compared.append(given)
        return bool(known == given)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    keyring = Keyring(KEYS, master="m")
    for key in (ANN, BOB, "m"):
        compared.clear()
        keyring.client(bearing(key))
        assert compared == [hash_of(key).encode()] * 3


def test_a_key_asks_only_for_what_it_may_and_sees_only_that() -> None:
    async def main() -> None:
        async with serving(keys=KEYS) as served:
            ann = served.client.with_options(api_key=ANN)
            assert [model.id async for model in ann.models.list()] == ["auto"]
            said = await ann.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hm?"}])
            assert said.choices[0].message.content
            asked = len(served.cheap.calls) + len(served.large.calls)
            with pytest.raises(openai.PermissionDeniedError, match="may not ask for 'large'") as caught:
                await ann.chat.completions.create(model="large", messages=[{"role": "user", "content": "Hm?"}])
            assert (caught.value.code, caught.value.param) == ("permission_denied", "model")
            body: dict[str, Any] = {"model": "auto", "messages": QUESTION, "streamroute": {"tier": "large"}}
            assert (await served.post(body, **bearing(ANN))).status == 403
            unknown = await served.post({"model": "larg", "messages": QUESTION}, **bearing(ANN))
            assert unknown.status == 403  # whether it is there or not
            assert "'large'" not in unknown.error["message"]
            assert (await served.get("/v1/models/large", **bearing(ANN))).status == 404
            assert len(served.cheap.calls) + len(served.large.calls) == asked
            assert len((await served.get("/v1/models", **bearing(BOB))).json["data"]) == 3
            assert (await served.post(body, **bearing(BOB))).status == 200

    virtually(main)


@pytest.mark.parametrize(
    "path", ["/healthz", "/ui", "/ui/", "/openapi.json", "/metrics", "/v1/models", "/v1/board", "/healthz/"]
)
def test_only_the_public_pages_need_no_key(path: str) -> None:
    async def main() -> None:
        async with serving(keys=KEYS) as served:
            status = (await served.get(path)).status
            assert (status != 401) == (path in PUBLIC)

    virtually(main)


@pytest.mark.parametrize(("client", "may"), [(EVERYONE, True), (Client(KEYS[0]), False), (Client(KEYS[1]), True)])
def test_the_board_is_for_those_who_may(client: Client, may: bool) -> None:
    request: web.Request = make_mocked_request("GET", "/metrics")
    request[CLIENT] = client
    if may:
        require_board(request)
    else:
        with pytest.raises(RefusedError, match="no `board = true`") as caught:
            require_board(request)
        assert caught.value.problem.status == 403
