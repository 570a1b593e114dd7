from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from streamroute.cli.baselines import Recordings, answer_alone, key_of
from streamroute.cli.comparison import Answered
from streamroute.testing import run_virtual
from tests.cli.routes import large, router_of, small

ANSWER = Answered(text="Canberra.", first=0.25, tokens=3)


def test_what_was_recorded_is_there_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "recordings.json"
    Recordings(path).put("key", ANSWER)
    assert Recordings(path).get("key") == ANSWER
    assert Recordings(path).get("other") is None
    assert [each.name for each in path.parent.iterdir()] == ["recordings.json"]


def test_a_fresh_start_forgets(tmp_path: Path) -> None:
    path = tmp_path / "recordings.json"
    Recordings(path).put("key", ANSWER)
    assert len(Recordings(path, fresh=True)) == 0


@given(st.binary(max_size=40))
def test_a_broken_file_only_costs_time(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recordings.json")
        path.write_bytes(content)
        recordings = Recordings(path)
        recordings.put("key", ANSWER)
        assert Recordings(path).get("key") == ANSWER


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recordings = Recordings(tmp_path / "file" / "recordings.json")
    recordings.put("key", ANSWER)
    assert recordings.get("key") == ANSWER


def test_keys_tell_tiers_questions_and_settings_apart() -> None:
    router = router_of(small(), large())
    keys = {
        key_of(router, tier, question, params)
        for tier in (0, 1)
        for question in ("a?", "b?")
        for params in ({"seed": 1}, {"seed": 2})
    }
    assert len(keys) == 8
    assert key_of(router, 0, "a?", {"seed": 1}) in keys


def test_a_model_is_asked_alone_without_probes() -> None:
    cheap = small()

    async def main() -> Answered:
        async with router_of(cheap, large()) as router:
            return await answer_alone(router, 0, "Capital of Australia?", {"seed": 1})

    answer = run_virtual(main)
    assert (answer.text, answer.tokens) == ("Sydney.", 1)
    assert answer.first > 0
    assert [call.request.probe for call in cheap.calls] == [False]
