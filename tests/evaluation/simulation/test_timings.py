from __future__ import annotations

from pathlib import Path

import pytest

from streamroute.errors import ConfigError
from streamroute.evaluation.rows import Timing
from streamroute.evaluation.simulation.timings import Pace, Timings, estimated_tokens, read_timings


def test_a_pace_puts_the_first_token_at_its_time_and_the_others_evenly_after_it() -> None:
    assert Pace(first=0.5, rate=10).timing(6) == Timing(0.5, 1.0, 6)
    assert Pace(first=0.5, rate=10).timing(1) == Timing(0.5, 0.5, 1)
    assert Pace(first=0.5, rate=10).timing(0) == Timing(0.5, 0.5, 0)


def test_probes_are_as_fast_as_the_cheap_model_unless_something_else_is_said() -> None:
    assert Timings(cheap=Pace(first=1, rate=2)).of_probes == Pace(first=1, rate=2)
    assert Timings(probes=Pace(first=3, rate=4)).of_probes == Pace(first=3, rate=4)


def test_a_file_says_what_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "timings.toml"
    path.write_text("probe_tokens = 32\n[large]\nfirst = 2\nrate = 30.5\n[judge]\npair = 0\n")
    found = read_timings(path)
    assert (found.large, found.probe_tokens, found.judge.pair) == (Pace(first=2, rate=30.5), 32, 0)
    assert (found.cheap, found.judge.verdict) == (Timings().cheap, Timings().judge.verdict)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[large]\nfirst = 1\nspeed = 3", "speed"),
        ("[large]\nfirst = 1", "rate"),
        ("[cheap]\nfirst = 1\nrate = 0", "rate"),
        ("[cheap]\nfirst = -1\nrate = 9", "first"),
        ("cheap", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "timings.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_timings(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        read_timings(tmp_path / "none.toml")


def test_tokens_are_four_characters_each_and_at_least_one_of_any_text() -> None:
    assert [estimated_tokens("x" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]
