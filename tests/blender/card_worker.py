"""A worker that paints test cards: the real server around a renderer without models.

The picture is noise seeded by everything it depends on, so that two requests give the same pixels
only if they are the same. Each rendered frame is noted in the file $PHOTORIG_TEST_LOG names;
$PHOTORIG_TEST_DELAY is the time one takes in seconds. Photos are fitted by the words in them, see
tests/contract/fake_fit_program.py.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from photorig.shared.parameters.schema import FACE_SCHEMA, Parameter, ParameterSchema
from photorig.shared.wire.messages import FrameRequest, HeadMeasurement
from photorig.worker.faces.canonical import load_canonical_face
from photorig.worker.media.encoding import encode_picture
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.server.executors.local import LocalExecutor
from photorig.worker.server.fits.process import ProcessFitter
from photorig.worker.server.launch import ServerOptions, StopSignal, serve
from photorig.worker.server.portrait_store import PortraitStore

NEWER = ParameterSchema(
    "newer",
    (
        Parameter("earLeft", "Ear Left", "ears", "coefficient", 0.0, 1.0, 0.0, "earRight"),
        Parameter("earRight", "Ear Right", "ears", "coefficient", 0.0, 1.0, 0.0, "earLeft"),
        *FACE_SCHEMA.parameters,
    ),
)
"""What a later model may know; $PHOTORIG_TEST_NEWER makes the worker know it."""
FIT_PROGRAM = Path(__file__).resolve().parents[1] / "contract" / "fake_fit_program.py"


class CardRenderer:
    """Has the form of FaceRenderer."""

    schema: ParameterSchema = NEWER if "PHOTORIG_TEST_NEWER" in os.environ else FACE_SCHEMA
    model_id = "card"

    def describe(self) -> dict[str, object]:
        response = {"controllable": True, "minimum": -0.3, "maximum": 0.3, "gain": 1.0}
        return {
            "device": "test",
            "backend": "cards",
            "sizes": [256, 512, 1024],
            "responses": [response] * len(self.schema),
        }

    def render(self, portrait: Portrait, request: FrameRequest) -> np.ndarray:
        time.sleep(float(os.environ.get("PHOTORIG_TEST_DELAY", "0")))
        with Path(os.environ["PHOTORIG_TEST_LOG"]).open("a") as log:
            log.write(f"{request.frame}\n")
        if request.size == "full":
            height, width = portrait.photo.shape[:2]
        else:
            height = width = request.size
        return card(request, width, height)

    def passes(self, portrait: Portrait, request: FrameRequest) -> SimpleNamespace:
        """The frame, its negative as the face, and a matte that rises from left to right."""
        combined = self.render(portrait, request)
        height, width = combined.shape[:2]
        matte = np.tile(np.linspace(0, 255, width).round().astype(np.uint8), (height, 1))
        return SimpleNamespace(combined=combined, face=255 - combined, matte=matte)


def card(request: FrameRequest, width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 noise that is a function of the picture asked for."""
    portrait, parameters, size, mode, method = request.picture
    text = f"{portrait} {parameters.hex()} {size} {mode} {method}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def head_of(portrait: Portrait) -> HeadMeasurement:
    """The average face, as it looks into the camera."""
    canonical = load_canonical_face().vertices
    transform = np.eye(4, dtype=np.float32)
    transform[2, 3] = -50.0
    height, width = portrait.photo.shape[:2]
    points = canonical + transform[:3, 3]
    scale = height / 2 / np.tan(np.radians(63.0) / 2)
    pixels = points[:, :2] / -points[:, 2:] * scale * [1, -1] + [width / 2, height / 2]
    landmarks = np.concatenate([pixels, np.repeat(pixels[[33, 263]], 5, 0)])
    return HeadMeasurement(canonical, landmarks, transform, FACE_SCHEMA.rest, width, height)


def _say_ready(_info: object) -> None:
    print("ready", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--connection-file", type=Path, required=True)
    parser.add_argument("--parent-pid", type=int)
    parser.add_argument("--end-with-stdin", action="store_true")
    parser.add_argument("--idle-minutes", type=float, default=0.0)
    options = parser.parse_args()
    portraits = PortraitStore(Path(tempfile.mkdtemp()), Portrait.from_bytes)
    # Tests count what is rendered, and one worker serves many of them.
    executor = LocalExecutor(CardRenderer, portraits, encode_picture, kept_bytes=0)
    settings = ServerOptions(
        options.connection_file,
        parent_pid=options.parent_pid,
        end_with_stdin=options.end_with_stdin,
        idle_minutes=options.idle_minutes,
    )
    with StopSignal() as stop:
        executor.start()
        fitter = ProcessFitter([sys.executable, str(FIT_PROGRAM)], 3)
        serve(
            settings,
            executor,
            portraits,
            _say_ready,
            stop,
            fitter=fitter,
            measure_head=head_of,
        )
        fitter.close()
        executor.close()


if __name__ == "__main__":
    main()
