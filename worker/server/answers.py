"""Answering clients: whatever fails on the way to an answer becomes an answer itself."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping

from photorig.shared.errors import PhotorigError, ProtocolError
from photorig.shared.wire import message_forms as forms
from photorig.shared.wire import portrait_forms
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.message_forms import ErrorReport
from photorig.shared.wire.messages import PortraitInfo
from photorig.shared.wire.protocol import Header, encode

from .endpoint import Endpoint, Sent
from .reply_address import ReplyAddress, reason_of

log = logging.getLogger(__name__)

MOST_BYTES = 512 << 20
"""Of a payload; clients read no larger one."""


class Answers:
    """Sends answers and probes.

    Args:
        endpoints: by name.
        gone: called with endpoint and routing id of a client that is not there any more.
    """

    def __init__(
        self, endpoints: Mapping[str, Endpoint], gone: Callable[[str, bytes], None]
    ) -> None:
        self._endpoints = endpoints
        self._gone = gone
        self._message_ids = itertools.count(1)

    @contextlib.contextmanager
    def to(self, address: ReplyAddress) -> Iterator[None]:
        """Whatever fails inside is told to who asked. Nothing gets out of it."""
        try:
            yield
        except PhotorigError as error:
            self.error(address, error, reason_of(error))
        except Exception as error:
            log.error("cannot handle a %r message", address.kind, exc_info=error)
            kind = type(error).__name__
            failure = PhotorigError(f"The worker failed at a message ({kind})", "See its log.")
            self.error(address, failure)

    def reply(self, address: ReplyAddress, kind: str, form: Form) -> None:
        """Send an answer. Raises ProtocolError where it cannot be written down or read."""
        check_sendable(form)
        header = address.answer(kind, f"w{next(self._message_ids)}", form.body)
        self._send(address.endpoint, address.routing_id, header, form)

    def error(self, address: ReplyAddress, error: PhotorigError, reason: str = "") -> None:
        """Send an error as an answer. Never raises."""
        log.info("error to a %r message: %s", address.kind, error)
        try:
            self.reply(address, "error", forms.error_form(ErrorReport.of(error, reason)))
        except Exception as failure:
            log.error("cannot tell an error to a %r message", address.kind, exc_info=failure)

    def probe(self, name: str, routing_id: bytes) -> None:
        """Find out whether a client is still there."""
        header = Header(kind="probe", id=f"w{next(self._message_ids)}")
        self._send(name, routing_id, header, Form({}))

    def _send(self, name: str, routing_id: bytes, header: Header, form: Form) -> None:
        result = self._endpoints[name].send(routing_id, encode(header, form.payloads))
        if result is Sent.PEER_GONE:
            self._gone(name, routing_id)
        elif result is Sent.PEER_FULL:
            log.warning("dropped a %r message for a client that does not read", header.kind)


def check_sendable(form: Form) -> None:
    """Raise ProtocolError where a client would refuse what is in it as too large."""
    if any(len(payload.data) > MOST_BYTES for payload in form.payloads):
        raise ProtocolError(
            "The worker's answer is too large to be sent", "Choose a smaller format or size."
        )


def sendable(form: Form) -> Form:
    """The form itself. Raises ProtocolError where it cannot be written down or read."""
    check_sendable(form)
    encode(Header("portrait", "w", re="c" * 64, body=form.body), form.payloads)
    return form


def info_form(info: PortraitInfo) -> Form:
    """What a client is told of a portrait. Raises ProtocolError where it cannot be written down."""
    return sendable(portrait_forms.portrait_info_form(info))
