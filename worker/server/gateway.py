"""The I/O loop: two endpoints in, one executor out.

Nothing in this loop waits for the device, a disk or a client, so heartbeats are answered at any
time. Every message is handled behind one edge (``_handle``) where any failure becomes an error
reply and a log record.
"""

from __future__ import annotations

import itertools
import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from photorig.shared import message_forms as forms
from photorig.shared import portrait_forms
from photorig.shared.errors import InputError, PhotorigError, ProtocolError
from photorig.shared.message_body import Form
from photorig.shared.message_forms import ErrorReport
from photorig.shared.messages import (
    CODECS,
    FitFaces,
    FitProgress,
    FittedPortrait,
    FrameReply,
    FrameRequest,
    HeadMeasurement,
    Heartbeat,
    MessageLimits,
    Welcome,
)
from photorig.shared.picture_format import PictureFormat
from photorig.shared.protocol import (
    VERSION,
    Header,
    MalformedBody,
    Message,
    VersionMismatch,
    decode,
    encode,
    version_error,
)

from .endpoint import Endpoint, Sent
from .executor import Executor, FrameDone
from .fits import FitOutcome, Fits, Fitter
from .portrait_store import PortraitStore, UnknownPortrait
from .scheduler import Scheduler, SchedulerLimits, Task
from .sessions import Session, Sessions

log = logging.getLogger(__name__)

CONTROL, BULK = "control", "bulk"
HeadMeasure = Callable[[Any], HeadMeasurement]
_PROBE_AFTER_SECONDS = 5.0
_WATCHED_SECONDS = 2.0
_MANY_SESSIONS = 64
_MESSAGES_PER_TURN = {CONTROL: 256, BULK: 64}


@dataclass(frozen=True)
class Asked:
    """Where an answer goes, and what it must repeat of the question."""

    endpoint: str
    routing_id: bytes
    header: Header

    @property
    def view(self) -> str | None:
        view = self.header.body.get("view")
        return view if isinstance(view, str) else None


@dataclass(frozen=True)
class FrameWork:
    """What the scheduler carries for one frame."""

    asked: Asked
    request: FrameRequest
    picture_format: PictureFormat


