"""Checkpoints as their authors write them, made here from the tensors of a small StyleGAN2."""

from __future__ import annotations

import io
import json
import math
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from photorig.worker.generators.stylegan2.weights import StyleGan2Form

DATA = Path(__file__).resolve().parents[1] / "data"
GOLDEN = DATA / "stylegan2"
PLAIN, CLAMPED = "stylegan2-skip64", "stylegan2-skip32_map2_fp16clamp"


@dataclass(frozen=True)
class Golden:
    """A network with random weights, and what NVIDIA's code makes of some inputs.

    Attributes:
        tensors: of the generator, blur kernels included; values: inputs and outputs.
        options: what the network was built with.
    """

    tensors: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    options: dict

    @property
    def clamp(self) -> float | None:
        return self.options["synthesis_kwargs"].get("conv_clamp")

    @property
    def plain(self) -> dict[str, np.ndarray]:
        """Without the blur kernels."""
        return {k: v for k, v in self.tensors.items() if not k.endswith("resample_filter")}


def golden(name: str) -> Golden:
    with safe_open(GOLDEN / f"{name}.safetensors", "np") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        options = json.loads(file.metadata()["init_kwargs"])
    weights = {k.removeprefix("G."): v for k, v in tensors.items() if k.startswith("G.")}
    return Golden(weights, {k: v for k, v in tensors.items() if not k.startswith("G.")}, options)


def tiny() -> Golden:
    """A few kilobytes of random weights."""
    form = StyleGan2Form(4, 4, 32, {4: 4, 8: 4, 16: 4, 32: 4}, 2)
    random = np.random.default_rng(0)
    tensors = {
        name: np.asarray(random.standard_normal(shape), np.float32)
        for name, shape in form.shapes.items()
    }
    return Golden(tensors, {}, {"img_resolution": 32, "synthesis_kwargs": {}})


def nvidia_pickle(network: Golden, monkeypatch: pytest.MonkeyPatch, **changes: object) -> bytes:
    """``network-snapshot.pkl`` of stylegan2-ada-pytorch: modules with the source that made them."""
    persistence = _module(monkeypatch, "torch_utils.persistence")
    util = _module(monkeypatch, "dnnlib.util")
    easy = _class(monkeypatch, util, "EasyDict", (dict,))
    _function(monkeypatch, persistence, "_reconstruct_persistent_obj")
    generator = _module_tree(network, persistence, easy, changes)
    options = easy(path="photos.zip", resolution=64)
    content = {"G": generator, "D": None, "G_ema": generator, "training_set_kwargs": options}
    stream = io.BytesIO()
    pickle.dump(content, stream)
    return stream.getvalue()


def _module_tree(network: Golden, persistence: types.ModuleType, easy: type, changes: dict):
    """Nested objects as `persistent_class` reduces them; parameters keep torch's own way."""

    class Persistent:
        def __init__(self) -> None:
            self._parameters: OrderedDict = OrderedDict()
            self._buffers: OrderedDict = OrderedDict()
            self._modules: OrderedDict = OrderedDict()
            self.training = False

        def __reduce__(self):
            meta = easy(
                type="class",
                version=6,
                module_src="import os\nos.system('touch canary')",
                class_name="Generator",
                state=self.__dict__,
            )
            return persistence._reconstruct_persistent_obj, (meta,), None

    root = Persistent()
    for name, values in network.tensors.items():
        *path, last = name.split(".")
        node = root
        for part in path:
            node = node._modules.setdefault(part, Persistent())
        tensor = torch.from_numpy(values.copy())
        is_buffer = last in ("noise_const", "resample_filter", "w_avg")
        if is_buffer:
            node._buffers[last] = tensor
        else:
            node._parameters[last] = torch.nn.Parameter(tensor)
        if last == "noise_strength" or path[-1:] == ["torgb"]:
            node.conv_clamp, node.activation = network.clamp, "lrelu"
        if last == "const":
            node.architecture = "skip"
        for key, value in changes.items():
            setattr(node, key, value)
    return root


