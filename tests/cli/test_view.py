import pytest

from streamroute.cli.view import AnswerState, ProbeState
from streamroute.core.types import Decision, Release
from streamroute.errors import RouteError
from streamroute.testing import Script
from tests.cli.routes import Frames, asked, large, small

AGREE: list[Script | str] = ["Sydney.", "Sydney.", "Sydney."]


def test_a_held_answer_that_is_not_kept_was_never_shown() -> None:
    frames = Frames()
    watched = asked(display=frames)
    cheap, dear = watched.view.answers
    assert (cheap.name, cheap.first_shown) == ("small", None)
    assert cheap.state in (AnswerState.HELD, AnswerState.DROPPED)
    assert (dear.text, dear.state) == ("Canberra.", AnswerState.KEPT)
    assert watched.view.escalated
    assert all(view.answers[0].state is not AnswerState.SHOWN for view in frames.views)


def test_a_shown_answer_that_is_not_kept_is_seen_to_be_withdrawn() -> None:
    frames = Frames()
    watched = asked(release=Release.RETRACT, display=frames)
    states = [view.answers[0].state for view in frames.views]
    assert states.index(AnswerState.SHOWN) < states.index(AnswerState.RETRACTED)
    assert states[-1] is AnswerState.RETRACTED
    assert watched.view.answers[1].state is AnswerState.KEPT


def test_in_append_mode_the_first_answer_stays_superseded() -> None:
    assert asked(release=Release.APPEND).view.answers[0].state is AnswerState.SUPERSEDED


def test_an_accepted_answer_is_kept_and_its_probes_share_a_cluster_with_it() -> None:
    view = asked(small(probes=AGREE)).view
    assert [answer.state for answer in view.answers] == [AnswerState.KEPT]
    assert view.verdict is not None
    assert view.verdict.decision is Decision.ACCEPT
    assert view.clusters[0].has_answer
    assert set(view.clusters[0].texts) == {"Sydney."}


def test_clusters_come_largest_first_and_cover_every_judged_text() -> None:
    view = asked().view
    evidence = view.evidence
    assert evidence is not None
    sizes = [cluster.size for cluster in view.clusters]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == sum(evidence.sizes)
    assert sum(len(cluster.texts) for cluster in view.clusters) == evidence.samples


def test_probes_fill_one_after_the_other_and_are_cancelled_when_the_verdict_needs_them_no_more() -> None:
    slow: list[Script | str] = [
        Script.of("Perth.", first=0.2),
        Script.of("Hobart.", first=0.3),
        Script.of("x", first=9.0),
    ]
    frames = Frames()
    view = asked(small(probes=slow), display=frames).view
    done = [sum(probe.state is ProbeState.DONE for probe in each.probes) for each in frames.views]
    assert done == sorted(done)
    assert [probe.state for probe in view.probes] == [ProbeState.DONE, ProbeState.DONE, ProbeState.CANCELLED]


def test_a_failed_probe_says_why() -> None:
    view = asked(small(probes=["Sydney.", Script.failing(name="small"), "Sydney."])).view
    assert view.probes[1].state is ProbeState.FAILED
    assert "scripted failure" in view.probes[1].text


def test_a_failed_answer_is_named_and_the_route_goes_on() -> None:
    view = asked(small(answer=Script.failing(name="small"))).view
    assert view.answers[0].state is AnswerState.FAILED
    assert "scripted failure" in view.answers[0].note
    assert view.answers[1].state is AnswerState.KEPT


def test_when_everything_fails_the_view_lists_every_cause() -> None:
    frames = Frames()
    with pytest.raises(RouteError):
        asked(small(answer=Script.failing(name="small")), large(Script.failing(name="large")), display=frames)
    failure = frames.views[-1].failure
    assert failure is not None
    assert "small" in failure
    assert "large" in failure


@pytest.mark.parametrize("release", list(Release))
@pytest.mark.parametrize("probes", [AGREE, None])
def test_times_and_outcome_are_those_of_the_route(release: Release, probes: list[Script | str] | None) -> None:
    watched = asked(small(probes=probes), release=release)
    view, route = watched.view, watched.route
    assert view.verdict == route.verdict
    assert view.committed == route.tier
    assert view.first_shown == pytest.approx(route.timings.first_shown)
    assert view.first_kept == pytest.approx(route.timings.first_kept)
    assert view.decided == pytest.approx(route.timings.decided)
    assert view.evidence == route.evidence
