"""The real server around a renderer that paints test cards, for tests of the wire.

As a program it takes the options of ``photorig serve`` that matter here; as a module it offers the
same server in a thread of the test, with a gate that holds the device.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from photorig.shared.parameters.schema import FACE_SCHEMA, ParameterSchema
from photorig.shared.wire.connection import ConnectionInfo
from photorig.shared.wire.messages import FrameRequest, MessageLimits
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.cli.serve import reachable_options
from photorig.worker.media.encoding import encode_picture
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.server.executors.entry import ExecutorOptions
from photorig.worker.server.executors.local import LocalExecutor
from photorig.worker.server.executors.registry import executor_entry
from photorig.worker.server.fits.process import ProcessFitter
from photorig.worker.server.launch import (
    DEFAULT_BIND,
    ServerOptions,
    StopSignal,
    end_at_once,
    serve,
)
from photorig.worker.server.portrait_store import PortraitStore
from photorig.worker.server.watchdog import PATIENCE_SECONDS, WorkerHung

SIZE = 64
FIT_PROGRAM = [sys.executable, str(Path(__file__).with_name("fake_fit_program.py"))]
DEFECT = 66.0
"""A jawOpen for which the renderer fails in a way nobody foresaw."""
HANG = 77.0
"""A jawOpen from which it does not come back."""


def portrait_bytes(seed: int) -> bytes:
    """A valid portrait file, different for each seed."""
    random = np.random.default_rng(seed)
    return Portrait(
        latents=random.normal(size=(16, 512)).astype(np.float32),
        parameters=random.uniform(0, 1, len(FACE_SCHEMA)).astype(np.float32),
        photo=random.integers(0, 256, (SIZE, SIZE, 3), np.uint8),
        alignment=Alignment.upright(SIZE),
        model_id="card",
        name=f"Nobody {seed}",
    ).to_bytes()


def card(portrait_id: str, parameters: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3) uint8 whose first pixels are the parameters and the portrait, as bytes."""
    image = np.zeros(size * size * 3, np.uint8)
    content = np.asarray(parameters, "<f4").tobytes() + bytes.fromhex(portrait_id)
    image[: len(content)] = np.frombuffer(content, np.uint8)
    return image.reshape(size, size, 3)


class CardRenderer:
    """Has the form of FaceRenderer.

    Attributes:
        most_frames_at_once: that it makes; a frame takes no longer then.
        under_way: most frames that were made at once.
        gate: while it is clear, the device is busy.
        rendered: frame numbers in the order in which the device made them.
    """

    schema: ParameterSchema = FACE_SCHEMA
    model_id = "card"

    def __init__(self, delay: float = 0.0, at_once: int = 1) -> None:
        self.delay, self.most_frames_at_once = delay, at_once
        self.under_way, self._now = 0, 0
        self._lock = threading.Lock()
        self.gate = threading.Event()
        self.gate.set()
        self.rendered: list[int] = []

    def describe(self) -> dict[str, object]:
        return {"device": "test", "backend": "cards", "sizes": [SIZE]}

    def frames_at_once(self, portrait: Portrait, size: object) -> int:
        return self.most_frames_at_once

    def render(self, portrait: Portrait, request: FrameRequest) -> np.ndarray:
        with self._lock:
            self._now += 1
            self.under_way = max(self.under_way, self._now)
        try:
            return self._made(portrait, request)
        finally:
            with self._lock:
                self._now -= 1

    def _made(self, portrait: Portrait, request: FrameRequest) -> np.ndarray:
        self.gate.wait(20)
        time.sleep(self.delay)
        self.rendered.append(request.frame)
        if request.parameters[FACE_SCHEMA.index["jawOpen"]] == DEFECT:
            raise ZeroDivisionError("a defect")
        if request.parameters[FACE_SCHEMA.index["jawOpen"]] == HANG:
            threading.Event().wait()
        return card(portrait.id, request.parameters, SIZE)

    def passes(self, portrait: Portrait, request: FrameRequest) -> SimpleNamespace:
        """The frame, its negative as the face and its red as the matte."""
        combined = self.render(portrait, request)
        return SimpleNamespace(combined=combined, face=255 - combined, matte=combined[..., 0])


