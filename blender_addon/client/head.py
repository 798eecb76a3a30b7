"""Asks the worker for the shape of a portrait's head, without waiting. No bpy."""

from __future__ import annotations

from ..shared.errors import Cancelled
from ..shared.wire import message_forms as forms
from ..shared.wire import portrait_forms
from ..shared.wire.messages import HeadMeasurement
from ..shared.wire.protocol import Message
from .client import WorkerClient
from .portrait_delivery import UNKNOWN
from .question import Question


class HeadQuery(Question):
    """One measurement.

    Attributes:
        head: the answer.
    """

    def __init__(self, client: WorkerClient, portrait: str, content: bytes) -> None:
        """
        Args:
            portrait: id.
            content: the portrait's file, sent where the worker lacks it.

        Raises:
            ConnectionLost.
        """
        self.head: HeadMeasurement | None = None
        self._question = portrait_forms.portrait_reference_form(portrait)
        client.offer_portraits({portrait: content})
        super().__init__(client, "head", "head_query", self._question, (portrait,))

    @property
    def has_answer(self) -> bool:
        return self.head is not None

    def cancel(self) -> None:
        """The answer is of no interest any more."""
        if not self.done:
            self._fail(Cancelled("Stopped by the user"))

    def _take(self, message: Message) -> None:
        kind = message.header.kind
        if kind == "head":
            self.head = portrait_forms.read_head(message)
        elif kind == "error":
            report = forms.read_error(message)
            if report.reason == UNKNOWN and self._client.forget_portraits(self._portraits):
                self._next = "head_query", self._question
            else:
                self.error = report.exception()
