"""``photorig doctor``: what this computer has, and how fast it renders, measured now."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from typing import Any

import psutil

from photorig.shared.errors import PhotorigError
from photorig.worker.registry import is_offline, open_registry

DISTRIBUTIONS = (
    "photorig",
    "torch",
    "openvino",
    "mediapipe",
    "opencv-contrib-python",
    "numpy",
    "pyzmq",
    "av",
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="show devices, versions and measured speed",
        description="Show devices, versions, models and the measured milliseconds per frame.",
    )
    parser.add_argument("--device", default="auto", help="measure this device (default: the best)")
    parser.add_argument("--frames", type=int, default=5, help="frames to time at each size")
    parser.add_argument("--no-speed", action="store_true", help="leave the measurement out")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: argparse.Namespace) -> int:
    report: dict[str, Any] = {
        "system": system(),
        "versions": versions(),
        "devices": devices(),
        "models": models(),
    }
    failure = ""
    if not args.no_speed:
        try:
            report["speed"] = speed(args.device, args.frames)
        except PhotorigError as error:
            failure = str(error)
            report["speed"] = {"error": failure}
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        _print(report)
    return 1 if failure else 0


def system() -> dict[str, str]:
    """Operating system, Python, processor cores and memory."""
    memory = psutil.virtual_memory()
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": str(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "memory": f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free",
    }


def versions() -> dict[str, str]:
    """Installed version by distribution, or ``missing``."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def devices() -> dict[str, str]:
    """What could render: description by device name."""
    found = {"cpu": platform.processor() or platform.machine()}
    try:
        import openvino

        core = openvino.Core()
        found["cpu"] = core.get_property("CPU", "FULL_DEVICE_NAME")
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        found["cpu"] += ", " + ("bf16" if "BF16" in capabilities else "no bf16")
    except (ImportError, RuntimeError) as error:
        found["cpu"] += f", OpenVINO unusable ({error})"
    try:
        import torch

        for index in range(torch.cuda.device_count()):
            found[f"cuda:{index}"] = torch.cuda.get_device_name(index)
        if torch.backends.mps.is_available():
            found["mps"] = "Apple graphics processor"
    except ImportError as error:
        found["torch"] = f"unusable ({error})"
    return found


def models() -> dict[str, str]:
    """State by model name; ``ready`` means that every checksum was right just now."""
    registry = open_registry()
    return {name: registry.problem(name) or "ready" for name in sorted(registry.cards)}


def speed(device: str, frames: int) -> dict[str, Any]:
    """Median milliseconds a frame of the generator alone, by size.

    Raises:
        PhotorigError: the models or the device cannot be used.
    """
    from photorig.worker.generators import load_generator

    generator = load_generator(device)
    latents = generator.expand(generator.mean_latent[None])
    medians = {}
    for size in generator.sizes:
        generator.synthesize(latents, size)  # the first one compiles and is not counted
        times = []
        for _ in range(max(1, frames)):
            start = time.perf_counter()
            generator.synthesize(latents, size)
            times.append(time.perf_counter() - start)
        medians[str(size)] = round(statistics.median(times) * 1000, 1)
    return {
        "device": generator.device,
        "backend": generator.backend,
        "milliseconds_per_frame": medians,
    }


def _print(report: dict[str, Any]) -> None:
    for section in ("system", "versions", "devices", "models"):
        print(section)
        for name, value in report[section].items():
            print(f"  {name:<22} {value}")
    if is_offline():
        print("network\n  off limits (offline mode)")
    if "speed" not in report:
        return
    print("speed")
    if "error" in report["speed"]:
        print(f"  not measured: {report['speed']['error']}")
        return
    print(f"  {report['speed']['backend']} on {report['speed']['device']}")
    for size, milliseconds in report["speed"]["milliseconds_per_frame"].items():
        print(f"  {size + ' x ' + size:<22} {milliseconds:.1f} ms a frame")