class Gateway:
    """Speaks the protocol on two bound endpoints.

    Args:
        endpoints: the control and the bulk endpoint by name.
        worker: program and version, for WELCOME.
        nonce: of the connection file.
        wake: makes a ``poll`` of the loop that calls ``turn`` return; may be called by any thread.
        fitter: makes portraits from photos; None where this worker makes none.
        measure_head: the shape of a portrait's head; None where this worker measures none.
    """

    def __init__(
        self,
        endpoints: dict[str, Endpoint],
        executor: Executor,
        portraits: PortraitStore,
        worker: str,
        nonce: str,
        wake: Callable[[], None],
        limits: MessageLimits | None = None,
        fitter: Fitter | None = None,
        measure_head: HeadMeasure | None = None,
    ) -> None:
        self.limits = limits or MessageLimits()
        self.last_work = time.monotonic()
        self._last_preview = float("-inf")
        self._endpoints = endpoints
        self._executor = executor
        self._portraits = portraits
        self._worker = worker
        self._nonce = nonce
        self._wake = wake
        self._sessions = Sessions()
        self._scheduler: Scheduler[FrameWork] = Scheduler(
            SchedulerLimits(queued_frames=self.limits.queued_frames, window=self.limits.window)
        )
        self._tasks: dict[int, Task[FrameWork]] = {}
        self._task_ids = itertools.count(1)
        self._message_ids = itertools.count(1)
        # Reading a portrait takes a while; one at a time bounds the memory it takes.
        self._pool = ThreadPoolExecutor(1, "photorig-portraits")
        self._answers: queue.SimpleQueue[tuple[Asked, str, Form | PhotorigError]] = (
            queue.SimpleQueue()
        )
        self._fits: Fits[Asked] = Fits(fitter)
        self._measure_head = measure_head
        self._handlers: dict[tuple[str, str], Callable[[Asked, Session, Message], None]] = {
            (CONTROL, "ping"): self._ping,
            (BULK, "ping"): self._ping,
            (CONTROL, "preview"): self._preview,
            (CONTROL, "end_job"): self._end_job,
            (BULK, "end_job"): self._end_job,
            (CONTROL, "bye"): self._bye,
            (BULK, "bye"): self._bye,
            (BULK, "portrait_query"): self._portrait_query,
            (BULK, "portrait_upload"): self._portrait_upload,
            (BULK, "job"): self._job,
            (BULK, "render"): self._render,
            (BULK, "ack"): self._ack,
            (BULK, "head_query"): self._head_query,
            (BULK, "fit"): self._fit,
            (BULK, "end_fit"): self._end_fit,
            (CONTROL, "end_fit"): self._end_fit,
        }

    @property
    def is_idle(self) -> bool:
        """Whether no frame waits, is in flight, or is being read by a client, and no photo is."""
        return self._scheduler.is_idle and not self._tasks and self._fits.is_idle

    def turn(self) -> None:
        """Do everything there is to do now, without waiting."""
        for name in (CONTROL, BULK):
            self._receive(name)
        self._collect()
        self._feed_device()
        self._probe(_PROBE_AFTER_SECONDS)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for endpoint in self._endpoints.values():
            endpoint.close()

    # --- receiving

    def _receive(self, name: str) -> None:
        endpoint = self._endpoints[name]
        for _ in range(_MESSAGES_PER_TURN[name]):
            received = endpoint.receive()
            if received is None:
                return
            self._handle(name, *received)
        self._wake()  # there may be more; let the other endpoint and the device have their turn

    def _handle(self, name: str, routing_id: bytes, parts: list[memoryview]) -> None:
        asked = Asked(name, routing_id, Header(kind="unknown", id=""))
        try:
            message = decode(parts, self._endpoints[name].max_part_bytes)
            asked = Asked(name, routing_id, message.header)
            self._dispatch(asked, message)
        except VersionMismatch as error:
            asked = replace(asked, header=Header("unknown", error.message_id or ""))
            self._reply_error(asked, version_error(extension=error.peer, worker=VERSION), "version")
        except UnknownPortrait as error:
            self._reply_error(asked, error, "unknown-portrait")
        except MalformedBody as error:
            if not asked.header.id and error.message_id:
                asked = replace(asked, header=Header("unknown", error.message_id))
            self._reply_error(asked, error)
        except PhotorigError as error:
            self._reply_error(asked, error)
        except Exception as error:
            log.error("cannot handle a %r message", asked.header.kind, exc_info=error)
            kind = type(error).__name__
            failure = PhotorigError(f"The worker failed at a message ({kind})", "See its log.")
            self._reply_error(asked, failure)

    def _dispatch(self, asked: Asked, message: Message) -> None:
        kind = message.header.kind
        if kind == "hello":
            self._hello(asked, message)
            return
        session = self._sessions.find(asked.endpoint, asked.routing_id)
        if session is None and kind == "bye":
            return
        if session is None:
            error = ProtocolError("The worker does not know this client", "Connect again.")
            self._reply_error(asked, error, "hello-first")
            return
        session.heard = time.monotonic()
        handler = self._handlers.get((asked.endpoint, kind))
        if handler is None:
            error = ProtocolError(
                f"The worker does not know {kind!r} messages on its {asked.endpoint} endpoint",
                "Update the worker.",
            )
            self._reply_error(asked, error, "unsupported")
            return
        handler(asked, session, message)

    # --- what clients ask

    def _hello(self, asked: Asked, message: Message) -> None:
        hello = forms.read_hello(message)
        codecs = tuple(codec for codec in hello.codecs if codec in CODECS)
        if not codecs:
            raise ProtocolError(
                "The extension and the worker know no common frame codec",
                "Install the extension and the worker of the same Photorig version.",
            )
        if len(self._sessions) > _MANY_SESSIONS:
            self._probe(0.0)  # each rendered still is a session; drop those that have gone
        session = self._sessions.greet(asked.endpoint, asked.routing_id, hello)
        session.heard = time.monotonic()
        # Each still has a session of its own on the bulk endpoint: too many for the plain log.
        level = logging.INFO if asked.endpoint == CONTROL else logging.DEBUG
        log.log(level, "%s says hello", hello.client)
        facts = self._executor.facts
        welcome = Welcome(
            version=(VERSION[0], min(VERSION[1], message.header.version[1])),
            nonce=self._nonce,
            worker=self._worker,
            device=facts.device,
            backend=facts.backend,
            model_id=facts.model_id,
            codecs=codecs,
            schema=facts.schema,
            limits=self.limits,
            sizes=facts.sizes,
            milliseconds=self._executor.status().milliseconds,
            description=facts.description,
            fit_photos=self._fits.photos,
            passes=facts.passes,
        )
        self._reply(asked, "welcome", forms.welcome_form(welcome))

    def _ping(self, asked: Asked, session: Session, message: Message) -> None:
        status = self._executor.status()
        queued = self._scheduler.queue_length
        heartbeat = Heartbeat(status.busy_seconds, queued, status.milliseconds, status.doing)
        self._reply(asked, "pong", forms.heartbeat_form(heartbeat))

    def _preview(self, asked: Asked, session: Session, message: Message) -> None:
        view = forms.read_view(message)
        work = self._frame_work(asked, message)
        task = Task(session.id, view, True, message.header.seq or 0, work)
        replaced = self._scheduler.preview(task)
        if replaced is not None:
            self._reply(replaced.work.asked, "superseded", Form({}))
        self.last_work = self._last_preview = time.monotonic()

    def _job(self, asked: Asked, session: Session, message: Message) -> None:
        window = self._scheduler.open_job(
            session.id, _job_name(message), forms.read_window(message)
        )
        self._reply(asked, "job_opened", Form({"window": window}))

    def _render(self, asked: Asked, session: Session, message: Message) -> None:
        job = message.header.job
        if job in session.closed_jobs:
            return  # it was on its way when the job was cancelled
        work = self._frame_work(asked, message)
        if job is None:
            # A frame on its own is a job of one; no name on the wire has a slash.
            job = f"single/{next(self._task_ids)}"
            self._scheduler.open_job(session.id, job, 1)
        try:
            self._scheduler.render(Task(session.id, job, False, message.header.seq or 0, work))
        except ProtocolError:
            if message.header.job is None:
                self._scheduler.close_job(session.id, job)
            raise
        self.last_work = time.monotonic()

    def _ack(self, asked: Asked, session: Session, message: Message) -> None:
        job, seq = _job_name(message), message.header.seq
        if seq is None or not self._scheduler.acknowledge(session.id, job, seq):
            log.debug("an acknowledgement of %s without a frame", job)

    def _end_job(self, asked: Asked, session: Session, message: Message) -> None:
        job = _job_name(message)
        self._scheduler.close_job(session.id, job)
        session.remember_closed(job)
        for task_id, task in self._tasks.items():
            if (task.client, task.lane, task.is_preview) == (session.id, job, False):
                self._executor.cancel(task_id)
        self._reply(asked, "job_ended", Form({}))

    def _bye(self, asked: Asked, session: Session, message: Message) -> None:
        self._forget(session)

    def _portrait_query(self, asked: Asked, session: Session, message: Message) -> None:
        portrait_id = portrait_forms.read_portrait_reference(message)
        self._answer_later(
            asked,
            "portrait",
            lambda: portrait_forms.portrait_info_form(self._portraits.info(portrait_id)),
        )

    def _portrait_upload(self, asked: Asked, session: Session, message: Message) -> None:
        portrait_id = portrait_forms.read_portrait_reference(message)
        content = message.payload("file").data

        def add() -> Form:
            self._portraits.add(portrait_id, bytes(content))
            return portrait_forms.portrait_info_form(self._portraits.info(portrait_id))

        self._answer_later(asked, "portrait", add)
        self.last_work = time.monotonic()

    def _head_query(self, asked: Asked, session: Session, message: Message) -> None:
        portrait_id, measure = portrait_forms.read_portrait_reference(message), self._measure_head
        if measure is None:
            raise InputError("This worker measures no heads", "Add the head from the Add menu.")

        def measured() -> Form:
            return portrait_forms.head_form(measure(self._portraits.get(portrait_id)))

        self._answer_later(asked, "head", measured)

    def _answer_later(self, asked: Asked, kind: str, make: Callable[[], Form]) -> None:
        """Answer with what ``make`` gives; it may read and write files."""

        def work() -> None:
            answer: Form | PhotorigError
            try:
                answer = make()
            except PhotorigError as error:
                answer = error
            except Exception as error:
                log.error("cannot read a portrait", exc_info=error)
                answer = PhotorigError("The worker failed at this portrait", "See its log.")
            self._answers.put((asked, kind, answer))
            self._wake()

        self._pool.submit(work)

    def _fit(self, asked: Asked, session: Session, message: Message) -> None:
        self._fits.start(asked, session.id, _job_name(message), portrait_forms.read_fit(message))

    def _end_fit(self, asked: Asked, session: Session, message: Message) -> None:
        self._fits.end(session.id, _job_name(message))

    def _frame_work(self, asked: Asked, message: Message) -> FrameWork:
        facts = self._executor.facts
        request, picture_format = forms.read_frame_request(message, facts.schema)
        if request.portrait not in self._portraits:
            raise UnknownPortrait(request.portrait)
        return FrameWork(asked, request, picture_format)

    # --- the device

    def _feed_device(self) -> None:
        # With a frame in hand the device need not wait for this loop. Where previews come it may
        # not have one: they would wait for it.
        is_watched = time.monotonic() - self._last_preview < _WATCHED_SECONDS
        while self._executor.has_room(0 if is_watched else 1):
            task = self._scheduler.next_task()
            if task is None:
                return
            task_id = next(self._task_ids)
            self._tasks[task_id] = task
            self._executor.submit(task_id, task.work.request, task.work.picture_format)

    def _collect(self) -> None:
        for event in self._executor.events():
            self._frame_done(event)
        while True:
            try:
                asked, kind, answer = self._answers.get_nowait()
            except queue.Empty:
                break
            if isinstance(answer, PhotorigError):
                reason = "unknown-portrait" if isinstance(answer, UnknownPortrait) else ""
                self._reply_error(asked, answer, reason)
            else:
                self._reply(asked, kind, answer)
        for asked, outcome in self._fits.news():
            self._fit_news(asked, outcome)

    def _fit_news(self, asked: Asked, outcome: FitOutcome) -> None:
        self.last_work = time.monotonic()
        if isinstance(outcome, FitProgress):
            self._reply(asked, "fit_progress", portrait_forms.fit_progress_form(outcome))
        elif isinstance(outcome, FitFaces):
            self._reply(asked, "fit_faces", portrait_forms.fit_faces_form(outcome))
        elif isinstance(outcome, FittedPortrait):
            fitted = outcome

            def keep() -> Form:
                # The client need not send it back to see it.
                self._portraits.add(fitted.id, fitted.content)
                return portrait_forms.fitted_portrait_form(fitted)

            self._answer_later(asked, "fitted", keep)
        else:
            self._reply_error(asked, outcome)

    def _frame_done(self, event: FrameDone) -> None:
        task = self._tasks.pop(event.task_id, None)
        if task is None:
            log.warning("a frame that nobody asked for has ended")
            return
        self.last_work = time.monotonic()
        is_frame = isinstance(event.outcome, FrameReply)
        wanted = self._scheduler.finished(task, delivered=is_frame)
        if task.lane.startswith("single/"):
            self._scheduler.close_job(task.client, task.lane)
        if not wanted:
            return
        if isinstance(event.outcome, FrameReply):
            self._reply(task.work.asked, "frame", forms.frame_reply_form(event.outcome))
        else:
            reason = "unknown-portrait" if isinstance(event.outcome, UnknownPortrait) else ""
            self._reply_error(task.work.asked, event.outcome, reason)

    # --- answering

    def _reply(self, asked: Asked, kind: str, form: Form) -> None:
        question = asked.header
        body = form.body if asked.view is None else {**form.body, "view": asked.view[:64]}
        header = Header(
            kind=kind,
            id=f"w{next(self._message_ids)}",
            re=question.id or None,
            seq=question.seq,
            job=question.job,
            frame=question.frame,
            body=body,
        )
        self._send(asked.endpoint, asked.routing_id, header, form)

    def _reply_error(self, asked: Asked, error: PhotorigError, reason: str = "") -> None:
        log.info("error to a %r message: %s", asked.header.kind, error)
        self._reply(asked, "error", forms.error_form(ErrorReport.of(error, reason)))

    def _send(self, name: str, routing_id: bytes, header: Header, form: Form) -> None:
        result = self._endpoints[name].send(routing_id, encode(header, form.payloads))
        if result is Sent.PEER_GONE:
            session = self._sessions.find(name, routing_id)
            if session is not None:
                log.info("%s has gone", session.client)
                self._forget(session)
        elif result is Sent.PEER_FULL:
            log.warning("dropped a %r message for a client that does not read", header.kind)

    def _probe(self, after_seconds: float) -> None:
        """Notice clients that have gone without a word, so that nothing is rendered for them."""
        now = time.monotonic()
        for session in self._sessions:
            if now - max(session.heard, session.probed) < after_seconds:
                continue
            session.probed = now
            for name, routing_id in list(session.routes.items()):
                header = Header(kind="probe", id=f"w{next(self._message_ids)}")
                self._send(name, routing_id, header, Form({}))

    def _forget(self, session: Session) -> None:
        self._sessions.remove(session)
        self._scheduler.forget(session.id)
        self._fits.forget(session.id)
        for task_id, task in self._tasks.items():
            if task.client == session.id:
                self._executor.cancel(task_id)


def _job_name(message: Message) -> str:
    if message.header.job is None:
        raise ProtocolError(f"A {message.header.kind!r} message needs a job")
    return message.header.job
