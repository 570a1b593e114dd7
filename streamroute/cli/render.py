"""Pictures of a `RouteView`: for a terminal with rich, as plain lines for everything else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from streamroute.cli.view import AnswerState, AnswerView, Cluster, ProbeState, ProbeView, RouteView
from streamroute.core.types import Decision

__all__ = ("COLOURS", "one_line", "plain_lines", "screen", "seconds")

COLOURS = ("green", "magenta", "yellow", "cyan", "red", "blue")
"""Of clusters, in turn."""
_ANSWER_STYLE = {
    AnswerState.HELD: "dim",
    AnswerState.SHOWN: "",
    AnswerState.KEPT: "bold",
    AnswerState.RETRACTED: "dim strike",
    AnswerState.SUPERSEDED: "dim",
    AnswerState.DROPPED: "dim strike",
    AnswerState.FAILED: "dim red",
}
_ANSWER_WORD = {
    AnswerState.HELD: "held back until the verdict",
    AnswerState.SHOWN: "shown, verdict pending",
    AnswerState.KEPT: "the answer",
    AnswerState.RETRACTED: "withdrawn",
    AnswerState.SUPERSEDED: "superseded by the answer below",
    AnswerState.DROPPED: "dropped, never shown to a client",
    AnswerState.FAILED: "failed",
}
_PROBE_MARK = {
    ProbeState.RUNNING: ("◌", "dim"),
    ProbeState.DONE: ("●", "dim"),
    ProbeState.CANCELLED: ("✕", "dim"),
    ProbeState.FAILED: ("!", "red"),
}
_BAR = 16


def screen(view: RouteView) -> RenderableType:
    """The whole route as it stands."""
    parts: list[RenderableType] = []
    for answer in view.answers:
        if answer.tier == view.answers[0].tier:
            parts += [*_answer(answer), *_judgement(view)]
        else:
            parts += _answer(answer)
    if view.failure is not None:
        parts.append(Text(f"failed: {view.failure}", style="red"))
    parts.append(_clock(view))
    return Group(*parts)


def plain_lines(before: RouteView, after: RouteView) -> Iterator[str]:
    """What to print, on a terminal without cursor or into a file, when `before` has become `after`."""
    at = f"[{after.at:6.2f} s]"
    known = {answer.tier: answer for answer in before.answers}
    for answer in after.answers:
        if answer.tier not in known:
            yield f"{at} {answer.name} starts"
        elif answer.state is not known[answer.tier].state and answer.state is not AnswerState.KEPT:
            reason = f" ({answer.note})" if answer.note else ""
            yield f"{at} {answer.name}: {_ANSWER_WORD[answer.state]}{reason}: {one_line(answer.text)}"
    for old, new in zip(before.probes, after.probes, strict=False):
        if new.state is not old.state and new.state in (ProbeState.DONE, ProbeState.FAILED):
            yield f"{at} probe {(new.leg.probe or 0) + 1}: {one_line(new.text)}"
    if after.evidence is not None and after.evidence is not before.evidence:
        yield f"{at} {_evidence_words(after)}"
    if after.verdict is not None and before.verdict is None:
        yield f"{at} {_verdict_words(after)}"


def one_line(text: str, width: int = 76) -> str:
    return textwrap.shorten(text, width, placeholder=" …")


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _answer(answer: AnswerView) -> list[RenderableType]:
    head = Text.assemble((f"{answer.name}", "bold cyan"), ("  " + _ANSWER_WORD[answer.state], "dim"))
    if answer.note and answer.state is not AnswerState.KEPT:
        head.append(f" ({answer.note})", style="dim")
    body = Text(answer.text.strip() or "…", style=_ANSWER_STYLE[answer.state])
    return [head, Padding(body, (0, 0, 1, 2))]


def _judgement(view: RouteView) -> list[RenderableType]:
    if not view.probes:
        return []
    marks = Text("probes  ", style="dim")
    for probe in view.probes:
        marks.append_text(_mark(probe)).append(" ")
    if view.scoring:
        marks.append(" judging", style="dim italic")
    parts: list[RenderableType] = [marks]
    parts += [_cluster(cluster) for cluster in view.clusters]
    if view.evidence is not None:
        parts.append(_score(view))
    if view.verdict is not None:
        style = "bold yellow" if view.escalated else "bold green"
        parts.append(Text(_verdict_words(view), style=style))
    elif view.decided is not None:
        parts.append(Text("escalating", style="bold yellow"))
    return [Padding(Group(*parts), (0, 0, 1, 2))]


def _mark(probe: ProbeView) -> Text:
    mark, style = _PROBE_MARK[probe.state]
    if probe.state is ProbeState.DONE and probe.cluster is not None:
        return Text(f"{mark}{_letter(probe.cluster)}", style=_colour(probe.cluster))
    return Text(mark, style=style)


def _cluster(cluster: Cluster) -> Text:
    line = Text(f"  {_letter(cluster.index)} ×{cluster.size} ", style=_colour(cluster.index))
    if cluster.has_answer:
        line.append("with the answer ", style="dim")
    return line.append(one_line(cluster.texts[0]) if cluster.texts else "")


def _score(view: RouteView) -> Text:
    evidence = view.evidence
    assert evidence is not None
    line = Text(f"entropy {evidence.entropy:.2f} nats   uncertainty {evidence.score:.2f} ")
    for cell in range(_BAR):
        low, high = cell / _BAR, (cell + 1) / _BAR
        here = low <= evidence.score < high or (evidence.score >= 1 and cell == _BAR - 1)
        inside = high > evidence.low and low < evidence.high
        limit = view.limit is not None and low <= view.limit < high
        line.append("●" if here else "┃" if limit else "━" if inside else "·", style="bold" if here or limit else "dim")
    line.append(f" certified [{evidence.low:.2f}, {evidence.high:.2f}]", style="dim")
    return line.append("" if view.limit is None else f" limit {view.limit:.2f}", style="dim")


def _clock(view: RouteView) -> Text:
    shown, kept = seconds(view.first_shown), seconds(view.first_kept)
    words = f"{view.at:.2f} s   first shown {shown}   first kept {kept}   decided {seconds(view.decided)}"
    return Text(words, style="dim")


def _evidence_words(view: RouteView) -> str:
    evidence = view.evidence
    assert evidence is not None
    sizes = "+".join(str(cluster.size) for cluster in view.clusters) or "none"
    return (
        f"judged {evidence.samples} of {evidence.expected}: clusters {sizes}, entropy {evidence.entropy:.2f} nats, "
        f"uncertainty {evidence.score:.2f} in [{evidence.low:.2f}, {evidence.high:.2f}]"
    )


def _verdict_words(view: RouteView) -> str:
    verdict = view.verdict
    assert verdict is not None
    if verdict.decision is Decision.ESCALATE and view.committed is not None:
        return f"escalate to {view.name(view.committed)}: {verdict.reason}"
    return f"{verdict.decision}: {verdict.reason}"


def _letter(cluster: int) -> str:
    return chr(ord("A") + cluster % 26)


def _colour(cluster: int) -> str:
    return COLOURS[cluster % len(COLOURS)]
