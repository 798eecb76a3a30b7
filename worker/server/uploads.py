"""Uploads of all clients, chunk by chunk: who sends what, and how much of it there may be.

Books are kept in the server's loop. What touches the disk happens in a thread of its own, one thing
after the other, so that neither previews nor the reading of other portraits wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from photorig.shared.errors import InputError, PhotorigError, ProtocolError
from photorig.shared.files.portrait_layout import MAXIMUM_BYTES
from photorig.shared.files.writing import sweep
from photorig.shared.wire import upload_forms
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.protocol import Message
from photorig.shared.wire.upload_forms import (
    CHUNK_BYTES,
    PORTRAIT,
    WINDOW,
    UploadOffer,
    UploadReady,
)

from .budget import STORED_OF_ALL, STORED_OF_CLIENT, ByteBudget, TooMuch
from .later import Later, LaterAnswer
from .received_file import ReceivedFile, unknown_upload
from .reply_address import ReplyAddress

UPLOAD_KINDS = ("upload", "chunk", "end_upload", "abort_upload")
"""Messages of clients that are taken here."""
UPLOADS_OF_CLIENT, UPLOADS_OF_ALL = 16, 64
"""Most uploads that may be under way, or wait for what they were sent for."""
IDLE_SECONDS = 120.0
"""After so long without a chunk an upload is given up."""
KEPT_SECONDS = 60.0
"""For so long an upload that was cut off waits for its client to come back."""
_PACE_SECONDS = 0.02
"""Between two chunks while somebody looks at previews: they are not to wait for a core."""
STALLED_SECONDS = 10.0
"""After so long without a chunk an upload makes room for others that need it."""
MAX_PHOTO_BYTES = 256 << 20
_LOOK_SECONDS = 1.0

_Key = tuple[str, str, str]
"""Of an upload: its client, the job that it is for, and its content."""
Keep = Callable[[ReplyAddress, "ReceivedFile", Callable[[], None]], None]


@dataclass(eq=False)
class _Upload:
    """One upload.

    Attributes:
        client: its session; "" after that was cut off.
        job: that it is for, "" where there is none.
        unanswered: chunks that have come and are not on the disk yet.
        heard: when its last message came, in seconds on the monotonic clock.
        is_ending: whether its client has said that it was all.
        is_whole: whether that was so, for a photo that waits for its fit.
    """

    client: str
    job: str
    what: str
    file: ReceivedFile
    unanswered: int = 0
    heard: float = field(default_factory=time.monotonic)
    is_ending: bool = False
    is_whole: bool = False

    @property
    def key(self) -> _Key:
        return self.client, self.job, self.file.sha256

    def rests(self, seconds: float) -> bool:
        """Whether nothing has come for so long, and nothing is being done with it."""
        is_busy = self.unanswered or (self.is_ending and not self.is_whole)
        return not is_busy and time.monotonic() - self.heard > seconds


class Uploads:
    """The uploads that are under way.

    Args:
        folder: where they are written, that of the portraits.
        sent: where the bytes are counted that wait in memory for the disk.
        wake: called from the writing thread when there is an answer.
        keep: called with a whole portrait's address and file, and what frees its room when it has
            been kept or refused.
        probe: finds out which clients have gone; ``forget`` is called for those.
        is_watched: whether somebody looks at previews now; may be called by any thread.
    """

    def __init__(
        self,
        folder: Path,
        sent: ByteBudget,
        wake: Callable[[], None],
        keep: Keep,
        probe: Callable[[], None],
        is_watched: Callable[[], bool],
    ) -> None:
        self._folder = folder
        self._sent = sent
        self._keep = keep
        self._probe = probe
        self._is_watched = is_watched
        self._stored = ByteBudget(STORED_OF_CLIENT, STORED_OF_ALL)
        self._writer = Later(wake, "photorig-uploads")
        self._writer.do(lambda: sweep(folder))
        self._uploads: dict[_Key, _Upload] = {}
        self._cut_off: list[_Upload] = []
        self._looked = 0.0
        handlers = (self._begin, self._chunk, self._end, self._abort)
        self._handlers = dict(zip(UPLOAD_KINDS, handlers, strict=True))

    def handle(self, address: ReplyAddress, client: str, message: Message) -> None:
        """Take one of the messages of an upload. Raises PhotorigError; the upload is over then."""
        self._handlers[message.header.kind](address, client, message)

    def photo(self, client: str, job: str, content: str) -> tuple[ReceivedFile, Callable[[], None]]:
        """A photo that is there, for a fit, and what to call when that has ended. It is the fit's
        then: the client sends it again for another one. Raises ProtocolError."""
        upload = self._uploads.get((client, job, content))
        if upload is None or not upload.is_whole:
            raise unknown_upload()
        del self._uploads[upload.key]
        return upload.file, lambda: self._discard(upload)

    def forget(self, client: str, is_cut_off: bool) -> None:
        """A client has gone; where it was cut off it may come back and go on."""
        for key, upload in [item for item in self._uploads.items() if item[0][0] == client]:
            del self._uploads[key]
            if is_cut_off and not upload.is_ending:
                self._stored.give_back(client, upload.file.n_bytes)
                self._stored.hold("", upload.file.n_bytes)
                upload.client, upload.heard = "", time.monotonic()
                self._cut_off.append(upload)
            else:
                self._discard(upload)

    def answers(self) -> Iterator[LaterAnswer]:
        """What was written since the last call; one that failed is forgotten."""
        for answer in self._writer.answers():
            self._sent.give_back(answer.client, answer.n_bytes)
            upload: _Upload = answer.about
            upload.unanswered -= bool(answer.n_bytes)
            if isinstance(answer.outcome, PhotorigError):
                self._drop(upload)
            elif answer.kind == "upload_ended":
                upload.is_whole = True
                if upload.what == PORTRAIT:
                    self._hand_over(answer.address, upload)
                    continue
            yield answer

    def look(self) -> None:
        """Give up what nobody goes on with."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        for upload in [one for one in self._uploads.values() if one.rests(IDLE_SECONDS)]:
            self._drop(upload)
        for upload in [one for one in self._cut_off if one.rests(KEPT_SECONDS)]:
            self._give_up(upload)

    def close(self) -> None:
        """Nothing of an upload stays."""
        for upload in (*self._uploads.values(), *self._cut_off):
            self._writer.do(upload.file.discard)
        self._writer.finish()

    # --- what clients say

    def _begin(self, address: ReplyAddress, client: str, message: Message) -> None:
        offer = upload_forms.read_upload(message)
        most = MAXIMUM_BYTES if offer.what == PORTRAIT else MAX_PHOTO_BYTES
        if offer.n_bytes > most:
            raise InputError(
                f"The file has {offer.n_bytes >> 20} MiB, and at most {most >> 20} are taken",
                "Choose a smaller one.",
            )
        key = (client, message.header.job or "", offer.content)
        if key in self._uploads:
            raise ProtocolError("This file is being sent already", "Wait until it is there.")
        of_client = sum(key[0] == client for key in self._uploads)
        # Who sends nothing yet always may, whatever the others do.
        is_full = of_client and len(self._uploads) >= UPLOADS_OF_ALL
        if is_full or of_client >= UPLOADS_OF_CLIENT:
            raise TooMuch("Too many files are being sent", "Wait until one is there.")
        if any(content == offer.content for _, _, content in self._uploads):
            self._probe()  # it may be this client's own, from before it was cut off
        upload = self._left_over(offer) or _Upload(
            client, key[1], offer.what, ReceivedFile(self._folder, offer.content, offer.n_bytes)
        )
        self._make_room(client, upload)
        upload.client, upload.job, upload.heard = *key[:2], time.monotonic()
        self._uploads[key] = upload
        received = upload.file

        def ready() -> Form:
            received.open()
            return upload_forms.upload_ready_form(
                UploadReady(received.sha256, received.offset, received.taken)
            )

        self._write(address, "upload_ready", upload, ready)

    def _chunk(self, address: ReplyAddress, client: str, message: Message) -> None:
        upload = self._of(client, message)
        try:
            offset, data = upload_forms.read_chunk(message)
            if len(data) > CHUNK_BYTES:
                raise ProtocolError(
                    f"A chunk has at most {CHUNK_BYTES >> 10} KiB", "Send the file again."
                )
            if upload.unanswered >= WINDOW:
                raise TooMuch(
                    f"At most {WINDOW} chunks of a file may be on their way",
                    "Wait for their answers, and send the file again.",
                )
            self._sent.take(client, len(data))
        except PhotorigError:
            self._drop(upload)
            raise
        upload.unanswered += 1
        received = upload.file

        def taken() -> Form:
            if self._is_watched():
                time.sleep(_PACE_SECONDS)
            return upload_forms.chunk_taken_form(received.sha256, received.take(offset, data))

        self._write(address, "chunk_taken", upload, taken, len(data))

    def _end(self, address: ReplyAddress, client: str, message: Message) -> None:
        upload = self._of(client, message)
        upload.is_ending = True
        received = upload.file

        def ended() -> Form:
            received.whole()
            return upload_forms.content_form(received.sha256)

        self._write(address, "upload_ended", upload, ended)

    def _abort(self, address: ReplyAddress, client: str, message: Message) -> None:
        upload = self._of(client, message)
        self._drop(upload)
        content = upload_forms.content_form(upload.file.sha256)
        self._write(address, "upload_aborted", upload, lambda: content)

    # --- books

    def _of(self, client: str, message: Message) -> _Upload:
        key = (client, message.header.job or "", upload_forms.read_content(message))
        upload = self._uploads.get(key)
        if upload is None or upload.is_ending:
            raise unknown_upload()
        upload.heard = time.monotonic()
        return upload

    def _write(
        self,
        address: ReplyAddress,
        kind: str,
        upload: _Upload,
        make: Callable[[], Form],
        n_bytes: int = 0,
    ) -> None:
        self._writer.ask(address, kind, make, "", upload.client, n_bytes, upload)

    def _hand_over(self, address: ReplyAddress, upload: _Upload) -> None:
        """A portrait is whole: it is the store's now, and counts until that has looked at it."""
        client, file = upload.client, upload.file
        if self._uploads.get(upload.key) is not upload:
            return  # its client has gone
        del self._uploads[upload.key]
        self._keep(address, file, lambda: self._stored.give_back(client, file.n_bytes))

    def _left_over(self, offer: UploadOffer) -> _Upload | None:
        """What was cut off of the same file; it waits no more."""
        for upload in self._cut_off:
            file = upload.file
            if (file.sha256, file.n_bytes, upload.what) == (
                offer.content,
                offer.n_bytes,
                offer.what,
            ):
                if not offer.resume:
                    self._give_up(upload)
                    return None
                self._cut_off.remove(upload)
                self._stored.give_back("", file.n_bytes)
                return upload
        return None

    def _make_room(self, client: str, upload: _Upload) -> None:
        """Count what will come; what nobody goes on with is given up where there is no room."""
        while True:
            try:
                self._stored.take(client, upload.file.n_bytes)
                return
            except TooMuch:
                stalled = [one for one in self._uploads.values() if one.rests(STALLED_SECONDS)]
                if self._cut_off:
                    self._give_up(self._cut_off[0])
                elif stalled:
                    self._drop(min(stalled, key=lambda one: one.heard))
                else:
                    self._writer.do(upload.file.discard)
                    raise

    def _give_up(self, upload: _Upload) -> None:
        self._cut_off.remove(upload)
        self._discard(upload)

    def _drop(self, upload: _Upload) -> None:
        if self._uploads.get(upload.key) is upload:
            del self._uploads[upload.key]
            self._discard(upload)

    def _discard(self, upload: _Upload) -> None:
        self._stored.give_back(upload.client, upload.file.n_bytes)
        self._writer.do(upload.file.discard)
