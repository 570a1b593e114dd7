"""The served OpenAPI document: complete, valid, and true of the replies, the good ones and the bad."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openai.types.chat import ChatCompletion, ChatCompletionChunk, completion_create_params

from streamroute.gateway.journal import Journal
from streamroute.gateway.keys import IN_FLIGHT
from streamroute.gateway.openapi.document import PATHS, SCHEMAS, document_of
from streamroute.testing import Script, ScriptedUpstream
from streamroute.wire.request import _Body
from tests.gateway.served import QUESTION, Reply, Served, agreeing, disagreeing, larger, serving, virtually

ASKED: dict[str, Any] = {"model": "auto", "messages": QUESTION}
OURS = ("Route", "Leg", "Evidence", "Model", "Models", "Feedback", "Health", "Error")
"""What nobody else adds to: here a property that is not in the document is a defect of the document."""


def validator(schema: Any, *, closed: bool = True) -> Draft202012Validator:
    """Of `schema` with the document's components."""
    schemas = copy.deepcopy(SCHEMAS)
    if closed:
        for name in OURS:
            schemas[name]["unevaluatedProperties"] = False
        for note in schemas["Note"]["oneOf"]:
            note["unevaluatedProperties"] = False
    return Draft202012Validator({**schema, "components": {"schemas": schemas}})


def named(name: str) -> Draft202012Validator:
    return validator({"$ref": f"#/components/schemas/{name}"})


def check(reply: Reply, path: str, method: str = "post") -> None:
    """`reply` is one that the document knows, of this path."""
    response = PATHS[path][method]["responses"][str(reply.status)]
    kind = reply.headers["Content-Type"].partition(";")[0]
    if kind == "text/event-stream":
        *events, last = reply.events
        for event in events:
            named("ChatCompletionChunk").validate(event)
            ChatCompletionChunk.model_validate(event)  # nor does the SDK miss a field
        assert last == "[DONE]" or named("Error").is_valid(last)
    elif kind != "application/json":
        assert kind in response["content"]
    else:
        validator(response["content"][kind]["schema"]).validate(reply.json)
        if reply.json.get("object") == "chat.completion":
            ChatCompletion.model_validate(reply.json)
    for name in response.get("headers", {}):
        if name == "x-request-id" or (name == "Retry-After" and reply.status == 503):
            assert reply.headers[name]


def test_every_path_of_the_application_is_in_the_document_and_the_other_way_round(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(journal=Journal(None, tmp_path / "f")) as served:
            document = (await served.get("/openapi.json")).json
            told = {(path, method) for path, operations in document["paths"].items() for method in operations}
            there = {(r.resource.canonical, r.method.lower()) for r in served.app.router.routes() if r.resource}
            assert told == {(path, method) for path, method in there if method != "head"}
            assert ("/v1/feedback", "post") in told
        async with serving() as served:
            assert "/v1/feedback" not in (await served.get("/openapi.json")).json["paths"]

    virtually(main)


def test_the_document_needs_no_key_and_is_the_same_as_in_code() -> None:
    async def main() -> None:
        async with serving(api_key="k") as served:
            reply = await served.get("/openapi.json")
            assert reply.headers["Content-Type"] == "application/json"
            assert reply.json == json.loads(json.dumps(document_of(served.app)))

    virtually(main)


def test_the_schemas_are_schemas_and_refer_to_each_other() -> None:
    def refs(thing: Any) -> list[str]:
        if isinstance(thing, dict):
            return [thing["$ref"]] if "$ref" in thing else [r for each in thing.values() for r in refs(each)]
        return [r for each in thing for r in refs(each)] if isinstance(thing, list) else []

    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
    used = {ref.rpartition("/")[2] for ref in refs([PATHS, SCHEMAS])}
    assert used == SCHEMAS.keys()


def test_the_names_of_operations_are_unique() -> None:
    names = [operation["operationId"] for operations in PATHS.values() for operation in operations.values()]
    assert len(names) == len(set(names))


RELEASES = ("hold", "retract", "append", "continue", "auto")
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("cheap", [agreeing, disagreeing])
def test_every_answer_is_as_it_is_described(stream: bool, release: str, cheap: Any) -> None:
    async def main() -> None:
        async with serving(cheap()) as served:
            asked = {**ASKED, "stream": stream, "stream_options": {"include_usage": True}, "logprobs": True}
            named("ChatRequest").validate(asked)
            reply = await served.post({**asked, "streamroute": {"release": release}})
            assert reply.status == 200
            assert '"legs"' in reply.body.decode()
            check(reply, "/v1/chat/completions")
            known = PATHS["/v1/chat/completions"]["post"]["responses"]["200"]["headers"]
            assert {name.lower() for name in reply.headers if name.lower().startswith("x-")} - {
                "x-accel-buffering"
            } <= known.keys()

    virtually(main)


@pytest.mark.parametrize(
    ("asked", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b'{"x": 1e999}', {}, 400),
        ({"model": "auto"}, {}, 400),
        ({**ASKED, "modalities": 5}, {}, 400),
        ({**ASKED, "streamroute": {"tier": "none"}}, {}, 400),
        (ASKED, {"x_streamroute_judge": "maybe"}, 400),
        (ASKED, {"x_streamroute_tier": "none"}, 400),
        ({**ASKED, "model": "none"}, {}, 404),
        ({**ASKED, "user": "x" * 10_000}, {}, 413),
        (ASKED, {"Authorization": "Bearer wrong"}, 401),
        (ASKED, {"Content_Type": "text/plain;charset=UTF-8"}, 415),
        (ASKED, {"Content_Type": "application/x-www-form-urlencoded"}, 415),
        (ASKED, {"Content_Type": "multipart/form-data; boundary=x"}, 415),
        (ASKED, {"Content_Type": "application/json; charset=utf-8"}, 200),
        (ASKED, {"Content_Type": "no/such"}, 200),
        ({**ASKED, "tools": [TOOL]}, {}, 200),
    ],
)
def test_every_refusal_is_as_it_is_described(asked: Any, headers: dict[str, str], status: int) -> None:
    async def main() -> None:
        async with serving(api_key="k", max_body_bytes=9_000) as served:
            reply = await served.post(asked, **{"Authorization": "Bearer k", **headers})
            assert reply.status == status
            check(reply, "/v1/chat/completions")

    virtually(main)


