import io

import pytest
from rich.console import Console

from streamroute.cli.session import LiveDisplay, PlainDisplay, Silent, display_for
from streamroute.cli.view import RouteView
from tests.cli.routes import QUESTION, asked, large, small


class Breaking(Silent):
    """A display whose reader goes away at the n-th update."""

    def __init__(self, after: int) -> None:
        self._left = after

    def update(self, before: RouteView, after: RouteView) -> None:
        self._left -= 1
        if self._left <= 0:
            raise BrokenPipeError


@pytest.mark.parametrize("after", [1, 2, 4, 6])
def test_a_display_that_breaks_ends_the_route_and_every_model(after: int) -> None:
    cheap, dear = small(), large()
    with pytest.raises(BrokenPipeError):
        asked(cheap, dear, display=Breaking(after))
    assert cheap.running == dear.running == 0


def test_a_terminal_gets_the_live_picture_and_a_file_plain_lines() -> None:
    assert isinstance(display_for(Console(file=io.StringIO(), force_terminal=True)), LiveDisplay)
    file = io.StringIO()
    display = display_for(Console(file=file, force_terminal=False))
    assert isinstance(display, PlainDisplay)
    asked(display=display)
    assert "small starts" in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_the_live_picture_ends_with_the_answer_on_the_screen() -> None:
    file = io.StringIO()
    display = LiveDisplay(Console(file=file, force_terminal=True, width=100))
    asked(display=display)
    assert "Canberra." in file.getvalue().rpartition("large")[2]


def test_markup_in_a_question_or_answer_is_text() -> None:
    file = io.StringIO()
    asked(small(answer="[bold]x[/] [/nope]"), display=LiveDisplay(Console(file=file, force_terminal=True, width=100)))
    assert "[bold]x[/] [/nope]" in file.getvalue()
    assert QUESTION
