"""Previews of a client: of each view only the newest request counts, and nothing here waits.

A portrait that the worker lacks is sent on the way; the requests that need it stay until it is
there. No bpy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..shared.errors import PhotorigError
from ..shared.wire import message_forms as forms
from ..shared.wire.message_body import Form
from ..shared.wire.messages import FrameReply, FrameRequest
from ..shared.wire.protocol import Message
from .channel import Channel
from .portrait_delivery import UNKNOWN, PortraitDelivery

_IN_THE_AIR = 2
"""Requests of a view that may be at the worker: one that it renders and one that waits there."""


@dataclass
class _View:
    """Numbers grow within a view; ``sent`` are the requests at the worker by their numbers."""

    seq: int = 0
    shown: int = 0
    sent: dict[int, tuple[FrameRequest, str]] = field(default_factory=dict)
    waiting: tuple[int, FrameRequest, str] | None = None
    arrived: list[tuple[int, FrameRequest, FrameReply]] = field(default_factory=list)
    error: PhotorigError | None = None


class Previews:
    """All views of one connection."""

    def __init__(self, delivery: PortraitDelivery) -> None:
        self._views: dict[str, _View] = {}
        self._delivery = delivery

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def ask(self, name: str, request: FrameRequest, codec: str) -> None:
        """Let this be the view's request; it replaces one that has not been sent."""
        view = self._views.setdefault(name, _View())
        view.seq += 1
        view.waiting = (view.seq, request, codec)

    def forget(self, name: str) -> None:
        """What still comes for this view is dropped."""
        self._views.pop(name, None)

    def send(self, control: Channel, bulk: Channel) -> None:
        """Send what can be sent now. Raises ConnectionLost; other failures go to their view."""
        for name, view in self._views.items():
            if view.waiting is None or len(view.sent) >= _IN_THE_AIR:
                continue
            seq, request, codec = view.waiting
            try:
                if not self._delivery.are_there(bulk, request.portraits):
                    continue
                body, payloads = control.frame_form(request, codec)
            except PhotorigError as error:
                view.error, view.waiting = error, None
                continue
            form = Form({**body, "view": name}, payloads)
            if control.send("preview", form, seq=seq, frame=request.frame) is not None:
                view.waiting = None
                view.sent[seq] = request, codec

    def receive(self, name: str, seq: int, message: Message) -> None:
        """An answer to a request of a view: a frame, "superseded" or an error."""
        view = self._views.get(name)
        if view is None or seq not in view.sent:
            return
        request, codec = view.sent.pop(seq)
        if message.header.kind == "frame":
            view.arrived.append((seq, request, forms.read_frame_reply(message)))
        elif message.header.kind == "error" and seq == view.seq:
            report = forms.read_error(message)
            if report.reason == UNKNOWN and self._delivery.forget(request.portraits):
                self.ask(name, request, codec)
            else:
                view.error = report.exception()

    def take_all(self, name: str) -> list[tuple[FrameRequest, FrameReply]]:
        """All frames that have come, each with its request, in the order of the requests.

        Raises:
            PhotorigError: what was reported about the newest request, once.
        """
        view = self._views.get(name)
        if view is None:
            return []
        error, view.error = view.error, None
        if error is not None:
            raise error
        arrived, view.arrived = sorted(view.arrived, key=lambda item: item[0]), []
        view.shown = max([view.shown, *(seq for seq, _, _ in arrived)])
        return [(request, reply) for _, request, reply in arrived]

    def take_newest(self, name: str) -> FrameReply | None:
        """The newest frame, once; None where nothing newer than the last one has come.

        Raises:
            PhotorigError: what was reported about the newest request, once.
        """
        shown = self._views[name].shown if name in self._views else 0
        newer = name in self._views and any(seq > shown for seq, _, _ in self._views[name].arrived)
        arrived = self.take_all(name)
        return arrived[-1][1] if newer else None

    def waits(self, name: str) -> bool:
        """Whether something of this view is under way or still to be sent."""
        view = self._views.get(name)
        return view is not None and (view.waiting is not None or bool(view.sent))
