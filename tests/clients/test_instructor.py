"""`instructor` over the `openai` package."""

from __future__ import annotations

import asyncio

import instructor
import pytest
from instructor.core import InstructorRetryException
from openai import AsyncOpenAI, OpenAI

from tests.clients.asking import City, asking
from tests.clients.conftest import Gateway

MODES = [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA, instructor.Mode.TOOLS_STRICT]
FOUND = {"name": "Canberra", "people": 21}  # what instructor gives is of a class of its own


def wrapped(gateway: Gateway, mode: instructor.Mode) -> instructor.Instructor:
    return instructor.from_openai(OpenAI(base_url=gateway.base, api_key=gateway.key, max_retries=0), mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("route", ["auto", "shown", "large"])
def test_a_model_is_filled_in(gateway: Gateway, mode: instructor.Mode, route: str) -> None:
    found = wrapped(gateway, mode).create(model=route, messages=asking("Capital? doubt"), response_model=City)
    assert found.model_dump() == FOUND


@pytest.mark.parametrize("mode", MODES)
def test_a_model_is_filled_in_bit_by_bit(gateway: Gateway, mode: instructor.Mode) -> None:
    grown = list(wrapped(gateway, mode).create_partial(model="auto", messages=asking("Capital?"), response_model=City))
    assert grown[-1].model_dump() == FOUND
    assert len(grown) > 1


@pytest.mark.parametrize("mode", MODES)
def test_several_are_found(gateway: Gateway, mode: instructor.Mode) -> None:
    found = wrapped(gateway, mode).create_iterable(model="auto", messages=asking("Capital?"), response_model=City)
    assert [each.model_dump() for each in found] == [FOUND]


def test_the_async_client(gateway: Gateway) -> None:
    async def main() -> None:
        async with AsyncOpenAI(base_url=gateway.base, api_key=gateway.key, max_retries=0) as client:
            wrapped = instructor.from_openai(client)
            found = await wrapped.create(model="auto", messages=asking("Capital?"), response_model=City)
            assert found.model_dump() == FOUND

    asyncio.run(main())


def test_an_error_in_the_middle_is_an_exception(gateway: Gateway) -> None:
    with pytest.raises(InstructorRetryException, match="broke off"):
        list(
            wrapped(gateway, instructor.Mode.TOOLS).create_partial(
                model="auto", messages=asking("Capital? break"), response_model=City
            )
        )
