"""Sentences about picture and video files that cannot be used, and how large they may be."""

from __future__ import annotations

from pathlib import Path

from photorig.shared.errors import InputError

MAXIMUM_PIXELS = 100_000_000
MAXIMUM_SIDE = 30_000  # OpenCV warps nothing larger

SUPPORTED = "Use JPEG, PNG, WebP or TIFF for pictures, MP4 for videos."


def check_size(path: Path, width: int, height: int) -> None:
    """Raises InputError where a picture has too many pixels."""
    if width * height > MAXIMUM_PIXELS or max(width, height) > MAXIMUM_SIDE:
        raise InputError(
            f"{path} is too large ({width} × {height} pixels)",
            f"Scale it down to at most {MAXIMUM_PIXELS // 1_000_000} million pixels.",
        )


def no_video(path: Path) -> InputError:
    return InputError(f"{path} is neither a picture nor a video that can be read", SUPPORTED)


def damaged(path: Path, error: BaseException) -> InputError:
    return InputError(f"{path} is damaged: {short(error)}", "Save it again.")


def short(thing: object) -> str:
    """One line of at most 100 characters without a full stop."""
    text = " ".join(str(thing).replace("\0", "").split())[:100]
    return text.rstrip(".") or type(thing).__name__
