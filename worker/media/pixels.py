"""Decoded pictures of any kind to upright sRGB.

Works through a picture in strips of rows, so that beside what Pillow decoded (4 bytes a pixel at
most) only the result (3 bytes a pixel) is in memory: pictures of 100 megapixels are welcome.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import ExifTags, Image, ImageCms

from .profiles import adobe_rgb_profile
from .refusals import MAXIMUM_PIXELS

_STRIP_PIXELS = 1 << 20
_SIXTEEN_BITS = 65535
_LYING = (5, 6, 7, 8)
"""EXIF orientations with width and height exchanged."""
_LEAST_STRETCH, _GREATEST_STRETCH = 1.02, 4.0
"""Of pixels that are not square; less is rounding, and more is damage."""


class NotANumberError(ValueError):
    """A picture of floats holds NaN or infinity."""


def to_srgb(image: Image.Image) -> np.ndarray:
    """A picture as (h, w, 3) uint8 sRGB: colour profile and EXIF orientation applied, on white.

    Args:
        image: any mode; decoded here if it is not yet.

    Raises:
        NotANumberError: floats that are not finite.
        Exception: whatever Pillow's readers raise on damaged files.
    """
    # Pillow turns TIFF itself while it decodes, and takes the note away. Others are not to be asked
    # before: PNG is decoded by the question, and what is damaged about it would be passed over.
    lay = image.format == "TIFF" and _orientation(image) in _LYING
    image.load()
    orientation = _orientation(image)
    aspect = _aspect(image)
    convert = _converter(image)
    width, height = image.size
    shape = (width, height, 3) if orientation in _LYING else (height, width, 3)
    result = np.empty(shape, np.uint8)
    stored = _as_stored(result, orientation)
    for top, strip in _strips(image):
        stored[top : top + strip.height] = np.asarray(convert(strip))
    lies = lay or orientation in _LYING
    return _with_square_pixels(result, 1 / aspect if lies else aspect)


def _aspect(image: Image.Image) -> float:
    """Width of a pixel by its height, of faxes and some scans; 1 where the file says nothing.

    By absolute densities only: of those without a unit, programs differ which is which.
    """
    try:
        across, down = map(float, image.info.get("dpi", (1, 1)))
        aspect = down / across
    except (TypeError, ValueError, ZeroDivisionError):
        return 1.0
    is_meant = (
        _LEAST_STRETCH < max(aspect, 1 / aspect) <= _GREATEST_STRETCH if aspect > 0 else False
    )
    return aspect if is_meant else 1.0


def _with_square_pixels(picture: np.ndarray, aspect: float) -> np.ndarray:
    """Stretched, so that no pixel is lost unless there are far too many."""
    if aspect == 1:
        return picture
    height, width = picture.shape[:2]
    widened = aspect > 1
    if width * height * max(aspect, 1 / aspect) > MAXIMUM_PIXELS:
        widened = not widened
    size = (round(width * aspect), height) if widened else (width, round(height / aspect))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    rows = max(_STRIP_PIXELS // image.width, 1)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield top, image.crop((0, top, image.width, bottom))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF raises anything; the picture itself is none the worse
        return 1


def _as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """A view of the upright picture in which it lies as in the file (EXIF 2.3, tag 0x0112)."""
    across, down = {
        2: (-1, 1),
        3: (-1, -1),
        4: (1, -1),
        6: (-1, 1),
        7: (-1, -1),
        8: (1, -1),
    }.get(orientation, (1, 1))
    view = upright[::down, ::across]
    return view.transpose(1, 0, 2) if orientation in _LYING else view


def _converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What makes RGB of a strip of this picture."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        levels, profile = _levels(image), _profile_transform(image, "L")
        return lambda strip: _in_colour(levels(np.asarray(strip)), profile)
    if image.has_transparency_data:
        return _opaque_converter(image)
    if image.mode in ("RGB", "CMYK", "L"):
        profile = _profile_transform(image, image.mode)
        return lambda strip: _in_colour(strip, profile)
    if image.mode == "LAB":
        lab = ImageCms.buildTransform(
            ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
        )
        return lambda strip: _in_colour(strip, lab)
    profile = _profile_transform(image, "RGB")
    return lambda strip: _in_colour(strip.convert("RGB"), profile)


def _in_colour(strip: Image.Image, profile: ImageCms.ImageCmsTransform | None) -> Image.Image:
    if profile is None:
        return strip.convert("RGB")
    converted = ImageCms.applyTransform(strip, profile)
    return strip.convert("RGB") if converted is None else converted


def _opaque_converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    grey = image.mode in ("LA", "La")
    profile = _profile_transform(image, "L" if grey else "RGB")

    def convert(strip: Image.Image) -> Image.Image:
        if grey:
            levels, alpha = strip.convert("LA").split()
            colour = _in_colour(levels, profile)
        else:
            rgba = strip.convert("RGBA")
            alpha = rgba.getchannel("A")
            colour = _in_colour(rgba.convert("RGB"), profile)
        return Image.composite(colour, Image.new("RGB", strip.size, "white"), alpha)

    return convert


def _profile_transform(image: Image.Image, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the picture's colour profile to sRGB, for strips of ``mode``; None without one."""
    content = image.info.get("icc_profile")
    if not content and mode == "RGB" and _says_adobe_rgb(image):
        content = adobe_rgb_profile()
    if not content:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(content))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None  # damaged, or of another kind of picture: the colours as they are come closest


def _says_adobe_rgb(image: Image.Image) -> bool:
    """Cameras put no profile into Adobe RGB files, only a note (DCF 2.0, "R03")."""
    try:
        interoperability = image.getexif().get_ifd(ExifTags.IFD.Interop)
        index = interoperability.get(ExifTags.Interop.InteropIndex, "")
    except Exception:  # as for the orientation
        return False
    return str(index).strip("\0 ") == "R03"


def _levels(image: Image.Image) -> Callable[[np.ndarray], Image.Image]:
    """Grey numbers, (h, w) of 16 or 32 bits or floats, to a picture of 8 bits."""
    if image.mode.startswith("I;16"):
        white = float(_SIXTEEN_BITS)
    else:
        white = _white(image)

    def convert(values: np.ndarray) -> Image.Image:
        levels = np.clip(values * np.float32(255 / white), 0, 255)
        return Image.fromarray(np.rint(levels).astype(np.uint8))

    return convert


def _white(image: Image.Image) -> float:
    """The number that means white: files do not say, but hardly any picture lacks light parts."""
    highest = 0.0
    for _, strip in _strips(image):
        values = np.asarray(strip)
        if not np.isfinite(values).all():
            raise NotANumberError("values that are no numbers")
        highest = max(highest, float(values.max()))
    choices = (1.0, 255.0, float(_SIXTEEN_BITS)) if image.mode == "F" else (255.0, _SIXTEEN_BITS)
    return next((white for white in choices if highest <= white), max(highest, 1.0))
