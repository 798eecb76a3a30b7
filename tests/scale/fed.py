"""What the simulation is fed with: what was measured, and what is assumed, apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Fed:
    """Times in seconds.

    Attributes:
        size: of the frames, as of ``photorig render``.
        core_seconds: a frame took on one core, its PNG included (measured, processor time).
        speedup: of a device of the pool against that core (assumed: no GPU was measured).
        frame_seconds, preview_seconds: on such a device, of this size and of 256 pixels.
        load_seconds: to load the models (measured, processor time).
        portrait_bytes: of a portrait file (measured).
        frame_bytes: of a frame's file (measured).
        gateway_seconds: a frame of so many bytes keeps a gateway's core busy (measured), or its
            network, whichever is slower.
        gateway_frames_a_second: the same the other way round.
        link_bytes_a_second: of a gateway's network (assumed).
        devices_a_gateway: as many as keep it busy for ``gateway_share`` of its time.
        gateway_share: of a gateway's time that renders may take (chosen; the rest is for previews).
        chunk_seconds: of work at once (as executors cut it).
        devices_a_node, straggling, straggler_factor, notice_seconds, restart_seconds: assumed.
    """

    size: str
    core_seconds: float
    speedup: float
    frame_seconds: float
    preview_seconds: float
    load_seconds: float
    portrait_bytes: float
    frame_bytes: float
    gateway_seconds: float
    gateway_frames_a_second: float
    link_bytes_a_second: float
    devices_a_gateway: int
    gateway_share: float = 0.7
    chunk_seconds: float = 1.5
    devices_a_node: int = 8
    straggling: float = 0.01
    straggler_factor: float = 4.0
    notice_seconds: float = 10.0
    restart_seconds: float = 30.0


def read_fed(path: Path, size: str, speedup: float, link_gigabits: float) -> Fed:
    """From measured.json, whatever else stands in it.

    Args:
        link_gigabits: a second, of a gateway's network.
    """
    told = json.loads(path.read_text(encoding="utf-8"))
    frames = {str(each["size"]): each for each in told["frames"]["figures"] if "size" in each}
    (load,) = (each["model_load"] for each in told["frames"]["figures"] if "model_load" in each)
    core, preview = _seconds(frames[size]), _seconds(frames["256"])
    n_bytes = float(frames[size]["png_bytes"])
    link = link_gigabits * 1e9 / 8
    gateway = max(_gateway_seconds(told["gateway"]["figures"], n_bytes), n_bytes / link)
    share = Fed.__dataclass_fields__["gateway_share"].default
    return Fed(
        size=size,
        core_seconds=core,
        speedup=speedup,
        frame_seconds=core / speedup,
        preview_seconds=preview / speedup,
        load_seconds=float(load["processor_seconds"]),
        portrait_bytes=float(told["portrait"]["figures"]["bytes"]),
        frame_bytes=n_bytes,
        gateway_seconds=gateway,
        gateway_frames_a_second=1 / gateway,
        link_bytes_a_second=link,
        devices_a_gateway=max(1, int(share * core / speedup / gateway)),
    )


def _seconds(figure: dict[str, Any]) -> float:
    parts = ("render_processor_milliseconds", "encode_processor_milliseconds")
    return sum(float(figure[part]) for part in parts) / 1000


def _gateway_seconds(figures: list[dict[str, Any]], n_bytes: float) -> float:
    """Processor time of a gateway for a frame of so many bytes, between the measured sizes."""
    alone = sorted((each for each in figures if each["clients"] == 1), key=_bytes)
    seconds = [float(each["processor_milliseconds_per_frame"]) / 1000 for each in alone]
    return float(np.interp(n_bytes, [_bytes(each) for each in alone], seconds))


def _bytes(figure: dict[str, Any]) -> float:
    return float(figure["frame_bytes"])
