"""Eight frames that stay as they are, and how to renew them when they are meant to change.

    python tests/unit/golden_frames.py             frames alone: what is drawn has changed
    python tests/unit/golden_frames.py --measure   the portrait too: what is measured has changed

Say in the commit why. tests/unit/reenactment/test_golden_frames.py compares with them.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.generators import load_generator
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle, load_bundle
from photorig.worker.reenactment.regional_controls import RegionalShifts
from photorig.worker.reenactment.renderer import FaceRenderer

FOLDER = Path(__file__).parents[1] / "data" / "golden"
PORTRAIT, HASHES, SHEET = FOLDER / "sampled.portrait", FOLDER / "frames.json", FOLDER / "frames.png"
SHOWN = 64
"""Side of the frames in the sheet, pixels averaged."""
_SEED, _SIDE, _PHOTO = 7, 512, (600, 640)
_IN_PHOTO = np.array([[0.78, -0.12, 160.0], [0.12, 0.78, 60.0]])
"""Where the sampled face is in its photo: turned, smaller, and with something around it."""

_SMILE = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.7, "browInnerUp": 0.5}
_POSE = {"headYaw": 14.0, "headPitch": -8.0}
_REQUESTS: dict[str, dict[str, Any]] = {
    "rest": {"values": {}},
    "expression": {"values": {**_SMILE, "jawOpen": 0.5}},
    "pose": {"values": {**_POSE, "headRoll": 10.0}},
    "both": {"values": {**_SMILE, **_POSE, "eyeBlinkRight": 1.0, "headX": 1.0}},
    "full photo": {"values": {**_SMILE, "headYaw": 24.0, "eyeLookUpLeft": 0.6}, "size": "full"},
    "absolute": {"values": {"jawOpen": 0.4, "headYaw": 5.0}, "mode": "absolute"},
    "calibrated": {"values": {**_SMILE, **_POSE}, "method": "calibrated"},
    "directions, neutral": {"values": _SMILE, "method": "directions", "neutral": 1.0},
}
"""The default method is regional, the default mode relative."""


def golden_portrait() -> Portrait:
    """The portrait of the golden frames, as measured for the bundle that there is."""
    return _for_bundle(Portrait.load(PORTRAIT), load_bundle())


def golden_renderer() -> FaceRenderer:
    """In float32, where processors differ least."""
    return FaceRenderer(load_bundle(), load_generator("cpu", "f32"))


def requests(portrait: Portrait) -> Iterator[tuple[str, FrameRequest]]:
    """The eight requests by name."""
    for name, asked in _REQUESTS.items():
        fields = {"size": 256, "method": "regional", **asked}
        missing = portrait.shown if fields.get("mode") == "absolute" else None
        vector = FACE_SCHEMA.vector(fields.pop("values"), missing)
        yield name, FrameRequest(portrait=portrait.id, parameters=vector, **fields)


def digest(frame: np.ndarray) -> str:
    """SHA-256 (hex) of a frame's shape and pixels."""
    return hashlib.sha256(f"{frame.shape} ".encode() + frame.tobytes()).hexdigest()


def shown(frame: np.ndarray) -> np.ndarray:
    """(SHOWN, SHOWN, 3) uint8: the frame, pixels averaged."""
    return np.asarray(cv2.resize(frame, (SHOWN, SHOWN), interpolation=cv2.INTER_AREA))


def computer() -> str:
    """What decides how numbers are rounded: frames are the same bytes where this is the same."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    told = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in lines if ":" in line)
    kinds = [told.get(name, "") for name in ("model name", "cpu family", "model", "stepping")]
    packages = ("numpy", "opencv-contrib-python", "openvino", "torch")
    versions = [f"{name} {version(name)}" for name in packages]
    return ", ".join([platform.machine(), " ".join(kinds), *versions])


def _for_bundle(portrait: Portrait, bundle: ModelBundle) -> Portrait:
    """What was measured counts on: a test of drawing waits for no new measurement."""
    response, geometry = portrait.response, portrait.geometry
    assert response is not None and geometry is not None, "measure the portrait again"
    return replace(
        portrait,
        response=replace(response, bundle_id=bundle.id),
        geometry=replace(geometry, made_for=RegionalShifts(bundle).id),
    )


def _measured() -> Portrait:
    """A person who does not exist, in a photo that is larger than the aligned square."""
    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.fitting.sample import sample_portrait
    from photorig.worker.reenactment.measure_geometry import with_geometry

    generator, net3d = load_generator("cpu", "f32"), Net3D()
    sampled = sample_portrait(generator, net3d, _SEED)
    height, width = _PHOTO
    face = cv2.resize(sampled.photo, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    photo = cv2.warpAffine(face, _IN_PHOTO, (width, height), borderMode=cv2.BORDER_REFLECT)
    in_square = cv2.invertAffineTransform(_IN_PHOTO) / _SIDE
    portrait = replace(sampled, photo=photo, alignment=Alignment(in_square))
    return with_geometry(portrait, load_bundle(), generator, net3d)


def main() -> None:
    """Write the golden frames."""
    FOLDER.mkdir(exist_ok=True)
    if "--measure" in sys.argv:
        _measured().save(PORTRAIT)
    portrait, renderer = golden_portrait(), golden_renderer()
    frames = {name: renderer.render(portrait, asked) for name, asked in requests(portrait)}
    hashes = {name: digest(frame) for name, frame in frames.items()}
    content = {"computer": computer(), "frames": hashes}
    HASHES.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    Image.fromarray(np.concatenate([shown(frame) for frame in frames.values()], 1)).save(SHEET)


if __name__ == "__main__":
    main()
