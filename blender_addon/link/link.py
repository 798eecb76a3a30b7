# SPDX-License-Identifier: GPL-3.0-or-later
"""The one owner of the worker process and of the connection to it.

It belongs to the module and holds no Blender data, so opening another file or undo cannot break it.
A timer on the main thread moves it on; ``render()``, which Blender may call on another thread, only
reads its state and asks by setting flags.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from .. import compat
from ..camera import extra_parameters, properties
from ..client.client import WorkerClient
from ..client.process import WorkerProcess, find_executable
from ..extension import PACKAGE
from ..shared.errors import Cancelled, ConnectionLost, InputError, PhotorigError
from ..shared.parameters.responses import Response, responses_of
from ..shared.parameters.schema import FACE_SCHEMA, ParameterSchema
from ..shared.wire.connection import ConnectionInfo, is_loopback, process_alive
from ..shared.wire.messages import Welcome
from ..shared.wire.method_offers import methods_of
from .options import worker_options

_POLL_SECONDS = 0.25
_START_TIMEOUT = 120.0
_CONNECT_TIMEOUT = 5.0
_TRY_TIMEOUT = 1.5
_TRY_AGAIN_SECONDS = 4.0
TRYING_SECONDS = 600.0
"""How long a worker elsewhere is looked for when the connection to it broke."""

STOPPED, STARTING, READY, FAILED = "stopped", "starting", "ready", "failed"


class WorkerLink:
    """State of the worker as the extension sees it.

    Attributes:
        state: "stopped", "starting", "ready" or "failed".
        message: one sentence about the state for a person.
        process: the worker that was started from here, None for one that was connected to.
        connection: where the worker listens, once it is ready.
        welcome: what it said about itself, once it is ready.
        client: for the main thread only.
        responses: how the face answers to each parameter, as the last worker said; it stays when
            that one ends.
        bundle_id: the model bundle that the last worker drives faces with.
        schema: the parameters that the last worker knows, the built-in ones among them.
        gives_passes: whether the last worker gives mattes and faces beside frames.
    """

    def __init__(self) -> None:
        self.state = STOPPED
        self.message = "The worker is not running"
        self.process: WorkerProcess | None = None
        self.connection: ConnectionInfo | None = None
        self.welcome: Welcome | None = None
        self.client: WorkerClient | None = None
        self.responses: dict[str, Response] = {}
        self.bundle_id = ""
        self.schema: ParameterSchema = FACE_SCHEMA
        self.gives_passes = False
        self._start_asked = False
        self._deadline = 0.0
        self._next_try = 0.0

    @property
    def is_ready(self) -> bool:
        return self.state == READY

    @property
    def is_starting(self) -> bool:
        return self.state == STARTING

    @property
    def doing(self) -> str:
        """What keeps the worker from its frames, for a person; "" where nothing does."""
        heartbeat = self.client.heartbeat if self.client is not None else None
        return heartbeat.doing if heartbeat is not None else ""

    def start(self) -> None:
        """Start the worker program and return at once.

        Raises:
            InputError: there is no such program, or it cannot be run.
        """
        self.stop()
        options = worker_options()
        folder = Path(bpy.utils.extension_path_user(PACKAGE, path="worker", create=True))
        _remove_leftovers(folder)
        # Each Blender has a worker of its own.
        name = f"worker-{os.getpid()}"
        try:
            self.process = WorkerProcess(
                [find_executable(options.executable), "serve"],
                connection_file=folder / f"{name}.json",
                log_file=folder / f"{name}.log",
                arguments=["--device", options.device] if options.device != "auto" else [],
            )
            self.process.start()
        except PhotorigError as error:
            self._fail(error)
            raise
        self.state, self.message = STARTING, "The worker is starting"
        self._deadline = time.monotonic() + _START_TIMEOUT

    def start_if_wanted(self) -> None:
        """Start the worker unless it runs, if the preferences allow that.

        Raises:
            ConnectionLost: they do not.
        """
        if self.state in (READY, STARTING):
            self.poll()
        if self.state in (READY, STARTING):
            return
        if not worker_options().auto_start:
            raise ConnectionLost("No worker is running", "Start it in the Photorig panel.")
        self.restart()

    def restart(self) -> None:
        """Start the worker anew, or connect anew to one that runs elsewhere.

        Raises:
            PhotorigError: as ``start`` and ``connect`` do.
        """
        options = worker_options()
        if options.is_remote:
            self.connect(options.connection_file, options.host)
        else:
            self.start()

    def connect(self, path: str, host: str = "") -> None:
        """Connect to a worker that runs already.

        Args:
            path: the connection file that it wrote.
            host: name or address of its computer where that is not this one; "" for the file's.

        Raises:
            PhotorigError: it cannot be reached, or Blender may not use the network.
        """
        if not path:
            raise InputError(
                "No connection file is named", "Choose the one that 'photorig serve' wrote."
            )
        connection = ConnectionInfo.load(bpy.path.abspath(path))
        connection = connection.at_host(host) if host else connection
        if not is_loopback(connection.control) and not bpy.app.online_access:
            raise InputError(
                "Blender is not allowed to reach other computers",
                "Switch on Preferences > System > Network > Allow Online Access.",
            )
        self.stop()
        try:
            self._open(connection)
        except PhotorigError as error:
            self._fail(error)
            raise

    def keep_trying(self, until: float) -> None:
        """Look for the worker elsewhere, whose connection broke, until then; ``poll`` does it.

        Args:
            until: a time of ``time.monotonic``.
        """
        self._close()
        self.state, self.message = STARTING, "The connection was interrupted; trying again"
        self._deadline, self._next_try = until, 0.0

    def _try_again(self) -> None:
        if time.monotonic() < self._next_try:
            return
        options = worker_options()
        try:
            connection = ConnectionInfo.load(bpy.path.abspath(options.connection_file))
            connection = connection.at_host(options.host) if options.host else connection
            self._open(connection, _TRY_TIMEOUT)
        except ConnectionLost:
            if time.monotonic() > self._deadline:
                raise
            self._next_try = time.monotonic() + _TRY_AGAIN_SECONDS

    def stop(self) -> None:
        """End the connection, and the worker if it was started from here. Never raises."""
        self._close()
        self.state, self.message = STOPPED, "The worker is not running"

    def poll(self) -> None:
        """Main thread: see whether the worker got ready or was lost. Does not wait long."""
        try:
            if self.state == STARTING:
                self._poll_start()
            elif self.state == READY:
                self._poll_life()
        except PhotorigError as error:
            self._fail(error)

    def _poll_start(self) -> None:
        if self.process is None:
            self._try_again()
            return
        connection = self.process.poll_ready()
        if connection is not None:
            self._open(connection)
        elif time.monotonic() > self._deadline:
            raise ConnectionLost(
                f"The worker did not get ready in {_START_TIMEOUT:.0f} seconds",
                "See its log in the preferences.",
            )

    def _poll_life(self) -> None:
        if self.process is not None and not self.process.is_running:
            raise ConnectionLost("The worker has ended", self.log_tail() or "Start it again.")
        self.in_use()[0].poll()

    def _open(self, connection: ConnectionInfo, timeout: float = _CONNECT_TIMEOUT) -> None:
        client = WorkerClient(connection)
        try:
            self.welcome = client.connect(timeout)
        except BaseException:
            client.close()
            raise
        self.client, self.connection, self.state = client, connection, READY
        self.responses = responses_of(self.welcome.description, self.welcome.schema.ids)
        self.bundle_id = str(self.welcome.description.get("bundle_id", ""))
        self.schema = self.welcome.schema
        self.gives_passes = bool(self.welcome.passes)
        properties.offered_methods[:] = methods_of(self.welcome.description)
        extra_parameters.learn_everywhere(self.schema)
        self.message = f"Ready: {self.welcome.backend} on {self.welcome.device}"

    def _fail(self, error: PhotorigError) -> None:
        self._close(keep_log=True)
        # A hint may be the end of the worker's log, whose last line says what went wrong.
        hint = error.hint.strip().rpartition("\n")[2]
        self.state, self.message = FAILED, f"{error.message}. {hint}".strip()

    def _close(self, keep_log: bool = False) -> None:
        if self.client is not None:
            self.client.close()
        if self.process is not None:
            self.process.stop()
            if not keep_log:
                self.process = None
        self.client = self.connection = self.welcome = None

    def in_use(self) -> tuple[WorkerClient, str]:
        """Main thread: the client and the model's id. Raises ConnectionLost where not ready."""
        if self.client is None or self.welcome is None:
            raise ConnectionLost(self.message.rstrip("."))
        return self.client, self.welcome.model_id

    def raise_if_failed(self) -> None:
        """Raises ConnectionLost where the worker is not and will not be ready."""
        if self.state in (FAILED, STOPPED):
            raise ConnectionLost(self.message.rstrip("."))

    def wait_until_ready(self, should_cancel: Callable[[], bool]) -> ConnectionInfo:
        """Wait for a worker, having it started if need be; for ``render()`` and scripts.

        In a user interface the timer of the main thread does the work meanwhile.

        Raises:
            ConnectionLost: there is none and none can be started.
            Cancelled: ``should_cancel`` said so.
        """
        # While a render job runs the main thread is free, and its timer with it.
        is_main_thread = bpy.app.background or not bpy.app.is_job_running("RENDER")
        if is_main_thread:
            self.start_if_wanted()
        elif self.state in (STOPPED, FAILED):
            self._start_asked = True
        deadline = time.monotonic() + _START_TIMEOUT
        while not self.is_ready or self.connection is None:
            if should_cancel():
                raise Cancelled("Cancelled while waiting for the worker")
            if is_main_thread:
                self.poll()
            if not self._start_asked:
                self.raise_if_failed()
            if time.monotonic() > deadline:
                raise ConnectionLost("The worker did not answer", "Start it again.")
            time.sleep(0.01)
        return self.connection

    def on_timer(self) -> None:
        """Main thread, in a user interface."""
        if self._start_asked:
            try:
                self.start_if_wanted()
            except PhotorigError as error:
                self._fail(error)
            self._start_asked = False
        self.poll()
        # A file that was opened, or undo, may have brought cameras that do not know them.
        extra_parameters.learn_everywhere(self.schema)

    def log_tail(self) -> str:
        """The last lines of the log of a worker that was started from here, "" without any."""
        if self.process is None:
            return ""
        log_file = self.process.log_file
        return self.process.log_tail() if log_file.is_file() and log_file.stat().st_size else ""


