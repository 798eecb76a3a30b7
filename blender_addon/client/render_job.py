"""Many frames of one worker, on credits: the extension's side of the wire. No bpy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from ..shared.errors import Cancelled, PhotorigError
from ..shared.wire import message_forms as forms
from ..shared.wire.message_body import Form
from ..shared.wire.messages import FrameReply, FrameRequest
from ..shared.wire.picture_format import PictureFormat
from ..shared.wire.protocol import Message
from .channel import Channel


class Wire(Protocol):
    """What a job needs of the connection that it runs over; WorkerClient has it."""

    @property
    def bulk(self) -> Channel: ...

    def poll(self) -> None: ...

    def has_portraits(self, portraits: Iterable[str]) -> bool:
        """Whether the worker has these; what it lacks is on its way."""

    def end_job(self, name: str, is_open: bool) -> None:
        """Tell the worker that nothing more of a job is wanted."""


Codec = str | PictureFormat


class RenderJob:
    """Frames that are being rendered; call ``poll`` regularly until ``done``.

    A frame counts as stored when ``poll`` is called again after the one that returned it: only
    then may the worker send the next one beyond the window. Frames come in any order.

    Attributes:
        error: why the job ended early, None otherwise; ``poll`` never raises it.
        total: how many frames were asked for.
    """

    def __init__(
        self,
        client: Wire,
        name: str,
        requests: Iterable[FrameRequest],
        codec: Codec | Callable[[FrameRequest], Codec],
        window: int,
    ) -> None:
        self.error: PhotorigError | None = None
        self._client = client
        self._name = name
        self._codec_of = codec if callable(codec) else lambda _request: codec
        self._window = window
        self._requests = list(requests)
        self.total = len(self._requests)
        self._portraits = tuple(dict.fromkeys(p for each in self._requests for p in each.portraits))
        self._missing = dict(enumerate(self._requests))
        self._unsent = iter(range(self.total))
        self._next: int | None = next(self._unsent, None)
        self._in_the_air = 0
        self._arrived: list[tuple[int, FrameReply]] = []
        self._unacknowledged: list[int] = []
        self._is_open = False
        self._ended = False

    @property
    def done(self) -> bool:
        """Whether nothing more will come: all frames have been returned, or ``error`` is set."""
        return self.error is not None or (not self._missing and not self._arrived)

    @property
    def missing(self) -> list[FrameRequest]:
        """The requests whose frames ``poll`` has not returned, to go on with another job."""
        arrived = (self._requests[seq] for seq, _ in self._arrived)
        return [*arrived, *self._missing.values()]

    def poll(self) -> list[FrameReply]:
        """The frames that have come since the last call; returns at once and raises nothing."""
        if self.error is None:
            try:
                self._client.poll()
                self._acknowledge()
                self._send_some()
            except PhotorigError as error:
                self._fail(error)
        frames = [reply for _, reply in self._arrived]
        self._unacknowledged += [seq for seq, _ in self._arrived]
        self._arrived.clear()
        if self.done:
            self._end()
        return frames

    def cancel(self) -> None:
        """Stop; frames that were not returned yet are lost, ``error`` becomes Cancelled."""
        if not self.done:
            self._fail(Cancelled("The render was cancelled"))
        self._end()

    def _send_some(self) -> None:
        bulk = self._client.bulk
        if not self._is_open:
            if not self._client.has_portraits(self._portraits):
                return
            self._is_open = (
                bulk.send("job", Form({"window": self._window}), job=self._name) is not None
            )
        # A few windows ahead keep the worker busy without filling the socket.
        while self._is_open and self._next is not None and self._in_the_air < 4 * self._window:
            request = self._requests[self._next]
            form = bulk.frame_form(request, self._codec_of(request))
            sent = bulk.send("render", form, seq=self._next, job=self._name, frame=request.frame)
            if sent is None:
                return
            self._in_the_air += 1
            self._next = next(self._unsent, None)

    def _acknowledge(self) -> None:
        while self._unacknowledged:
            seq = self._unacknowledged[-1]
            if self._client.bulk.send("ack", Form({}), seq=seq, job=self._name) is None:
                return
            self._unacknowledged.pop()

    def _receive(self, message: Message) -> None:
        if message.header.kind == "error":
            self._fail(forms.read_error(message).exception())
            self._end()
        elif message.header.kind == "frame" and self.error is None:
            seq = message.header.seq
            if seq is None or seq not in self._missing:
                return
            del self._missing[seq]
            self._in_the_air -= 1
            self._arrived.append((seq, forms.read_frame_reply(message)))

    def _fail(self, error: PhotorigError) -> None:
        self.error = self.error or error

    def _end(self) -> None:
        """Tell the worker, once; on the control endpoint, where it does not wait behind frames."""
        if self._ended:
            return
        self._ended = True
        self._client.end_job(self._name, self._is_open)
