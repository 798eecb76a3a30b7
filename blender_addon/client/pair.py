# SPDX-License-Identifier: GPL-3.0-or-later
"""Gets to know a worker on another computer, once, by the code that it shows. No bpy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import zmq
from zmq.utils import z85

from ..shared.errors import Cancelled, ConnectionLost, InputError
from ..shared.wire import message_forms as forms
from ..shared.wire import pairing
from ..shared.wire.connection import PAIRED_NONCE, ConnectionInfo
from ..shared.wire.protocol import VERSION as OURS
from ..shared.wire.protocol import Header, Message, VersionMismatch, decode, encode, version_error
from .channel import never

_MAX_BYTES = 64 << 10
_POLL_MILLISECONDS = 50
_GOODBYE_MILLISECONDS = 500


def pair(
    address: str,
    code: str,
    name: str,
    timeout: float = 10.0,
    should_cancel: Callable[[], bool] = never,
) -> ConnectionInfo:
    """How to connect to a worker from now on.

    Args:
        address: host, or host:port, of the worker's control endpoint.
        code: as the worker shows it.
        name: of this client, for the worker's list.

    Raises:
        InputError: this is no address or no code.
        ConnectionLost: nobody there knows the code.
        ProtocolError: the worker is of another version.
        Cancelled: ``should_cancel`` said so.
    """
    host, port = _host_and_port(address)
    worker, ours = (z85.encode(secret) for secret in pairing.temporary_secrets(code))
    public, secret = (key.decode() for key in zmq.curve_keypair())
    context: zmq.Context[Any] = zmq.Context()
    try:
        socket = context.socket(zmq.DEALER)
        socket.linger, socket.immediate, socket.maxmsgsize = 0, True, _MAX_BYTES
        socket.curve_serverkey = zmq.curve_public(worker)
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_public(ours), ours
        if ":" in host:
            socket.ipv6 = True
        socket.connect(f"tcp://{_bracketed(host)}:{port + pairing.PAIRING_OFFSET}")
        form = pairing.pair_form(name, public)
        question = encode(Header(pairing.PAIR, "c1", body=form.body))
        answer = _ask(socket, question, timeout, should_cancel)
        with contextlib.suppress(zmq.ZMQError):  # the worker waits for a little only
            socket.send_multipart(encode(Header("bye", "c2")), zmq.NOBLOCK)
        socket.close(_GOODBYE_MILLISECONDS)
        context.term()
    finally:
        context.destroy(0)
    if answer.header.kind == "error":
        raise forms.read_error(answer).exception()
    machine, key, control, bulk = pairing.read_paired(answer)
    return ConnectionInfo(
        control=f"tcp://{_bracketed(host)}:{control}",
        bulk=f"tcp://{_bracketed(host)}:{bulk}",
        server_public_key=key,
        client_public_key=public,
        client_secret_key=secret,
        pid=0,
        machine=machine,
        nonce=PAIRED_NONCE,
        version=answer.header.version,
    )


def _ask(
    socket: zmq.Socket[Any],
    question: list[bytes | memoryview],
    timeout: float,
    should_cancel: Callable[[], bool],
) -> Message:
    deadline, is_sent = time.monotonic() + timeout, False
    while time.monotonic() < deadline:
        if should_cancel():
            raise Cancelled("Stopped by the user")
        if not is_sent and socket.poll(_POLL_MILLISECONDS, zmq.POLLOUT):
            socket.send_multipart(question)
            is_sent = True
        if is_sent and socket.poll(_POLL_MILLISECONDS):
            try:
                return decode(socket.recv_multipart(), _MAX_BYTES)
            except VersionMismatch as error:
                raise version_error(extension=OURS, worker=error.peer) from error
    raise ConnectionLost(
        "No worker there knows this code",
        "Run 'photorig pair' on its computer, and type address and code as it shows them.",
    )


def _host_and_port(address: str) -> tuple[str, int]:
    """Raises InputError."""
    text = address.strip().removeprefix("tcp://")
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() else 0
    if not host or set(host) & set("/ []@;*") or (port and not 0 < number < 65534):
        raise InputError(f"{address!r} is no address", "Write it as studio, or 192.0.2.7:45000.")
    return host, number or pairing.CONTROL_PORT


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
