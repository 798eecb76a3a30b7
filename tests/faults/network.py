"""A network between a client and a worker of this computer, which can be cut."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable

_CHUNK = 1 << 16


class Network:
    """Listens on two ports of its own and passes on what comes, as long as it holds.

    Args:
        target: gives where the control and the bulk endpoint are now, as (host, port) each. Raises
            OSError while there is no worker.
    """

    def __init__(self, target: Callable[[], tuple[tuple[str, int], tuple[str, int]]]) -> None:
        self._target = target
        self._cut_until = self._stalled_until = 0.0
        self._closed = threading.Event()
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.ports = tuple(one.getsockname()[1] for one in self._listeners)
        for number, listener in enumerate(self._listeners):
            threading.Thread(target=self._accept, args=(number, listener), daemon=True).start()

    def cut(self, seconds: float) -> None:
        """Reset all connections, and take no new ones for so long."""
        self._cut_until = time.monotonic() + seconds

    def stall(self, seconds: float) -> None:
        """Let nothing through for so long; connections stay."""
        self._stalled_until = time.monotonic() + seconds

    def close(self) -> None:
        self._closed.set()
        for listener in self._listeners:
            listener.close()

    @property
    def _is_cut(self) -> bool:
        return time.monotonic() < self._cut_until

    def _accept(self, number: int, listener: socket.socket) -> None:
        while not self._closed.is_set():
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(number, near), daemon=True).start()

    def _pass_on(self, number: int, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if self._is_cut:
                return
            with socket.create_connection(self._target()[number], 5) as far:
                other = {near: far, far: near}
                while not self._closed.is_set() and not self._is_cut:
                    readable = select.select(list(other), [], [], 0.02)[0]
                    if time.monotonic() < self._stalled_until:
                        time.sleep(0.02)
                        continue
                    for one in readable:
                        content = one.recv(_CHUNK)
                        if not content:
                            return
                        other[one].sendall(content)
