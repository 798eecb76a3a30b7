"""A photo on its way to becoming a portrait: the extension's side of the wire. No bpy."""

from __future__ import annotations

import contextlib
import hashlib

from ..shared.errors import Cancelled, InputError, PhotorigError
from ..shared.wire import message_forms as forms
from ..shared.wire import portrait_forms
from ..shared.wire.message_body import Form
from ..shared.wire.messages import FitFaces, FitProgress, FitRequest, FittedPortrait
from ..shared.wire.protocol import Message
from ..shared.wire.upload_forms import PHOTO
from .channel import WorkerError
from .client import WorkerClient
from .question import Question
from .upload import Upload

SENDING = FitProgress("Sending the photo", 0.0)


class FitJob(Question):
    """One fit.

    Attributes:
        progress: how far it is.
        faces: set where the worker asks which face is meant; start another fit with its number.
        portrait: what was made, at the end.
    """

    def __init__(self, client: WorkerClient, request: FitRequest) -> None:
        """Raises ConnectionLost."""
        self.progress = SENDING
        self.faces: FitFaces | None = None
        self.portrait: FittedPortrait | None = None
        self._uploads: dict[str, Upload] = {}  # the photos, by their hashes
        form = portrait_forms.fit_form(request)
        photos = [photo for photo in request.photos if isinstance(photo, bytes)]
        in_chunks = client.bulk.takes_chunks and all(photos)
        contents = [hashlib.sha256(photo).hexdigest() for photo in photos]
        if in_chunks:
            form = portrait_forms.fit_of_uploads_form(request, contents)
        super().__init__(client, "fit", "fit", form)
        for content, photo in zip(contents, photos, strict=True):
            if in_chunks:
                self._uploads[content] = Upload(content, PHOTO, photo, self._name)

    @property
    def has_answer(self) -> bool:
        return bool(self.faces or self.portrait)

    def cancel(self) -> None:
        """Stop it; ``error`` becomes Cancelled unless it is done already."""
        if self.done:
            return
        self._fail(Cancelled("The fit was stopped"))
        if not self._client.is_connected:
            return
        with contextlib.suppress(PhotorigError):
            if self._next is None:
                self._client.control.send("end_fit", Form({}), job=self._name)
            for upload in self._uploads.values():
                upload.abort(self._client.bulk)

    def _is_prepared(self) -> bool:
        """Photos are sent one after the other."""
        for content, upload in list(self._uploads.items()):
            try:
                answer = upload.poll(self._client.bulk)
            except WorkerError as error:
                raise error.error from None
            if answer is None:
                return False
            del self._uploads[content]
        return True

    def _take(self, message: Message) -> None:
        kind = message.header.kind
        if kind == "fit_progress":
            self.progress = portrait_forms.read_fit_progress(message)
        elif kind == "fit_faces":
            self.faces = portrait_forms.read_fit_faces(message)
        elif kind == "fitted":
            self.portrait = portrait_forms.read_fitted_portrait(message)
        elif kind == "error":
            self.error = forms.read_error(message).exception()


def start_fit(client: WorkerClient, request: FitRequest) -> FitJob:
    """Begin to make a portrait.

    Raises:
        InputError: this worker cannot do that.
        ConnectionLost.
    """
    most = 0 if client.welcome is None else client.welcome.fit_photos
    if client.is_connected and most == 0:
        raise InputError(
            "This worker makes no portraits", "Update it, or load a portrait that is made already."
        )
    if client.is_connected and len(request.photos) > most:
        raise InputError(
            f"This worker makes a portrait from at most {most} photo{'s' if most > 1 else ''}",
            "Choose the best.",
        )
    return FitJob(client, request)
