"""The constants of an OpenVINO network (``NAME.xml`` and ``NAME.bin``), by OpenVINO's reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino

from photorig.shared.errors import ModelError
from photorig.shared.files.reading import open_file

from .untrusted import network_file

_LONGEST_DESCRIPTION = 256 << 20


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
    with network_file(description.name):
        _check_is_xml(description)
        model = openvino.Core().read_model(description)
        constants: dict[str, np.ndarray] = {}
        for operation in model.get_ordered_ops():
            for port in operation.inputs():
                source = port.get_source_output()
                is_constant = source.get_node().get_type_name() == "Constant"
                if is_constant and source.get_element_type().is_real():
                    values = source.get_node().data.astype(np.float32)
                    constants.setdefault(_name_of(source), values)
        return [NamedConstant(name, values) for name, values in constants.items()]


def _check_is_xml(description: Path) -> None:
    """OpenVINO goes by what is in a file: another kind would be given to a reader of that kind."""
    with open_file(description, _LONGEST_DESCRIPTION) as file:
        start = file.read(64)
    if not start.lstrip().startswith((b"<?xml", b"<net")):
        raise ModelError(f"{description.name} is no network of OpenVINO's", "Fetch it again.")


def _name_of(output: openvino.Output) -> str:
    names = output.get_names()
    return sorted(names)[0] if names else output.get_node().get_friendly_name()
