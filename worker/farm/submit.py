"""Jobs for a farm from the command line: of a .blend file, which Blender reads, or of a portrait
and its performance, for nodes that have the worker alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from photorig.shared import programs
from photorig.shared.errors import InputError
from photorig.shared.farm.frames import parse_frames
from photorig.shared.farm.in_blender import SCRIPT, SCRIPT_NAME, words_of
from photorig.shared.farm.job import (
    PORTRAITS,
    WORKER,
    Face,
    FarmJob,
    performance_name,
    portrait_name,
)
from photorig.shared.farm.preflight import Expected
from photorig.shared.farm.write import write_for
from photorig.shared.files.writing import explained, write_atomically
from photorig.shared.parameters.file import read_recording
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import bundle_for
from photorig.worker.reenactment.renderer import load_renderer

from .node import facts_of

BLENDER_VARIABLE = "PHOTORIG_BLENDER"
DEFAULT_CHUNK = 24


@dataclass(frozen=True)
class Submission:
    """What is asked for, whatever the shot is.

    Attributes:
        farm: one of shared.farm.write.FARMS.
        folder: of the job.
        frames: "1-240", or "" for all.
        chunk_size: frames that a node takes at once.
        output: where frames go; None for a folder in the job's.
        needs_gpu, allow_mixed_devices: as of FarmJob and Expected.
    """

    farm: str
    folder: Path
    frames: str = ""
    chunk_size: int = DEFAULT_CHUNK
    output: Path | None = None
    needs_gpu: bool = False
    allow_mixed_devices: bool = False


@dataclass(frozen=True)
class Drive:
    """How a performance drives a portrait, as of ``photorig render``."""

    mode: str = "relative"
    size: str = "full"
    method: str = "regional"
    device: str = "auto"


def submit_performance(
    pairs: Sequence[tuple[Path, Path]], asked: Submission, drive: Drive
) -> FarmJob:
    """Write a job for nodes that have the worker alone.

    Args:
        pairs: portrait and performance of each face, the first one's first.

    Raises:
        InputError: a file cannot be read, or the folder cannot be written.
    """
    portraits = [Portrait.load(path) for path, _ in pairs]
    renderer = load_renderer(drive.device, bundle_for(portraits[0].model_id))
    recorded = [read_recording(path, renderer.schema)[0] for _, path in pairs]
    frames = parse_frames(asked.frames) if asked.frames else [line.frame for line in recorded[0]]
    if missing := sorted(set(frames) - {line.frame for line in recorded[0]}):
        raise InputError(f"{pairs[0][1]} has no frame {missing[0]}", "Give frames that it has.")
    faces = [
        Face(portrait_name(portrait.id), performance_name(number))
        for number, portrait in enumerate(portraits, 1)
    ]
    job = FarmJob(
        name=pairs[0][1].stem,
        kind=WORKER,
        frames=tuple(sorted(set(frames))),
        chunk_size=asked.chunk_size,
        output="" if asked.output is None else str(asked.output.absolute()),
        needs_gpu=asked.needs_gpu,
        folder=str(asked.folder.absolute()),
        faces=tuple(faces),
        mode=drive.mode,
        size=drive.size,
        method=drive.method,
    )
    with explained(asked.folder / PORTRAITS):
        (asked.folder / PORTRAITS).mkdir(parents=True, exist_ok=True)
    for (portrait_path, performance), face in zip(pairs, faces, strict=True):
        for source, name in ((portrait_path, face.portrait), (performance, face.performance)):
            write_atomically(asked.folder / name, source.read_bytes())
    write_for(
        asked.farm,
        asked.folder,
        job,
        Expected(facts_of(renderer, portraits), asked.allow_mixed_devices),
    )
    return job


def submit_shot(shot: Path, asked: Submission, kind: str, blender: str = "") -> None:
    """Let Blender read a shot and write its job; the extension's Submit to Farm does it.

    Args:
        kind: what the nodes have, one of KINDS.
        blender: name or path of the program; "" for the usual places.

    Raises:
        InputError: there is no Blender, or it could not submit; its sentence is told.
    """
    if not shot.is_file():
        raise InputError(f"There is no file {shot}", "Give a .blend file.")
    program = find_blender(blender)
    properties = {
        "farm": asked.farm.upper(),
        "nodes": kind.upper(),
        "job_folder": str(asked.folder.absolute()),
        "frames": asked.frames,
        "chunk_size": str(asked.chunk_size),
        "output_folder": "" if asked.output is None else str(asked.output.absolute()),
        "needs_gpu": str(asked.needs_gpu),
        "allow_mixed_devices": str(asked.allow_mixed_devices),
    }
    place = Path(tempfile.mkdtemp(prefix="photorig-farm-"))
    try:
        (place / SCRIPT_NAME).write_text(SCRIPT, encoding="utf-8")
        command: list[str | Path] = [program, "--background", shot.absolute()]
        command += ["--python-exit-code", "1", "--python", str(place / SCRIPT_NAME)]
        command += words_of("submit_to_farm", **properties)
        done = programs.run(command, place, timeout=1800)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{program} could not read the shot: {error}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if done.returncode:
        raise InputError(_last_sentence(done.stdout) or f"{program} could not submit the shot")


def find_blender(named: str = "") -> Path:
    """Blender by name or path, else what $PHOTORIG_BLENDER names, else on the search path.

    Raises:
        InputError: there is none.
    """
    wanted = named or os.environ.get(BLENDER_VARIABLE, "") or "blender"
    found = programs.find(str(Path(wanted).expanduser()))
    if found is None:
        raise InputError(
            f"There is no program {wanted}",
            f"Name Blender with --blender, or let {BLENDER_VARIABLE} do it.",
        )
    return found


def _last_sentence(output: str) -> str:
    said = [line for line in output.splitlines() if line.startswith("Photorig: ")]
    return said[-1].removeprefix("Photorig: ") if said else ""
