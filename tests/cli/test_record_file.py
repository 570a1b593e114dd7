from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.cli.record_file import RecordFile
from streamroute.errors import DataFileError
from streamroute.evaluation.rows import CheapLeg, RoutingRow, read_rows


def row(id: str) -> RoutingRow:
    return RoutingRow(id, f"Which, {id}?", CheapLeg("Zürich\n", ["a", "b"], correct=True))


def filled(path: Path, *ids: str) -> bytes:
    with RecordFile(path) as file:
        for id in ids:
            file.append(row(id))
    return path.read_bytes()


def test_rows_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    filled(path, "a", "b")
    with RecordFile(path) as file:
        assert file.rows == {"a": row("a"), "b": row("b")}


def test_a_row_can_be_read_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with RecordFile(path) as file:
        file.append(row("a"))
        assert list(read_rows(path, RoutingRow)) == [row("a")]


@given(cut=st.integers(min_value=1, max_value=10_000))
def test_whatever_a_killed_process_left_of_a_row_is_cut_off(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "r.jsonl"
    one = filled(path, "a")
    both = filled(path, "b")
    left = both[: len(one) + cut % (len(both) - len(one))]
    path.write_bytes(left)
    with RecordFile(path) as file:
        file.append(row("c"))
    complete = left == both[:-1]
    assert [r.id for r in read_rows(path, RoutingRow)] == (["a", "b", "c"] if complete else ["a", "c"])


@pytest.mark.parametrize("content", [b'{"premise": 1}\n', b"notes of mine", b'{"id":"a"}\n{"id":', b"\xff\n"])
def test_a_file_of_anything_else_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"r\.jsonl: .*not a row of records"):
        RecordFile(path)
    assert path.read_bytes() == content


def test_two_processes_cannot_record_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with RecordFile(path), pytest.raises(DataFileError, match="another process"):
        RecordFile(path)
    RecordFile(path).__exit__(None, None, None)


@pytest.mark.parametrize(
    ("name", "complaint"), [("r.jsonl.xz", "pack it later"), ("none/r.jsonl", "cannot be written"), (".", "cannot be")]
)
def test_a_name_that_nothing_can_be_appended_to_is_refused(tmp_path: Path, name: str, complaint: str) -> None:
    with pytest.raises(DataFileError, match=complaint):
        RecordFile(tmp_path / name)
