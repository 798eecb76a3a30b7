"""The extension's side of the wire: previews, single frames, render jobs, uploads.

No bpy, no threads. Everything polls and returns at once, except ``connect``, ``upload_portrait``
and ``request_frame``, which wait in short steps and can be cancelled. ``request_frame`` opens a
connection of its own, so that the render thread and the main thread never share a socket.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import zmq

from ..shared.errors import ConnectionLost, PhotorigError
from ..shared.wire import message_forms as forms
from ..shared.wire.connection import ConnectionInfo
from ..shared.wire.message_body import Form
from ..shared.wire.messages import FrameReply, FrameRequest, Heartbeat, PortraitInfo, Welcome
from ..shared.wire.picture_format import PictureFormat
from ..shared.wire.protocol import Message
from .channel import SLOW_SECONDS, Channel, WorkerError, never
from .portrait_delivery import UNKNOWN, PortraitDelivery, PortraitSources, Source
from .previews import Previews
from .render_job import Codec, RenderJob

_REMEMBERED_PORTRAITS = 16
_FEWEST_ON_THEIR_WAY = 4
"""Frames of a job, for a worker with one device; one with many allows more."""


class Conversation(Protocol):
    """What has messages of its own: frames (RenderJob), or a question (question.Question)."""

    def _receive(self, message: Message) -> None: ...
    def _fail(self, error: PhotorigError) -> None: ...


class WorkerClient:
    """A connection to one worker.

    After a worker restart, ``connect`` with the new connection info: portraits that were offered
    are sent again when they are needed.

    Args:
        connection: from the connection file.
        name: program and version, for the worker's log.
    """

    def __init__(self, connection: ConnectionInfo, name: str = "photorig-extension") -> None:
        self.connection = connection
        self.welcome: Welcome | None = None
        self._name = name
        self._context: zmq.Context[Any] | None = None
        self._control: Channel | None = None
        self._bulk: Channel | None = None
        self._jobs: dict[str, Conversation] = {}
        self._job_count = 0
        self._sources = PortraitSources()
        self._forget_worker()

    # --- the connection

    def connect(self, timeout: float = 10.0, should_cancel: Callable[[], bool] = never) -> Welcome:
        """Connect and say hello.

        Raises:
            ConnectionLost: the worker has ended or does not answer within ``timeout`` seconds.
            ProtocolError: it is of another version; the message says which side to update.
            Cancelled: ``should_cancel`` said so.
        """
        self.close()
        if self.connection.is_stale:
            raise ConnectionLost("The worker has ended", "Start the worker again.")
        self._context = zmq.Context()
        session = secrets.token_hex(16)
        try:
            self._control = self._channel(self._context, self.connection.control, session)
            self._bulk = self._channel(self._context, self.connection.bulk, session)
            self.welcome = self._control.greet(timeout, should_cancel)
            self._bulk.greet(timeout, should_cancel)
        except WorkerError as error:
            self.close()
            raise error.error from None
        except BaseException:
            self.close()
            raise
        return self.welcome

    @property
    def is_connected(self) -> bool:
        return self._control is not None

    @property
    def heartbeat(self) -> Heartbeat | None:
        """What the worker last said about itself, None before the first answer."""
        return None if self._control is None else self._control.heartbeat

    @property
    def is_slow(self) -> bool:
        """Whether the worker has left a ping unanswered for some seconds."""
        return self._control is not None and self._control.silent_seconds > SLOW_SECONDS

    def poll(self) -> None:
        """Send what waits, take what has come, ping. Returns at once.

        Raises:
            ConnectionLost: the worker has gone; the client is closed then.
            ProtocolError: what came cannot be read; the client is closed then.
        """
        try:
            for channel in (self.control, self.bulk):
                self._take_from(channel)
                channel.keep_alive()
            self._previews.send(self.control, self.bulk)
        except PhotorigError as error:
            self._abandon(error)
            raise

    def close(self) -> None:
        """Close at once; jobs that were running end with ConnectionLost. May be called again."""
        self._abandon(ConnectionLost("The connection to the worker was closed", "Connect again."))

    @property
    def control(self) -> Channel:
        """Raises ConnectionLost where there is no connection."""
        return self._open(self._control)

    @property
    def bulk(self) -> Channel:
        """Raises ConnectionLost where there is no connection."""
        return self._open(self._bulk)

    # --- portraits

    def offer_portraits(self, sources: Mapping[str, Source]) -> None:
        """Have the files of portraits at hand, by id, for when the worker lacks them.

        Needs no connection, so that ``request_frame`` can do with the one it makes.
        """
        self._sources.offer(sources)

    def has_portraits(self, portraits: Iterable[str]) -> bool:
        """Whether the worker has these; what it lacks is sent. Call again later where it has not.

        Raises:
            PhotorigError: one cannot be had, or the worker refuses it.
        """
        return self._delivery.are_there(self.bulk, portraits)

    def forget_portraits(self, portraits: Iterable[str]) -> bool:
        """The worker says that it lacks one of these; whether to send it once more may help."""
        return self._delivery.forget(portraits)

    def upload_portrait(
        self, data: bytes, should_cancel: Callable[[], bool] = never
    ) -> PortraitInfo:
        """Wait until the worker has this portrait file; it is sent only where it has not.

        Raises:
            InputError: the data are no portrait.
            ConnectionLost, Cancelled.
        """
        portrait = hashlib.sha256(data).hexdigest()
        self.offer_portraits({portrait: data})
        self._deliver(self._delivery, self.bulk, (portrait,), should_cancel)
        return self._delivery.info(portrait)

    # --- one frame, for the render engine

    def request_frame(
        self,
        request: FrameRequest,
        codec: str | PictureFormat = "raw",
        should_cancel: Callable[[], bool] = never,
    ) -> FrameReply:
        """Render one frame and wait for it. May be called from another thread than the rest.

        Raises:
            ConnectionLost: the worker has gone.
            Cancelled: ``should_cancel`` said so.
            InputError, ModelError, ProtocolError: what the worker reports.
        """
        context: zmq.Context[Any] = zmq.Context()
        channel = None
        try:
            channel = self._channel(context, self.connection.bulk, secrets.token_hex(16))
            channel.greet(10.0, should_cancel)
            try:
                return self._render_one(channel, request, codec, should_cancel)
            except WorkerError as error:
                if error.reason != UNKNOWN:
                    raise
            # The delivery of the other thread's channel is none of this one's.
            delivery = PortraitDelivery(self._sources)
            self._deliver(delivery, channel, request.portraits, should_cancel)
            return self._render_one(channel, request, codec, should_cancel)
        except WorkerError as error:
            raise error.error from None
        finally:
            if channel is not None:
                channel.close()
            context.destroy(linger=0)

    # --- many frames

    def start_job(
        self,
        requests: Iterable[FrameRequest],
        codec: Codec | Callable[[FrameRequest], Codec] = "png",
        window: int = 0,
    ) -> RenderJob:
        """Begin to render frames; see RenderJob.

        Args:
            window: most frames on their way at a time; 0 for what keeps the worker's devices busy.

        Raises:
            ConnectionLost.
        """
        allowed = 0 if self.welcome is None else self.welcome.limits.window
        window = window or max(_FEWEST_ON_THEIR_WAY, allowed // 4)
        job = RenderJob(self, self.new_job_name("job"), requests, codec, window)
        self.add_job(job._name, job)
        return job

    def new_job_name(self, prefix: str) -> str:
        self._job_count += 1
        return f"{prefix}-{self._job_count}"

    def add_job(self, name: str, job: Conversation) -> None:
        """Give a job the messages that name it. Raises ConnectionLost."""
        self._open(self._bulk)
        self._jobs[name] = job

    def forget_job(self, name: str) -> None:
        self._jobs.pop(name, None)

    # --- previews

    def submit_preview(self, view: str, request: FrameRequest, codec: str = "raw") -> None:
        """Ask for a preview; it replaces what the same view has asked for before. Does not wait.

        Raises:
            ConnectionLost.
        """
        self._previews.ask(view, request, codec)
        self.poll()

    def poll_preview(self, view: str) -> FrameReply | None:
        """The newest frame of a view, once; None where nothing new has come.

        Raises:
            ConnectionLost, or what was reported about the newest request: by the worker, or about
            a portrait that it lacks and that this client does not have either.
        """
        self.poll()
        return self._previews.take_newest(view)

    def take_previews(self, view: str) -> list[tuple[FrameRequest, FrameReply]]:
        """All frames of a view that came since the last call, older ones too, in order.

        Polls nothing: ``poll`` does. Raises what was reported about the newest request, once.
        """
        return self._previews.take_all(view)

    def preview_waits(self, view: str) -> bool:
        """Whether an answer to this view is under way."""
        return self._previews.waits(view)

    def forget_previews(self, view: str) -> None:
        """What still comes for this view is dropped."""
        self._previews.forget(view)

    # --- inside

    def _open(self, channel: Channel | None) -> Channel:
        if channel is None:
            raise ConnectionLost("There is no connection to a worker", "Start the worker.")
        return channel

    def _channel(self, context: zmq.Context[Any], address: str, session: str) -> Channel:
        return Channel(context, self.connection, address, session, self._name)

    def _abandon(self, error: PhotorigError) -> None:
        for job in list(self._jobs.values()):
            job._fail(error)
        self._jobs.clear()
        self._forget_worker()
        self.welcome = None
        for channel in filter(None, (self._control, self._bulk)):
            channel.close()
        self._control = self._bulk = None
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    def _deliver(
        self,
        delivery: PortraitDelivery,
        channel: Channel,
        portraits: Iterable[str],
        should_cancel: Callable[[], bool],
    ) -> None:
        """Wait until the worker has these portraits. Raises PhotorigError."""
        portraits = tuple(portraits)
        while not delivery.are_there(channel, portraits):
            channel.wait(should_cancel)
            self._take_from(channel)

    def _take_from(self, channel: Channel) -> None:
        for message in channel.receive():
            self._dispatch(message)

    def _render_one(
        self,
        channel: Channel,
        request: FrameRequest,
        codec: str | PictureFormat,
        should_cancel: Callable[[], bool],
    ) -> FrameReply:
        form = channel.frame_form(request, codec)
        answer = self._wait_for(channel, "render", form, should_cancel, frame=request.frame)
        return forms.read_frame_reply(answer)

    def _wait_for(
        self,
        channel: Channel,
        kind: str,
        form: Form,
        should_cancel: Callable[[], bool],
        frame: int | None = None,
    ) -> Message:
        """Ask and wait; what else comes on this channel meanwhile goes where it belongs."""
        question = channel.ask(kind, form, should_cancel, frame=frame)
        while (answer := channel.answer(question)) is None:
            channel.wait(should_cancel)
            self._take_from(channel)
        return answer

    def _dispatch(self, message: Message) -> None:
        header = message.header
        if header.job is not None:
            job = self._jobs.get(header.job)
            if job is not None:
                job._receive(message)
            return
        view = header.body.get("view")
        if isinstance(view, str) and header.seq is not None:
            self._previews.receive(view, header.seq, message)

    def _forget_worker(self) -> None:
        """Another worker knows none of the portraits, and owes no previews."""
        self._delivery = PortraitDelivery(self._sources)
        self._previews = Previews(self._delivery)

    def end_job(self, name: str, is_open: bool) -> None:
        self.forget_job(name)
        if is_open and self._control is not None:
            with contextlib.suppress(PhotorigError):
                self._control.send("end_job", Form({}), job=name)