def _remove_leftovers(folder: Path) -> None:
    """Files of Blenders that were killed; their workers have ended by themselves."""
    for path in folder.glob("worker-*.*"):
        number = path.stem.removeprefix("worker-")
        if number.isdigit() and int(number) != os.getpid() and not process_alive(int(number)):
            with contextlib.suppress(OSError):
                path.unlink()


_PANEL_REGIONS = {
    "VIEW_3D": "UI",
    "PROPERTIES": "WINDOW",
    "PREFERENCES": "WINDOW",
}
"""Where each editor draws panels."""


link = WorkerLink()


def redraw_panels() -> None:
    """Show a changed state. Without a user interface there is nothing to do.

    Only where panels are: drawing a heavy scene again because of a progress bar would be felt.
    """
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR":
                area.tag_redraw()  # its preview shows frames that have just come
            place = _PANEL_REGIONS.get(area.type)
            for region in area.regions:
                if region.type == place:
                    region.tag_redraw()


def _on_timer() -> float:
    before = (link.state, link.message)
    try:
        link.on_timer()
    except Exception as error:  # an exception would end the timer for good, without a word
        link.message = f"Photorig failed unexpectedly ({error})"
    if (link.state, link.message) != before:
        redraw_panels()
    return _POLL_SECONDS


def _shut_down(*_arguments: object) -> None:
    link.stop()


def register() -> None:
    atexit.register(_shut_down)
    compat.on_exit(_shut_down, register=True)
    if not bpy.app.background:
        bpy.app.timers.register(_on_timer, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.unregister(_on_timer)
    compat.on_exit(_shut_down, register=False)
    atexit.unregister(_shut_down)
    link.stop()
