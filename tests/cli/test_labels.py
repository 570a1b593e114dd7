from pathlib import Path

import pytest

from streamroute.cli.labels import Label, labelled_by, read_labels
from streamroute.cli.record_file import RecordFile
from streamroute.errors import DataFileError
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow, read_rows

ROW = RoutingRow("a", "Which?", CheapLeg("Sydney.", ["Perth."], correct=False), LargeLeg("Canberra."))


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_are_read_by_id(tmp_path: Path) -> None:
    path = written(tmp_path / "l.jsonl", '{"id": "a", "cheap": true}\n\n{"id": "b", "large": false}\n')
    assert read_labels(path) == {"a": Label("a", cheap=True), "b": Label("b", large=False)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"id": "a", "cheap": 1}', "line 1"),
        ('{"id": "a", "cheep": true}', "cheep"),
        ('{"cheap": true}', "`id`"),
        ('{"id": "a"}\n{"id": "a"}', "line 2: 'a' has a label already"),
        ("\n", "no labels"),
    ],
)
def test_labels_that_cannot_be_read_are_told_by_their_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(DataFileError, match=complaint):
        read_labels(written(tmp_path / "l.jsonl", text))


def test_a_label_goes_before_a_grade_and_what_it_does_not_say_stays() -> None:
    found = labelled_by({"a": Label("a", cheap=True)}, ROW)
    assert found.large is not None
    assert (found.cheap.correct, found.large.correct) == (True, None)
    assert labelled_by({"b": Label("b", cheap=True)}, ROW) == ROW


def test_a_recording_is_relabelled_at_once_and_goes_on_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with RecordFile(path) as file:
        file.append(ROW)
        assert file.relabel(lambda row: labelled_by({"a": Label("a", large=True)}, row)) == 1
        assert file.relabel(lambda row: row) == 0
        with pytest.raises(DataFileError, match="another process"):
            RecordFile(path)
        file.append(RoutingRow("b", "Who?", CheapLeg("Ann.", [])))
    rows = list(read_rows(path, RoutingRow))
    assert [row.id for row in rows] == ["a", "b"]
    assert rows[0].large is not None
    assert rows[0].large.correct is True
    assert [each.name for each in tmp_path.iterdir()] == ["r.jsonl"]