@dataclass(frozen=True)
class CardWorkshop:
    """Has the form of FaceWorkshop."""

    folder: Path
    delay: float = 0.0
    device: str = "auto"
    at_once: int = 1

    def portraits(self) -> PortraitStore:
        return PortraitStore(self.folder, Portrait.from_bytes)

    def renderer(self) -> CardRenderer:
        return CardRenderer(self.delay, self.at_once)

    def encode(self, image: np.ndarray, form: PictureFormat, model_id: str) -> bytes:
        return encode_picture(image, form, model_id)


def encode_card(image: np.ndarray, picture_format: str | PictureFormat) -> bytes:
    return encode_picture(image, picture_format, CardRenderer.model_id)


class RunningServer:
    """The server in a thread of this process."""

    def __init__(
        self,
        folder: Path,
        limits: MessageLimits | None = None,
        fit_program: Sequence[str] = FIT_PROGRAM,
        fit_photos: int = 1,
        **options: Any,
    ) -> None:
        """Further arguments are those of ServerOptions."""
        self.renderer = CardRenderer()
        self.file = folder / "worker.json"
        self.portraits = PortraitStore(folder / "portraits", Portrait.from_bytes)
        self.info: ConnectionInfo
        self.reason = ""
        self._stop = StopSignal()
        self._executor = LocalExecutor(lambda: self.renderer, self.portraits, encode_picture)
        self._limits = limits
        self._options = options
        self._fitter = ProcessFitter(fit_program, fit_photos)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> RunningServer:
        self._executor.start()
        self._thread.start()
        assert self._ready.wait(20), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.renderer.gate.set()
        self._stop.stop("the test is over")
        self._thread.join(10)
        self._executor.close()
        self._fitter.close()
        assert self.reason == "the test is over", "the server died"

    def _run(self) -> None:
        options = ServerOptions(self.file, worker="card server", **self._options)
        self.reason = serve(
            options,
            self._executor,
            self.portraits,
            self._on_ready,
            self._stop,
            self._limits,
            self._fitter,
        )

    def _on_ready(self, info: ConnectionInfo) -> None:
        self.info = info
        self._ready.set()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--connection-file", type=Path, required=True)
    parser.add_argument("--portraits", type=Path, required=True)
    parser.add_argument("--parent-pid", type=int)
    parser.add_argument("--end-with-stdin", action="store_true")
    parser.add_argument("--idle-minutes", type=float, default=0.0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--frame-seconds", type=float, default=PATIENCE_SECONDS)
    parser.add_argument("--bind")
    parser.add_argument("--allow-clients", type=Path)
    parser.add_argument("--executor", default="local")
    parser.add_argument("--address", default="")
    parser.add_argument("--actors", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    # As a module, so that other processes of ours can have it, too.
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    sys.path.insert(0, str(Path(__file__).parent))  # not there under -P
    module = importlib.import_module(Path(__file__).stem)
    workshop = module.CardWorkshop(args.portraits, args.delay)
    portraits, entry = workshop.portraits(), executor_entry(args.executor)
    chosen = ExecutorOptions(args.address, args.actors, args.frame_seconds)
    executor = entry.start(workshop, portraits, chosen)
    options = ServerOptions(
        args.connection_file,
        parent_pid=args.parent_pid,
        end_with_stdin=args.end_with_stdin,
        idle_minutes=args.idle_minutes,
        bind=args.bind or DEFAULT_BIND,
        patience_seconds=args.frame_seconds,
        **reachable_options(args),
    )
    fitter = ProcessFitter(FIT_PROGRAM)
    try:
        limits = MessageLimits(window=entry.window)
        serve(options, executor, portraits, _say_ready, limits=limits, fitter=fitter)
    except WorkerHung as error:
        end_at_once(error)
    fitter.close()
    executor.close()


def _say_ready(info: ConnectionInfo) -> None:
    print("ready", flush=True)


if __name__ == "__main__":
    main()
