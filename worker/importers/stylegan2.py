"""Layouts of StyleGAN2 generators: NVIDIA's for torch, NVIDIA's for TensorFlow, and rosinality's.

All become NVIDIA's names for torch (``synthesis.b64.conv1.affine.weight``); the arrays are views of
the file. Blur kernels are left out, since all of these networks have the same one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from photorig.shared.errors import ModelError

from .pickled import Key, Made, entries
from .torch_file import ForeignFile

Arrays = dict[str, np.ndarray]

_KERNEL = np.array([1, 3, 3, 1], np.float64)
_DEEPEST = 12


@dataclass(frozen=True, eq=False)
class ForeignGenerator:
    """A StyleGAN2 as a file has it, not yet checked.

    Attributes:
        tensors: by NVIDIA's names; ``mapping.w_avg`` and noise may be missing.
        clamp: greatest magnitude of features, None where they are not held.
        layout: whose it is, for a person.
    """

    tensors: Arrays
    clamp: float | None
    layout: str


def generator_of(file: ForeignFile) -> ForeignGenerator | None:
    """The generator in a checkpoint, the averaged one where there are several; None: there is none.

    Raises:
        ModelError: there is one of a kind that cannot be used.
    """
    content = file.content
    if isinstance(content, tuple) and len(content) == 3:
        content = content[2]  # trained, discriminator, averaged
    if isinstance(content, Made) and _is_tensorflow(content):
        return _tensorflow(content, file)
    top = entries(content)
    for name in ("G_ema", "g_ema", "G", "generator", "state_dict"):
        if name in top:
            found = _generator(top[name], file, top.get("latent_avg"))
            if found is not None:
                return found
    return _generator(content, file, top.get("latent_avg"))


def _generator(value: object, file: ForeignFile, average: object) -> ForeignGenerator | None:
    if isinstance(value, Made) and not value.entries:
        tensors, clamp = _of_module(value, file)
        return _nvidia(tensors, clamp) if tensors else None
    named = {key: item for key, item in entries(value).items() if isinstance(key, str)}
    decoder = {k.removeprefix("decoder."): v for k, v in named.items() if k.startswith("decoder.")}
    named = decoder or named
    if "input.input" in named:
        return _rosinality(_arrays(named, file), file.array(average))
    if any(name.startswith("synthesis.") for name in named):
        return _nvidia(_arrays(named, file), None)
    return None


def _arrays(named: Mapping[str, object], file: ForeignFile) -> Arrays:
    arrays = ((name, file.array(value)) for name, value in named.items())
    return {name: values for name, values in arrays if values is not None}


# --- NVIDIA, stylegan2-ada-pytorch and stylegan3


def _of_module(module: Made, file: ForeignFile) -> tuple[Arrays, float | None]:
    """Tensors of a pickled torch module by name, and what its layers clamp to.

    The module carries the program that made it; that is passed over.
    """
    tensors: Arrays = {}
    clamps = set[float | None]()
    for name, state in _modules(module, "", 0):
        for group in ("_parameters", "_buffers"):
            for key, value in entries(state.get(group)).items():
                array = file.array(value)
                if array is not None:
                    tensors[f"{name}{key!s}"] = array
        if (
            name.startswith("synthesis.")
            and "conv_clamp" in state
            and "weight" in entries(state.get("_parameters"))
        ):
            clamp = state["conv_clamp"]
            clamps.add(float(clamp) if isinstance(clamp, int | float) else None)
            _expect(state, "activation", ("lrelu", "linear"), name)
        _expect(state, "architecture", ("skip",), name)
    if len(clamps) > 1:
        raise ModelError("its layers clamp to different values, which is not supported")
    return tensors, clamps.pop() if clamps else None


def _expect(state: Mapping[Key, object], key: str, known: tuple[str, ...], name: str) -> None:
    value = state.get(key)
    if isinstance(value, str) and value not in known:
        raise ModelError(f"its {name.rstrip('.')} has the {key} {value[:20]!r}, not {known[0]!r}")


def _modules(value: object, prefix: str, depth: int) -> Iterator[tuple[str, dict[Key, object]]]:
    if depth > _DEEPEST or not isinstance(value, Made):
        return
    state = entries(value.state)
    if value.name.endswith("persistence._reconstruct_persistent_obj"):
        meta = value.args[0] if isinstance(value.args, tuple) and value.args else None
        state = entries(entries(meta).get("state"))
    yield prefix, state
    for name, child in entries(state.get("_modules")).items():
        yield from _modules(child, f"{prefix}{name!s}.", depth + 1)


def _nvidia(tensors: Arrays, clamp: float | None) -> ForeignGenerator | None:
    if not any(name.startswith("synthesis.") for name in tensors):
        return None
    if any(name.startswith("synthesis.input.") for name in tensors):
        raise ModelError("it is a StyleGAN3, which is built otherwise than StyleGAN2")
    if "mapping.embed.weight" in tensors:
        raise ModelError("it makes pictures of several classes, one of which would have to be told")
    kept = {}
    for name, values in tensors.items():
        if not name.endswith("resample_filter"):
            kept[name] = values
        elif not _is_usual_kernel(values):
            raise ModelError(f"its {name} is another blur kernel than [1, 3, 3, 1]")
    return ForeignGenerator(kept, clamp, "NVIDIA, PyTorch")


def _is_usual_kernel(values: np.ndarray) -> bool:
    usual = np.outer(_KERNEL, _KERNEL)
    return values.shape == usual.shape and np.allclose(values, usual / usual.sum(), atol=1e-6)


# --- NVIDIA, TensorFlow


def _is_tensorflow(value: object) -> bool:
    return isinstance(value, Made) and "components" in entries(value.state)


def _variables(network: object, file: ForeignFile) -> Arrays:
    found: Arrays = {}
    if isinstance(network, Made):
        variables = entries(network.state).get("variables")
        for pair in variables if isinstance(variables, list) else []:
            if isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str):
                array = file.array(pair[1])
                if array is not None:
                    found[pair[0]] = array
    return found


def _tensorflow(network: Made, file: ForeignFile) -> ForeignGenerator:
    """Convolutions are (height, width, in, out) there, those that double the side mirrored, and
    styles begin at 0 instead of 1."""
    state = entries(network.state)
    components = entries(state.get("components"))
    mapping = _variables(components.get("mapping"), file)
    synthesis = _variables(components.get("synthesis"), file)
    if "4x4/Conv/mod_weight" not in synthesis:
        raise ModelError("it is a TensorFlow network, but no StyleGAN2")
    if "LabelConcat/weight" in mapping:
        raise ModelError("it makes pictures of several classes, one of which would have to be told")
    tensors: Arrays = {}
    for name, values in mapping.items():
        match = re.fullmatch(r"Dense(\d+)/(weight|bias)", name)
        if match:
            tensors[f"mapping.fc{match[1]}.{match[2]}"] = values.T
    average = _variables(network, file).get("dlatent_avg")
    if average is not None:
        tensors["mapping.w_avg"] = average
    for name, values in synthesis.items():
        tensors.update(_tensorflow_tensor(name, values))
    options = entries(state.get("static_kwargs"))
    _expect_option(options, "architecture", "skip")
    clamp = options.get("conv_clamp")
    held = float(clamp) if isinstance(clamp, int | float) else None
    return ForeignGenerator(tensors, held, "NVIDIA, TensorFlow")


def _expect_option(options: Mapping[Key, object], key: str, usual: str) -> None:
    if options.get(key, usual) != usual:
        raise ModelError(f"it has the {key} {str(options[key])[:20]!r}, not {usual!r}")


_LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"}


def _tensorflow_tensor(name: str, values: np.ndarray) -> Arrays:
    if name == "4x4/Const/const" and values.ndim == 4:
        return {"synthesis.b4.const": values[0]}
    if (match := re.fullmatch(r"noise(\d{1,2})", name)) and values.ndim == 4:
        index = int(match[1])
        side = 4 << ((index + 1) // 2)
        return {f"synthesis.b{side}.conv{index % 2 ^ 1}.noise_const": values[0, 0]}
    match = re.fullmatch(r"(\d{1,4})x\1/(Conv|Conv0_up|Conv1|ToRGB)/(\w+)", name)
    if match is None:
        return {}  # how far a progressive training is, for example
    layer = f"synthesis.b{match[1]}.{_LAYERS[match[2]]}"
    if match[3] == "weight":
        values = values[::-1, ::-1] if match[2] == "Conv0_up" else values
        return {f"{layer}.weight": values.T if values.ndim != 4 else values.transpose(3, 2, 0, 1)}
    if match[3] == "mod_weight":
        return {f"{layer}.affine.weight": values.T}
    if match[3] == "mod_bias":
        return {f"{layer}.affine.bias": values.astype(np.float32) + 1}
    if match[3] == "noise_strength" and values.size == 1:
        values = values.reshape(())
    return {f"{layer}.{match[3]}": values}


# --- rosinality, and what StyleMask, e4e, pSp and ReStyle were made with


_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}
_KERNELS = (".blur.kernel", ".upsample.kernel")


def _rosinality(tensors: Arrays, average: np.ndarray | None) -> ForeignGenerator:
    found: Arrays = {}
    for name, values in tensors.items():
        if not name.endswith(_KERNELS):
            found[_from_rosinality(name)] = _without_ones(name, values)
    if average is not None:
        found["mapping.w_avg"] = average if average.ndim < 2 else average[0]
    return ForeignGenerator(found, None, "rosinality")


def _from_rosinality(name: str) -> str:
    if name == "input.input":
        return "synthesis.b4.const"
    if match := re.fullmatch(r"style\.([1-9]\d?)\.(weight|bias)", name):
        return f"mapping.fc{int(match[1]) - 1}.{match[2]}"
    if match := re.fullmatch(r"noises\.noise_(\d{1,2})", name):
        index = int(match[1])
        return f"synthesis.b{4 << ((index + 1) // 2)}.conv{index % 2 ^ 1}.noise_const"
    match = re.fullmatch(r"(conv1|to_rgb1|convs\.\d{1,2}|to_rgbs\.\d{1,2})\.(.+)", name)
    if match is None or match[2] not in _PARTS:
        return name  # what is no part of a StyleGAN2 is named when the tensors are checked
    layer, _, place = match[1].partition(".")
    if layer == "convs":
        layer = f"b{8 << int(place) // 2}.conv{int(place) % 2}"
    elif layer == "to_rgbs":
        layer = f"b{8 << int(place)}.torgb"
    else:
        layer = {"conv1": "b4.conv1", "to_rgb1": "b4.torgb"}[layer]
    return f"synthesis.{layer}.{_PARTS[match[2]]}"


def _without_ones(name: str, values: np.ndarray) -> np.ndarray:
    """Without the axes of length 1 that this layout has in front or behind."""
    if name == "input.input" or name.endswith("conv.weight"):
        return values[0] if values.ndim > 3 and len(values) == 1 else values
    if name.startswith("noises.") and values.ndim == 4:
        return values[0, 0]
    if name.endswith("noise.weight"):
        return values.reshape(()) if values.size == 1 else values
    return values.reshape(-1) if name.startswith("to_rgb") and name.endswith("bias") else values
