import io
from pathlib import Path

from rich.console import Console

from streamroute.cli.baselines import Recordings
from streamroute.cli.comparison import Row
from streamroute.cli.demo import run_demo
from streamroute.cli.questions import Question
from streamroute.testing import ScriptedUpstream, run_virtual
from tests.cli.routes import large, router_of, small

QUESTIONS = [
    Question(
        id=name,
        question=f"{name}: what is the capital of Australia?",
        gold=("Canberra",),
        kind="free",
        difficulty="hard",
    )
    for name in ("one", "two")
]


def shown(cheap: ScriptedUpstream, dear: ScriptedUpstream, recordings: Path) -> tuple[list[Row], str]:
    console = Console(file=io.StringIO(), width=160)

    async def main() -> list[Row]:
        async with router_of(cheap, dear) as router:
            return await run_demo(router, QUESTIONS, console, Recordings(recordings))

    rows = run_virtual(main)
    assert isinstance(console.file, io.StringIO)
    return rows, console.file.getvalue()


def test_the_table_compares_four_ways_over_all_questions(tmp_path: Path) -> None:
    rows, text = shown(small(), large(), tmp_path / "r.json")
    assert [row.question.id for row in rows] == ["one", "two"]
    for words in ("always small", "always large", "random, 100% large", "routed, 100% large", "+0.0 points"):
        assert words in text


def test_each_question_has_a_line_with_what_was_decided_and_why(tmp_path: Path) -> None:
    _, text = shown(small(), large(), tmp_path / "r.json")
    line = next(line for line in text.splitlines() if "one: what is" in line)
    for words in ("✓", "large", "escalate", "0.22 s", "Canberra."):
        assert words in line


def test_probes_and_cancelled_answers_are_counted(tmp_path: Path) -> None:
    rows, _ = shown(small(probes=["Sydney."]), large(), tmp_path / "r.json")
    row = rows[0]
    assert not row.routed.escalated
    assert row.routed.small_tokens > row.small.tokens
    assert row.routed.large_tokens == 0


def test_a_second_run_asks_no_model_alone_again(tmp_path: Path) -> None:
    first, again = large(), large()
    rows, _ = shown(small(), first, tmp_path / "r.json")
    repeated, _ = shown(small(), again, tmp_path / "r.json")
    assert len(again.calls) == len(first.calls) - len(QUESTIONS)
    assert [row.large for row in rows] == [row.large for row in repeated]
