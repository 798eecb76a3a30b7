"""The connection file: how a client finds a worker and proves that it may use it.

The worker writes it when it is ready and removes it when it ends. It holds a secret key, so only
its owner may read it.
"""

from __future__ import annotations

import ctypes
import ipaddress
import json
import os
import platform
import secrets
import stat
import sys
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..errors import ConnectionLost, InputError
from ..files.reading import read_file
from ..files.strict_json import parse_json
from ..files.writing import make_private_folder, write_atomically
from .protocol import VERSION

FORMAT = "photorig.connection"
PAIRED_NONCE = "paired"
"""In the place of a launch's own, for a worker that was paired and is known by its key."""
_MAX_BYTES = 64 << 10
_LONGEST_TEXT = 1000
_MOST_PID = 1 << 31


@dataclass(frozen=True)
class ConnectionInfo:
    """Where a worker listens, and the keys.

    Attributes:
        control, bulk: endpoints, "tcp://127.0.0.1:50123".
        server_public_key: Z85, 40 characters.
        client_public_key, client_secret_key: Z85; the pair the worker lets in.
        pid: of the worker process, on the computer called ``machine``.
        machine: network name of the worker's computer.
        nonce: random, new at each launch; WELCOME repeats it.
        version: (major, minor) of the protocol.
    """

    control: str
    bulk: str
    server_public_key: str
    client_public_key: str
    client_secret_key: str = field(repr=False)
    pid: int
    machine: str = field(default_factory=platform.node)
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))
    version: tuple[int, int] = VERSION

    @property
    def is_paired(self) -> bool:
        """Whether this outlasts a launch of the worker; its pid and nonce are not known then."""
        return self.nonce == PAIRED_NONCE

    @property
    def is_local(self) -> bool:
        """Whether ``pid`` names a process of this computer."""
        local = self.machine == platform.node() and is_loopback(self.control)
        return local and not self.is_paired

    @property
    def is_stale(self) -> bool:
        """Whether the worker is known to have ended; False where that cannot be known."""
        return self.is_local and not process_alive(self.pid)

    def at_host(self, host: str) -> ConnectionInfo:
        """The same worker as it is reached from another computer.

        Args:
            host: name or address; with ":port" for a control endpoint that is reached through
                another port (a tunnel), the bulk endpoint through the one after it.

        Raises:
            InputError: this is no host.
        """
        name, _, port = host.strip().removeprefix("tcp://").partition(":")
        is_port = not port or (port.isdigit() and 0 < int(port) < 65535)
        if not name or not is_port or set(name) & set("/ []"):
            raise InputError(f"{host!r} is no host", "Write it as node7 or 192.0.2.7:5600.")
        ports = [endpoint.rpartition(":")[2] for endpoint in (self.control, self.bulk)]
        if port:
            ports = [port, str(int(port) + 1)]
        control, bulk = (f"tcp://{name}:{number}" for number in ports)
        return replace(self, control=control, bulk=bulk, machine=f"{self.machine} at {name}")

    def save(self, path: Path | str) -> None:
        """Write the file in one step, readable by its owner only. Raises InputError."""
        path = Path(path)
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        try:
            make_private_folder(path.parent)
            write_atomically(path, text.encode(), private=True)
        except (OSError, InputError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            reason = getattr(cause, "strerror", None) or str(error)
            raise InputError(
                f"Cannot write the connection file {path}: {reason}",
                "Choose a folder of your own with --connection-file.",
            ) from error

    @staticmethod
    def load(path: Path | str) -> ConnectionInfo:
        """Read a connection file.

        Raises:
            ConnectionLost: there is none, so no worker runs.
            InputError: others could read or write it, or it is damaged.
        """
        path = Path(path)
        hint = "Start the worker again."
        try:
            content = read_file(path, _MAX_BYTES, lambda status: _refuse_shared(path, status))
        except FileNotFoundError as error:
            raise ConnectionLost(f"No worker has written {path}", "Start the worker.") from error
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}", hint) from error
        try:
            return _from_json(parse_json(content, _MAX_BYTES))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is no connection file", hint) from error


def remove_connection_file(path: Path | str, info: ConnectionInfo) -> None:
    """Remove the file if it still is this worker's own; another worker may have replaced it."""
    path = Path(path)
    try:
        if ConnectionInfo.load(path).nonce == info.nonce:
            path.unlink(missing_ok=True)
    except (ConnectionLost, InputError, OSError):
        pass  # gone already, or not ours


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint, ``tcp://host:port``, is reachable from this computer only."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def process_alive(pid: int) -> bool:
    """Whether a process of this computer runs; one that ended but was not yet reaped does not."""
    if not 0 < pid < _MOST_PID:
        return False
    if sys.platform == "win32":
        return _process_alive_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # Linux: "pid (name) state …"; the name may hold anything, so search from the right.
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return status.rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return True


def _process_alive_windows(pid: int) -> bool:
    """os.kill(pid, 0) would end the process on Windows, so ask the kernel."""
    query_limited_information, still_active = 0x1000, 259
    kernel32: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    handle = kernel32.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return False
    try:
        exit_code = ctypes.c_ulong()
        kernel32.GetExitCodeProcess(handle, ctypes.byref(exit_code))
        return exit_code.value == still_active
    finally:
        kernel32.CloseHandle(handle)


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if os.name != "posix":
        return  # a Windows user folder is private by its access list
    shared = bool(stat.S_IMODE(status.st_mode) & 0o077)
    if shared or status.st_uid not in (os.getuid(), 0):
        raise InputError(
            f"Other users may have read or written {path}",
            "Copy it so that it is yours alone (scp -p, or chmod 600 at once). If somebody can have"
            " read it, start the worker again: that makes new keys.",
        )


def _from_json(data: Any) -> ConnectionInfo:
    if data["format"] != FORMAT:
        raise ValueError("another format")
    values = {entry.name: data[entry.name] for entry in fields(ConnectionInfo)}
    major, minor = values.pop("version")
    pid = values.pop("pid")
    texts_fit = all(
        isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT for value in values.values()
    )
    keys_fit = texts_fit and all(
        len(values[name]) == 40 for name in values if name.endswith("_key")
    )
    numbers_fit = all(type(n) is int and 0 <= n < _MOST_PID for n in (major, minor, pid))
    if not (keys_fit and numbers_fit):
        raise ValueError("wrong values")
    return ConnectionInfo(**values, pid=pid, version=(major, minor))
