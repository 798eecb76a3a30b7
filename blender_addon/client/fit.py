"""A photo on its way to becoming a portrait: the extension's side of the wire. No bpy."""

from __future__ import annotations

import contextlib

from ..shared.errors import Cancelled, InputError, PhotorigError
from ..shared.wire import message_forms as forms
from ..shared.wire import portrait_forms
from ..shared.wire.message_body import Form
from ..shared.wire.messages import FitFaces, FitProgress, FitRequest, FittedPortrait
from ..shared.wire.protocol import Message
from .client import WorkerClient
from .question import Question

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
        super().__init__(client, "fit", "fit", portrait_forms.fit_form(request))

    @property
    def has_answer(self) -> bool:
        return bool(self.faces or self.portrait)

    def cancel(self) -> None:
        """Stop it; ``error`` becomes Cancelled unless it is done already."""
        if self.done:
            return
        self._fail(Cancelled("The fit was stopped"))
        if self._next is None and self._client.is_connected:
            with contextlib.suppress(PhotorigError):
                self._client.control.send("end_fit", Form({}), job=self._name)

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
