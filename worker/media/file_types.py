"""Kinds of files that people give for photos and that are none, told by how they begin."""

from __future__ import annotations

from dataclasses import dataclass

BEGINNING = 64
"""How many bytes of a file are enough to tell."""


@dataclass(frozen=True)
class Kind:
    """What such a file is, and what its owner can do."""

    name: str
    advice: str


_EXPORT = "Open it where it was made and export it as JPEG, PNG or TIFF."

RAW = Kind("a camera's raw file", "Develop it and export it as JPEG or TIFF.")
_HEIC = Kind(
    "a HEIC picture, which cannot be read here",
    "Export it as JPEG; an iPhone takes JPEG with Settings, Camera, Formats, Most Compatible.",
)
_WEB_PAGE = Kind("a web page", "Save the picture itself, not the page that shows it.")
_ARCHIVE = Kind("an archive", "Unpack it and give a picture from it.")
_POSTSCRIPT = Kind("a PostScript document", _EXPORT)
_JPEG_XL = Kind("a JPEG XL picture, which cannot be read here", _EXPORT)
_DRAWING = Kind("a drawing (SVG), not a photo", _EXPORT)

_BEGINNINGS = {
    b"FUJIFILMCCD-RAW": RAW,
    b"II*\0\x10\0\0\0CR": RAW,
    b"IIU\0": RAW,
    b"IIRO": RAW,
    b"\xff\x0a": _JPEG_XL,
    b"\0\0\0\x0cJXL ": _JPEG_XL,
    b"8BPS": Kind("a Photoshop file", _EXPORT),
    b"v/1\x01": Kind("an OpenEXR picture, which holds light and not colours", _EXPORT),
    b"#?RADIANCE": Kind("a Radiance picture, which holds light and not colours", _EXPORT),
    b"%PDF": Kind("a PDF document", _EXPORT),
    b"%!PS": _POSTSCRIPT,
    b"\xc5\xd0\xd3\xc6": _POSTSCRIPT,
    b"<svg": _DRAWING,
    b"<?xml": _DRAWING,
    b"<!doctype": _WEB_PAGE,
    b"<html": _WEB_PAGE,
    b"PK\x03\x04": _ARCHIVE,
    b"Rar!": _ARCHIVE,
    b"\x1f\x8b": _ARCHIVE,
    b"7z\xbc\xaf": _ARCHIVE,
}
_PICTURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
# ISO base media files say what they are after the length of their first box.
_BRANDS = dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _HEIC
) | {b"crx ": RAW}


def kind_of(beginning: bytes) -> Kind | None:
    """What a file is that begins so, None where it may be a picture or a video.

    Args:
        beginning: its first BEGINNING bytes, fewer if it has no more.
    """
    if beginning[4:8] == b"ftyp" and b"avif" not in beginning:
        return _BRANDS.get(beginning[8:12])
    text = beginning.lstrip().lower()
    for start, kind in _BEGINNINGS.items():
        if beginning.startswith(start) or (start.startswith(b"<") and text.startswith(start)):
            return kind
    return None


def picture_format(beginning: bytes) -> str | None:
    """The format of pictures that a file claims to be of, None where it claims nothing."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "WebP"
    if beginning[4:8] == b"ftyp" and b"avif" in beginning:
        return "AVIF"
    return next((name for start, name in _PICTURES.items() if beginning.startswith(start)), None)
