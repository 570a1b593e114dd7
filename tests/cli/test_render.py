import io

import pytest
from rich.console import Console

from streamroute.cli.render import one_line, plain_lines, screen, seconds
from streamroute.cli.session import PlainDisplay
from streamroute.cli.view import RouteView
from streamroute.core.types import Release
from tests.cli.routes import QUESTION, Frames, asked, small


def drawn(view: RouteView, *, ansi: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=100,
        force_terminal=ansi,
        color_system="standard" if ansi else None,
        legacy_windows=False,
    )
    console.print(screen(view))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_tells_the_whole_story_of_an_escalation() -> None:
    picture = drawn(asked(release=Release.RETRACT).view)
    for words in ("small  withdrawn", "Sydney.", "probes", "entropy", "certified [", "limit 0.50", "escalate to large"):
        assert words in picture
    assert (
        picture.index("Sydney.")
        < picture.index("escalate to large")
        < picture.index("Canberra.", picture.index("large  "))
    )


def test_withdrawn_text_is_struck_through_and_kept_text_is_not() -> None:
    picture = drawn(asked(release=Release.RETRACT).view, ansi=True)
    strike = "\x1b[2;9m"
    assert f"{strike}Sydney." in picture
    assert f"{strike}Canberra." not in picture


def test_every_frame_of_a_route_can_be_drawn() -> None:
    frames = Frames()
    asked(release=Release.RETRACT, display=frames)
    start = RouteView(question=QUESTION, tier_names=("small", "large"))
    pictures = [drawn(view) for view in [start, *frames.views]]
    assert "escalate" not in pictures[1]
    assert "escalate" in pictures[-1]


def test_plain_lines_tell_starts_probes_judgements_and_the_verdict_once_each() -> None:
    lines: list[str] = []
    asked(small(probes=["Perth.", "Hobart.", "Cairns."]), display=PlainDisplay(lines.append))
    told = "\n".join(lines)
    assert told.count("small starts") == told.count("large starts") == 1
    assert told.count("escalate to large") == 1
    assert "judged" in told
    assert "probe 1: Perth." in told


def test_nothing_new_is_nothing_to_print() -> None:
    view = asked().view
    assert list(plain_lines(view, view)) == []


@pytest.mark.parametrize("text", ["a\nb", "  a   b  "])
def test_one_line_is_one_line(text: str) -> None:
    assert one_line(text) == "a b"


def test_a_time_that_never_came_is_a_dash() -> None:
    assert (seconds(None), seconds(0.5)) == ("-", "0.50 s")
