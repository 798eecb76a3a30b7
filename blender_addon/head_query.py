"""Asks the worker for the shape of a portrait's head, without waiting. No bpy."""

from __future__ import annotations

from .client import WorkerClient
from .shared import message_forms as forms
from .shared.errors import Cancelled, PhotorigError
from .shared.message_forms import Form
from .shared.messages import HeadMeasurement
from .shared.protocol import Message


class HeadQuery:
    """One question; call ``poll`` regularly until ``done``.

    Attributes:
        head: the answer.
        error: why there is none; ``poll`` never raises it.
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
        self.error: PhotorigError | None = None
        self._client, self._name = client, client.new_job_name("head")
        self._upload = forms.portrait_upload_form(portrait, content)
        self._question = forms.portrait_reference_form(portrait)
        self._next: tuple[str, Form] | None = ("head_query", self._question)
        self._has_sent = False
        client.add_job(self._name, self)

    @property
    def done(self) -> bool:
        return self.head is not None or self.error is not None

    def poll(self) -> None:
        """Send what waits and take what has come; returns at once and raises nothing."""
        if self.done:
            return
        try:
            if self._next is not None:
                kind, form = self._next
                if self._client.bulk.send(kind, form, job=self._name) is not None:
                    self._next = None
            self._client.poll()
        except PhotorigError as error:
            self._fail(error)

    def cancel(self) -> None:
        """The answer is of no interest any more."""
        if not self.done:
            self._fail(Cancelled("Stopped by the user"))

    def _receive(self, message: Message) -> None:
        kind = message.header.kind
        if kind == "head":
            self.head = forms.read_head(message)
        elif kind == "portrait":
            self._next = ("head_query", self._question)
        elif kind == "error":
            report = forms.read_error(message)
            if report.reason == "unknown-portrait" and not self._has_sent:
                self._has_sent, self._next = True, ("portrait_upload", self._upload)
            else:
                self.error = report.exception()
        if self.done:
            self._client.forget_job(self._name)

    def _fail(self, error: PhotorigError) -> None:
        self.error = self.error or error
        self._client.forget_job(self._name)
