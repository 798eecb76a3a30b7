"""The figures that the simulation of many devices is fed with, measured on this computer.

    python tests/scale/measure.py --portrait anna.portrait --out docs/evaluation/scale/measured.json

What a run does not measure stays in the file as it was. Times are processor time where the computer
does other things as well; the file says which.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.server.executors.workshop import FaceWorkshop
from photorig.worker.threads import thread_count

SIZES = (256, 512, 1024, "full")
_CHUNK_SECONDS = 1.5


def frames(portrait_file: Path, rounds: int) -> list[dict[str, Any]]:
    """What a frame of each size costs to make and to write down, on one device."""
    workshop, form = FaceWorkshop(), PictureFormat("png")
    began, used = time.perf_counter(), time.process_time()
    renderer = workshop.renderer()
    loading = {
        "seconds": round(time.perf_counter() - began, 2),
        "processor_seconds": round(time.process_time() - used, 2),
    }
    portrait = Portrait.from_bytes(portrait_file.read_bytes())
    found: list[dict[str, Any]] = []
    for size in SIZES:
        made, written, clock, n_bytes = [], [], [], 0
        for frame in range(rounds + 1):
            values = FACE_SCHEMA.vector({"headYaw": 3.0 * frame, "jawOpen": 0.1 * (frame % 8)})
            start, used = time.perf_counter(), time.process_time()
            image = renderer.render(portrait, FrameRequest("0" * 64, values, size, frame=frame))
            middle = time.process_time()
            content = workshop.encode(image, form, renderer.model_id)
            made.append(middle - used)
            written.append(time.process_time() - middle)
            clock.append(time.perf_counter() - start)
            n_bytes = max(n_bytes, len(content))
        median = statistics.median(made[1:])  # the first one prepares
        found.append(
            {
                "size": size,
                "pixels": list(image.shape[:2]),
                "render_processor_milliseconds": round(median * 1000, 1),
                "encode_processor_milliseconds": round(statistics.median(written[1:]) * 1000, 1),
                "clock_milliseconds": round(statistics.median(clock[1:]) * 1000, 1),
                "slowest_of_median": round(max(made[1:]) / median, 3),
                "png_bytes": n_bytes,
                "frames_in_a_chunk": max(1, round(_CHUNK_SECONDS / median)),
            }
        )
    return [{"model_load": loading, "device": renderer.describe()["device"]}, *found]


def upload(portrait_file: Path, rounds: int) -> dict[str, Any]:
    """A portrait's way to the gateway, through the real sockets, and its reading there."""
    from upload import uploaded

    return {"bytes": portrait_file.stat().st_size, **uploaded(portrait_file, rounds)}


def gateway(seconds: float) -> list[dict[str, Any]]:
    from saturation import FRAME_BYTES, measured

    with tempfile.TemporaryDirectory() as folder:
        return [
            asdict(measured(size, clients, seconds, Path(folder) / f"{size}-{clients}"))
            for size in FRAME_BYTES
            for clients in (1, 2)
        ]


def actors(portrait_file: Path, rounds: int) -> dict[str, Any]:
    """Two actors of Ray against one; {} where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        return {}
    from actors import measured

    return measured(portrait_file, rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portrait", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", nargs="+", choices=["frames", "portrait", "gateway", "actors"])
    args = parser.parse_args()
    steps: dict[str, Callable[[], Any]] = {
        "frames": lambda: frames(args.portrait, args.rounds),
        "portrait": lambda: upload(args.portrait, args.rounds),
        "gateway": lambda: gateway(args.seconds),
        "actors": lambda: actors(args.portrait, args.rounds),
    }
    kept = json.loads(args.out.read_text()) if args.out.is_file() else {}
    for name, step in steps.items():
        if not args.only or name in args.only:
            kept[name] = {"measured": _now(), "figures": step()}
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


def _now() -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": thread_count(),
        "load": load and round(load, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
