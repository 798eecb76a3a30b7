"""Answers that take a while: reading and writing portraits, in a thread beside the server's loop.

One at a time, which bounds the memory it takes. What a refused upload has filled is free at once:
an error that keeps its traceback keeps all that was read.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from photorig.shared.errors import PhotorigError
from photorig.shared.wire.message_body import Form

from .reply_address import ReplyAddress

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LaterAnswer:
    """What became of a question.

    Attributes:
        kind: of the message, where it is no error.
        client: whose ``n_bytes`` are free now.
        about: what was given with the question.
    """

    address: ReplyAddress
    kind: str
    outcome: Form | PhotorigError
    client: str = ""
    n_bytes: int = 0
    about: Any = None


@dataclass(frozen=True)
class AtWork:
    """What is being done.

    Attributes:
        number: another one for each piece of work.
        kind: of the answer.
        portrait: whose, "" where that is not known.
    """

    number: int
    kind: str
    portrait: str


class Later:
    """Answers questions in a thread of its own.

    Args:
        wake: called from that thread when there is an answer.
        name: of the thread.
    """

    def __init__(self, wake: Callable[[], None], name: str = "photorig-portraits") -> None:
        self._wake = wake
        self._pool = ThreadPoolExecutor(1, name)
        self._answers: queue.SimpleQueue[LaterAnswer] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self.at_work: AtWork | None = None

    def ask(
        self,
        address: ReplyAddress,
        kind: str,
        make: Callable[[], Form],
        portrait: str = "",
        client: str = "",
        n_bytes: int = 0,
        about: Any = None,
    ) -> None:
        """Answer with what ``make`` gives; it may read and write files.

        Args:
            portrait: that it is about.
            client, n_bytes, about: come back with the answer.
        """

        def work() -> None:
            self.at_work = AtWork(next(self._numbers), kind, portrait)
            try:
                outcome = _outcome(make)
            finally:
                self.at_work = None
            self._answers.put(LaterAnswer(address, kind, outcome, client, n_bytes, about))
            self._wake()

        self._pool.submit(work)

    def do(self, work: Callable[[], None]) -> None:
        """The same without an answer; ``work`` raises nothing."""
        self._pool.submit(work)

    def answers(self) -> Iterator[LaterAnswer]:
        """What has been answered since the last call."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._answers.get_nowait()

    def finish(self) -> None:
        """Do what is left, and end; does not wait for it."""
        self._pool.shutdown(wait=False)

    def close(self) -> None:
        """End after what is being done now."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _outcome(make: Callable[[], Form]) -> Form | PhotorigError:
    try:
        return make()
    except PhotorigError as error:
        return bare(error)
    except Exception as error:
        log.error("cannot read a portrait", exc_info=error)
        return PhotorigError("The worker failed at this portrait", "See its log.")


def bare(error: PhotorigError) -> PhotorigError:
    """The error without what it came from, which would keep everything it has seen in memory."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error
