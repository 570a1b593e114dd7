import io
from collections.abc import Iterable

from rich.console import Console

from streamroute.cli.chat import converse
from streamroute.cli.lines import LineReader
from streamroute.testing import Script, ScriptedUpstream, run_virtual
from streamroute.upstreams.base import Message
from tests.cli.routes import large, router_of, small


class Typed(LineReader):
    """Lines without a terminal."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__(-1)
        self._lines = iter(lines)

    async def line(self) -> str | None:
        return next(self._lines, None)


def talked(lines: Iterable[str], cheap: ScriptedUpstream, dear: ScriptedUpstream) -> tuple[list[Message], str]:
    console = Console(file=io.StringIO(), width=100)

    async def main() -> list[Message]:
        async with router_of(cheap, dear) as router:
            return await converse(router, Typed(lines), console)

    said = run_virtual(main)
    assert isinstance(console.file, io.StringIO)
    return said, console.file.getvalue()


def test_every_turn_is_asked_with_what_was_said_before() -> None:
    cheap = small(answer="Canberra.", probes=["Canberra."])
    said, shown = talked(["Capital of Australia?", "", "Are you sure?", "/quit", "never"], cheap, large())
    assert [message["role"] for message in said] == ["user", "assistant"] * 2
    asked = [call.request.messages for call in cheap.calls if not call.request.probe]
    assert [len(messages) for messages in asked] == [1, 3]
    assert asked[1][1] == {"role": "assistant", "content": "Canberra."}
    assert "Canberra." in shown


def test_the_end_of_input_ends_the_conversation() -> None:
    said, _ = talked(["Capital of Australia?"], small(), large())
    assert said[-1]["content"] == "Canberra."


def test_a_turn_that_fails_everywhere_is_reported_and_forgotten() -> None:
    failing = small(answer=Script.failing(name="small"))
    said, shown = talked(["[bold]odd[/bold] question", "again"], failing, large(Script.failing(name="large")))
    assert said == []
    assert shown.count("every leg failed") == 2
