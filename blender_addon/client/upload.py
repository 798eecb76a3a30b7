"""A file on its way to the worker, in chunks: a few at a time, and none is waited for. No bpy."""

from __future__ import annotations

import hashlib

from ..shared.errors import ConnectionLost
from ..shared.wire import upload_forms
from ..shared.wire.message_body import Form
from ..shared.wire.protocol import Message
from ..shared.wire.upload_forms import UploadOffer, UploadReady
from .channel import Channel, WorkerError

UNKNOWN_UPLOAD = "unknown-upload"
"""The worker's word for having given an upload up."""
_TRIES = 3
"""A worker whose clients leave uploads lying about gives up those, too, that pause for long."""


class Upload:
    """One file. Call ``poll`` regularly until it gives the worker's answer.

    Args:
        content: SHA-256 (hex) of the file.
        what: upload_forms.PORTRAIT or PHOTO.
        data: the file.
        job: that it is for, if it is for one.
    """

    def __init__(self, content: str, what: str, data: bytes, job: str | None = None) -> None:
        self._offer = UploadOffer(content, what, len(data))
        self._data = memoryview(data)
        self._job = job
        self._tries = 0
        self._restart()

    def _restart(self) -> None:
        self._ready: UploadReady | None = None
        self._asked = ""
        self._offset = self._answered = 0
        self._chunks: list[str] = []
        self._has_ended = False
        self._tries += 1

    @property
    def fraction(self) -> float:
        """How much the worker has, 0 to 1."""
        return self._answered / max(len(self._data), 1)

    def poll(self, bulk: Channel) -> Message | None:
        """Send what may be sent; the answer to the whole, None before it has come.

        Raises:
            WorkerError: the worker refuses the file.
            ConnectionLost: it gives up what was sent again and again.
        """
        try:
            if self._ready is None:
                self._begin(bulk)
            if self._ready is not None:
                self._take_answers(bulk)
                self._send_chunks(bulk, self._ready)
            return bulk.answer(self._asked) if self._has_ended else None
        except WorkerError as error:
            self._forget_answers(bulk)
            if error.reason != UNKNOWN_UPLOAD:
                raise
            if self._tries >= _TRIES:
                raise ConnectionLost(error.error.message, error.error.hint) from None
            self._restart()
            return None

    def abort(self, bulk: Channel) -> None:
        """The worker need not keep what has come. Raises nothing but what ``send`` does."""
        if self._asked and not self._has_ended:
            self._send_abort(bulk)
            self._forget_answers(bulk)

    def _begin(self, bulk: Channel) -> None:
        if not self._asked:
            self._asked = self._ask(bulk, "upload", upload_forms.upload_form(self._offer))
        answer = bulk.answer(self._asked) if self._asked else None
        if answer is None:
            return
        ready = upload_forms.read_upload_ready(answer)
        is_ours = hashlib.sha256(self._data[: ready.offset]).hexdigest() == ready.taken
        if ready.offset > len(self._data) or not is_ours:
            # Somebody else's beginning under this name: from the first byte, then.
            self._send_abort(bulk)
            self._offer = UploadOffer(self._offer.content, self._offer.what, len(self._data), False)
            self._asked = ""
            return
        self._ready, self._offset, self._answered = ready, ready.offset, ready.offset

    def _send_chunks(self, bulk: Channel, ready: UploadReady) -> None:
        while self._offset < len(self._data) and len(self._chunks) < ready.window:
            data = self._data[self._offset : self._offset + ready.chunk_bytes]
            form = upload_forms.chunk_form(self._offer.content, self._offset, data)
            if not (chunk := self._ask(bulk, "chunk", form)):
                return
            self._chunks.append(chunk)
            self._offset += len(data)
        if self._answered == len(self._data) and not self._has_ended:
            form = upload_forms.content_form(self._offer.content)
            if ended := self._ask(bulk, "end_upload", form):
                self._asked, self._has_ended = ended, True

    def _take_answers(self, bulk: Channel) -> None:
        while self._chunks and (answer := bulk.answer(self._chunks[0])) is not None:
            self._chunks.pop(0)
            self._answered = upload_forms.read_chunk_taken(answer)

    def _forget_answers(self, bulk: Channel) -> None:
        for question in (self._asked, *self._chunks):
            bulk.forget(question)

    def _send_abort(self, bulk: Channel) -> None:
        if aborted := self._ask(
            bulk, "abort_upload", upload_forms.content_form(self._offer.content)
        ):
            bulk.forget(aborted)

    def _ask(self, bulk: Channel, kind: str, form: Form) -> str:
        """The message's id, "" where it must be sent again later."""
        question = bulk.send(kind, form, job=self._job)
        if question is None:
            return ""
        bulk.expect(question)
        return question
