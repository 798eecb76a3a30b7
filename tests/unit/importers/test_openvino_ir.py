"""The reader of OpenVINO's networks: XML and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from photorig.shared.errors import ModelError
from photorig.worker.importers.openvino_ir import read_constants

sys.path.insert(0, str(Path(__file__).parents[2] / "fuzz"))

import tiny_networks


def test_the_constants_are_those_of_the_graph(tmp_path: Path) -> None:
    tiny_networks.openvino_ir(tmp_path)
    (constant,) = read_constants(tmp_path / "tiny.xml")
    assert (constant.name, constant.values.tolist()[1]) == ("weight", [3.0, 4.0, 5.0])


@pytest.mark.parametrize("content", [b"\x08\x07\x12\x04onnx", b"\0" * 90, b"TFL3" * 30, b""])
def test_a_file_of_another_kind_is_not_given_to_a_reader_of_that_kind(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "m.xml").write_bytes(content)
    with pytest.raises(ModelError, match="no network of OpenVINO's"):
        read_constants(tmp_path / "m.xml")


def test_a_name_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    description, weights = tiny_networks.openvino_ir(tmp_path)
    (tmp_path / "m.xml").write_bytes(description.replace(b"weight", b"w\xffight"))
    (tmp_path / "m.bin").write_bytes(weights)
    with pytest.raises(ModelError, match="cannot be read"):
        read_constants(tmp_path / "m.xml")
