"""Labels from a file: somebody has read the recorded answers and says which are right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from streamroute.errors import DataFileError
from streamroute.evaluation.rows import RoutingRow, lines_of, numbered

__all__ = ("Label", "labelled_by", "read_labels")


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the cheap and the large answer to the question of that id are right; None where nobody says."""

    id: str
    cheap: bool | None = None
    large: bool | None = None


def read_labels(path: Path) -> dict[str, Label]:
    """JSON lines, by id. Raises `DataFileError`, naming the line, also where an id stands there twice."""
    found: dict[str, Label] = {}
    for number, line in numbered(lines_of(path), str(path)):
        try:
            label = msgspec.json.decode(line, type=Label)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataFileError(f"{path}: line {number}: {error}") from error
        if label.id in found:
            raise DataFileError(f"{path}: line {number}: {label.id!r} has a label already")
        found[label.id] = label
    if not found:
        raise DataFileError(f"{path}: no labels")
    return found


def labelled_by(labels: Mapping[str, Label], row: RoutingRow) -> RoutingRow:
    """The row with what its label says, which goes before a grade."""
    label = labels.get(row.id)
    if label is None:
        return row
    cheap, large = row.cheap, row.large
    if label.cheap is not None:
        cheap = msgspec.structs.replace(cheap, correct=label.cheap)
    if label.large is not None and large is not None:
        large = msgspec.structs.replace(large, correct=label.large)
    return msgspec.structs.replace(row, cheap=cheap, large=large)
