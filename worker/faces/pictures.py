"""Pictures and videos from files a person gives: upright sRGB, or one clear sentence.

Nothing is believed about a file before it is read: name and size say little, content may be
damaged anywhere.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from photorig.shared.errors import InputError

MAXIMUM_PIXELS = 100_000_000
MAXIMUM_SIDE = 30_000  # OpenCV warps nothing larger

_SUPPORTED = "Use JPEG, PNG, WebP or TIFF for pictures, MP4 for videos."


def read_picture(path: Path) -> np.ndarray:
    """A picture file as (h, w, 3) uint8 sRGB; EXIF orientation and colour profile applied.

    Raises:
        InputError: the file is missing, no picture, damaged, or too large.
    """
    picture = _try_picture(path)
    if picture is None:
        raise InputError(f"{path} is not a picture", _SUPPORTED)
    return picture


def read_frames(path: Path) -> tuple[int | None, Iterator[np.ndarray]]:
    """The frames of a picture (one) or video, each (h, w, 3) uint8 sRGB.

    Returns:
        How many frames there will be, None where the file does not say, and the frames.

    Raises:
        InputError: at once where the file is neither; while iterating where it is damaged.
    """
    picture = _try_picture(path)
    if picture is not None:
        return 1, iter([picture])
    return _open_video(path)


def _try_picture(path: Path) -> np.ndarray | None:
    """The picture, or None where the file is of another kind, for example a video."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", "Give a picture or video file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if getattr(image, "is_animated", False) and image.format != "MPO":
                    return None
                _check_size(path, image.width, image.height)
                return _to_srgb(path, image)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} has too many pixels", "Scale the picture down.") from error
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}", "Check the name.") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read", "Check its permissions.") from error
    # Pillow's readers raise almost anything on damaged files.
    except (OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: {_short(error)}", "Save it again.") from error


def _to_srgb(path: Path, image: Image.Image) -> np.ndarray:
    upright: Image.Image = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        return _from_numbers(path, np.asarray(upright))
    profile = image.info.get("icc_profile")
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return np.array(Image.alpha_composite(white, rgba).convert("RGB"))
    if profile and upright.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                upright, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return np.array(converted)
        except (ImageCms.PyCMSError, OSError):
            pass  # a damaged profile: the colours as they are come closest
    return np.array(upright.convert("RGB"))


def _from_numbers(path: Path, values: np.ndarray) -> np.ndarray:
    """Grey pictures of 16-bit integers or of floats in [0, 1]."""
    if not np.isfinite(values).all():
        raise InputError(f"{path} contains values that are no numbers", "Save it again.")
    if np.issubdtype(values.dtype, np.floating):
        levels = values * 255 if values.max() <= 1 else values
    else:
        levels = values / 257 if values.max() > 255 else values
    grey = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


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


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text.rstrip(".") or type(error).__name__
