"""The constants of an OpenVINO network (``NAME.xml`` and ``NAME.bin``), by OpenVINO's reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino

from photorig.shared.errors import ModelError


@dataclass(frozen=True)
class NamedConstant:
    """One float constant of a graph.

    Attributes:
        name: the tensor name that the exporter kept (``m.layers.3.conv1.bias``), or the layer name.
        values: a float32 array in the shape that the graph gives it.
    """

    name: str
    values: np.ndarray


def read_constants(description: Path) -> list[NamedConstant]:
    """All float constants of a network, in the order in which the graph needs them.

    Args:
        description: path of the ``.xml`` file; the ``.bin`` file lies beside it.

    Raises:
        ModelError: a file is missing, is no network, or the two do not belong together.
    """
    try:
        model = openvino.Core().read_model(description)
    except RuntimeError as error:
        raise ModelError(
            f"the network {description.name} cannot be read: {str(error).strip()[-200:]}",
            "Run 'photorig models verify' to fetch it again.",
        ) from error
    constants: dict[str, np.ndarray] = {}
    for operation in model.get_ordered_ops():
        for port in operation.inputs():
            source = port.get_source_output()
            is_constant = source.get_node().get_type_name() == "Constant"
            if is_constant and source.get_element_type().is_real():
                values = source.get_node().data.astype(np.float32)
                constants.setdefault(_name_of(source), values)
    return [NamedConstant(name, values) for name, values in constants.items()]


def _name_of(output: openvino.Output) -> str:
    names = output.get_names()
    return sorted(names)[0] if names else output.get_node().get_friendly_name()
