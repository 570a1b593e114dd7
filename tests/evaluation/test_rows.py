from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from streamroute.errors import DataFileError
from streamroute.evaluation.rows import NliRow, PairRow, parse_rows, read_rows

NLI = '{"premise": "A cat.", "hypothesis": "Une bête – 猫.", "label": "entailment"}\n'
PAIR = '{"question": "Who?", "a": "Ann", "b": "Bob", "equivalent": false}\n'


def plainly(content: bytes) -> bytes:
    return content


def complaint(path: Path, *, limit: int | None = None) -> str:
    with pytest.raises(DataFileError) as raised:
        list(read_rows(path, NliRow, limit=limit))
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "pack"), [("d.jsonl", plainly), ("d.jsonl.gz", gzip.compress), ("d.jsonl.xz", lzma.compress)]
)
def test_a_file_is_unpacked_as_its_name_says(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / name
    path.write_bytes(pack((NLI * 3).encode()))
    assert list(read_rows(path, NliRow)) == [NliRow("A cat.", "Une bête – 猫.", "entailment")] * 3


def test_the_source_is_kept_and_unknown_fields_are_not(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"question": "Q", "a": "1", "b": "2", "equivalent": true, "source": "nq", "id": [7]}')
    assert list(read_rows(path, PairRow)) == [PairRow("Q", "1", "2", True, "nq")]


def test_blank_lines_carriage_returns_and_a_byte_order_mark_are_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + f"\n{NLI}  \r\n{NLI.strip()}\r\n\n".encode())
    assert len(list(read_rows(path, NliRow))) == 2


def test_nothing_behind_the_limit_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(NLI * 2 + "not a row")
    assert len(list(read_rows(path, NliRow, limit=2))) == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "line 2: Input data was truncated"),
        ("[]", "line 2: Expected `object`, got `array`"),
        ('{"premise": "x", "hypothesis": "y"}', r"line 2: .*`label`"),
        ('{"premise": "x", "hypothesis": "y", "label": "maybe"}', r"line 2: .*'maybe' - at `\$\.label`"),
        ('{"premise": 3, "hypothesis": "y", "label": "neutral"}', r"line 2: .*`str`.*`int` - at `\$\.premise`"),
        (PAIR.strip(), r"line 2: .*`premise`"),
        (NLI.strip() * 2, "line 2: JSON is malformed"),
    ],
)
def test_a_line_that_is_no_row_is_named_with_its_field(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(f"{NLI}{line}\n")
    assert re.match(expected, complaint(path))


def test_equivalence_is_true_or_false_and_nothing_like_it() -> None:
    lines = [PAIR.replace("false", "0").encode()]
    with pytest.raises(DataFileError, match=r"line 1: .*`bool`.*equivalent"):
        list(parse_rows(lines, PairRow, name="here"))


def test_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(NLI.encode() + NLI.replace("猫", "").encode("latin-1", "replace"))
    assert complaint(path).startswith("line 2: not UTF-8")


def test_a_file_that_is_not_there_and_a_folder_cannot_be_read(tmp_path: Path) -> None:
    for name in ("none.jsonl", "none.jsonl.gz", "none.jsonl.xz"):
        assert complaint(tmp_path / name) == "cannot be read (No such file or directory)"
    folder = tmp_path / "folder.gz"
    folder.mkdir()
    for path in (folder, tmp_path):
        assert complaint(path) == "cannot be read (Is a directory)"


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(content)
    assert complaint(path) == "no rows"


def test_a_file_that_is_packed_otherwise_than_its_name_says_is_refused(tmp_path: Path) -> None:
    rows = (NLI * 3).encode()
    for name, content, expected in (
        ("d.jsonl.gz", rows, "is not a gzip archive"),
        ("d.jsonl.xz", gzip.compress(rows), "is not an xz archive"),
        ("d.jsonl", gzip.compress(rows), "is compressed, but"),
        ("d.txt", lzma.compress(rows), "is compressed, but"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert complaint(path).startswith(expected)


@pytest.mark.parametrize(("name", "pack"), [("d.jsonl.gz", gzip.compress), ("d.jsonl.xz", lzma.compress)])
def test_a_truncated_archive_is_not_taken_for_a_short_file(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    whole = pack("".join(NLI.replace("cat", f"cat {i}") for i in range(1000)).encode())
    path.write_bytes(whole[:-40])
    assert complaint(path).startswith("is cut short")


@pytest.mark.parametrize(("name", "pack"), [("d.jsonl.gz", gzip.compress), ("d.jsonl.xz", lzma.compress)])
def test_a_damaged_archive_is_refused(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / name
    damaged = bytearray(pack("".join(NLI.replace("cat", f"cat {i}") for i in range(1000)).encode()))
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    complaint(path)


def test_a_damaged_stream_of_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl.gz"
    path.write_bytes(gzip.compress(NLI.encode())[:10] + b"\xff" * 40)
    assert complaint(path).startswith("is a damaged archive")
