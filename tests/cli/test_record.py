import asyncio
import io
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest
from rich.console import Console

from streamroute.cli import record as record_module
from streamroute.cli.main import build_parser, main
from streamroute.cli.questions import Question
from streamroute.cli.record import GIVE_UP, Outcome, record, to_ask
from streamroute.cli.record_file import RecordFile
from streamroute.core.policy import Threshold
from streamroute.errors import ConfigError, DataFileError, UpstreamError
from streamroute.evaluation.rows import RoutingRow, read_rows
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.cli.routes import large, router_of, small


def questions(*ids: str, gold: tuple[str, ...] = ("Canberra",)) -> list[Question]:
    return [Question(id=id, question=f"{id}: which capital?", gold=gold, kind="free") for id in ids]


def recorded(
    asked: list[Question], path: Path, cheap: ScriptedUpstream | None = None, dear: ScriptedUpstream | None = None
) -> tuple[Outcome, str]:
    console = Console(file=io.StringIO(), width=160)

    async def run() -> Outcome:
        with RecordFile(path) as file:
            async with router_of(cheap or small(), dear or large()) as router:
                return await record(to_ask(router, samples=3, max_tokens=None, logprobs=True), asked, file, console)

    outcome = run_virtual(run)
    assert isinstance(console.file, io.StringIO)
    return outcome, console.file.getvalue()


def ids(path: Path) -> list[str]:
    return [row.id for row in read_rows(path, RoutingRow)]


