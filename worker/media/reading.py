"""Pictures and videos from files a person gives: upright sRGB, or one clear sentence.

Nothing is believed about a file before it is read: name and size say little, content may be
damaged anywhere, and behind a name there may be no file at all but a device or a pipe.
"""

from __future__ import annotations

import contextlib
import logging
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from photorig.shared.errors import InputError
from photorig.worker.faces.native_logs import quiet_native_code

from . import tone
from .file_types import BEGINNING, RAW, kind_of, picture_format
from .footage import Footage, TimedPicture
from .pixels import NotANumberError, to_srgb
from .refusals import MAXIMUM_PIXELS, MAXIMUM_SIDE, SUPPORTED, check_size, damaged, short

__all__ = ["MAXIMUM_PIXELS", "MAXIMUM_SIDE", "read_footage", "read_frames", "read_picture"]

# Pillow's others are left alone: some run programs (EPS), some take anything for theirs (TGA).
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "BMP", "JPEG2000", "PPM")
_ANIMATIONS = ("GIF", "WEBP", "PNG", "AVIF")

_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706  # TIFF tags

logging.getLogger("PIL").addHandler(logging.NullHandler())  # or Python prints its remarks


def read_picture(path: Path) -> np.ndarray:
    """A picture file as (h, w, 3) uint8 sRGB; EXIF orientation and colour profile applied.

    Transparent parts become white; of a TIFF with several pages the first is taken. Takes up to 7
    bytes a pixel beside what the decoder itself needs (docs/measurements.md).

    Raises:
        InputError: the file is missing, no picture, damaged, animated, or too large.
    """
    picture = _open_picture(path)
    if picture is None:
        raise InputError(f"{path} is not a picture", SUPPORTED)
    with picture:
        if _is_animation(path, picture):
            raise InputError(
                f"{path} is an animation", "Save the one frame that is to be used as PNG or JPEG."
            )
        return _decoded(path, picture)


def read_frames(path: Path) -> tuple[int | None, Iterator[np.ndarray]]:
    """The frames of a picture (one), animation or video, each (h, w, 3) uint8 sRGB.

    Returns:
        How many frames there will be, None where the file does not say, and the frames.

    Raises:
        InputError: at once where the file is neither; while iterating where it is damaged.
    """
    footage = read_footage(path)
    return footage.total, (timed.picture for timed in footage.pictures)


def read_footage(path: Path) -> Footage:
    """The same frames, and when each is seen; see ``read_frames``."""
    picture = _open_picture(path)
    if picture is None:
        from .videos import open_video  # its library takes long to load

        return open_video(path)
    if _is_animation(path, picture):
        count = _frame_count(path, picture)
        return Footage(count, None, _animation_frames(path, picture, count or 1))
    with picture:
        return Footage(1, None, iter([TimedPicture(_decoded(path, picture))]))


def _open_picture(path: Path) -> Image.Image | None:
    """The picture, not yet decoded, or None where the file is of another kind, perhaps a video."""
    beginning = _checked_beginning(path)
    Image.init()  # otherwise Pillow knows the readers of a few formats only
    try:
        with _no_warnings():
            picture = Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError as error:
        claimed = picture_format(beginning)
        if claimed is None:
            return None
        raise InputError(
            f"{path} is damaged, or of a kind of {claimed} that is not read here",
            "Save it again with 8 or 16 bits a channel.",
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} has too many pixels", "Scale the picture down.") from error
    except Exception as error:  # Pillow's readers raise almost anything on damaged files
        raise damaged(path, error) from error
    try:
        check_size(path, picture.width, picture.height)
        _check_not_raw(path, picture)
    except BaseException:
        picture.close()
        raise
    return picture


def _checked_beginning(path: Path) -> bytes:
    """How a file begins that can be opened and that is of no kind we know we cannot read."""
    try:
        # Looked at before it is opened: opening a pipe would wait for ever.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder", "Give a picture or video file.")
        if not stat.S_ISREG(mode):
            raise InputError(f"{path} is a device or a pipe, not a file", "Give a picture file.")
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}", "Check the name.") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read", "Check its permissions.") from error
    except (OSError, ValueError) as error:  # a loop of links, a name too long or with a zero in it
        reason = getattr(error, "strerror", None) or short(error)
        raise InputError(f"{short(path)} cannot be opened: {reason}", "Check the name.") from error
    if not beginning:
        raise InputError(f"{path} is empty", "Copy or download it again.")
    kind = kind_of(beginning)
    if kind is not None:
        raise InputError(f"{path} is {kind.name}", kind.advice)
    return beginning


def _check_not_raw(path: Path, picture: Image.Image) -> None:
    """Many raw files are TIFF with a preview of the size of a stamp as first page."""
    tags = getattr(picture, "tag_v2", {}) if picture.format == "TIFF" else {}
    if _DNG_VERSION in tags or tags.get(_NEW_SUBFILE_TYPE, 0) == 1:
        raise InputError(f"{path} is {RAW.name}", RAW.advice)


def _is_animation(path: Path, picture: Image.Image) -> bool:
    """Raises InputError where it is damaged."""
    if picture.format not in _ANIMATIONS:
        return False
    try:
        with _no_warnings():
            return bool(getattr(picture, "is_animated", False))
    except Exception as error:  # Pillow's readers raise almost anything on damaged files
        raise damaged(path, error) from error


def _decoded(path: Path, picture: Image.Image) -> np.ndarray:
    transfer, wide = _coded_transfer(path)
    if transfer:
        picture.info.pop("icc_profile", None)  # only for programs that know of nothing brighter
    try:
        with _no_warnings(), quiet_native_code():
            decoded = to_srgb(picture)
        if transfer:
            return tone.to_srgb(decoded.astype(np.float32) / 255, transfer, wide=wide)
        return decoded
    except NotANumberError as error:
        raise InputError(f"{path} contains values that are no numbers", "Save it again.") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory", "Scale the picture down.") from error
    except Exception as error:  # as above
        raise damaged(path, error) from error


def _coded_transfer(path: Path) -> tuple[str, bool]:
    try:
        with path.open("rb") as file:
            return tone.coded_transfer(file.read(tone.CODED_COLOURS_WITHIN))
    except OSError:  # the decoder will say what it is
        return "", False


def _frame_count(path: Path, picture: Image.Image) -> int | None:
    """Some readers go through the whole file for it. Raises InputError where it is damaged."""
    try:
        with _no_warnings():
            return getattr(picture, "n_frames", None)
    except Exception as error:  # as above
        raise damaged(path, error) from error


def _animation_frames(path: Path, picture: Image.Image, count: int) -> Iterator[TimedPicture]:
    time = 0.0
    with picture:
        for number in range(count):
            try:
                with _no_warnings():
                    picture.seek(number)
            except Exception as error:  # as above
                raise damaged(path, error) from error
            decoded = _decoded(path, picture)  # some readers know how long only now
            yield TimedPicture(decoded, time)
            time += _seconds(picture)


def _seconds(picture: Image.Image) -> float:
    """How long the frame of an animation is shown."""
    try:
        seconds = float(picture.info.get("duration", 0)) / 1000
    except (TypeError, ValueError):
        seconds = 0.0
    # As browsers do: nobody means what is shorter than a display can show.
    return seconds if 0.01 < seconds < 3600 else 0.1


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Pillow's remarks about odd files are not for people who asked for something else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
