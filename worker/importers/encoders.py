"""Layouts of what comes with generators: encoders (e4e, pSp, ReStyle), StelaBou's direction matrix
and mask network. Names stay those of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from photorig.shared.errors import ModelError

from .pickled import Key, Made, entries
from .torch_file import ForeignFile

Arrays = dict[str, np.ndarray]

_ENCODER = re.compile(
    r"(input_layer|body|styles|latlayer[12])\.\d+(\.[a-z_0-9]+)*|latlayer[12]\.(weight|bias)"
)
_COUNTERS = ".num_batches_tracked"
_DIFFERENCES = ("Encoder4Editing", "ProgressiveBackboneEncoder")
_WHOLE = ("GradualStyleEncoder", "BackboneEncoder")
_MASK = re.compile(r"network_\d\d\.masknet\.[02]\.(weight|bias)")


@dataclass(frozen=True, eq=False)
class ForeignPart:
    """Something that is no generator.

    Attributes:
        kind: ``encoder``, ``direction-matrix`` or ``mask-network``.
        tensors: by the file's names.
        facts: what else the file says that counts.
    """

    kind: str
    tensors: Arrays
    facts: dict[str, str | int | float | bool] = field(default_factory=dict)


def encoder_of(file: ForeignFile) -> ForeignPart | None:
    """The encoder of a checkpoint; None where there is none. Raises ModelError."""
    top = entries(file.content)
    if "e" in top:
        named = entries(top["e"])
    else:
        whole = entries(top.get("state_dict"))
        named = {
            key.removeprefix("encoder."): value
            for key, value in whole.items()
            if isinstance(key, str) and key.startswith("encoder.")
        }
    tensors = _arrays(named, file)
    if "input_layer.0.weight" not in tensors:
        if named:
            raise ModelError("its encoder is none of IR-SE-50, as e4e, pSp and ReStyle have it")
        return None
    unknown = next((name for name in sorted(tensors) if not _ENCODER.fullmatch(name)), None)
    if unknown is not None:
        raise ModelError(f"its encoder has a tensor {unknown[:80]!r}, as none of IR-SE-50 has")
    average = file.array(top.get("latent_avg"))
    if average is not None:
        tensors["latent_avg"] = average
    return ForeignPart("encoder", tensors, {"adds_differences": _adds_differences(top)})


def _adds_differences(top: dict[Key, object]) -> bool:
    """Whether rows of latents are differences to the first one, as in e4e; in pSp they are not."""
    options = top.get("opts")
    if isinstance(options, Made):
        options = options.state  # an argparse.Namespace
    kind = entries(options).get("encoder_type", _DIFFERENCES[0])
    if kind not in _DIFFERENCES + _WHOLE:
        raise ModelError(f"its encoder is a {str(kind)[:40]!r}, which is not read")
    return kind in _DIFFERENCES


def stelabou_of(file: ForeignFile) -> ForeignPart | None:
    """StelaBou's matrix of directions or StyleMask's mask network. Raises ModelError."""
    top = entries(file.content)
    if "A_matrix" in top:
        tensors = _arrays(entries(top["A_matrix"]), file)
        weight = tensors.get("linear.weight")
        if (
            weight is None
            or weight.ndim != 2
            or not set(tensors)
            <= {
                "linear.weight",
                "linear.bias",
            }
        ):
            raise ModelError("its direction matrix is no single linear layer")
        return ForeignPart("direction-matrix", tensors, _matrix_facts(top, weight))
    if "mask_net" in top:
        tensors = _arrays(entries(top["mask_net"]), file)
        if not tensors or not all(_MASK.fullmatch(name) for name in tensors):
            raise ModelError("its mask network is not StyleMask's")
        layers = len({name.split(".")[0] for name in tensors})
        return ForeignPart("mask-network", tensors, {"layers": layers})
    return None


def _matrix_facts(
    top: dict[Key, object], weight: np.ndarray
) -> dict[str, str | int | float | bool]:
    """From the shapes, since files lack some of it; only the scale of shifts is nowhere else."""
    layers = top.get("num_layers_shift", 8)
    if not isinstance(layers, int) or layers < 1 or weight.shape[0] % layers:
        raise ModelError(f"its direction matrix has {weight.shape[0]} rows for {layers} layers")
    scale = top.get("shift_scale", 6.0)
    return {
        "directions": weight.shape[1],
        "layers": layers,
        "row_length": weight.shape[0] // layers,
        "shift_scale": float(scale) if isinstance(scale, int | float) else 6.0,
        "w_plus": bool(top.get("w_plus", True)),
    }


def _arrays(named: dict, file: ForeignFile) -> Arrays:
    found: Arrays = {}
    for name, value in named.items():
        if isinstance(name, str) and not name.endswith(_COUNTERS):
            array = file.array(value)
            if array is not None:
                found[name] = array
    return found
