"""The line under a picture: whether it is right, what made it, and why it is not there. No bpy."""

from __future__ import annotations

from dataclasses import dataclass

from .follower import Follower

GOOD, WAITING, BAD = "good", "waiting", "bad"


@dataclass(frozen=True)
class WorkerState:
    """What the extension knows about the worker.

    Attributes:
        state: "stopped", "starting", "ready" or "failed".
        message: the same in a sentence.
        device: what renders, "" where not known.
        is_slow: whether it has left a ping unanswered for seconds.
        doing: what keeps it from the picture, "" where nothing does.
    """

    state: str
    message: str
    device: str = ""
    is_slow: bool = False
    doing: str = ""


@dataclass(frozen=True)
class Badge:
    """Attributes:
    mood: "good", "waiting" or "bad", shown as a colour.
    title: a few words.
    reason: why there is no picture or an old one, "" where there is nothing to explain.
    """

    mood: str
    title: str
    reason: str = ""


def badge_of(follower: Follower, worker: WorkerState, failure: str = "") -> Badge:
    """What to say about a picture.

    Args:
        failure: an unexpected one while drawing or polling, in words; "" without any.
    """
    if failure:
        return Badge(BAD, "Photorig failed unexpectedly", failure)
    if worker.state != "ready":
        return _without_worker(follower, worker)
    if worker.is_slow:
        return Badge(WAITING, "The worker does not answer", "It may be busy or blocked")
    if follower.problem:
        return Badge(
            BAD, "Not shown" if follower.shown is None else "Out of date", follower.problem
        )
    if worker.doing and not follower.is_current:
        return Badge(WAITING, worker.doing)
    if follower.shown is None:
        return Badge(WAITING, "Waiting for the first picture")
    facts = _facts(follower, worker)
    if follower.is_final:
        return Badge(GOOD, " · ".join([*facts, _size(follower)]))
    if follower.is_current:
        return Badge(GOOD, " · ".join([*facts, f"{_size(follower)}, refining"]))
    return Badge(WAITING, " · ".join([*facts, "out of date"]))


def _without_worker(follower: Follower, worker: WorkerState) -> Badge:
    if worker.state == "starting":
        return Badge(WAITING, "The worker is starting")
    reason = worker.message if worker.state == "failed" else "Start it in the sidebar, Photorig tab"
    title = "The worker has failed" if worker.state == "failed" else "No worker is running"
    if follower.problem:
        reason = follower.problem
    elif follower.is_current:
        title += ", picture from memory"
    elif follower.shown is not None:
        title += ", picture out of date"
    return Badge(BAD, title, reason)


def _facts(follower: Follower, worker: WorkerState) -> list[str]:
    facts = [worker.device] if worker.device else []
    if follower.milliseconds is not None:
        facts.append(f"{follower.milliseconds:.0f} ms")
    return facts


def _size(follower: Follower) -> str:
    assert follower.shown is not None
    height, width = follower.shown.pixels.shape[:2]
    return str(width) if width == height else f"{width} × {height}"
