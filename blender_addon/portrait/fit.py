# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo becomes the portrait of a camera: the worker fits it while Blender stays usable.

A fit goes on, and loses nothing, while other files are opened.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import bpy

from ..camera.portrait_file import SUFFIX
from ..client.fit import FitJob, start_fit
from ..extension import PACKAGE
from ..link.jobs import Job, JobSlot, data_block, with_time_left
from ..link.link import link
from ..shared.errors import InputError
from ..shared.files.reading import read_file
from ..shared.files.writing import write_atomically
from ..shared.wire.messages import FitFaces, FitRequest
from .choice import give_portrait
from .photo_thumbnail import photo_thumbnail

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
_MAXIMUM_BYTES = 256 << 20


class PhotoFit(Job):
    """The photos of one person on their way to being a portrait.

    Attributes:
        photos: absolute paths, the best one first.
        camera: session number of the camera data it is for; see jobs.data_block.
        camera_name: its name when the fit began.
        faces: set while the person has to say which face is meant.
        thumbnail: the first photo, small, (h, w, 3) uint8; None where Blender cannot read it.
        path: the portrait file, once it is written.
        note: one sentence about the photo or about where the file went, "" where there is none.
    """

    def __init__(
        self,
        photos: Sequence[Path],
        camera: bpy.types.Camera,
        face: int | None = None,
        quick: bool = False,
    ) -> None:
        super().__init__()
        self.photos = tuple(photos)
        self.camera = camera.session_uid
        self.camera_name = camera.name
        self.faces: FitFaces | None = None
        self.path: Path | None = None
        self.note = ""
        self._face, self._quick = face, quick
        self._folders = _folders_for(self.photos[0])
        self._contents = tuple(map(_read_photo, self.photos))
        self.thumbnail = photo_thumbnail(self.photos[0])
        self._job: FitJob | None = None
        self._began = 0.0

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
        seconds = time.monotonic() - self._began
        return with_time_left(self._job.progress.stage, self.progress, seconds)

    @property
    def shown(self) -> tuple[str, int]:
        return self.summary, round(100 * self.progress)

    def choose(self, face: int) -> None:
        """Go on with this face. Raises InputError where it cannot be used."""
        faces = self.faces.faces if self.faces is not None else ()
        if not 0 <= face < len(faces):
            raise InputError(f"There is no face number {face + 1}", "Choose one of the list.")
        if faces[face].problem:
            raise InputError(faces[face].problem, "Choose another one.")
        self._face, self.faces, self._job, self.unattended = face, None, None, ""

    @property
    def _has_begun(self) -> bool:
        return self._job is not None

    def _begin(self) -> None:
        name = self.photos[0].stem
        request = FitRequest(self._contents, name, self._face, self._quick)
        self._job = start_fit(link.in_use()[0], request)
        self._began = time.monotonic()

    def _go_on(self) -> None:
        job = self._job
        assert job is not None
        job.poll()
        if job.error is not None:
            raise job.error
        if job.faces is not None:
            self.faces = job.faces
            self.unattended = (
                f"{self.photos[0].name} shows {len(job.faces.faces)} faces."
                " Name one of them by its number"
            )
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
        camera = data_block(bpy.data.cameras, self.camera)
        if camera is None or not camera.is_editable:
            self.note = f"{self.note} The camera {self.camera_name!r} is not here.".strip()
            return
        _, told = give_portrait(camera, path)
        if told:
            self.note = f"{self.note} {told}.".strip()
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Fit Photo")

    def _stop(self) -> None:
        self.faces = None
        if self._job is not None:
            self._job.cancel()


def _read_photo(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{path.name!r} is a folder", "Choose a photo in it.")
        if path.stat().st_size > _MAXIMUM_BYTES:
            raise InputError(f"{path.name!r} is too large for a photo", "Scale it down.")
        return read_file(path, _MAXIMUM_BYTES)
    except FileNotFoundError:
        raise InputError(f"There is no photo {str(path)!r}", "Choose it again.") from None
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror}") from error


def _folders_for(photo: Path) -> list[Path]:
    """Where the portrait may go, the best place first."""
    folders = [Path(bpy.data.filepath).parent] if bpy.data.filepath else []
    user = bpy.utils.extension_path_user(PACKAGE, path="portraits")
    return [*folders, photo.parent, Path(user)]


def _free_path(folder: Path, stem: str, content: bytes) -> Path:
    """A name that no other portrait has: shots that use that one must stay as they are."""
    for number in range(1, 10_000):
        path = folder / (f"{stem}{SUFFIX}" if number == 1 else f"{stem} {number}{SUFFIX}")
        try:
            if read_file(path, len(content)) == content:
                return path
        except FileNotFoundError:
            return path
        except OSError:
            continue  # a larger one, or none that anybody can read
    raise InputError(f"{str(folder)!r} is full of portraits of {stem!r}", "Remove some.")


slot = JobSlot[PhotoFit](
    busy=("A photo is being fitted", "Wait for it, or cancel it first."),
    idle="No photo is being fitted",
    stopped="The fit was stopped",
)


def fit_of(camera: bpy.types.Camera) -> PhotoFit | None:
    """The fit that runs or ran last, if it is for this camera."""
    fit = slot.current
    return fit if fit is not None and fit.camera == camera.session_uid else None


def is_for(camera: bpy.types.Camera) -> bool:
    """Whether a portrait is being made for this camera."""
    return slot.is_running and fit_of(camera) is not None


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
    return slot.start(lambda: PhotoFit(photos, camera, face, quick))
