"""An imported StyleGAN2 on the disk: safetensors with NVIDIA's names, made from a foreign file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from photorig.shared.errors import ModelError
from photorig.worker.importers.safetensors_file import write_safetensors
from photorig.worker.importers.stylegan2 import ForeignGenerator
from photorig.worker.registry import card, fetch

from ..weights import LatentStatistics
from .weights import StyleGan2Form, StyleGan2Weights, map_codes

FORMAT, VERSION = "photorig.stylegan2", 1
WEIGHTS_FILE = "generator.safetensors"
_STATISTICS = "statistics.std"
_SAMPLES, _BATCH = 16384, 1024


def write_generator(path: Path, foreign: ForeignGenerator) -> tuple[tuple[str, int], StyleGan2Form]:
    """Check a generator and write it, with the spread of its latents.

    Returns:
        SHA-256 (hex) and bytes of the file, and the generator's form.

    Raises:
        ModelError: it is no StyleGAN2 that can be used. InputError: the file cannot be written.
    """
    tensors = dict(foreign.tensors)
    known = {name: values.shape for name, values in tensors.items()}
    form = StyleGan2Form.of(_with_what_may_lack(known))
    for name in form.shapes.keys() - known.keys():
        tensors[name] = _in_place_of(name, form)
    mean, std = measured_statistics(form, tensors)
    if "mapping.w_avg" not in known:
        tensors["mapping.w_avg"] = mean
    metadata = {"format": FORMAT, "version": VERSION, "clamp": foreign.clamp}
    ordered = {name: tensors[name] for name in sorted(form.shapes)}
    ordered[_STATISTICS] = std
    try:
        written = write_safetensors(path, ordered, {"photorig": json.dumps(metadata)})
    except ValueError as error:
        raise ModelError("it holds a value that is no finite number") from error
    return written, form


def _with_what_may_lack(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Mean latent and noise are not in every file; their shapes follow from what is."""
    known = dict(shapes)
    for name, shape in shapes.items():
        layer, _, part = name.rpartition(".")
        if (
            part == "weight"
            and len(shape) == 4
            and layer.startswith("synthesis.b")
            and shape[2] == 3
        ):
            side = int(layer.split(".")[1].removeprefix("b") or 0)
            known.setdefault(f"{layer}.noise_const", (side, side))
            known.setdefault(f"{layer}.noise_strength", ())
    width = shapes.get("mapping.fc0.weight", (0,))[0]
    known.setdefault("mapping.w_avg", (width,))
    return known


def _in_place_of(name: str, form: StyleGan2Form) -> np.ndarray:
    """What a file lacks: noise that is drawn anew for each picture there is fixed here, by name."""
    if name.endswith("noise_const"):
        seed = np.frombuffer(name.encode(), np.uint8)
        return np.random.default_rng(seed.tolist()).standard_normal(form.shapes[name], np.float32)
    return np.zeros(form.shapes[name], np.float32)


def measured_statistics(
    form: StyleGan2Form, tensors: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (w_dim,) float32 of w over random z, always the same ones."""
    random = np.random.default_rng(0)
    total, squares = np.zeros(form.w_dim), np.zeros(form.w_dim)
    for _ in range(_SAMPLES // _BATCH):
        z = random.standard_normal((_BATCH, form.z_dim), np.float32)
        with np.errstate(all="ignore"):  # a damaged file is told when it is written
            w = map_codes(tensors, z).astype(np.float64)
        total += w.sum(0)
        squares += np.square(w).sum(0)
    with np.errstate(all="ignore"):
        mean = total / _SAMPLES
        std = np.sqrt(np.maximum(squares / _SAMPLES - np.square(mean), 0))
    return mean.astype(np.float32), std.astype(np.float32)


def load_weights(name: str) -> StyleGan2Weights:
    """An imported generator by the name of its card.

    Raises:
        ModelError: there is none of that name, or it is damaged.
    """
    found = card(name)
    if found.kind != "generator" or found.source.type != "imported":
        raise ModelError(
            f"{name} is no generator that was imported",
            "'photorig models list' shows what there is.",
        )
    return replace(read_generator(fetch(name) / WEIGHTS_FILE), name=name)


def read_generator(path: Path) -> StyleGan2Weights:
    """A file that `write_generator` made.

    Raises:
        ModelError: it is none, or is damaged.
    """
    try:
        with safe_open(path, "np") as file:
            metadata = json.loads((file.metadata() or {})["photorig"])
            if (metadata["format"], metadata["version"]) != (FORMAT, VERSION):
                raise ModelError(f"{path} is of another version of Photorig", "Import it again.")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        clamp = metadata["clamp"]
        std = tensors.pop(_STATISTICS)
        statistics = LatentStatistics(tensors["mapping.w_avg"], std)
        weights = StyleGan2Weights(tensors, None if clamp is None else float(clamp), statistics)
        if weights.form.w_dim != len(std):
            raise ValueError("the statistics are of another length")
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is no generator, or it is damaged", "Import it again.") from error
    return weights
