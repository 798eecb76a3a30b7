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
from photorig.worker.faces.kinds import BEGINNING, RAW, kind_of, picture_format
from photorig.worker.faces.native import quiet_native_code
from photorig.worker.faces.pixels import NotANumberError, to_srgb

MAXIMUM_PIXELS = 100_000_000
MAXIMUM_SIDE = 30_000  # OpenCV warps nothing larger

_SUPPORTED = "Use JPEG, PNG, WebP or TIFF for pictures, MP4 for videos."
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
        raise InputError(f"{path} is not a picture", _SUPPORTED)
    with picture:
        if _is_animation(picture):
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
    picture = _open_picture(path)
    if picture is None:
        return _open_video(path)
    if _is_animation(picture):
        return getattr(picture, "n_frames", None), _animation_frames(path, picture)
    with picture:
        return 1, iter([_decoded(path, picture)])


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
        raise _damaged(path, error) from error
    try:
        _check_size(path, picture.width, picture.height)
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
        reason = getattr(error, "strerror", None) or _short(error)
        raise InputError(f"{_short(path)} cannot be opened: {reason}", "Check the name.") from error
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


def _is_animation(picture: Image.Image) -> bool:
    return picture.format in _ANIMATIONS and bool(getattr(picture, "is_animated", False))


def _decoded(path: Path, picture: Image.Image) -> np.ndarray:
    try:
        with _no_warnings(), quiet_native_code():
            return to_srgb(picture)
    except NotANumberError as error:
        raise InputError(f"{path} contains values that are no numbers", "Save it again.") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory", "Scale the picture down.") from error
    except Exception as error:  # Pillow's readers raise almost anything on damaged files
        raise _damaged(path, error) from error


def _animation_frames(path: Path, picture: Image.Image) -> Iterator[np.ndarray]:
    with picture:
        for number in range(getattr(picture, "n_frames", 1)):
            try:
                with _no_warnings():
                    picture.seek(number)
            except Exception as error:  # as above
                raise _damaged(path, error) from error
            yield _decoded(path, picture)


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Pillow's remarks about odd files are not for people who asked for something else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAXIMUM_PIXELS or max(width, height) > MAXIMUM_SIDE:
        raise InputError(
            f"{path} is too large ({width} × {height} pixels)",
            f"Scale it down to at most {MAXIMUM_PIXELS // 1_000_000} million pixels.",
        )


def _open_video(path: Path) -> tuple[int | None, Iterator[np.ndarray]]:
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, ValueError) as error:
        raise _no_video(path) from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{path} has no pictures in it", "Give a picture or video file.")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    try:
        _check_size(path, stream.width, stream.height)
    except InputError:
        container.close()
        raise
    return stream.frames or None, _video_frames(path, container)


def _video_frames(path: Path, container: object) -> Iterator[np.ndarray]:
    import av

    count = 0
    with container:  # type: ignore[attr-defined]
        try:
            for frame in container.decode(video=0):  # type: ignore[attr-defined]
                count += 1
                picture = frame.to_ndarray(format="rgb24")
                # Telephones store frames lying and say by how much to turn them.
                yield np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
        except av.FFmpegError as error:
            if count == 0:
                raise _no_video(path) from error
            reason = error.strerror or _short(error)
            raise InputError(
                f"{path} is damaged after frame {count}: {reason}", "Convert it again."
            ) from error
    if count == 0:
        raise InputError(f"{path} has no frames that can be read", "Convert it again.")


def _no_video(path: Path) -> InputError:
    return InputError(f"{path} is neither a picture nor a video that can be read", _SUPPORTED)


def _damaged(path: Path, error: BaseException) -> InputError:
    return InputError(f"{path} is damaged: {_short(error)}", "Save it again.")


def _short(thing: object) -> str:
    """One line of at most 100 characters without a full stop."""
    text = " ".join(str(thing).replace("\0", "").split())[:100]
    return text.rstrip(".") or type(thing).__name__
