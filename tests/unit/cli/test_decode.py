"""``photorig decode``: a performance from its numbers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from PIL import Image

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.cli.main import main
from photorig.worker.portraits.face_take import N_DIRECTIONS, N_NUMBERS, FaceTake
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment import methods, renderer, stylespace
from photorig.worker.reenactment.method import MethodEntry
from photorig.worker.reenactment.target import DrivingPictures

from ..fakes import tiny_portrait
from .test_analyze import ASTRONAUT
from .test_reenact import Asking, Still

ROLL, YAW = FACE_SCHEMA.index["headRoll"], FACE_SCHEMA.index["headYaw"]
N_FACTORS = 20


class Showing(Asking):
    """Of the take's own face it shows the astronaut, who looks the other way from the second frame
    on."""

    def render(
        self,
        portrait: Portrait,
        request: FrameRequest,
        pictures: DrivingPictures | None = None,
    ) -> np.ndarray:
        if request.size != 256:
            return super().render(portrait, request, pictures)
        self.asked.append((request, pictures))
        astronaut = np.array(Image.open(ASTRONAUT).convert("RGB"))
        return astronaut if len(self.asked) == 1 else np.ascontiguousarray(astronaut[:, ::-1])


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asking:
    own = MethodEntry("stylespace", "Is.", lambda *_: Still(), needs_picture=True)
    other = MethodEntry("regional", "Is.", lambda *_: Still())
    known = {"stylespace": own, "regional": other}
    monkeypatch.setattr(methods, "methods", lambda: known)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    asking = Showing()
    asking.generator.style_rows = (slice(0, N_FACTORS),)
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


@pytest.fixture
def learned(path: Path) -> Path:
    """The same with directions of its own."""
    take = FaceTake.load(path)
    directions = np.ones((N_DIRECTIONS, N_FACTORS), np.float16)
    replace(take, directions=directions, channels="e" * 64).save(path)
    return path


def test_a_film_of_its_own_face_is_what_was_encoded(asking: Asking, path: Path) -> None:
    assert decode(path) == 0
    numbers = [pictures.picture.numbers for _, pictures in asking.asked]
    assert [float(one.turn[0]) for one in numbers] == [0.5, 0.75, 1]
    assert [float(one.amounts[2]) for one in numbers] == [1, 1, 2]
    rolls = [float(request.parameters[ROLL]) for request, _ in asking.asked]
    own = float(tiny_portrait().shown[ROLL])
    np.testing.assert_allclose(rolls, [2 - own, 4 - own, 6 - own], atol=1e-5)


def test_what_was_learned_of_a_recording_goes_with_its_numbers(
    asking: Asking, learned: Path
) -> None:
    assert decode(learned) == 0
    found = [pictures.picture.directions.offsets for _, pictures in asking.asked]
    assert [offsets.shape for offsets in found] == [(N_DIRECTIONS, N_FACTORS)] * 3


@pytest.mark.weights("face-landmarker")
def test_somebody_else_does_what_its_own_face_is_seen_to_do(asking: Asking, learned: Path) -> None:
    other = learned.parent / "other.portrait"
    tiny_portrait().save(other)
    assert decode(learned, "--portrait", str(other)) == 0
    seen, driven = asking.asked[:3], asking.asked[3:]
    assert all(request.size == 256 and request.method == "stylespace" for request, _ in seen)
    requests = [request for request, pictures in driven if pictures is None]
    assert [request.method for request in requests] == ["regional"] * 3
    assert not requests[0].parameters.any()
    rolls = [float(request.parameters[ROLL]) for request in requests]
    assert (rolls[0], rolls[2] - rolls[1]) == pytest.approx((0, 2), abs=0.01)
    assert abs(float(requests[1].parameters[YAW])) > 1


def test_what_was_learned_with_another_generator_is_refused(
    asking: Asking, learned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.generator.style_rows = (slice(0, N_FACTORS + 1),)
    assert decode(learned) == 1
    assert "another generator" in capsys.readouterr().err
    assert not asking.asked


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
