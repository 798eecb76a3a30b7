"""A picture of people × controls, to judge a direction matrix by eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from photorig.worker.generators import Generator
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.directions import Directions
from photorig.worker.reenactment.target import Target

from .calibration import People, as_portrait

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


def contact_sheet(generator: Generator, bundle: ModelBundle, people: People, path: Path) -> None:
    """Write a JPEG with one row a person and one column a control, moved as the renderer does."""
    width, height = TILE * len(CONTROLS), LABEL_HEIGHT + TILE * len(people)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    method = Directions(bundle)
    portraits = [as_portrait(bundle, people, index) for index in range(len(people))]
    for column, (label, move) in enumerate(CONTROLS):
        draw.text((column * TILE + 6, 3), label, "black", font)
        asked = bundle.schema.vector(move)
        targets = [Target(bundle.within_range(one, asked)) for one in portraits]
        pairs = zip(portraits, targets, strict=True)
        driven = np.stack([method.drive(one, target).latents for one, target in pairs])
        for row, image in enumerate(generator.synthesize(driven, 256)):
            tile = Image.fromarray(image).resize((TILE, TILE), Image.Resampling.LANCZOS)
            sheet.paste(tile, (column * TILE, LABEL_HEIGHT + row * TILE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=88)
