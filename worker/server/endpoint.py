"""ROUTER sockets with CURVE keys, and the allow-list (ZAP, ZeroMQ RFC 27) that guards them."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import zmq
from zmq.utils import z85

from photorig.shared.errors import InputError
from photorig.shared.wire.protocol import MAX_PAYLOADS

log = logging.getLogger(__name__)

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
ZAP_DOMAIN = b"photorig"
_WAITING_MESSAGES = 64
_BACKLOG = 512
"""Connections that wait to be accepted; a flood of them must leave room for those we know."""


class Sent(Enum):
    """What became of a message that was sent."""

    YES = "yes"
    PEER_GONE = "peer gone"
    PEER_FULL = "peer full"


@dataclass(frozen=True)
class KeyPair:
    """CURVE keys, Z85, 40 characters each."""

    public: str
    secret: str

    @staticmethod
    def new() -> KeyPair:
        public, secret = zmq.curve_keypair()
        return KeyPair(public.decode(), secret.decode())

    @staticmethod
    def of_secret(secret: str | bytes) -> KeyPair:
        """The pair that a secret key (Z85, or its 32 bytes) belongs to."""
        text = z85.encode(secret).decode() if isinstance(secret, bytes) else secret
        return KeyPair(zmq.curve_public(text.encode()).decode(), text)


class KeyGuard:
    """Lets in clients whose public key is on the list; answers libzmq in the server's own loop.

    It must be made before the first socket is bound: without it libzmq lets everybody in.

    Args:
        allowed_keys: public keys (Z85) that may come as long as this lasts.
        further: keys (32 bytes) that may come as long as they are in it.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        allowed_keys: Iterable[str],
        further: Container[bytes] = frozenset(),
    ) -> None:
        self._allowed = {z85.decode(key) for key in allowed_keys}
        self._further = further
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ZAP_ENDPOINT)

    def answer(self) -> None:
        """Answer one request. Call when the socket is readable."""
        try:
            request = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        version, request_id = (request + [b"", b""])[:2]
        mechanism, credentials = request[5:6], request[6:]
        welcome = mechanism == [b"CURVE"] and len(credentials) == 1
        welcome = welcome and self.lets_in(credentials[0])
        if not welcome:
            log.warning("refused a client whose key is not on the list")
        status = (b"200", b"OK") if welcome else (b"400", b"This key is not on the list")
        # The key comes with each message then, so that one who is removed is not heard any more.
        user = credentials[0].hex().encode() if welcome else b""
        self.socket.send_multipart([version, request_id, *status, user, b""])

    def lets_in(self, key: bytes) -> bool:
        """Whether the client with this public key (32 bytes) may come, and may stay."""
        return key in self._allowed or key in self._further


class Endpoint:
    """One ROUTER socket.

    Args:
        address: ``tcp://host:port``; port ``*`` or ``0`` lets the system choose.
        max_part_bytes: most bytes of a received part; libzmq cuts off who sends more.
        high_water_mark: most messages that wait for one client that does not read.
        guard: asked again about who sends; None where nobody is ever removed.

    Raises:
        InputError: the address cannot be bound.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        address: str,
        keys: KeyPair,
        max_part_bytes: int,
        high_water_mark: int,
        guard: KeyGuard | None = None,
    ) -> None:
        self.max_part_bytes = max_part_bytes
        self._guard = guard
        self.socket = socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.curve_server = True
        socket.curve_secretkey = keys.secret.encode()
        socket.curve_publickey = keys.public.encode()
        socket.zap_domain = ZAP_DOMAIN
        socket.router_mandatory = True
        socket.maxmsgsize = max_part_bytes
        socket.sndhwm = high_water_mark
        # What libzmq takes in before we look at it: messages of each client, up to the limit each.
        socket.rcvhwm = _WAITING_MESSAGES
        # A stranger's connection that says nothing costs a file until then.
        socket.handshake_ivl = 10_000
        socket.backlog = _BACKLOG
        # A computer that was cut off is noticed by the transport, however silent its client is.
        socket.heartbeat_ivl = 5_000
        socket.heartbeat_timeout = 20_000
        socket.tcp_keepalive = 1
        if "[" in address:
            socket.ipv6 = True
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            socket.close(0)
            raise InputError(
                f"Cannot listen at {address}: {error.strerror}",
                "Choose another port, or leave --bind out.",
            ) from error
        self.address = socket.last_endpoint.rstrip(b"\0").decode()

    def receive(self) -> tuple[bytes, list[memoryview]] | None:
        """The next message as (routing id, parts), None where there is none.

        Of a message with too many parts only as many are kept as it takes to see that, and none of
        one whose sender is not let in any more.
        """
        while True:
            try:
                routing_id = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return None
            parts: list[memoryview] = []
            sender = ""
            while self.socket.rcvmore:
                frame = self.socket.recv(copy=False)
                if not parts and self._guard is not None:
                    sender = frame.get("User-Id")
                if len(parts) <= 2 + MAX_PAYLOADS:
                    parts.append(frame.buffer)
            if self._guard is None or self._guard.lets_in(bytes.fromhex(sender)):
                return routing_id, parts
            log.warning("a client that was removed from the list is not heard")

    def send(self, routing_id: bytes, parts: Iterable[bytes | memoryview]) -> Sent:
        """Send without waiting; says what became of it."""
        try:
            self.socket.send_multipart([routing_id, *parts], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return Sent.PEER_FULL
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                log.error("cannot send: %s", error)
            return Sent.PEER_GONE
        return Sent.YES

    def close(self) -> None:
        self.socket.close(0)
