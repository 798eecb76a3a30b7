"""Previews of a client: of each view only the newest request counts, and nothing here waits.

A portrait that the worker lacks is sent on the way; the requests that need it stay until it is
there. No bpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..shared.errors import PhotorigError
from ..shared.wire import message_forms as forms
from ..shared.wire import portrait_forms
from ..shared.wire.message_body import Form
from ..shared.wire.messages import FrameReply, FrameRequest, PortraitInfo
from ..shared.wire.protocol import Message
from .channel import Channel, WorkerError

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


class PortraitDelivery:
    """Asks whether the worker has a portrait, and sends it where it has not, without waiting.

    Args:
        known: what the worker said about each portrait that it has, by id; added to here.
        content: gives the bytes of a portrait's file. Raises KeyError where nobody knows it,
            PhotorigError where the file cannot be read.
    """

    def __init__(self, known: dict[str, PortraitInfo], content: Callable[[str], bytes]) -> None:
        self._known = known
        self._content = content
        self._questions: dict[str, str] = {}

    def is_there(self, bulk: Channel, portrait: str) -> bool:
        """Whether the worker has the portrait; call again later where it has not yet.

        Raises:
            PhotorigError: it cannot be had, or the worker refuses it.
        """
        if portrait in self._known:
            return True
        question = self._questions.get(portrait)
        if question is None:
            self._ask(
                bulk, portrait, "portrait_query", portrait_forms.portrait_reference_form(portrait)
            )
            return False
        try:
            answer = bulk.answer(question)
        except WorkerError as error:
            del self._questions[portrait]
            if error.reason != "unknown-portrait":
                raise error.error from None
            self._send(bulk, portrait, error.error)
            return False
        if answer is None:
            return False
        del self._questions[portrait]
        self._known[portrait] = portrait_forms.read_portrait_info(answer)
        return True

    def forget(self, portrait: str) -> bool:
        """The worker has forgotten this portrait; whether it was thought to be there."""
        return self._known.pop(portrait, None) is not None

    def _send(self, bulk: Channel, portrait: str, reason: PhotorigError) -> None:
        try:
            content = self._content(portrait)
        except KeyError:
            raise reason from None
        self._ask(
            bulk,
            portrait,
            "portrait_upload",
            portrait_forms.portrait_upload_form(portrait, content),
        )

    def _ask(self, bulk: Channel, portrait: str, kind: str, form: Form) -> None:
        question = bulk.send(kind, form)
        if question is not None:
            bulk.expect(question)
            self._questions[portrait] = question


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
                there = [self._delivery.is_there(bulk, each) for each in request.portraits]
                if not all(there):
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
            forgotten = report.reason == "unknown-portrait" and [
                self._delivery.forget(each) for each in request.portraits
            ]
            if forgotten and any(forgotten):
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
