"""Starts and ends the server: sockets, connection file, parent watch, signals, idle time."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import urlsplit

import zmq

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

from photorig.shared.errors import InputError
from photorig.shared.wire.connection import (
    ConnectionInfo,
    is_loopback,
    process_alive,
    remove_connection_file,
)
from photorig.shared.wire.messages import MessageLimits

from .allow_list import AllowList
from .endpoint import Endpoint, KeyGuard, KeyPair
from .executors.interface import Executor
from .fits.queue import Fitter
from .gateway import BULK, CONTROL, Gateway, HeadMeasure
from .portrait_store import PortraitStore
from .watchdog import PATIENCE_SECONDS, WorkerHung

log = logging.getLogger(__name__)

DEFAULT_BIND = "tcp://127.0.0.1:*"
_POLL_MILLISECONDS = 500
_MANY_FILES = 65536
_LAST_WORDS_SECONDS = 0.5
"""For what a worker that gives up has told its clients to reach them."""


@dataclass(frozen=True)
class ServerOptions:
    """How the server runs.

    Attributes:
        connection_file: written when ready, removed at the end.
        bind: address of the control endpoint. The bulk endpoint takes the next port, or another
            one of the system's choice.
        allowed_keys: public keys (Z85) let in besides the connection file's.
        allow_list: further keys, which may come and go while the server runs; either is needed for
            an address that other computers can reach.
        identity: the worker's key pair, by which other computers know it; new if None.
        parent_pid: end when this process has ended.
        idle_minutes: end after so long without work; 0 means never.
        end_with_stdin: end when standard input is closed.
        worker: program and version, for WELCOME.
        patience_seconds: how long a frame may take without a sign of life before the worker ends.
    """

    connection_file: Path
    bind: str = DEFAULT_BIND
    allowed_keys: tuple[str, ...] = ()
    allow_list: AllowList | None = None
    identity: KeyPair | None = None
    parent_pid: int | None = None
    idle_minutes: float = 0.0
    end_with_stdin: bool = False
    worker: str = "photorig"
    patience_seconds: float = PATIENCE_SECONDS


def serve(
    options: ServerOptions,
    executor: Executor,
    portraits: PortraitStore,
    on_ready: Callable[[ConnectionInfo], None],
    stop: StopSignal | None = None,
    limits: MessageLimits | None = None,
    fitter: Fitter | None = None,
    measure_head: HeadMeasure | None = None,
) -> str:
    """Serve until told to stop; returns why it stopped, as half a sentence for the log.

    Args:
        executor: started; the caller closes it.
        on_ready: called when clients can connect.
        stop: where the caller can stop the server; signals end it where there is none.
        fitter: makes portraits from photos, closed by the caller; None for a worker without.
        measure_head: called in a thread of the server; None for a worker that measures no heads.

    Raises:
        InputError: the address cannot or must not be used, the connection file cannot be written.
        WorkerHung: a thread did not come back from a portrait; the process has to end, at once.
    """
    control_address, bulk_address = bind_addresses(options)
    limits = limits or MessageLimits()
    if not zmq.has("curve"):
        raise InputError("This ZeroMQ has no encryption (CURVE)", "Install pyzmq from PyPI.")
    allow_many_files()
    server_keys, client_keys = options.identity or KeyPair.new(), KeyPair.new()
    context: zmq.Context[Any] = zmq.Context()
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(context.destroy, 0)
        fixed, removable = (client_keys.public, *options.allowed_keys), options.allow_list
        guard = KeyGuard(context, fixed, frozenset() if removable is None else removable)
        again = None if removable is None else guard
        # Frames of a client that does not read are bounded by credits on the bulk endpoint, but on
        # the control endpoint only by this mark.
        control = Endpoint(context, control_address, server_keys, limits.control_bytes, 32, again)
        bulk = Endpoint(context, bulk_address, server_keys, limits.bulk_bytes, 1000, again)
        info = ConnectionInfo(
            control=local_address(control.address),
            bulk=local_address(bulk.address),
            server_public_key=server_keys.public,
            client_public_key=client_keys.public,
            client_secret_key=client_keys.secret,
            pid=os.getpid(),
        )
        stop = stop or cleanup.enter_context(StopSignal())
        executor.wake = stop.wake
        if fitter is not None:
            fitter.wake = stop.wake
        gateway = Gateway(
            {CONTROL: control, BULK: bulk},
            executor,
            portraits,
            options.worker,
            info.nonce,
            stop.wake,
            limits,
            fitter,
            measure_head,
            options.patience_seconds,
        )
        cleanup.callback(gateway.close)
        if options.end_with_stdin:
            stop.watch_stdin()
        info.save(options.connection_file)
        cleanup.callback(remove_connection_file, options.connection_file, info)
        log.info("listening at %s and %s", info.control, info.bulk)
        on_ready(info)
        _loop(options, gateway, guard, (control, bulk), stop)
        if gateway.failure is not None:
            raise gateway.failure
        return stop.reason


def allow_many_files() -> None:
    """Connections of strangers, who get nowhere, must not take the last files from fits."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, _MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def end_at_once(error: WorkerHung) -> NoReturn:
    """End this process with a sentence; Python itself would wait for what hangs."""
    log.critical("the worker ends: %s", error)
    print(f"photorig: {error}", file=sys.stderr, flush=True)
    logging.shutdown()
    os._exit(1)


