"""Portraits that the worker lacks: the one way in which they get there. No bpy.

Previews, single frames, jobs and heads name portraits by their ids; before they are asked for, or
when the worker says that it has forgotten one, it is asked whether it has it, and sent it if not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..shared.bounded_cache import BoundedCache
from ..shared.errors import PhotorigError
from ..shared.wire import portrait_forms
from ..shared.wire.message_body import Form
from ..shared.wire.messages import PortraitInfo
from ..shared.wire.protocol import Message
from ..shared.wire.upload_forms import PORTRAIT
from .channel import Channel, WorkerError
from .upload import Upload

UNKNOWN = "unknown-portrait"
"""The worker's word for why it does not do what it was asked."""

Source = bytes | Callable[[], bytes]
"""A portrait's file, or what reads it where it is needed; that may raise PhotorigError."""

_REMEMBERED = 64


class PortraitSources:
    """Where the files of portraits are had from, by their ids."""

    def __init__(self) -> None:
        self._sources = BoundedCache[str, Source](_REMEMBERED)

    def offer(self, sources: Mapping[str, Source]) -> None:
        for portrait, source in sources.items():
            self._sources.put(portrait, source)

    def content(self, portrait: str) -> bytes:
        """The file. Raises KeyError where nobody knows it, PhotorigError where it is unreadable."""
        source = self._sources.get(portrait)
        if source is None:
            raise KeyError(portrait)
        return source() if callable(source) else source


class PortraitDelivery:
    """Asks one worker whether it has a portrait, and sends it where it has not, without waiting."""

    def __init__(self, sources: PortraitSources) -> None:
        self._sources = sources
        self._known: dict[str, PortraitInfo] = {}
        self._questions: dict[str, str] = {}
        self._uploads: dict[str, Upload] = {}

    def are_there(self, bulk: Channel, portraits: Iterable[str]) -> bool:
        """Whether the worker has all of them; call again later where it has not yet.

        Raises:
            PhotorigError: one cannot be had, or the worker refuses it.
        """
        there = [self._is_there(bulk, each) for each in portraits]  # all are asked for at once
        return all(there)

    def info(self, portrait: str) -> PortraitInfo:
        """What the worker said about a portrait that it has."""
        return self._known[portrait]

    def forget(self, portraits: Iterable[str]) -> bool:
        """The worker has forgotten one of these; whether any was thought to be there, so that to
        send it once more may help."""
        known = [self._known.pop(each, None) for each in portraits]
        return any(known)

    def _is_there(self, bulk: Channel, portrait: str) -> bool:
        if portrait in self._known:
            return True
        if portrait not in self._questions and portrait not in self._uploads:
            form = portrait_forms.portrait_reference_form(portrait)
            self._ask(bulk, portrait, "portrait_query", form)
            return False
        try:
            answer = self._answer(bulk, portrait)
        except WorkerError as error:
            self._done(portrait)
            if error.reason != UNKNOWN:
                raise error.error from None
            self._send(bulk, portrait, error.error)
            return False
        except PhotorigError:
            self._done(portrait)
            raise
        if answer is None:
            return False
        self._done(portrait)
        self._known[portrait] = portrait_forms.read_portrait_info(answer)
        return True

    def _answer(self, bulk: Channel, portrait: str) -> Message | None:
        upload = self._uploads.get(portrait)
        return bulk.answer(self._questions[portrait]) if upload is None else upload.poll(bulk)

    def _done(self, portrait: str) -> None:
        self._questions.pop(portrait, None)
        self._uploads.pop(portrait, None)

    def _send(self, bulk: Channel, portrait: str, reason: PhotorigError) -> None:
        try:
            content = self._sources.content(portrait)
        except KeyError:
            raise reason from None
        if bulk.takes_chunks:
            upload = self._uploads[portrait] = Upload(portrait, PORTRAIT, content)
            upload.poll(bulk)
            return
        form = portrait_forms.portrait_upload_form(portrait, content)
        self._ask(bulk, portrait, "portrait_upload", form)

    def _ask(self, bulk: Channel, portrait: str, kind: str, form: Form) -> None:
        question = bulk.send(kind, form)
        if question is not None:
            bulk.expect(question)
            self._questions[portrait] = question
