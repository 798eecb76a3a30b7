"""Chooses the backend of the generator for a device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError

from .interface import Generator

if TYPE_CHECKING:
    import torch

    from .network import Network

DEVICES = ("auto", "cpu", "cuda", "mps", "torch-cpu")
PRECISIONS = ("auto", "f32", "bf16", "f16")
PRECISION_VARIABLE = "PHOTORIG_PRECISION"
"""What ``auto`` is, for comparison: the tests run with f32 and bf16 on one computer."""


DEFAULT = "default"
"""Name of the project's own generator; others are named as `photorig models import` named them."""


def load_generator(device: str = "auto", precision: str = "auto", name: str = DEFAULT) -> Generator:
    """A generator on a device.

    Args:
        device: ``cpu`` runs OpenVINO; ``cuda``, ``mps`` and ``torch-cpu`` run torch; ``auto`` is
            ``cuda`` or ``mps`` where there is one and ``cpu`` otherwise.
        precision: ``f32``, ``bf16``, ``f16`` (of torch's devices), or ``auto``: what
            ``PHOTORIG_PRECISION`` says, else bf16 where the processor computes in it.
        name: ``default``, or an imported model.

    Raises:
        InputError: the device or precision is unknown or not there.
        ModelError: the weights cannot be had.
    """
    if device not in DEVICES:
        raise InputError(f"there is no device {device!r}", f"Choose one of {', '.join(DEVICES)}.")
    if precision == "auto":
        precision = os.environ.get(PRECISION_VARIABLE) or precision
    if precision not in PRECISIONS:
        choices = ", ".join(PRECISIONS)
        raise InputError(f"there is no precision {precision!r}", f"Choose one of {choices}.")
    # torch and OpenVINO take a second to import: only what runs is imported.
    if device == "auto":
        device = _best_device()
    if precision == "f16" and device == "cpu":
        raise InputError("a processor has no precision 'f16'", "Choose f32, or bf16.")
    if name != DEFAULT:
        return _load_imported(name, device, precision)
    if device == "cpu":
        from .openvino_backend import load_openvino_generator

        return load_openvino_generator(precision)
    from .torch_backend import load_torch_generator

    return load_torch_generator(_torch_device(device), precision)


def load_network(name: str = DEFAULT, device: str = "cpu") -> Network:
    """A generator as a differentiable network.

    Args:
        device: where it computes; what goes in and comes out lies on the CPU all the same.

    Raises:
        InputError: the device is unknown or not there.
        ModelError: the weights cannot be had, or there is no generator of that name.
    """
    if name == DEFAULT:
        from .mobile_stylegan import load_mobile_stylegan

        return _placed(load_mobile_stylegan(), device)
    from .stylegan2.files import load_weights
    from .stylegan2.network import StyleGan2

    return _placed(StyleGan2(load_weights(name)), device)


def _placed(network: Network, device: str) -> Network:
    place = compute_device(device)
    return network if place.type == "cpu" else network.placed_on(place)


def compute_device(name: str) -> torch.device:
    """Where torch computes: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the best there is.

    Raises:
        InputError: the device is unknown or not there.
    """
    import torch

    if name == "auto":
        name = _best_device()
    return torch.device("cpu") if name == "cpu" else _torch_device(name)


def _load_imported(name: str, device: str, precision: str) -> Generator:
    from .stylegan2.files import load_weights

    weights = load_weights(name)
    if device == "cpu":
        from photorig.worker.threads import thread_count

        from .openvino_backend import CompiledGraphs
        from .stylegan2.openvino_backend import OpenVinoStyleGan2

        return OpenVinoStyleGan2(weights, CompiledGraphs(thread_count()))
    from .stylegan2.backends import TorchStyleGan2

    precision = "f32" if precision == "auto" else precision
    return TorchStyleGan2(weights, _torch_device(device), precision)


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _torch_device(name: str) -> torch.device:
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "torch-cpu": True,
    }
    if not available.get(name):
        raise InputError(f"this computer has no {name} device", "Use the device 'cpu'.")
    return torch.device(name.removeprefix("torch-"))
