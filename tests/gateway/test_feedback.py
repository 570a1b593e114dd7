"""What a gateway keeps to calibrate by, and what it refuses to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamroute.calibration.labels import decode_feedback, joined
from streamroute.calibration.records import decode_record
from streamroute.gateway.journal import Journal
from tests.gateway.served import QUESTION, disagreeing, serving, virtually

ASK: dict[str, Any] = {"model": "auto", "messages": QUESTION}


def test_a_judged_request_and_what_is_said_of_it_become_a_labelled_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "records.jsonl", tmp_path / "labels.jsonl")

    async def main() -> None:
        async with serving(disagreeing(), journal=journal) as served:
            first = (await served.post(ASK)).json["id"]
            streamed = await served.post(ASK | {"stream": True})
            await served.post(ASK | {"model": "large"})
            said = await served.post({"id": first, "correct": False}, path="/v1/feedback")
            assert (said.status, said.json) == (200, {"object": "feedback", "id": first, "correct": False})
            ids = [first, streamed.events[0]["id"]]
            lines = (tmp_path / "records.jsonl").read_bytes().splitlines()
            records = [decode_record(line, number=0) for line in lines]
            assert [record and record.id for record in records] == ids
            assert all(record is not None and record.escalated and record.score == 1.0 for record in records)
            assert len({record.group for record in records if record}) == 1
            assert b"Australia" not in b"".join(lines)
            labels = [decode_feedback(line) for line in (tmp_path / "labels.jsonl").read_bytes().splitlines()]
            assert [r.large_wrong for r in joined([r for r in records if r], labels)] == [True, None]

    virtually(main)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"?", None),
        (b"[]", None),
        ({"id": "a"}, "correct"),
        ({"id": "a", "correct": 1}, "correct"),
        ({"id": "", "correct": True}, "id"),
        ({"id": "x" * 257, "correct": True}, "id"),
        ({"id": "a", "correct": True, "by": "me"}, "by"),
    ],
)
def test_feedback_that_cannot_be_read_is_refused_by_name(tmp_path: Path, body: Any, param: str | None) -> None:
    async def main() -> None:
        async with serving(journal=Journal(feedback=tmp_path / "labels.jsonl")) as served:
            reply = await served.post(body, path="/v1/feedback")
            assert (reply.status, reply.error["param"]) == (400, param)
            assert not (tmp_path / "labels.jsonl").exists()

    virtually(main)


def test_feedback_needs_the_key_and_a_file() -> None:
    async def main() -> None:
        async with serving(journal=Journal(feedback=Path("unused")), api_key="secret") as served:
            assert (await served.post({"id": "a", "correct": True}, path="/v1/feedback")).status == 401
        async with serving() as served:
            assert (await served.post({"id": "a", "correct": True}, path="/v1/feedback")).status == 404

    virtually(main)


def test_what_cannot_be_written_is_told_of_feedback_and_only_noted_of_records(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(journal=Journal(tmp_path, tmp_path)) as served:
            said = await served.post({"id": "a", "correct": True}, path="/v1/feedback")
            assert (said.status, said.error["code"]) == (503, "not_kept")
            assert (await served.post(ASK)).status == 200
            assert served.log.lines[-1]["record"].startswith("not written: ")

    virtually(main)
