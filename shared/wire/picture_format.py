"""How a frame's pixels are written down: for the wire, and as files of a sequence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..files.canvas import Canvas

CHANNELS = {"BW": 1, "RGB": 3, "RGBA": 4}
"""Channels by colour mode, named as Blender names them."""
DEPTHS = {
    "raw": (8,),
    "png": (8, 16),
    "jpeg": (8,),
    "webp": (8,),
    "tiff": (8, 16),
    "exr": (16, 32),
}
"""Bits a channel by codec, the usual one first."""
EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif", "exr": ".exr"}
"""Extension of a file by codec; raw pixels are no file."""
_COLOURS = {"raw": ("RGB", "RGBA"), "jpeg": ("RGB", "BW")}
USUAL_QUALITY = 90


@dataclass(frozen=True)
class PictureFormat:
    """One way to write a frame down.

    Attributes:
        codec: "raw" (uint8 rows from the top), "png", "jpeg", "webp", "tiff" or "exr" (scene
            linear, all others sRGB).
        depth: bits a channel; those of exr are floating-point numbers.
        colours: "BW" (Rec. 709 luminance), "RGB" or "RGBA".
        quality: 0 to 100, where the codec loses something; 100 is lossless in webp.
        transparent: whether the alpha of RGBA is the person's matte; else it is opaque.
        canvas: what the picture is laid on; None for the picture as it is made.

    Raises:
        InputError: the codec cannot do this.
    """

    codec: str = "png"
    depth: int = 8
    colours: str = "RGB"
    quality: int = USUAL_QUALITY
    transparent: bool = False
    canvas: Canvas | None = None

    def __post_init__(self) -> None:
        if self.codec not in DEPTHS:
            raise InputError(
                f"The frame codec {self.codec!r} is unknown", f"Use one of {', '.join(DEPTHS)}."
            )
        if self.depth not in DEPTHS[self.codec] or isinstance(self.depth, bool):
            raise InputError(
                f"There is no {self.codec} with {self.depth} bits a channel",
                f"Use {' or '.join(map(str, DEPTHS[self.codec]))}.",
            )
        possible = _COLOURS.get(self.codec, tuple(CHANNELS))
        if self.colours not in possible:
            raise InputError(
                f"There is no {self.codec} with the colours {self.colours!r}",
                f"Use {' or '.join(possible)}.",
            )
        if not isinstance(self.quality, int) or not 0 <= self.quality <= 100:
            raise InputError(f"A quality of {self.quality!r} is not possible", "Give 0 to 100.")
        if self.transparent and self.colours != "RGBA":
            raise InputError("Transparency needs an alpha channel", "Use RGBA.")

    @staticmethod
    def of(codec: str | PictureFormat) -> PictureFormat:
        """A codec's name alone stands for its usual form. Raises InputError."""
        if isinstance(codec, PictureFormat):
            return codec
        return PictureFormat(codec, DEPTHS.get(codec, (0,))[0])

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of what is written of a picture of that size."""
        return (width, height) if self.canvas is None else (self.canvas.width, self.canvas.height)

    @property
    def channels(self) -> int:
        return CHANNELS[self.colours]

    @property
    def dtype(self) -> str:
        """Of the decoded picture, as numpy and the wire name it."""
        return f"{'float' if self.codec == 'exr' else 'uint'}{self.depth}"

    @property
    def tag(self) -> str:
        """Names everything that changes a file of this format; "" for the usual PNG."""
        if self == PictureFormat():
            return ""
        quality = self.quality if self.codec in ("jpeg", "webp") else ""
        cut_out = "matte" if self.transparent else ""
        tag = f"{self.codec} {self.depth} {self.colours} {quality} {cut_out}"
        return tag if self.canvas is None else f"{tag} {json.dumps(self.canvas.to_json())}"

    def body(self) -> dict[str, Any]:
        """The fields of a request that ask for it."""
        fields: dict[str, Any] = {"codec": self.codec}
        if self != PictureFormat.of(self.codec):
            fields["format"] = {
                "depth": self.depth,
                "colours": self.colours,
                "quality": self.quality,
                "transparent": self.transparent,
            }
        if self.canvas is not None:
            fields["format"]["canvas"] = self.canvas.to_json()
        return fields

    @staticmethod
    def from_body(body: Mapping[str, Any]) -> PictureFormat:
        """The format that a request asks for. Raises InputError."""
        codec, fields = body.get("codec"), body.get("format", {})
        if not isinstance(codec, str) or not isinstance(fields, dict):
            raise InputError("The frame's format cannot be read", "Update the worker.")
        usual = PictureFormat.of(codec)
        colours, transparent = fields.get("colours", "RGB"), fields.get("transparent", False)
        depth, quality = fields.get("depth", usual.depth), fields.get("quality", USUAL_QUALITY)
        if not isinstance(colours, str) or not isinstance(transparent, bool):
            raise InputError("The frame's format cannot be read", "Update the worker.")
        if not isinstance(depth, int) or isinstance(quality, bool):
            raise InputError("The frame's format cannot be read", "Update the worker.")
        canvas = None if fields.get("canvas") is None else Canvas.from_json(fields["canvas"])
        return PictureFormat(codec, depth, colours, quality, transparent, canvas)