def bind_addresses(options: ServerOptions) -> tuple[str, str]:
    """Addresses of the control and the bulk endpoint. Raises InputError."""
    hint = "Write it as tcp://127.0.0.1:5600."
    try:
        # urlsplit does not take the star that ZeroMQ has for "any port".
        parts = urlsplit(options.bind.replace(":*", ":0"))
        host, port = parts.netloc.rpartition(":")[0], parts.port
    except ValueError as error:
        raise InputError(f"The address {options.bind!r} cannot be read", hint) from error
    if parts.scheme != "tcp" or not host or port is None or parts.path:
        raise InputError(f"The address {options.bind!r} cannot be used", hint)
    if port > 65534:
        raise InputError(f"Port {port} leaves none for the second endpoint", hint)
    is_known = options.allowed_keys or (options.allow_list and options.allow_list.clients())
    if not is_loopback(f"tcp://{host}:{port}") and not is_known:
        raise InputError(
            f"Other computers could reach {options.bind}, and no client is known yet",
            f"Run 'photorig pair --bind {options.bind}' first, or leave --bind out.",
        )
    if port == 0:
        return f"tcp://{host}:*", f"tcp://{host}:*"
    return f"tcp://{host}:{port}", f"tcp://{host}:{port + 1}"


def local_address(address: str) -> str:
    """Where clients of this computer reach a socket that listens at all addresses."""
    return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


class StopSignal:
    """Wakes the loop from other threads, and remembers why it should stop.

    As a context manager in the main thread it also takes the signals that end a process.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
                number = getattr(signal, name, None)
                if number is not None:
                    self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self.reader.close()
        self._writer.close()

    def wake(self) -> None:
        # Full means that the loop will wake anyway; closed, that it has ended.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.wake()

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(4096):
                pass

    def watch_stdin(self) -> None:
        """Stop when standard input is closed: the way to end a worker politely on Windows."""

        def watch() -> None:
            with contextlib.suppress(OSError, ValueError):
                while os.read(0, 4096):
                    pass
            self.stop("standard input was closed")

        threading.Thread(target=watch, name="photorig-stdin", daemon=True).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop(f"signal {signal.Signals(number).name} came")


def _loop(
    options: ServerOptions,
    gateway: Gateway,
    guard: KeyGuard,
    endpoints: tuple[Endpoint, ...],
    stop: StopSignal,
) -> None:
    poller = zmq.Poller()
    for source in (guard.socket, stop.reader, *(endpoint.socket for endpoint in endpoints)):
        poller.register(source, zmq.POLLIN)
    checks = _checks(options, gateway)
    while not stop.reason:
        poller.poll(_POLL_MILLISECONDS)
        stop.drain()
        try:
            guard.answer()
        except Exception as error:  # an edge: a stranger's connection must not end the worker
            log.error("cannot look at a client's key", exc_info=error)
        gateway.turn()
        if gateway.failure is not None:
            time.sleep(_LAST_WORDS_SECONDS)
            stop.stop(str(gateway.failure))
        reason = next(checks)
        if reason:
            stop.stop(reason)


def _checks(options: ServerOptions, gateway: Gateway) -> Iterator[str]:
    """Why the server should end by itself, "" while it should not; looks once a second."""
    looked = 0.0
    while True:
        now = time.monotonic()
        if now - looked < 1:
            yield ""
            continue
        looked = now
        if options.parent_pid is not None and not _parent_alive(options.parent_pid):
            yield f"its parent {options.parent_pid} has ended"
        elif not gateway.is_idle:
            gateway.last_work = now
            yield ""
        elif options.idle_minutes and now - gateway.last_work > options.idle_minutes * 60:
            yield f"there was nothing to do for {options.idle_minutes:g} minutes"
        else:
            yield ""


def _parent_alive(pid: int) -> bool:
    # A parent that started us and died leaves us to another process, and its number to anybody.
    if sys.platform != "win32" and pid == _FIRST_PARENT and os.getppid() != pid:
        return False
    return process_alive(pid)


_FIRST_PARENT = os.getppid() if hasattr(os, "getppid") else 0
