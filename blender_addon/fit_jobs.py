# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo becomes the portrait of a camera: the worker fits it while Blender stays usable.

The fit lives here and not in an operator, so that undo, panels and opening another file cannot lose
it. A timer moves it on; without a user interface the operator does.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from .fit_client import FitJob, start_fit
from .portrait_choice import choose_portrait
from .portrait_file import SUFFIX
from .shared.errors import InputError, PhotorigError
from .shared.frame_index import write_atomically
from .shared.messages import FitFaces, FitRequest
from .worker_link import link, redraw_panels

PHOTO_SUFFIXES: tuple[str, ...] = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".heic",
    ".heif",
)
_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.1
_SECONDS_BETWEEN_REPORTS = 10.0
_MAXIMUM_BYTES = 256 << 20


class PhotoFit:
    """The photos of one person on their way to being a portrait.

    Attributes:
        photos: absolute paths, the best one first.
        camera: session number of the camera data it is for; a reference would not survive undo.
        camera_name: its name when the fit began.
        faces: set while the person has to say which face is meant.
        path: the portrait file, once it is written.
        note: one sentence about the photo or about where the file went, "" where there is none.
        error: one sentence once it failed.
        is_done: whether it ended, well or not.
    """

    def __init__(
        self,
        photos: Sequence[Path],
        camera: bpy.types.Camera,
        face: int | None = None,
        quick: bool = False,
    ) -> None:
        self.photos = tuple(photos)
        self.camera = camera.session_uid
        self.camera_name = camera.name
        self.faces: FitFaces | None = None
        self.path: Path | None = None
        self.note = ""
        self.error = ""
        self.is_done = False
        self._face, self._quick = face, quick
        self._folders = _folders_for(self.photos[0])
        self._contents = tuple(map(_read_photo, self.photos))
        self._job: FitJob | None = None

    @property
    def progress(self) -> float:
        return self._job.progress.fraction if self._job is not None else 0.0

    @property
    def summary(self) -> str:
        """One sentence for the person who waits."""
        if self.error:
            return self.error
        if self.path is not None:
            return f"{self.path.name} was made. {self.note}".strip()
        if self.faces is not None:
            return f"{self.photos[0].name} shows several faces. Whose portrait shall it be?"
        if self._job is None:
            return "Waiting for the worker"
        return self._job.progress.stage

    @property
    def shown(self) -> tuple[str, int]:
        """What panels show; while it stays the same nothing need be drawn."""
        return self.summary, round(100 * self.progress)

    def tick(self) -> None:
        """Do what can be done without waiting. Never raises; see ``error``."""
        if self.is_done or self.faces is not None:
            return
        try:
            if self._job is None:
                link.poll()
                if link.is_ready:
                    self._begin()
                else:
                    link.raise_if_failed()
            else:
                self._collect(self._job)
        except PhotorigError as error:
            # A lost worker shows here as a closed connection; the link knows what happened.
            link.poll()
            self._fail(str(error) if link.is_ready else link.message)
        except Exception as error:
            _log.exception("fitting a photo failed")
            self._fail(f"Photorig failed unexpectedly ({error}). See the console.")

    def choose(self, face: int) -> None:
        """Go on with this face. Raises InputError where it cannot be used."""
        faces = self.faces.faces if self.faces is not None else ()
        if not 0 <= face < len(faces):
            raise InputError(f"There is no face number {face + 1}", "Choose one of the list.")
        if faces[face].problem:
            raise InputError(faces[face].problem, "Choose another one.")
        self._face, self.faces, self._job = face, None, None

    def cancel(self, reason: str) -> None:
        """End with a sentence that says why; the photo and the portrait before it stay."""
        if not self.is_done:
            self._fail(reason)

    def _begin(self) -> None:
        name = self.photos[0].stem
        request = FitRequest(self._contents, name, self._face, self._quick)
        self._job = start_fit(link.in_use()[0], request)

    def _collect(self, job: FitJob) -> None:
        job.poll()
        if job.error is not None:
            raise job.error
        if job.faces is not None:
            self.faces = job.faces
        elif job.portrait is not None:
            self.note = job.portrait.note
            self.path = self._write(job.portrait.content)
            self._show(self.path)
            self.is_done = True

    def _write(self, content: bytes) -> Path:
        """Keep the portrait in the first folder that takes it."""
        problem = InputError("There is no folder for the portrait")
        for number, folder in enumerate(self._folders):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path = _free_path(folder, self.photos[0].stem, content)
                write_atomically(path, content)
            except (InputError, OSError) as error:
                problem = error if isinstance(error, InputError) else InputError(str(error))
                continue
            if number:
                self.note = f"{self.note} It is in {folder}.".strip()
            return path
        raise problem

    def _show(self, path: Path) -> None:
        camera = _camera_of(self.camera)
        if camera is None or not camera.is_editable:
            self.note = f"{self.note} The camera {self.camera_name!r} is not here.".strip()
            return
        choose_portrait(camera, path)
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Fit Photo")

    def _fail(self, reason: str) -> None:
        self.error, self.is_done, self.faces = reason, True, None
        if self._job is not None:
            self._job.cancel()


