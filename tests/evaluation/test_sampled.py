from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from streamroute.errors import DataFileError
from streamroute.evaluation.sampled import SampledRow, parse_sampled, read_sampled

ROW = {"question": "Who?", "answer": "Ann", "samples": ["Ann", "Bob"]}


def parsed(text: str) -> list[SampledRow]:
    return parse_sampled(text.encode().splitlines(keepends=True), name="rows")


def complaint(text: str) -> str:
    with pytest.raises(DataFileError) as raised:
        parsed(text)
    return str(raised.value)


def test_one_object_may_stand_on_one_line_or_on_many() -> None:
    row = SampledRow("Who?", ["Ann", "Bob"], "Ann")
    assert parsed(json.dumps(ROW)) == [row]
    assert parsed("\n" + json.dumps(ROW, indent=2) + "\n\n") == [row]


def test_lines_are_rows_and_unknown_fields_are_ignored() -> None:
    text = "".join(json.dumps(ROW | {"id": i}) + "\n\n" for i in range(3))
    assert parsed(text) == [SampledRow("Who?", ["Ann", "Bob"], "Ann")] * 3


def test_a_file_is_unpacked_as_its_name_says(tmp_path: Path) -> None:
    path = tmp_path / "rows.json.xz"
    path.write_bytes(lzma.compress(b"\xef\xbb\xbf" + json.dumps(ROW, indent=1).encode()))
    assert read_sampled(path) == [SampledRow("Who?", ["Ann", "Bob"], "Ann")]


def test_a_routing_row_is_read_by_its_cheap_model() -> None:
    cheap = {"answer": "Ann", "samples": ["Bob"], "right": True, "logprobs": "of another form"}
    routing = {"id": 7, "question": "Who?", "cheap": cheap, "large": {}}
    assert parsed(json.dumps(routing)) == [SampledRow("Who?", ["Bob"], "Ann")]
    del cheap["answer"]
    assert parsed(json.dumps(routing))[0].answer is None


def test_texts_are_the_answer_if_any_and_the_samples() -> None:
    assert SampledRow("", ["b"], "a").texts == ["a", "b"]
    assert SampledRow("", ["b"]).texts == ["b"]
    assert SampledRow("", []).texts == []


def test_half_a_surrogate_pair_is_a_text() -> None:
    assert parsed(r'{"question": "", "samples": ["\ud800", "\ud83d\ude00"]}')[0].samples == ["\ud800", "😀"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ('"samples": []', "missing required field `question`"),
        ('"question": ""', "missing required field `samples`"),
        ('"question": null, "samples": []', "Expected `str`, got `null` - at `$.question`"),
        ('"question": "", "samples": ["a", 3]', "Expected `str`, got `int` - at `$.samples[1]`"),
        ('"question": "", "samples": "abc"', "at `$.samples`"),
        ('"question": "", "samples": ["a"], "logprobs": [NaN]', "logprobs[0] is nan"),
        ('"question": "", "samples": ["a"], "logprobs": [-1e999]', "logprobs[0] is -inf"),
        ('"question": "", "samples": ["a"], "logprobs": [0.5]', "logprobs[0] is 0.5, which is above zero"),
        ('"question": "", "samples": ["a"], "answer": "b", "logprobs": [-1]', "`logprobs` has 1 entries for 2 texts"),
        ('"question": "", "samples": ["a"], "logprobs": [-1e308]', "logprobs[0] is -1e+308, which is less than any"),
        ('"question": "", "samples": ["a"], "logprobs": [null]', "at `$.logprobs[0]`"),
        ('"question": "", "samples": [], "answer": "b", "p_true": NaN', "p_true[0] is nan"),
        ('"question": "", "samples": [], "p_true": -1', "`p_true` is of the answer, and `answer` is missing"),
        ('"question": "", "cheap": {"samples": [1]}', "at `$.cheap.samples[0]`"),
        ('"question": "", "cheap": {}', "missing required field `samples` - at `$.cheap`"),
        ('"question": "", "samples": [' + "9" * 5000 + "]", "line 2: "),
        ('"question": "", "samples": ' + "[" * 100_000, "line 2: nested too deeply"),
        ('"question": "", "samples": [}', "line 2: not JSON (Expecting value, column "),
    ],
)
def test_a_line_that_is_no_row_is_named_with_its_field(fields: str, words: str) -> None:
    message = complaint(json.dumps(ROW) + "\n{" + fields + "}\n")
    assert message.startswith("rows: line 2: ")
    assert words in message


def test_what_is_wrong_in_an_object_over_many_lines_is_named_by_its_line() -> None:
    assert complaint('{\n\n"question": "",\n"samples": [,]\n}').startswith("rows: line 4: not JSON (")
    assert complaint('{"question": "",\n"samples": [').startswith("rows: line 2: not JSON (")


def test_no_rows_other_values_and_other_bytes_are_refused() -> None:
    assert complaint(" \n\n") == "rows: no rows"
    assert complaint("[]") == "rows: line 1: Expected `object`, got `array`"
    with pytest.raises(DataFileError, match="line 1: not UTF-8"):
        parse_sampled([b'{"question": "\xff"}'], name="rows")
    with pytest.raises(DataFileError, match="is compressed, but its name"):
        parse_sampled([b"\x1f\x8b\x00"], name="rows")
