"""A picture of people × controls, to judge a direction matrix by eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from photorig.worker.generators import Generator
from photorig.worker.reenactment.bundle import ModelBundle

TILE = 160
LABEL_HEIGHT = 22

CONTROLS: tuple[tuple[str, dict[str, float]], ...] = (
    ("rest", {}),
    ("yaw -25°", {"headYaw": -25}),
    ("yaw +25°", {"headYaw": 25}),
    ("pitch -15°", {"headPitch": -15}),
    ("pitch +15°", {"headPitch": 15}),
    ("smile", {"mouthSmileLeft": 1, "mouthSmileRight": 1}),
    ("jaw open", {"jawOpen": 1}),
    ("blink", {"eyeBlinkLeft": 1, "eyeBlinkRight": 1}),
    ("brows up", {"browInnerUp": 1, "browOuterUpLeft": 1, "browOuterUpRight": 1}),
    ("brows down", {"browDownLeft": 1, "browDownRight": 1}),
    ("pucker", {"mouthPucker": 1}),
    ("upper lip", {"mouthUpperUpLeft": 1, "mouthUpperUpRight": 1}),
)
"""Label and the move asked for; coefficients of 1 mean as far as the bundle was trained."""


def contact_sheet(
    generator: Generator, bundle: ModelBundle, latents: np.ndarray, path: Path
) -> None:
    """Write a JPEG with one row a person and one column a control, moved as the renderer does.

    Args:
        latents: (m, 16, 512) float32.
    """
    n_rows = bundle.directions.shape[1]
    width, height = TILE * len(CONTROLS), LABEL_HEIGHT + TILE * len(latents)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    for column, (label, move) in enumerate(CONTROLS):
        draw.text((column * TILE + 6, 3), label, "black", font)
        shift = bundle.within_range(bundle.schema.vector(move))
        driven = latents.copy()
        driven[:, :n_rows] += np.einsum("k,krd->rd", shift, bundle.directions)
        for row, image in enumerate(generator.synthesize(driven, 256)):
            tile = Image.fromarray(image).resize((TILE, TILE), Image.Resampling.LANCZOS)
            sheet.paste(tile, (column * TILE, LABEL_HEIGHT + row * TILE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=88)