def _read_photo(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{path.name!r} is a folder", "Choose a photo in it.")
        if path.stat().st_size > _MAXIMUM_BYTES:
            raise InputError(f"{path.name!r} is too large for a photo", "Scale it down.")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no photo {str(path)!r}", "Choose it again.") from None
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror}") from error


def _folders_for(photo: Path) -> list[Path]:
    """Where the portrait may go, the best place first."""
    folders = [Path(bpy.data.filepath).parent] if bpy.data.filepath else []
    user = bpy.utils.extension_path_user(__package__, path="portraits")
    return [*folders, photo.parent, Path(user)]


def _free_path(folder: Path, stem: str, content: bytes) -> Path:
    """A name that no other portrait has: shots that use that one must stay as they are."""
    for number in range(1, 10_000):
        path = folder / (f"{stem}{SUFFIX}" if number == 1 else f"{stem} {number}{SUFFIX}")
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size != len(content) or path.read_bytes() != content:
                continue
        return path
    raise InputError(f"{str(folder)!r} is full of portraits of {stem!r}", "Remove some.")


def _camera_of(session_uid: int) -> bpy.types.Camera | None:
    found = (camera for camera in bpy.data.cameras if camera.session_uid == session_uid)
    return next(found, None)


current: PhotoFit | None = None
"""The fit that runs, or the last one."""


def is_running() -> bool:
    return current is not None and not current.is_done


def fit_of(camera: bpy.types.Camera) -> PhotoFit | None:
    """The fit that runs or ran last, if it is for this camera."""
    return current if current is not None and current.camera == camera.session_uid else None


def start(
    photos: Sequence[Path],
    camera: bpy.types.Camera,
    face: int | None = None,
    quick: bool = False,
) -> PhotoFit:
    """Begin a fit; a timer moves it on where there is a user interface.

    Args:
        photos: absolute paths, the best one first.
        face: which face of the first one, counted from 0, the largest first; None to be asked.
        quick: a likeness in seconds, to see whether the photo will do.

    Raises:
        InputError: another fit runs, or a photo cannot be read.
        ConnectionLost: no worker runs and none may be started.
    """
    global current
    if is_running():
        raise InputError("A photo is being fitted", "Wait for it, or cancel it first.")
    fit = PhotoFit(photos, camera, face, quick)
    link.start_if_wanted()
    current = fit
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)
    return fit


def cancel(reason: str = "The fit was stopped") -> None:
    """End the fit that runs, if one does."""
    if current is not None:
        current.cancel(reason)


def dismiss() -> None:
    """Forget what the last fit said."""
    global current
    if not is_running():
        current = None


def run_to_end(fit: PhotoFit, report: Callable[[str], None]) -> None:
    """Without a user interface: wait for the fit, and say how far it is now and then.

    Raises:
        PhotorigError: it failed, or the photo shows several faces and none was named.
    """
    said = time.monotonic()
    while not fit.is_done:
        fit.tick()
        if fit.faces is not None:
            count = len(fit.faces.faces)
            fit.cancel(f"{fit.photos[0].name} shows {count} faces. Name one of them by its number")
        time.sleep(0.01)
        if time.monotonic() - said > _SECONDS_BETWEEN_REPORTS:
            said = time.monotonic()
            report(f"{fit.summary}: {fit.progress:.0%}")
    if fit.error:
        raise PhotorigError(fit.error.rstrip("."))


def _tick() -> float | None:
    if current is None or current.is_done:
        return None
    before = current.shown
    current.tick()
    if current.shown != before:
        redraw_panels()
    return None if current.is_done else _TICK_SECONDS


def register() -> None:
    """Nothing is needed before the first fit."""


def unregister() -> None:
    global current
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    cancel("Photorig was switched off")
    current = None
