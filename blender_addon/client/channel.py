"""One connection to one endpoint of the worker: sending, receiving, noticing that it has gone.

Nothing here starts a thread or waits longer than a few milliseconds at a time, and nothing here
knows Blender. A channel belongs to the thread that made it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import zmq

from ..shared.errors import Cancelled, ConnectionLost, PhotorigError, ProtocolError
from ..shared.parameters.schema import FACE_SCHEMA
from ..shared.wire import message_forms as forms
from ..shared.wire.connection import ConnectionInfo, process_alive
from ..shared.wire.message_body import Form
from ..shared.wire.messages import CODECS, FrameRequest, Heartbeat, Hello, Welcome
from ..shared.wire.picture_format import PictureFormat
from ..shared.wire.protocol import (
    SEVERAL_FACES,
    UPLOADS_IN_CHUNKS,
    VERSION,
    Header,
    Message,
    VersionMismatch,
    decode,
    encode,
    version_error,
)

MAX_PART_BYTES = 512 << 20
PING_SECONDS = 1.0
SLOW_SECONDS = 3.0
LOST_SECONDS = 10.0
_PROCESS_CHECK_SECONDS = 0.2
_POLL_MILLISECONDS = 20


def never() -> bool:
    """The ``should_cancel`` of who does not want to."""
    return False


class WorkerError(Exception):
    """An error reply, still with the question it answers; becomes ``error`` for the user."""

    def __init__(self, error: PhotorigError, reason: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.reason = reason


class Channel:
    """A DEALER socket with the worker's keys.

    Args:
        address: the control or the bulk endpoint.
        session: 32 hex digits; the same for all channels of one client.
        client: program and version, for the worker's log.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        connection: ConnectionInfo,
        address: str,
        session: str,
        client: str,
    ) -> None:
        self._connection = connection
        self._hello = Hello(session, client[:200], CODECS, FACE_SCHEMA.hash)
        self._ids = itertools.count(1)
        self.heartbeat: Heartbeat | None = None
        self._answers: dict[str, Message | WorkerError] = {}
        self._expected: set[str] = set()
        self._unwanted: set[str] = set()
        self._is_greeted = False
        self._schema = FACE_SCHEMA
        self._version = VERSION
        self._pinged = 0.0
        self._process_checked = 0.0
        self._turned = time.monotonic()
        self._silent_since: float | None = None
        self._socket = socket = context.socket(zmq.DEALER)
        socket.linger = 0
        # Without a connection a message is not queued, so nothing old is sent after a restart.
        socket.immediate = True
        socket.maxmsgsize = MAX_PART_BYTES
        socket.reconnect_ivl = 100
        socket.reconnect_ivl_max = 2000
        socket.handshake_ivl = 10_000
        socket.heartbeat_ivl = 5_000
        socket.heartbeat_timeout = 20_000
        socket.tcp_keepalive = 1
        socket.curve_serverkey = connection.server_public_key.encode()
        socket.curve_publickey = connection.client_public_key.encode()
        socket.curve_secretkey = connection.client_secret_key.encode()
        socket.connect(address)

    @property
    def takes_chunks(self) -> bool:
        """Whether the worker takes files in chunks."""
        return self._version >= UPLOADS_IN_CHUNKS

    @property
    def silent_seconds(self) -> float:
        """How long the worker has left a ping unanswered."""
        return 0.0 if self._silent_since is None else time.monotonic() - self._silent_since

    def greet(self, timeout: float, should_cancel: Callable[[], bool] = never) -> Welcome:
        """Say hello and read the worker's welcome.

        Raises:
            ConnectionLost: no answer, or the answer of another worker than the connection file's.
            ProtocolError: the worker is of another version, or does not know our parameters.
            Cancelled: ``should_cancel`` said so.
        """
        if self._connection.version[0] != VERSION[0]:
            raise version_error(extension=VERSION, worker=self._connection.version)
        deadline = time.monotonic() + timeout
        while (question := self.send("hello", forms.hello_form(self._hello))) is None:
            self._wait(deadline, should_cancel, zmq.POLLOUT)
        self.expect(question)
        while (answer := self.answer(question)) is None:
            self._wait(deadline, should_cancel)
            self.receive()
        welcome = forms.read_welcome(answer)
        if not self._connection.is_paired and welcome.nonce != self._connection.nonce:
            raise ConnectionLost(
                "Another worker answers where the connection file points", "Start the worker again."
            )
        if not welcome.schema.includes(FACE_SCHEMA):
            raise forms.schema_error()
        self._schema, self._version = welcome.schema, welcome.version
        self._is_greeted = True
        return welcome

    def frame_form(self, request: FrameRequest, codec: str | PictureFormat) -> Form:
        """A request in the parameters of this worker.

        Raises:
            ProtocolError: the worker is of a version that drives one face of a photo alone.
        """
        if request.others and self._version < SEVERAL_FACES:
            raise ProtocolError(
                "The worker is older than the extension and drives one face of a photo only",
                "Update the worker, or remove the camera's further faces.",
            )
        translated = request.in_schema(FACE_SCHEMA, self._schema)
        return forms.frame_request_form(translated, self._schema.hash, codec)

    def send(
        self,
        kind: str,
        form: Form,
        seq: int | None = None,
        job: str | None = None,
        frame: int | None = None,
    ) -> str | None:
        """Send a message; returns its id, or None where it must be tried again later."""
        message_id = f"c{next(self._ids)}"
        header = Header(kind, message_id, seq=seq, job=job, frame=frame, body=form.body)
        try:
            self._socket.send_multipart(encode(header, form.payloads), zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        return message_id

    def ask(
        self, kind: str, form: Form, should_cancel: Callable[[], bool] = never, **header: Any
    ) -> str:
        """Send as soon as possible and expect an answer; returns the message id."""
        while (message_id := self.send(kind, form, **header)) is None:
            self._wait(None, should_cancel, zmq.POLLOUT)
        self.expect(message_id)
        return message_id

    def expect(self, message_id: str) -> None:
        """Keep the answer to this message for ``answer``."""
        self._expected.add(message_id)

    def answer(self, message_id: str) -> Message | None:
        """The answer to an expected message, None before it has come. Raises what it reports."""
        answer = self._answers.pop(message_id, None)
        if isinstance(answer, WorkerError):
            raise answer
        return answer

    def forget(self, message_id: str) -> None:
        """Nobody asks for the answer to this message any more."""
        if self._answers.pop(message_id, None) is None and message_id in self._expected:
            self._expected.discard(message_id)
            self._unwanted.add(message_id)

    def wait(self, should_cancel: Callable[[], bool] = never) -> None:
        """Wait a few milliseconds for messages. Raises ConnectionLost, Cancelled."""
        self._wait(None, should_cancel)

    def receive(self) -> list[Message]:
        """What has come, without expected answers, heartbeats and probes.

        Raises:
            ConnectionLost: the worker has forgotten this client.
            ProtocolError: what came cannot be read.
        """
        messages: list[Message] = []
        while True:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return messages
            self._silent_since = None
            message = self._read([frame.buffer for frame in frames])
            if message is not None:
                messages.append(message)

    def keep_alive(self) -> None:
        """Ping once a second. Raises ConnectionLost where the worker has gone or is silent."""
        now = time.monotonic()
        # Blender may not have called for a while; silence counts only while we listen.
        if now - self._turned > PING_SECONDS and self._silent_since is not None:
            self._silent_since = now
        self._turned = now
        if now - self._process_checked > _PROCESS_CHECK_SECONDS:
            self._process_checked = now
            if self._connection.is_local and not process_alive(self._connection.pid):
                raise ConnectionLost("The worker has ended", "Start the worker again.")
        if self.silent_seconds > LOST_SECONDS:
            raise ConnectionLost(
                f"The worker has been silent for {LOST_SECONDS:.0f} seconds",
                "Look at the worker's log, or start it again.",
            )
        if self._is_greeted and now - self._pinged > PING_SECONDS:
            self._pinged = now
            self.send("ping", Form({}))
            if self._silent_since is None:
                self._silent_since = now

    def close(self) -> None:
        """Say goodbye if that is possible at once, and close."""
        if self._socket.closed:
            return
        self.send("bye", Form({}))
        self._socket.close(0)

    def _wait(
        self,
        deadline: float | None,
        should_cancel: Callable[[], bool],
        event: int = zmq.POLLIN,
    ) -> None:
        if should_cancel():
            raise Cancelled("Stopped by the user")
        if deadline is not None and time.monotonic() > deadline:
            raise ConnectionLost("The worker does not answer", "Start the worker again.")
        self.keep_alive()
        self._socket.poll(_POLL_MILLISECONDS, event)

    def _read(self, parts: list[memoryview]) -> Message | None:
        try:
            message = decode(parts, MAX_PART_BYTES)
        except VersionMismatch as error:
            raise version_error(extension=VERSION, worker=error.peer) from error
        header = message.header
        if header.kind == "probe":
            return None
        if header.kind == "pong":
            self.heartbeat = forms.read_heartbeat(message)
            return None
        report = forms.read_error(message) if header.kind == "error" else None
        if report is not None and report.reason == "hello-first":
            raise ConnectionLost("The connection to the worker was interrupted", "Try again.")
        if header.re in self._unwanted:
            self._unwanted.discard(header.re)
            return None
        if header.re not in self._expected:
            return message
        self._expected.discard(header.re)
        self._answers[header.re] = (
            message if report is None else WorkerError(report.exception(), report.reason)
        )
        return None
