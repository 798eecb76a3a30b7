"""A question to the worker whose answer takes a while: what fits and measurements share. No bpy."""

from __future__ import annotations

from ..shared.errors import PhotorigError
from ..shared.wire.message_body import Form
from ..shared.wire.protocol import Message
from .client import WorkerClient


class Question:
    """Asks, and waits without waiting; call ``poll`` regularly until ``done``.

    A subclass keeps the answer.

    Attributes:
        error: why there is no answer; ``poll`` never raises it.
    """

    def __init__(
        self,
        client: WorkerClient,
        prefix: str,
        kind: str,
        form: Form,
        portraits: tuple[str, ...] = (),
    ) -> None:
        """
        Args:
            prefix: of the name under which the worker answers.
            kind, form: the message; it is sent once more where ``_next`` is set again.
            portraits: ids of those that the worker has to have for it.

        Raises:
            ConnectionLost.
        """
        self.error: PhotorigError | None = None
        self._client, self._name = client, client.new_job_name(prefix)
        self._next: tuple[str, Form] | None = (kind, form)
        self._portraits = portraits
        client.add_job(self._name, self)

    @property
    def has_answer(self) -> bool:
        raise NotImplementedError

    @property
    def done(self) -> bool:
        return self.error is not None or self.has_answer

    def poll(self) -> None:
        """Send what waits and take what has come; returns at once and raises nothing."""
        if self.done:
            return
        try:
            if self._next is not None and self._is_prepared():
                kind, form = self._next
                if self._client.bulk.send(kind, form, job=self._name) is not None:
                    self._next = None
            self._client.poll()
        except PhotorigError as error:
            self._fail(error)

    def _is_prepared(self) -> bool:
        """Whether the worker has what the question needs. Raises PhotorigError."""
        return self._client.has_portraits(self._portraits)

    def _take(self, message: Message) -> None:
        """Keep what a message says."""
        raise NotImplementedError

    def _receive(self, message: Message) -> None:
        if not self.done:
            self._take(message)
        if self.done:
            self._client.forget_job(self._name)

    def _fail(self, error: PhotorigError) -> None:
        self.error = self.error or error
        self._client.forget_job(self._name)
