"""Portraits of an earlier version are measured when they are first used, once on each computer."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.portraits.face_geometry import ARRAYS, N_LANDMARKS, FaceGeometry
from photorig.worker.portraits.mouth import UPPER, MouthInterior
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.response import PortraitResponse
from photorig.worker.reenactment.known_faces import SUFFIX, KnownFaces
from photorig.worker.reenactment.measure_geometry import LOOKS
from photorig.worker.reenactment.regional_controls import CONTROLS, RegionalShifts
from photorig.worker.reenactment.renderer import FaceRenderer

from ..fakes import TinyGenerator, tiny_bundle, tiny_portrait
from ..stage_fakes import tiny_stage

BUNDLE = tiny_bundle()
PORTRAIT = tiny_portrait()
TURNS = np.tile(np.linspace(-1, 1, 5, dtype=np.float32), (2, 1))


def measured(portrait: Portrait, made_for: str = "") -> Portrait:
    """The portrait with a face of noise, which differs from portrait to portrait."""
    random = np.random.default_rng(int(1e6 * abs(portrait.latents[0, 0])))
    seen = np.zeros((5, 5, 3), np.float32)
    seen[:, :, 0], seen[:, :, 1] = np.meshgrid(TURNS[0], TURNS[1], indexing="ij")
    knots = np.tile(np.linspace(-1, 1, 9, dtype=np.float32), (len(FACE_SCHEMA), 1))
    ends = portrait.parameters - 1, portrait.parameters + 1
    response = PortraitResponse(BUNDLE.id, knots, knots, TURNS, seen, *ends)
    poses = random.uniform(0.3, 0.7, (5, 5, N_LANDMARKS, 3)).astype(np.float32)
    amounts = np.array([0.5, 1.0], np.float32)
    moves = np.zeros((len(CONTROLS), 2, N_LANDMARKS, 3), np.float16)
    made_for = made_for or RegionalShifts(BUNDLE).id
    picture = random.integers(0, 256, (64, 64, 3), np.uint8)
    lips = random.uniform(0, 64, (2, len(UPPER), 2)).astype(np.float32)
    mouth = MouthInterior(picture, lips, np.array([9], np.float32))
    geometry = FaceGeometry(made_for, TURNS, poses, amounts, moves, np.ones(52, np.float32), mouth)
    return replace(portrait, response=response, geometry=geometry)


class Measurer:
    """Counts what it measures."""

    def __init__(self, finds_faces: bool = True) -> None:
        self.count, self._finds_faces = 0, finds_faces

    def __call__(self, portrait: Portrait, on_look: Callable[[], None]) -> Portrait:
        self.count += 1
        on_look()
        return measured(portrait) if self._finds_faces else portrait


@pytest.fixture
def measurer() -> Measurer:
    return Measurer()


@pytest.fixture
def faces(measurer: Measurer, tmp_path: Path) -> KnownFaces:
    return KnownFaces(BUNDLE, measurer, tmp_path / "faces")


def files(folder: Path) -> list[Path]:
    return sorted((folder / "faces").glob("*"))


def test_a_portrait_without_geometry_is_measured_once(
    faces: KnownFaces, measurer: Measurer
) -> None:
    looks: list[int] = []
    first = faces.known(PORTRAIT, lambda: looks.append(1))
    assert first.geometry is not None
    assert faces.known(PORTRAIT) is first
    assert (measurer.count, len(looks)) == (1, 1)


def test_it_says_what_it_does_while_it_does_it(tmp_path: Path) -> None:
    told: list[str] = []

    def measure(portrait: Portrait, on_look: Callable[[], None]) -> Portrait:
        for _ in range(LOOKS // 2):
            on_look()
        told.append(faces.doing)
        return measured(portrait)

    faces = KnownFaces(BUNDLE, measure, tmp_path)
    faces.known(PORTRAIT)
    assert told == [f"Measuring this face, once for all: {100 * (LOOKS // 2) // LOOKS} %"]
    assert faces.doing == ""


def test_a_portrait_that_brings_its_geometry_is_itself(
    faces: KnownFaces, measurer: Measurer
) -> None:
    own = measured(PORTRAIT)
    assert faces.known(own) is own
    assert measurer.count == 0


def test_one_that_was_measured_for_another_matrix_is_measured_again(
    faces: KnownFaces, measurer: Measurer
) -> None:
    known = faces.known(measured(PORTRAIT, made_for="another matrix"))
    assert known.geometry is not None
    assert known.geometry.made_for == RegionalShifts(BUNDLE).id
    assert measurer.count == 1


def test_what_was_measured_is_kept_for_the_next_launch(measurer: Measurer, tmp_path: Path) -> None:
    before = KnownFaces(BUNDLE, measurer, tmp_path / "faces").known(PORTRAIT)
    after = KnownFaces(BUNDLE, measurer, tmp_path / "faces").known(tiny_portrait())
    assert measurer.count == 1
    assert after.to_bytes() == before.to_bytes(), "kept or measured, the portrait is the same"


@pytest.mark.parametrize("damage", [lambda b: b[:-7], lambda b: b[:200] + b"?" + b[201:], bytes(9)])
def test_a_damaged_file_is_measured_anew(
    measurer: Measurer, tmp_path: Path, damage: Callable[[bytes], bytes] | bytes
) -> None:
    KnownFaces(BUNDLE, measurer, tmp_path / "faces").known(PORTRAIT)
    (path,) = files(tmp_path)
    content = path.read_bytes()
    path.write_bytes(damage if isinstance(damage, bytes) else damage(content))
    known = KnownFaces(BUNDLE, measurer, tmp_path / "faces").known(tiny_portrait())
    assert measurer.count == 2
    assert known.geometry is not None
    assert path.read_bytes() == content


def test_the_file_of_another_portrait_is_not_believed(measurer: Measurer, tmp_path: Path) -> None:
    other = tiny_portrait(3)
    faces = KnownFaces(BUNDLE, measurer, tmp_path / "faces")
    faces.known(PORTRAIT)
    (path,) = files(tmp_path)
    path.rename(path.with_name(path.name.replace(PORTRAIT.id, other.id)))
    known = faces.known(other)
    for name in ARRAYS:
        np.testing.assert_array_equal(
            getattr(known.geometry, name), getattr(measured(other).geometry, name)
        )


def test_the_folder_keeps_within_its_limit(measurer: Measurer, tmp_path: Path) -> None:
    faces = KnownFaces(BUNDLE, measurer, tmp_path / "faces", disk_bytes=1)
    for seed in range(3):
        faces.known(tiny_portrait(seed))
    assert [path.suffix for path in files(tmp_path)] == [SUFFIX], "the last one stays"


def test_a_folder_that_cannot_be_written_costs_the_next_launch_only(
    measurer: Measurer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "faces").write_text("a file where the folder should be")
    faces = KnownFaces(BUNDLE, measurer, tmp_path / "faces")
    with caplog.at_level(logging.INFO):
        assert faces.known(PORTRAIT).geometry is not None
    assert faces.known(PORTRAIT) is faces.known(PORTRAIT)
    assert measurer.count == 1
    assert "cannot keep" in caplog.text


def test_a_face_that_is_not_found_stays_as_it_is_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    measurer = Measurer(finds_faces=False)
    faces = KnownFaces(BUNDLE, measurer, tmp_path / "faces")
    for _ in range(2):
        assert faces.known(PORTRAIT) is PORTRAIT
    assert measurer.count == 1
    assert "no face is found" in caplog.text
    assert files(tmp_path) == []


def test_what_is_known_goes_with_the_portrait(faces: KnownFaces) -> None:
    portrait = tiny_portrait(8)
    known = weakref.ref(faces.known(portrait))
    del portrait
    gc.collect()
    assert known() is None


# --- the renderer


def request(method: str = "regional") -> FrameRequest:
    return FrameRequest(PORTRAIT.id, FACE_SCHEMA.vector({"headYaw": 0.3}), 8, method=method)


def renderer(faces: KnownFaces | None) -> FaceRenderer:
    return FaceRenderer(BUNDLE, TinyGenerator(), tiny_stage(), faces)


def test_a_frame_is_the_same_whether_the_file_or_the_renderer_brings_the_geometry(
    faces: KnownFaces,
) -> None:
    by_file = renderer(None).render(measured(PORTRAIT), request())
    by_renderer = renderer(faces).render(PORTRAIT, request())
    np.testing.assert_array_equal(by_renderer, by_file)
    passes = renderer(faces).passes(PORTRAIT, request())
    expected = renderer(None).passes(measured(PORTRAIT), request())
    np.testing.assert_array_equal(passes.matte, expected.matte)
    np.testing.assert_array_equal(passes.face, expected.face)


def test_other_methods_measure_nothing(faces: KnownFaces, measurer: Measurer) -> None:
    frame = renderer(faces).render(PORTRAIT, request("calibrated"))
    np.testing.assert_array_equal(frame, renderer(None).render(PORTRAIT, request("calibrated")))
    assert measurer.count == 0


def test_at_rest_nothing_is_measured_for_it_is_the_photo(
    faces: KnownFaces, measurer: Measurer
) -> None:
    rest = replace(request(), parameters=FACE_SCHEMA.rest)
    np.testing.assert_array_equal(
        renderer(faces).render(PORTRAIT, rest), renderer(None).render(PORTRAIT, rest)
    )
    assert measurer.count == 0


def test_a_renderer_has_the_same_id_with_and_without(faces: KnownFaces) -> None:
    assert renderer(faces).model_id == renderer(None).model_id