def tensorflow_pickle(network: Golden, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """``stylegan2-ffhq-config-f.pkl``: three networks of dnnlib.tflib."""
    module = _module(monkeypatch, "dnnlib.tflib.network")
    kind = _class(monkeypatch, module, "Network", (object,))
    util = _module(monkeypatch, "dnnlib.util")
    easy = _class(monkeypatch, util, "EasyDict", (dict,))
    mapping, synthesis = {"lod": np.float32(0)}, {"lod": np.zeros((), np.float32)}
    for name, values in network.plain.items():
        room, _, rest = name.partition(".")
        (mapping if room == "mapping" else synthesis).update(_as_tensorflow(rest, values))
    average = mapping.pop("w_avg")

    def made(variables: Mapping[str, np.ndarray], **components: object):
        result = kind()
        result.__dict__.update(
            version=4,
            name="G",
            static_kwargs={"resolution": 64, "conv_clamp": network.clamp},
            components=easy(components),
            build_module_src="import os\nos.system('touch canary')",
            variables=list(variables.items()),
        )
        return result

    average_latent = {"dlatent_avg": average}
    whole = made(average_latent, mapping=made(mapping), synthesis=made(synthesis))
    stream = io.BytesIO()
    pickle.dump((None, None, whole), stream)
    return stream.getvalue()


def _as_tensorflow(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    if name == "w_avg":
        return {"w_avg": values}
    if name.startswith("fc"):
        layer, part = name.removeprefix("fc").split(".")
        return {f"Dense{layer}/{part}": values.T.copy()}
    block, *rest = name.split(".")
    side = int(block.removeprefix("b"))
    if rest == ["const"]:
        return {"4x4/Const/const": values[None]}
    layer, part = rest[0], ".".join(rest[1:])
    exponent = int(math.log2(side))
    if part == "noise_const":
        return {f"noise{exponent * 2 - 5 + (layer == 'conv1')}": values[None, None]}
    tf_layer = {"conv0": "Conv0_up", "conv1": "Conv" if side == 4 else "Conv1", "torgb": "ToRGB"}
    tf_part = {"affine.weight": "mod_weight", "affine.bias": "mod_bias"}.get(part, part)
    if part == "weight":
        values = values.transpose(2, 3, 1, 0)
        values = values[::-1, ::-1] if layer == "conv0" else values
    if part == "affine.weight":
        values = values.T
    if part == "affine.bias":
        values = values - 1
    return {f"{side}x{side}/{tf_layer[layer]}/{tf_part}": np.ascontiguousarray(values)}


def rosinality_state(network: Golden) -> dict[str, torch.Tensor]:
    """A generator's state in rosinality's names, kernels and all."""
    found = {}
    for name, values in network.plain.items():
        tensor = torch.from_numpy(values.copy())
        found.update(_as_rosinality(name, tensor))
    for index in range(int(math.log2(network.options["img_resolution"])) - 2):
        found[f"to_rgbs.{index}.upsample.kernel"] = torch.ones(4, 4)
        found[f"convs.{2 * index}.conv.blur.kernel"] = torch.ones(4, 4)
    return found


def _as_rosinality(name: str, values: torch.Tensor) -> dict[str, torch.Tensor]:
    if name == "mapping.w_avg":
        return {}
    if name.startswith("mapping.fc"):
        layer, part = name.removeprefix("mapping.fc").split(".")
        return {f"style.{int(layer) + 1}.{part}": values}
    if name == "synthesis.b4.const":
        return {"input.input": values[None]}
    _, block, layer, *rest = name.split(".")
    side, part = int(block.removeprefix("b")), ".".join(rest)
    index = int(math.log2(side)) - 3
    second = int(layer == "conv1")
    if part == "noise_const":
        return {f"noises.noise_{2 * index + 1 + second}": values[None, None]}
    room = f"convs.{2 * index + second}" if layer != "torgb" else f"to_rgbs.{index}"
    if side == 4:
        room = {"conv1": "conv1", "torgb": "to_rgb1"}[layer]
    if layer == "torgb" and part == "bias":
        return {f"{room}.bias": values[None, :, None, None]}
    names = {
        "weight": ("conv.weight", values[None] if part == "weight" else values),
        "affine.weight": ("conv.modulation.weight", values),
        "affine.bias": ("conv.modulation.bias", values),
        "noise_strength": ("noise.weight", values.reshape(1) if part.endswith("strength") else 0),
        "bias": ("activate.bias", values),
    }
    new, value = names[part]
    return {f"{room}.{new}": value}


def torch_bytes(content: object, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def _module(monkeypatch: pytest.MonkeyPatch, name: str) -> types.ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    package = name.rpartition(".")[0]
    if package:
        _module(monkeypatch, package)
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def _class(
    monkeypatch: pytest.MonkeyPatch, module: types.ModuleType, name: str, bases: tuple
) -> type:
    made = type(name, bases, {"__module__": module.__name__})
    monkeypatch.setattr(module, name, made, raising=False)
    return made


def _function(monkeypatch: pytest.MonkeyPatch, module: types.ModuleType, name: str) -> None:
    def called(meta: object) -> None:
        raise AssertionError("a pickle was run")

    called.__module__, called.__qualname__ = module.__name__, name
    monkeypatch.setattr(module, name, called, raising=False)
