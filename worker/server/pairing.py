"""Lets one client of another computer onto the list, if it knows the code (shared/pairing.py)."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import zmq

from photorig.shared.errors import PhotorigError, ProtocolError
from photorig.shared.wire import message_forms as forms
from photorig.shared.wire import pairing
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.protocol import (
    VERSION,
    Header,
    MalformedBody,
    Message,
    VersionMismatch,
    decode,
    encode,
    version_error,
)

from .allow_list import AllowList, KnownClient
from .endpoint import Endpoint, KeyGuard, KeyPair

log = logging.getLogger(__name__)

_MAX_BYTES = 64 << 10
_POLL_MILLISECONDS = 200
_GOODBYE_SECONDS = 3.0
"""How long the client has to say that it has the answer; a socket that is closed may lose it."""


@dataclass(frozen=True)
class Offer:
    """What a client gets to know of this worker.

    Attributes:
        machine: name of this computer.
        public_key: the worker's (Z85).
        control, bulk: its ports.
    """

    machine: str
    public_key: str
    control: int
    bulk: int


def wait_for_client(
    address: str, code: str, offer: Offer, allowed: AllowList, seconds: float
) -> KnownClient | None:
    """Wait for the one client that knows the code, and put it on the list.

    Args:
        address: where to listen, ``tcp://host:port``.

    Returns:
        the client; None where none came in time.

    Raises:
        InputError: the address cannot be bound, the list cannot be written.
    """
    worker, client = map(KeyPair.of_secret, pairing.temporary_secrets(code))
    context: zmq.Context[Any] = zmq.Context()
    try:
        guard = KeyGuard(context, [client.public])
        endpoint = Endpoint(context, address, worker, _MAX_BYTES, 8)
        poller = zmq.Poller()
        poller.register(guard.socket, zmq.POLLIN)
        poller.register(endpoint.socket, zmq.POLLIN)
        deadline, known = time.monotonic() + seconds, None
        while time.monotonic() < deadline:
            poller.poll(_POLL_MILLISECONDS)
            guard.answer()
            while (received := endpoint.receive()) is not None:
                if known is not None:
                    return known  # whatever it says now, it has the answer
                known = _answer(endpoint, *received, offer, allowed)
                if known is not None:
                    deadline = time.monotonic() + _GOODBYE_SECONDS
        return known
    finally:
        context.destroy(0)


def _answer(
    endpoint: Endpoint,
    routing_id: bytes,
    parts: list[memoryview],
    offer: Offer,
    allowed: AllowList,
) -> KnownClient | None:
    """Answer one message; the client, where it has asked to be let in."""
    asked: str | None = None
    try:
        message = decode(parts, _MAX_BYTES)
        asked = message.header.id
        known = _let_in(message, allowed)
    except VersionMismatch as error:
        asked, answer = error.message_id, version_error(extension=error.peer, worker=VERSION)
        _send(endpoint, routing_id, "error", _error_form(answer), asked)
        return None
    except PhotorigError as error:
        asked = error.message_id if isinstance(error, MalformedBody) else asked
        _send(endpoint, routing_id, "error", _error_form(error), asked)
        return None
    told = pairing.paired_form(offer.machine, offer.public_key, offer.control, offer.bulk)
    _send(endpoint, routing_id, pairing.PAIRED, told, asked)
    return known


def _let_in(message: Message, allowed: AllowList) -> KnownClient:
    if message.header.kind != pairing.PAIR:
        raise ProtocolError("A worker that pairs knows nothing else", "Pair first.")
    name, key = pairing.read_pair(message)
    client = KnownClient(key, name)
    allowed.add(client)
    return client


def _error_form(error: PhotorigError) -> Form:
    return forms.error_form(forms.ErrorReport.of(error))


def _send(endpoint: Endpoint, routing_id: bytes, kind: str, form: Form, asked: str | None) -> None:
    header = Header(kind, "w1", re=asked, body=form.body)
    endpoint.send(routing_id, encode(header, form.payloads))
