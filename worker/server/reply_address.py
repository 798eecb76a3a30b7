"""What is kept of a question until it is answered: little, for there may be many thousands."""

from __future__ import annotations

from dataclasses import dataclass

from photorig.shared.errors import PhotorigError, ProtocolError
from photorig.shared.wire.messages import FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.shared.wire.protocol import Header, Message

from .budget import TooMuch
from .executors.interface import FrameTask
from .portrait_store import UnknownPortrait
from .received_file import UnknownUpload

_LONGEST_VIEW = 64


@dataclass(frozen=True)
class ReplyAddress:
    """Where an answer goes, and what it must repeat of the question.

    Attributes:
        endpoint, routing_id: where it came from.
        kind, id, seq, job, frame: of its header.
        view: of its body.
    """

    endpoint: str
    routing_id: bytes
    kind: str = "unknown"
    id: str = ""
    seq: int | None = None
    job: str | None = None
    frame: int | None = None
    view: str | None = None

    @staticmethod
    def of(endpoint: str, routing_id: bytes, message: Message) -> ReplyAddress:
        header, view = message.header, message.header.body.get("view")
        return ReplyAddress(
            endpoint,
            routing_id,
            header.kind,
            header.id,
            header.seq,
            header.job,
            header.frame,
            view[:_LONGEST_VIEW] if isinstance(view, str) else None,
        )

    def answer(self, kind: str, message_id: str, body: dict[str, object]) -> Header:
        """The header of an answer."""
        return Header(
            kind=kind,
            id=message_id,
            re=self.id or None,
            seq=self.seq,
            job=self.job,
            frame=self.frame,
            body=body if self.view is None else {**body, "view": self.view},
        )


@dataclass(frozen=True)
class FrameWork:
    """What the scheduler carries for one frame."""

    address: ReplyAddress
    request: FrameRequest
    picture_format: PictureFormat

    def as_frame(self, task_id: int) -> FrameTask:
        """The same for an executor."""
        return FrameTask(task_id, self.request, self.picture_format)


def reason_of(error: PhotorigError) -> str:
    """The word for programs that goes with an error, "" for most."""
    if isinstance(error, UnknownPortrait):
        return "unknown-portrait"
    if isinstance(error, UnknownUpload):
        return "unknown-upload"
    return "too-much" if isinstance(error, TooMuch) else ""


def job_name(message: Message) -> str:
    """The job that a message belongs to. Raises ProtocolError where it names none."""
    if message.header.job is None:
        raise ProtocolError(f"A {message.header.kind!r} message needs a job")
    return message.header.job