@pytest.mark.parametrize("stream", [True, False])
def test_failures_before_and_in_an_answer_are_as_they_are_described(stream: bool) -> None:
    async def main() -> None:
        for text, status in (("", 502), ("It is", 200 if stream else 502)):
            cheap = ScriptedUpstream(Script.failing(name="cheap"), [Script.failing()], name="cheap")
            async with serving(cheap, larger(Script.failing(text=text, name="large"))) as served:
                reply = await served.post({**ASKED, "stream": stream})
                assert reply.status == status
                check(reply, "/v1/chat/completions")

    virtually(main)


def test_a_stopping_gateway_answers_as_described() -> None:
    async def main() -> None:
        async with serving() as served:
            await served.app[IN_FLIGHT].drain(0)
            check(await served.post(ASKED), "/v1/chat/completions")
            health = await served.get("/healthz")
            assert (health.status, health.json["status"]) == (503, "draining")
            check(health, "/healthz", "get")

    virtually(main)


def test_the_other_pages_answer_as_described(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(journal=Journal(None, tmp_path / "f")) as served:
            paths = (await served.get("/openapi.json")).json["paths"]
            for path in (path for path, operations in paths.items() if "get" in operations and "{" not in path):
                reply = await served.get(path)
                assert reply.status == 200
                check(reply, path, "get")
            for name, status in (("auto", 200), ("cheap", 200), ("none", 404)):
                reply = await served.get(f"/v1/models/{name}")
                assert reply.status == status
                check(reply, "/v1/models/{model}", "get")
            for said, status in (({"id": "x", "correct": True}, 200), ({"id": "x"}, 400), ({"id": 1, "x": 2}, 400)):
                reply = await served.post(said, path="/v1/feedback")
                assert reply.status == status
                check(reply, "/v1/feedback")

    virtually(main)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/models/auto", "/healthz", "/openapi.json"])
def test_a_method_that_is_not_there_is_a_405_that_names_those_that_are(path: str) -> None:
    async def ask(served: Served, method: str) -> tuple[int, str, bytes]:
        async with served.http.request(method, served.url + path) as response:
            return response.status, response.headers.get("Allow", ""), await response.read()

    async def main() -> None:
        async with serving() as served:
            posts = path == "/v1/chat/completions"
            allowed = "POST" if posts else "GET,HEAD"
            for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "GET" if posts else "POST"):
                status, allow, body = await ask(served, method)
                assert (status, allow) == (405, allowed)
                assert json.loads(body)["error"]["code"] == "method_not_allowed"
            status, _, body = await ask(served, "HEAD")
            assert (status, body) == (405 if posts else 200, b"")

    virtually(main)


def test_no_parameter_of_the_sdk_is_of_another_type_here() -> None:
    """What the gateway checks of a request is a parameter of the OpenAI SDK, or our own, and in the document."""
    known = completion_create_params.CompletionCreateParamsBase.__annotations__.keys() | {"stream"}
    checked = set(_Body.__struct_fields__)
    assert checked - known == {"streamroute"}
    assert SCHEMAS["ChatRequest"]["properties"].keys() == checked
