"""The I/O loop: two endpoints in, one executor out.

Nothing in this loop waits for the device, a disk or a client, so heartbeats are answered at any
time. Everything it does for a client is done behind one edge (``Answers.to``), where any failure
becomes an error reply and a log record; nothing that happens leaves ``turn``.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from photorig.shared.errors import InputError, PhotorigError, ProtocolError
from photorig.shared.wire import message_forms as forms
from photorig.shared.wire import portrait_forms
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.messages import (
    FitFaces,
    FitProgress,
    FittedPortrait,
    FrameReply,
    HeadMeasurement,
    Heartbeat,
    MessageLimits,
)
from photorig.shared.wire.protocol import (
    VERSION,
    MalformedBody,
    Message,
    VersionMismatch,
    decode,
    version_error,
)

from .answers import Answers, info_form, sendable
from .budget import SENT_OF_ALL, SENT_OF_CLIENT, ByteBudget
from .endpoint import Endpoint
from .executors.interface import Chunk, Executor, FrameDone
from .fits.queue import FitOutcome, Fits, Fitter
from .greeting import Greeting, check_codecs
from .later import Later, LaterAnswer
from .portrait_store import PortraitStore, UnknownPortrait
from .received_file import ReceivedFile
from .reply_address import FrameWork, ReplyAddress, job_name
from .scheduler import Scheduler, SchedulerLimits, Task
from .sessions import Session, Sessions
from .uploads import UPLOAD_KINDS, Uploads
from .watchdog import PATIENCE_SECONDS, UNUSUAL_SECONDS, Watch, WorkerHung, hung

log = logging.getLogger(__name__)

CONTROL, BULK, _SINGLE = "control", "bulk", "single/"
HeadMeasure = Callable[[Any], HeadMeasurement]
_PROBE_AFTER_SECONDS = 5.0
_WATCHED_SECONDS = 2.0
_MANY_SESSIONS = 64
_MESSAGES_PER_TURN = {CONTROL: 256, BULK: 64}


class Gateway:
    """Speaks the protocol on two bound endpoints.

    Args:
        endpoints: the control and the bulk endpoint by name.
        worker: program and version, for WELCOME.
        nonce: of the connection file.
        wake: makes a ``poll`` of the loop that calls ``turn`` return; may be called by any thread.
        fitter: makes portraits from photos; None where this worker makes none.
        measure_head: the shape of a portrait's head; None where this worker measures none.
        patience_seconds: how long device and readers may go without a sign of life.

    Attributes:
        failure: why the worker has to end, None while it need not.
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
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.failure: WorkerHung | None = None
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
        self._answers = Answers(endpoints, self._gone)
        self._later = Later(wake)
        self._sent = ByteBudget(SENT_OF_CLIENT, SENT_OF_ALL)
        self._uploads = Uploads(
            portraits.folder, self._sent, wake, self._keep_upload, self._probe, self._is_watched
        )
        self._fits: Fits[ReplyAddress] = Fits(fitter)
        self._watched = Watch(patience_seconds)
        self._measure_head = measure_head
        self._handlers: dict[tuple[str, str], Callable[[ReplyAddress, Session, Message], None]] = {
            (CONTROL, "ping"): self._ping,
            (BULK, "ping"): self._ping,
            (CONTROL, "preview"): self._preview,
            (CONTROL, "end_job"): self._end_job,
            (BULK, "end_job"): self._end_job,
            (CONTROL, "bye"): self._bye,
            (BULK, "bye"): self._bye,
            (BULK, "portrait_query"): self._portrait_query,
            (BULK, "portrait_upload"): self._portrait_upload,
            **{(BULK, kind): self._upload for kind in UPLOAD_KINDS},
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
        """Do everything there is to do now, without waiting. Never raises."""
        steps: tuple[Callable[[], None], ...] = (
            functools.partial(self._receive, CONTROL),
            functools.partial(self._receive, BULK),
            self._collect,
            self._feed_device,
            self._watch,
            self._uploads.look,
            functools.partial(self._probe, _PROBE_AFTER_SECONDS),
        )
        for step in steps:
            try:
                step()
            except Exception as error:
                log.error("a turn of the server failed", exc_info=error)

    def close(self) -> None:
        self._later.close()
        self._uploads.close()
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
        address = ReplyAddress(name, routing_id)
        with self._answers.to(address):
            try:
                message = decode(parts, self._endpoints[name].max_part_bytes)
            except VersionMismatch as error:
                address = replace(address, id=error.message_id or "")
                answer = version_error(extension=error.peer, worker=VERSION)
                self._answers.error(address, answer, "version")
                return
            except MalformedBody as error:
                self._answers.error(replace(address, id=error.message_id or ""), error)
                return
            address = ReplyAddress.of(name, routing_id, message)
            with self._answers.to(address):
                self._dispatch(address, message)

    def _dispatch(self, address: ReplyAddress, message: Message) -> None:
        kind = message.header.kind
        if kind == "hello":
            self._hello(address, message)
            return
        session = self._sessions.find(address.endpoint, address.routing_id)
        if session is None and kind == "bye":
            return
        if session is None:
            error = ProtocolError("The worker does not know this client", "Connect again.")
            self._answers.error(address, error, "hello-first")
            return
        session.heard = time.monotonic()
        handler = self._handlers.get((address.endpoint, kind))
        if handler is None:
            error = ProtocolError(
                f"The worker does not know {kind!r} messages on its {address.endpoint} endpoint",
                "Update the worker.",
            )
            self._answers.error(address, error, "unsupported")
            return
        handler(address, session, message)

    # --- what clients ask

    def _hello(self, address: ReplyAddress, message: Message) -> None:
        hello = forms.read_hello(message)
        check_codecs(hello)
        if len(self._sessions) > _MANY_SESSIONS:
            self._probe()  # each rendered still is a session; drop those that have gone
        session = self._sessions.greet(address.endpoint, address.routing_id, hello)
        session.heard = time.monotonic()
        # Each still has a session of its own on the bulk endpoint: too many for the plain log.
        level = logging.INFO if address.endpoint == CONTROL else logging.DEBUG
        log.log(level, "%r says hello", hello.client)
        welcome = Greeting(self._worker, self._nonce, self.limits, self._fits.photos).welcome(
            hello, message.header.version, self._executor
        )
        self._answers.reply(address, "welcome", forms.welcome_form(welcome))

    def _ping(self, address: ReplyAddress, session: Session, message: Message) -> None:
        status = self._executor.status()
        queued = self._scheduler.queue_length
        doing = status.doing
        if not doing and (status.busy_seconds or 0) > UNUSUAL_SECONDS:
            doing = f"One frame takes unusually long: {status.busy_seconds:.0f} s"
        heartbeat = Heartbeat(status.busy_seconds, queued, status.milliseconds, doing)
        self._answers.reply(address, "pong", forms.heartbeat_form(heartbeat))

    def _preview(self, address: ReplyAddress, session: Session, message: Message) -> None:
        view = forms.read_view(message)
        work = self._frame_work(address, message)
        task = Task(session.id, view, True, message.header.seq or 0, work)
        replaced = self._scheduler.preview(task)
        if replaced is not None:
            self._answers.reply(replaced.work.address, "superseded", Form({}))
        self.last_work = self._last_preview = time.monotonic()

    def _job(self, address: ReplyAddress, session: Session, message: Message) -> None:
        window = self._scheduler.open_job(session.id, job_name(message), forms.read_window(message))
        self._answers.reply(address, "job_opened", Form({"window": window}))

    def _render(self, address: ReplyAddress, session: Session, message: Message) -> None:
        job = message.header.job
        if job in session.closed_jobs:
            return  # it was on its way when the job was cancelled
        work = self._frame_work(address, message)
        if job is None:
            # A frame on its own is a job of one; no name on the wire has a slash.
            job = f"{_SINGLE}{next(self._task_ids)}"
            self._scheduler.open_job(session.id, job, 1)
        try:
            self._scheduler.render(Task(session.id, job, False, message.header.seq or 0, work))
        except ProtocolError:
            if message.header.job is None:
                self._scheduler.close_job(session.id, job)
            raise
        self.last_work = time.monotonic()

    def _ack(self, address: ReplyAddress, session: Session, message: Message) -> None:
        job, seq = job_name(message), message.header.seq
        if seq is None or not self._scheduler.acknowledge(session.id, job, seq):
            log.debug("an acknowledgement of %s without a frame", job)

    def _end_job(self, address: ReplyAddress, session: Session, message: Message) -> None:
        job = job_name(message)
        self._scheduler.close_job(session.id, job)
        session.remember_closed(job)
        for task_id, task in self._tasks.items():
            if (task.client, task.lane, task.is_preview) == (session.id, job, False):
                self._executor.cancel(task_id)
        self._answers.reply(address, "job_ended", Form({}))

    def _bye(self, address: ReplyAddress, session: Session, message: Message) -> None:
        self._forget(session, is_cut_off=False)

    def _portrait_query(self, address: ReplyAddress, session: Session, message: Message) -> None:
        named = portrait_forms.read_portrait_reference(message)
        self._ask_portrait(address, named, lambda: info_form(self._portraits.info(named)))

    def _portrait_upload(self, address: ReplyAddress, session: Session, message: Message) -> None:
        named, content = (
            portrait_forms.read_portrait_reference(message),
            message.payload("file").data,
        )
        self._sent.take(session.id, len(content))
        free = functools.partial(self._sent.give_back, session.id, len(content))
        add = functools.partial(self._portraits.add, named, content, info_form)
        self._ask_portrait(address, named, add, free)
        self.last_work = time.monotonic()

    def _upload(self, address: ReplyAddress, session: Session, message: Message) -> None:
        self._uploads.handle(address, session.id, message)
        self.last_work = time.monotonic()

    def _keep_upload(
        self, address: ReplyAddress, received: ReceivedFile, release: Callable[[], None]
    ) -> None:
        take = functools.partial(self._portraits.take, received, info_form)
        self._ask_portrait(address, received.sha256, take, release)

    def _ask_portrait(
        self,
        address: ReplyAddress,
        portrait_id: str,
        make: Callable[[], Form],
        release: Callable[[], None] | None = None,
    ) -> None:
        def made() -> Form:
            form = make()
            self._executor.prepare(portrait_id)  # it is kept now, so that a device finds it
            return form

        self._later.ask(address, "portrait", made, portrait_id, about=release)

    def _head_query(self, address: ReplyAddress, session: Session, message: Message) -> None:
        portrait_id, measure = portrait_forms.read_portrait_reference(message), self._measure_head
        if measure is None:
            raise InputError("This worker measures no heads", "Add the head from the Add menu.")

        def measured() -> Form:
            return portrait_forms.head_form(measure(self._portraits.get(portrait_id)))

        self._later.ask(address, "head", measured, portrait_id)

    def _fit(self, address: ReplyAddress, session: Session, message: Message) -> None:
        job, n_bytes = job_name(message), sum(len(photo.data) for photo in message.payloads)
        held = contextlib.ExitStack()

        @functools.cache  # a photo may be named twice
        def sent_before(content: str) -> ReceivedFile:
            file, release = self._uploads.photo(session.id, job, content)
            held.callback(release)
            return file

        try:
            self._sent.take(session.id, n_bytes)
            held.callback(self._sent.give_back, session.id, n_bytes)
            request = portrait_forms.read_fit(message, sent_before)
            self._fits.start(address, session.id, job, request, held.close)
        except BaseException:
            held.close()
            raise

    def _end_fit(self, address: ReplyAddress, session: Session, message: Message) -> None:
        self._fits.end(session.id, job_name(message))

    def _frame_work(self, address: ReplyAddress, message: Message) -> FrameWork:
        facts = self._executor.facts
        request, picture_format = forms.read_frame_request(message, facts.schema)
        for portrait in request.portraits:
            if portrait not in self._portraits:
                raise UnknownPortrait(portrait)
        return FrameWork(address, request, picture_format)

    # --- the device

    def _feed_device(self) -> None:
        previews_come = self._is_watched()
        room = self._executor.room(previews_come)
        while tasks := self._scheduler.next_chunk(room.preview, room.frames):
            self._start(tasks)
            room = self._executor.room(previews_come)

    def _is_watched(self) -> bool:
        return time.monotonic() - self._last_preview < _WATCHED_SECONDS

    def _start(self, tasks: list[Task[FrameWork]]) -> None:
        started = {next(self._task_ids): task for task in tasks}
        self._tasks.update(started)
        try:
            frames = [task.work.as_frame(number) for number, task in started.items()]
            in_job = not (tasks[0].is_preview or tasks[0].lane.startswith(_SINGLE))
            self._executor.submit(Chunk(tuple(frames), tasks[0].is_preview, of_sequence=in_job))
        except Exception as error:
            for task_id, task in started.items():
                del self._tasks[task_id]
                self._scheduler.finished(task, delivered=False)
                with self._answers.to(task.work.address):
                    raise error

    def _collect(self) -> None:
        for event in self._executor.events():
            task = self._tasks.pop(event.task_id, None)
            if task is None:
                log.warning("a frame that nobody asked for has ended")
                continue
            with self._answers.to(task.work.address):
                self._frame_done(task, event)
        for answer in self._uploads.answers():
            self._answer(answer)
        for answer in self._later.answers():
            if answer.about is not None:
                answer.about()
            self._answer(answer)
        for address, outcome in self._fits.new_events():
            with self._answers.to(address):
                self._tell_fit(address, outcome)

    def _answer(self, answer: LaterAnswer) -> None:
        with self._answers.to(answer.address):
            if isinstance(answer.outcome, PhotorigError):
                raise answer.outcome
            self._answers.reply(answer.address, answer.kind, answer.outcome)

    def _watch(self) -> None:
        """See whether device and readers come back; where one does not, tell all and give up."""
        portrait = self._watched.culprit(
            self._executor.status(), self._later.at_work, self._portrait_of
        )
        if portrait is None or self.failure is not None:
            return
        self.failure = hung(portrait, self._watched.patience_seconds)
        log.critical("%s", self.failure)
        if portrait:
            self._portraits.quarantine(portrait)
        for task in self._tasks.values():
            self._answers.error(task.work.address, self.failure)

    def _portrait_of(self, task_id: int) -> str:
        task = self._tasks.get(task_id)
        return "" if task is None else task.work.request.portrait

    def _tell_fit(self, address: ReplyAddress, outcome: FitOutcome) -> None:
        self.last_work = time.monotonic()
        if isinstance(outcome, FitProgress):
            self._answers.reply(address, "fit_progress", portrait_forms.fit_progress_form(outcome))
        elif isinstance(outcome, FitFaces):
            self._answers.reply(address, "fit_faces", portrait_forms.fit_faces_form(outcome))
        elif isinstance(outcome, FittedPortrait):
            fitted = outcome

            def keep() -> Form:
                # The client need not send it back to see it.
                form = portrait_forms.fitted_portrait_form(fitted)
                self._portraits.add(fitted.id, fitted.content, lambda info: sendable(form))
                self._executor.prepare(fitted.id)
                return form

            self._later.ask(address, "fitted", keep, fitted.id)
        else:
            raise outcome

    def _frame_done(self, task: Task[FrameWork], event: FrameDone) -> None:
        self.last_work = time.monotonic()
        outcome = event.outcome
        n_bytes = outcome.n_bytes if isinstance(outcome, FrameReply) else 0
        wanted = self._scheduler.finished(task, isinstance(outcome, FrameReply), n_bytes)
        if task.lane.startswith(_SINGLE):
            self._scheduler.close_job(task.client, task.lane)
        if not wanted:
            return
        if isinstance(outcome, PhotorigError):
            raise outcome
        try:
            self._answers.reply(task.work.address, "frame", forms.frame_reply_form(outcome))
        except BaseException:
            # An error is the answer then, and takes no credit.
            self._scheduler.acknowledge(task.client, task.lane, task.seq)
            raise

    def _probe(self, after_seconds: float = 0.0) -> None:
        """Notice clients that have gone without a word, so that nothing is rendered for them."""
        now = time.monotonic()
        for session in self._sessions:
            if now - max(session.heard, session.probed) < after_seconds:
                continue
            session.probed = now
            for name, routing_id in list(session.routes.items()):
                self._answers.probe(name, routing_id)

    def _gone(self, name: str, routing_id: bytes) -> None:
        session = self._sessions.find(name, routing_id)
        if session is not None:
            log.info("%r has gone", session.client)
            self._forget(session)

    def _forget(self, session: Session, is_cut_off: bool = True) -> None:
        self._sessions.remove(session)
        self._uploads.forget(session.id, is_cut_off)
        self._scheduler.forget(session.id)
        self._fits.forget(session.id)
        for task_id in [number for number, of in self._tasks.items() if of.client == session.id]:
            self._executor.cancel(task_id)
