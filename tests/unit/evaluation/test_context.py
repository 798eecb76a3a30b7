"""What is measured on a person, with a generator of noise and a family that reads its own marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.estimators.families import Reading, blank_reading
from photorig.worker.evaluation.metrics.background import background_change, widened
from photorig.worker.evaluation.metrics.ceilings import mirrored, photographed_again
from photorig.worker.evaluation.metrics.placement import head_translation
from photorig.worker.evaluation.protocols import drive, motion, paste, sweeps, tiles, together
from photorig.worker.evaluation.protocols.cached_results import Task
from photorig.worker.evaluation.protocols.context import EvaluationContext, Settings
from photorig.worker.evaluation.report.pictures import control_sheets, draw_matrix, draw_sheet
from photorig.worker.portraits.response import KNOTS, TURNS, PortraitResponse
from photorig.worker.reenactment.renderer import FaceRenderer

from ..fakes import tiny_bundle
from ..real_fakes import QuickGenerator, mixture
from ..stage_fakes import tiny_stage

SIZE = 8


class LeftHalf:
    """A matte whose person is the left half of the picture."""

    id = "left half"

    def person(self, picture: np.ndarray) -> np.ndarray:
        matte = np.zeros(picture.shape[:2], np.float32)
        matte[:, : picture.shape[1] // 2] = 1
        return matte


class BrightnessFamily:
    """Reads one parameter off the brightness of a picture and sees no face in a black one."""

    name, label = "brightness", "brightness"
    blank = blank_reading(len(FACE_SCHEMA), 2, 2)

    def read(self, image: np.ndarray) -> Reading | None:
        if not image.any():
            return None
        parameters = np.full(len(FACE_SCHEMA), np.nan, np.float32)
        parameters[0] = image.mean()
        values = vars(self.blank) | {"parameters": parameters, "identity": np.array([1.0, 0.0])}
        return Reading(**values)


class NoNet3D:
    """Finds the same face everywhere, but none of person 5."""

    def analyze_one(self, image: np.ndarray, face: int = 0) -> Any:
        if image.mean() > 250:
            raise InputError("No face was found")

        class Measurement:
            parameters = np.full(len(FACE_SCHEMA), 0.1, np.float32)

        return Measurement


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> EvaluationContext:
    return context_in(tmp_path_factory.mktemp("evaluation"), "directions")


def context_in(folder: Path, method: str) -> EvaluationContext:
    renderer = FaceRenderer(tiny_bundle(), QuickGenerator(), tiny_stage())
    settings = Settings(method=method, size=SIZE)

    def latents_of(person: int) -> np.ndarray:
        if person == 5:
            return np.full((16, 512), 1e6, np.float32) * np.sign(
                mixture(SIZE).sum(1).reshape(16, 512)
            )
        random = np.random.default_rng(person)
        return random.standard_normal((16, 512)).astype(np.float32) * 0.1

    net3d: Any = NoNet3D()
    family = BrightnessFamily()
    return EvaluationContext(
        settings, renderer, net3d, (family,), LeftHalf(), latents_of, folder, SIZE
    )


def test_a_person_is_read_at_rest_again_restyled_and_mirrored(context: EvaluationContext) -> None:
    cached = sweeps.measure_person(context, Task(sweeps.PERSON, 0))
    seen = cached["brightness.parameters"]
    assert seen.shape == (4, len(FACE_SCHEMA))
    assert seen[sweeps.REST, 0] == pytest.approx(seen[sweeps.MIRRORED, 0])
    assert seen[sweeps.REST, 0] != seen[sweeps.OTHER_STYLES, 0]
    np.testing.assert_allclose(cached["parameters"], 0.1, rtol=1e-6)


def test_a_sweep_asks_for_its_levels_and_reads_the_renderers_frames(
    context: EvaluationContext,
) -> None:
    cached = sweeps.measure_sweep(context, Task(sweeps.SWEEP, 1, ("jawOpen", "headYaw")))
    jaw = cached["parameter"] == FACE_SCHEMA.index["jawOpen"]
    np.testing.assert_allclose(cached["fraction"][jaw], sweeps.FRACTIONS)
    np.testing.assert_allclose(cached["asked"][jaw], np.array(sweeps.FRACTIONS) * 0.4, rtol=1e-5)
    np.testing.assert_allclose(cached["fraction"][~jaw], sweeps.SIGNED_FRACTIONS)
    portrait = context.portrait(1)
    assert portrait is not None
    image = context.frame(portrait, FACE_SCHEMA.vector({"jawOpen": 0.4}), "relative")
    assert cached["brightness.parameters"][jaw][-1, 0] == pytest.approx(image.mean())
    assert np.isfinite(cached["background"][jaw]).tolist() == [False, False, False, True]
    np.testing.assert_allclose(cached["shift"][jaw], np.array(sweeps.FRACTIONS) * 0.4, rtol=1e-4)


def test_both_sides_are_moved_to_the_ends_of_their_ranges(context: EvaluationContext) -> None:
    cached = together.measure_together(context, Task(together.TOGETHER, 1, ("smile",)))
    named = dict(zip(FACE_SCHEMA.ids, cached["asked"][0], strict=True))
    moved = {name: value for name, value in named.items() if value}
    assert moved == pytest.approx({"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4})
    people = [sweeps.measure_person(context, Task(sweeps.PERSON, i)) for i in range(3)]
    cached["person"] = np.array(1)
    figures = together.together_figures(FACE_SCHEMA, people, [cached], "brightness")
    assert list(figures) == ["smile"]
    assert figures["smile"]["people"] == 1
    assert figures["smile"]["asked"]["mouthSmileLeft"] == pytest.approx(0.4)


def test_a_person_without_a_face_gives_empty_pieces(context: EvaluationContext) -> None:
    assert np.isnan(sweeps.measure_person(context, Task(sweeps.PERSON, 5))["parameters"]).all()
    assert not len(sweeps.measure_sweep(context, Task(sweeps.SWEEP, 5, ("jawOpen",)))["parameter"])
    assert not len(paste.measure_paste(context, Task(paste.PASTE, 5))["move"])
    assert not len(motion.measure_still(context, Task(motion.STILL, 5))["same"])
    assert not len(
        together.measure_together(context, Task("together", 5, ("smile",)))["combination"]
    )
    (tile,) = tiles.measure_tiles(context, tiles.tiles_task(5, [("relative", SIZE, {})]))["tiles"]
    assert (tile == 128).all()


def test_a_face_is_calibrated_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def measure(portrait: Any, bundle: Any, generator: Any, net3d: Any) -> PortraitResponse:
        calls.append(portrait.name)
        n = len(FACE_SCHEMA)
        moved = np.tile(np.linspace(-1, 1, KNOTS, dtype=np.float32), (n, 1))
        turned = np.tile(np.linspace(-1, 1, TURNS, dtype=np.float32), (2, 1))
        turns_seen = np.zeros((TURNS, TURNS, 3), np.float32)
        turns_seen[..., 0], turns_seen[..., 1] = turned[0][:, None], turned[1]
        reach = np.full(n, -1, np.float32), np.full(n, 1, np.float32)
        return PortraitResponse(bundle.id, moved, moved / 2, turned, turns_seen, *reach)

    monkeypatch.setattr("photorig.worker.evaluation.protocols.context.measure_response", measure)
    first, second = (context_in(tmp_path, "calibrated") for _ in range(2))
    for one in (first, second):
        portrait = one.portrait(1)
        assert portrait is not None and portrait.response is not None
        np.testing.assert_allclose(portrait.response.seen[0], np.linspace(-0.5, 0.5, KNOTS))
        wanted = FACE_SCHEMA.vector({"jawOpen": 0.2})
        assert one.shift_length(portrait, wanted, "relative") == pytest.approx(0.4, rel=1e-3)
    assert calls == ["evaluation 1"]
    assert first.key != context_in(tmp_path, "directions").key


def test_pairs_are_rendered_in_absolute_mode(context: EvaluationContext) -> None:
    asked = [0.1] * len(FACE_SCHEMA)
    beyond = [0.1] * len(FACE_SCHEMA)
    beyond[0] = 90.0
    task = Task(drive.PAIRS, 2, ((drive.IMAGE, 3, asked), (drive.TURN, 2, beyond)))
    cached = drive.measure_pairs(context, task)
    portrait = context.portrait(2)
    assert portrait is not None
    rest = context.frame(portrait, FACE_SCHEMA.rest, "relative")
    # The photo shows 0.1 of everything already, so this asks for nothing.
    assert cached["brightness.parameters"][0, 0] == pytest.approx(rest.mean())
    assert cached["beyond"].tolist() == [0, 1]


def test_the_still_test_finds_the_same_bytes(context: EvaluationContext) -> None:
    same = motion.measure_still(context, Task(motion.STILL, 0))["same"]
    assert len(same) and same.all()


def test_backgrounds_are_compared_outside_both_people(context: EvaluationContext) -> None:
    source = np.zeros((20, 20, 3), np.uint8)
    driven = source.copy()
    driven[:, :12], driven[:, 12:] = 200, 3
    mask, other = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    mask[:, :6], other[:, 6:12] = True, True
    assert background_change(source, driven, mask, other) == 3
    assert np.isnan(background_change(source, driven, mask, ~mask))


def test_a_person_is_widened_by_a_twentieth_in_pictures_of_any_size() -> None:
    matte = LeftHalf().person(np.zeros((20, 20, 3), np.uint8))
    assert widened(matte, (20, 20)).sum(1).tolist() == [11] * 20
    assert widened(matte, (40, 40)).sum(1).tolist() == [22] * 40


def test_translation_is_read_in_centimetres() -> None:
    points = np.random.default_rng(0).uniform(80, 180, (68, 2))
    eyes = np.array([[163.0, 100.0], [100.0, 100.0]])
    moved = np.stack([points + [10, 0], points + [0, -20], (points - 128) * 80 / 75 + 128])
    seen = head_translation(moved, points, eyes, 0.0)
    assert seen[0] == pytest.approx([1, 0, 0])
    assert seen[1] == pytest.approx([0, 2, 0])
    assert seen[2, 2] == pytest.approx(5)


def test_a_picture_photographed_again_is_like_it_but_not_it() -> None:
    y, x = np.mgrid[:64, :64]
    image = np.stack([x * 3, y * 3, x + y], -1).astype(np.uint8)
    again = photographed_again(image, 7)
    np.testing.assert_array_equal(again, photographed_again(image, 7))
    difference = np.abs(again.astype(int) - image)[8:-8, 8:-8]
    assert 0 < difference.mean() < 25
    np.testing.assert_array_equal(mirrored(mirrored(image)), image)


def test_every_controlled_parameter_is_on_a_sheet() -> None:
    bundle = tiny_bundle()
    shown = {name for sheet in control_sheets(bundle) for c in sheet.columns for name in c.values}
    assert shown == set(FACE_SCHEMA.ids)
    assert max(len(sheet.columns) for sheet in control_sheets(bundle)) <= 17


def test_sheets_and_matrices_are_drawn(tmp_path: Path) -> None:
    from PIL import Image

    row = np.zeros((2, 24, 24, 3), np.uint8)
    draw_sheet(["rest", "jaw open +0.5"], [row, row, row], tmp_path / "a" / "sheet.jpg")
    with Image.open(tmp_path / "a" / "sheet.jpg") as sheet:
        assert sheet.width == 48
        assert sheet.height > 72
    matrix = np.array([[1.0, 0.5, np.nan], [0.0, 1.0, 0.1]])
    draw_matrix(matrix, ["a", "b"], ["a", "b", "c"], tmp_path / "matrix.png")
    with Image.open(tmp_path / "matrix.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(190, 20, 20), (225, 225, 225), (255, 255, 255)} <= colours