def test_every_question_gets_a_graded_row_in_order(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    outcome, _ = recorded(questions("a", "b"), path)
    rows = list(read_rows(path, RoutingRow))
    assert outcome == Outcome(2, ())
    assert [row.id for row in rows] == ["a", "b"]
    for row in rows:
        assert row.large is not None
        assert (row.cheap.answer, row.cheap.correct, row.large.correct) == ("Sydney.", False, True)
        assert (row.gold, row.kind, row.cheap.samples) == (["Canberra"], "free", ["Canberra.", "Perth.", "Sydney."])


def test_rows_of_questions_without_gold_have_no_label(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorded(questions("a", gold=()), path)
    (row,) = read_rows(path, RoutingRow)
    assert row.large is not None
    assert (row.cheap.correct, row.large.correct, row.gold) == (None, None, None)


def test_what_is_recorded_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorded(questions("a", "b"), path)
    before = path.read_bytes()
    dear = large()
    outcome, _ = recorded(questions("a", "c", "b"), path, dear=dear)
    assert outcome.recorded == 1
    assert path.read_bytes().startswith(before)
    assert ids(path) == ["a", "b", "c"]
    assert [call.request.messages[0]["content"] for call in dear.calls] == ["Hello!", "c: which capital?"]


def test_where_everything_is_there_no_model_is_asked(tmp_path: Path) -> None:
    recorded(questions("a"), tmp_path / "r.jsonl")
    cheap = small()
    recorded(questions("a"), tmp_path / "r.jsonl", cheap)
    assert cheap.calls == []


class Failing(ScriptedUpstream):
    """Fails on these questions."""

    failing: tuple[str, ...] = ()

    def _script(self, request):  # type: ignore[no-untyped-def]
        asked = str(request.messages[0]["content"]).split(":")[0]
        return Script.failing(name="large") if asked in self.failing else super()._script(request)


def failing(*on: str) -> Failing:
    model = Failing(answer="Canberra.", name="large")
    model.failing = on
    return model


def test_a_question_that_fails_is_left_out_counted_and_asked_again_next_time(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    outcome, text = recorded(questions("a", "b", "c"), path, dear=failing("b"))
    assert outcome.recorded == 2
    assert outcome.errors == ("b: large: scripted failure",)
    assert "3 of 3, 1 failed" in text
    assert ids(path) == ["a", "c"]
    assert recorded(questions("a", "b", "c"), path)[0] == Outcome(1, ())
    assert ids(path) == ["a", "c", "b"]


def test_a_model_that_fails_time_after_time_is_given_up(tmp_path: Path) -> None:
    names = [f"q{n}" for n in range(GIVE_UP + 3)]
    dear = failing(*names)
    with pytest.raises(UpstreamError, match="scripted failure"):
        recorded(questions(*names), tmp_path / "r.jsonl", dear=dear)
    assert len(dear.calls) == 1 + GIVE_UP


def test_failures_with_a_success_between_them_are_no_reason_to_give_up(tmp_path: Path) -> None:
    names = [f"q{n}" for n in range(2 * GIVE_UP)]
    outcome, _ = recorded(questions(*names), tmp_path / "r.jsonl", dear=failing(*names[1::2]))
    assert (outcome.recorded, len(outcome.errors)) == (GIVE_UP, GIVE_UP)


def test_a_model_that_is_not_there_is_found_out_before_any_question(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with pytest.raises(UpstreamError):
        recorded(questions("a"), path, dear=failing("Hello!"))
    assert path.read_bytes() == b""


def test_an_interrupted_recording_keeps_every_finished_row_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    slow = large(Script.of("Canberra.", first=10.0))

    async def interrupted() -> None:
        console = Console(file=io.StringIO())
        with RecordFile(path) as file, anyio.move_on_after(35):  # warm by 10, "a" by 21, "b" by 31
            async with router_of(small(), slow) as router:
                asked = to_ask(router, samples=3, max_tokens=None, logprobs=True)
                await record(asked, questions("a", "b", "c"), file, console)

    run_virtual(interrupted)
    assert ids(path) == ["a", "b"]
    recorded(questions("a", "b", "c"), path)
    assert ids(path) == ["a", "b", "c"]


def test_records_of_other_models_are_not_mixed_with_these(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorded(questions("a"), path)
    other = large()
    other.model = "another"
    with pytest.raises(DataFileError, match=r"'a' was recorded with scripted-model and scripted-model, not .* another"):
        recorded(questions("a", "b"), path, dear=other)


def test_an_id_that_is_another_question_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorded(questions("a"), path)
    with pytest.raises(DataFileError, match="'a' is another question there"):
        recorded([Question(id="a", question="Why?", gold=(), kind="free")], path)


@pytest.mark.parametrize(
    ("tiers", "complaint"),
    [
        ([Tier(upstream=small(), probes=ProbePlan())], "two tiers.*only small"),
        ([Tier(upstream=small()), Tier(upstream=large())], "small has no probe settings"),
    ],
)
def test_a_route_that_cannot_be_recorded_is_refused(tiers: list[Tier], complaint: str) -> None:
    router = Router(tiers, scorer=ScriptedScorer(), policy=Threshold(0.5))
    with pytest.raises(ConfigError, match=complaint):
        to_ask(router, samples=3, max_tokens=None, logprobs=True)


def test_a_limit_of_tokens_holds_for_every_leg(tmp_path: Path) -> None:
    cheap, dear = small(), large()
    router = router_of(cheap, dear)
    assert to_ask(router, samples=3, max_tokens=5, logprobs=True).params["max_tokens"] == 5
    assert "max_tokens" not in to_ask(router, samples=3, max_tokens=None, logprobs=True).params


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMROUTE_MODELS", str(tmp_path / "models"))


GOOD: dict[str, object] = {"id": "a", "question": "?", "gold": ["x"], "kind": "free"}


@pytest.mark.parametrize(
    ("rows", "options", "complaint"),
    [
        ([{"id": "a"}], [], "line 1"),
        ([GOOD, GOOD], [], "two questions have the id 'a'"),
        ([GOOD], ["--kinds", "number,choice"], "no question is of the kind number or choice"),
        ([GOOD], ["--config", "nowhere.toml"], "nowhere.toml"),
        ([GOOD], ["--route", "nope"], "'nope'"),
        ([GOOD], [], "streamroute models pull"),
    ],
)
def test_what_cannot_be_recorded_is_said_in_a_line_and_makes_no_file(
    rows: list[dict[str, object]],
    options: list[str],
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, out = written(tmp_path / "q.jsonl", *rows), tmp_path / "r.jsonl"
    assert main(["record", str(file), "-o", str(out), *options]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert not out.exists()


class Command:
    """`streamroute record` over scripted models, in virtual time."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, dear: ScriptedUpstream) -> None:
        self._argv = ["record", str(written(folder / "q.jsonl", *ROWS)), "-o", str(folder / "r.jsonl")]

        async def opened(*_: object) -> Router:
            return router_of(small(), dear)

        def run(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome:
            return run_virtual(lambda: coroutine)

        monkeypatch.setattr(record_module, "open_showing", opened)
        monkeypatch.setattr(record_module, "missing_models", lambda *_: ())
        monkeypatch.setattr(asyncio, "run", run)

    def __call__(self, *options: str) -> int:
        return main([*self._argv, *options])


ROWS: list[dict[str, object]] = [
    {**GOOD, "id": "a", "gold": ["Canberra"]},
    {**GOOD, "id": "b", "question": "b: ?", "kind": "yesno"},
]


def test_the_command_says_how_many_it_recorded_and_how_often_each_model_was_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Command(tmp_path, monkeypatch, large())("--samples", "2") == 0
    assert "r.jsonl: 2 of 2 questions; right: cheap 0.0%, large 50.0% of 2" in capsys.readouterr().out
    assert all(len(row.cheap.samples) == 2 for row in read_rows(tmp_path / "r.jsonl", RoutingRow))


def test_the_command_records_only_the_kinds_and_as_many_as_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Command(tmp_path, monkeypatch, large())
    assert command("--kinds", "yesno,choice") == 0
    assert ids(tmp_path / "r.jsonl") == ["b"]
    assert command("--limit", "1") == 0
    assert ids(tmp_path / "r.jsonl") == ["b", "a"]


def test_the_command_ends_with_an_error_when_a_row_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Command(tmp_path, monkeypatch, failing("b"))() == 2
    error = capsys.readouterr().err
    assert "1 failed, to be asked again by the same command. The last: b: large: scripted failure" in error


def test_an_interrupted_command_says_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command(tmp_path, monkeypatch, large())
    assert command("--limit", "1") == 0

    def interrupted(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome:
        coroutine.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run", interrupted)
    assert command() == 130
    assert "1 rows are in" in capsys.readouterr().err
    assert ids(tmp_path / "r.jsonl") == ["a"]


def test_a_kind_that_is_not_known_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["record", "q.jsonl", "-o", "r.jsonl", "--kinds", "free,riddle"])
    assert "riddle" in capsys.readouterr().err


def test_labels_from_a_file_go_before_grades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, labels, path = tmp_path / "q.jsonl", tmp_path / "l.jsonl", tmp_path / "r.jsonl"
    asked.write_text('{"id": "a", "question": "Which?", "gold": ["Canberra"], "kind": "free"}', encoding="utf-8")
    labels.write_text('{"id": "a", "cheap": true}', encoding="utf-8")
    recorded(questions("a"), path)
    monkeypatch.setattr(record_module, "missing_models", lambda settings, tiers: ())
    monkeypatch.setattr(record_module, "_opened", nothing_asked)
    assert main(["record", str(asked), "-o", str(path), "--labels", str(labels)]) == 0
    (row,) = read_rows(path, RoutingRow)
    assert (row.cheap.correct, row.large and row.large.correct) == (True, True)
    labels.write_text('{"id": "b", "cheap": true}', encoding="utf-8")
    assert main(["record", str(asked), "-o", str(path), "--labels", str(labels)]) == 2
    assert "a label for 'b'" in capsys.readouterr().err


async def nothing_asked(*args: object) -> Outcome:
    return Outcome(0, ())
