from __future__ import annotations

import gzip
import json
import lzma
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from streamroute.errors import DataFileError
from streamroute.evaluation.rows import (
    CheapLeg,
    LargeLeg,
    NliRow,
    PairRow,
    RoutingRow,
    Timing,
    labelled,
    parse_rows,
    read_rows,
)

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


CHEAP = {"answer": "Ann", "samples": ["Bob", "Ann"], "correct": True}


def routing(cheap: dict[str, object] | None = None, **fields: object) -> RoutingRow:
    row = {"id": "7", "question": "Who?", "cheap": CHEAP | (cheap or {}), **fields}
    return next(parse_rows([json.dumps(row).encode()], RoutingRow, name="here"))


def test_a_routing_row_has_the_cheap_answer_and_its_samples_and_may_have_more() -> None:
    assert routing() == RoutingRow("7", "Who?", CheapLeg("Ann", ["Bob", "Ann"], correct=True))
    timing = {"first": 0.1, "end": 0.5, "tokens": 3, "steps": [[0.2, 4], [0.5, 9]]}
    cheap = {"model": "s", "logprobs": [-0.5], "sample_logprobs": [-1, -2], "timing": timing, "prompt_tokens": 9}
    large = {"model": "l", "answer": "Eve", "correct": False, "timing": timing, "unknown": {}}
    found = routing(cheap | {"sample_timings": [timing] * 2}, gold=["Ann"], kind="nq", large=large, other=1)
    took = Timing(0.1, 0.5, 3, [(0.2, 4), (0.5, 9)])
    assert found.large == LargeLeg("Eve", "l", False, took)
    assert found.cheap == CheapLeg("Ann", ["Bob", "Ann"], "s", True, [-0.5], took, [took, took], [-1, -2], 9)
    assert (found.gold, found.kind, found.paired) == (["Ann"], "nq", True)


def test_a_pair_of_answers_needs_both_labels() -> None:
    assert not routing().paired
    assert not routing(large={"answer": "Eve"}).paired
    assert not routing({"correct": None}, large={"answer": "Eve", "correct": True}).paired


@pytest.mark.parametrize(
    ("cheap", "words"),
    [
        ({"samples": None}, r"Expected `array`, got `null` - at `\$\.cheap\.samples`"),
        ({"correct": 1}, r"`bool \| null`, got `int` - at `\$\.cheap\.correct`"),
        ({"logprobs": [-1, 0.5]}, r"logprobs\[1\] is 0.5, which is above zero.* - at `\$\.cheap`"),
        ({"sample_logprobs": [-1, -1e308]}, r"sample_logprobs\[1\] is -1e\+308, which is less than any"),
        ({"sample_logprobs": [-1]}, "`sample_logprobs` has 1 entries for 2 samples"),
        ({"sample_timings": []}, "`sample_timings` has 0 entries for 2 samples"),
        ({"timing": {"first": 2, "end": 1}}, r"`first` is 2.0 and `end` 1.0.* - at `\$\.cheap\.timing`"),
        ({"timing": {"first": -1, "end": 1}}, "expected 0 <= first <= end"),
        ({"timing": {"first": 0, "end": 1, "tokens": -1}}, "`tokens` is -1"),
        ({"timing": {"first": 0, "end": 1, "steps": [[0.5, 9], [0.6, 8]]}}, r"`steps`\[1\] goes back"),
        ({"timing": {"first": 0, "end": 1, "steps": [[0.5, 9], [0.4, 9]]}}, r"`steps`\[1\] goes back"),
    ],
)
def test_what_is_wrong_in_a_routing_row_is_named_with_line_and_field(cheap: dict[str, object], words: str) -> None:
    with pytest.raises(DataFileError, match=f"here: line 1: .*{words}"):
        routing(cheap)


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    with_label, without = routing(), routing({"correct": None})
    assert labelled([without, with_label, without], name="here") == ([with_label], 2)
    with pytest.raises(DataFileError, match=r"here: none of the 2 rows says .*`cheap\.correct`"):
        labelled([without, without], name="here")


def test_a_row_may_be_called_by_a_number_or_by_its_line() -> None:
    rows: list[dict[str, object]] = [{"id": "a"}, {"id": 7}, {}]
    lines = [json.dumps({"question": "Who?", "cheap": CHEAP, **row}).encode() for row in rows]
    assert [row.id for row in parse_rows(lines, RoutingRow, name="here")] == ["a", "7", "3"]
