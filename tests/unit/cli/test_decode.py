"""``photorig decode``: a performance from its numbers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.cli.main import main
from photorig.worker.portraits.face_take import N_NUMBERS, FaceTake
from photorig.worker.reenactment import methods, renderer, stylespace
from photorig.worker.reenactment.method import MethodEntry

from ..fakes import tiny_portrait
from .test_reenact import Asking, Still

ROLL = FACE_SCHEMA.index["headRoll"]


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    entry = MethodEntry("stylespace", "Is.", lambda *_: Still(), needs_picture=True)
    monkeypatch.setattr(methods, "methods", lambda: {"stylespace": entry})
    asking = Asking()
    monkeypatch.setattr(renderer, "load_renderer", lambda *_, **__: asking)
    monkeypatch.setattr(stylespace, "channels_id", lambda: "c" * 64)
    return asking


@pytest.fixture
def path(tmp_path: Path) -> Path:
    numbers = np.zeros((3, N_NUMBERS), np.float16)
    numbers[:, 0], numbers[:, 2], numbers[:, 5] = (0.5, 0.75, 1), (2, 4, 6), (1, 1, 2)
    take = FaceTake(numbers, np.zeros(3, bool), Fraction(25), "c" * 64, tiny_portrait())
    take.save(tmp_path / "take.face")
    return tmp_path / "take.face"


def decode(path: Path, *words: str) -> int:
    return main(["decode", str(path), "--out", str(path.parent / "out"), "--size", "8", *words])


def test_a_film_of_its_own_face_is_what_was_encoded(asking: Asking, path: Path) -> None:
    assert decode(path) == 0
    numbers = [pictures.picture.numbers for _, pictures in asking.asked]
    assert [float(one.turn[0]) for one in numbers] == [0.5, 0.75, 1]
    assert [float(one.amounts[2]) for one in numbers] == [1, 1, 2]
    rolls = [float(request.parameters[ROLL]) for request, _ in asking.asked]
    own = float(tiny_portrait().shown[ROLL])
    np.testing.assert_allclose(rolls, [2 - own, 4 - own, 6 - own], atol=1e-5)


def test_somebody_else_begins_at_rest(asking: Asking, path: Path) -> None:
    other = path.parent / "other.portrait"
    tiny_portrait().save(other)
    assert decode(path, "--portrait", str(other)) == 0
    numbers = [pictures.picture.numbers for _, pictures in asking.asked]
    assert [float(one.turn[0]) for one in numbers] == [0, 0.25, 0.5]
    assert [float(request.parameters[ROLL]) for request, _ in asking.asked] == [0, 2, 4]


def test_other_channels_are_refused(
    asking: Asking,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(stylespace, "channels_id", lambda: "d" * 64)
    assert decode(path) == 1
    assert "other channels" in capsys.readouterr().err
    assert not asking.asked


def test_a_file_that_was_cut_is_one_line(
    asking: Asking, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(path.read_bytes()[:500])
    assert decode(path) == 1
    assert capsys.readouterr().err.count("\n") == 1
