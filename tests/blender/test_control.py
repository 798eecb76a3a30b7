"""The panel says what the face can follow, how far, and when a value is beyond that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from fake_layout import FakeLayout
from portrait_files import write_portrait


@pytest.fixture
def responses(modules: SimpleNamespace) -> Iterator[dict[str, object]]:
    """A worker that follows the jaw and, by geometry, the roll, but no tongue."""
    response = modules.responses.Response
    said = {
        "jawOpen": response("latents", -0.3, 0.3, 0.99, 0.84, 0.05),
        "headRoll": response("geometry", -45.0, 45.0),
        "tongueOut": response("none", 0.0, 0.0, 0.0, 0.0, 0.0),
    }
    link = modules.link.link
    link.responses = said
    yield said
    link.responses = {}
    choices = bpy.context.window_manager.photorig
    choices.only_controllable = choices.show_measurements = False


def _drawn(scene: bpy.types.Scene, modules: SimpleNamespace) -> FakeLayout:
    layout = FakeLayout()
    modules.panels.draw_parameters(layout, scene.camera.data, "test")
    return layout


def test_a_parameter_that_the_face_cannot_follow_is_greyed_and_says_why(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object]
) -> None:
    layout = _drawn(scene, modules)
    assert not layout.find("prop", "tongueOut").active
    assert layout.find("prop", "jawOpen").active
    told = modules.control.controls_of(scene.camera.data, responses)["tongueOut"].sentences
    assert told == ("This face does not follow Tongue Out: its model was not taught to",)


def test_what_the_face_cannot_follow_can_be_hidden(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object]
) -> None:
    bpy.context.window_manager.photorig.only_controllable = True
    layout = _drawn(scene, modules)
    assert layout.has("prop", "jawOpen")
    assert not layout.has("prop", "tongueOut")
    assert layout.has("prop", "mouthFunnel"), "nothing is known about this one"


def test_the_trained_range_stands_beside_the_slider(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object]
) -> None:
    texts = _drawn(scene, modules).texts
    assert "0.00 – 0.30" in texts
    assert "±45°" in texts


def test_a_value_beyond_the_trained_range_is_tinted(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object]
) -> None:
    settings = scene.camera.data.photorig
    settings.jawOpen, settings.headRoll = 0.3, -50
    layout = _drawn(scene, modules)
    assert not layout.find("prop", "jawOpen").alert
    assert layout.find("prop", "headRoll").alert
    assert layout.find("label", "Head").options["icon"] == "ERROR"
    assert layout.find("label", "Jaw").options["icon"] == "NONE"


def test_in_absolute_mode_the_range_lies_around_the_photo(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object], tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    path = write_portrait(
        tmp_path / "open.portrait", schema.hash, parameters=schema.vector({"jawOpen": 0.5})
    )
    bpy.ops.photorig.load_portrait(filepath=str(path))
    settings = scene.camera.data.photorig
    settings.mode, settings.jawOpen = "ABSOLUTE", 0.0
    control = modules.control.controls_of(scene.camera.data, responses)["jawOpen"]
    assert control.range_text == "0.20 – 0.80"
    assert control.is_beyond
    settings.jawOpen = 0.75
    assert not modules.control.controls_of(scene.camera.data, responses)["jawOpen"].is_beyond


def test_a_photo_that_shows_some_of_it_already_leaves_less_in_relative_mode(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object], tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    path = write_portrait(
        tmp_path / "smile.portrait", schema.hash, parameters=schema.vector({"jawOpen": 0.2})
    )
    bpy.ops.photorig.load_portrait(filepath=str(path))
    said = {"jawOpen": modules.responses.Response("latents", -0.3, 0.3, lowest=0.0, highest=0.5)}
    scene.camera.data.photorig.jawOpen = 0.4
    control = modules.control.controls_of(scene.camera.data, said)["jawOpen"]
    assert control.range_text == "0.00 – 0.30"
    assert control.is_beyond


def test_a_face_that_was_measured_shows_its_own_range(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object], tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    lowest, highest = schema.vector({}), schema.vector({"jawOpen": 0.7})
    path = write_portrait(tmp_path / "own.portrait", schema.hash, reach=(lowest, highest))
    bpy.ops.photorig.load_portrait(filepath=str(path))

    def range_with(bundle: str) -> str:
        said = modules.control.controls_of(scene.camera.data, responses, bundle)
        return str(said["jawOpen"].range_text)

    assert range_with("its bundle") == "0.00 – 0.70"
    assert range_with("another bundle") == "0.00 – 0.30"


def test_what_the_mesh_does_is_a_whole_movement_on_every_face(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    shown, lowest, highest = schema.vector({"jawOpen": 0.4}), schema.vector({}), schema.vector({})
    path = write_portrait(
        tmp_path / "own.portrait", schema.hash, parameters=shown, reach=(lowest, highest)
    )
    bpy.ops.photorig.load_portrait(filepath=str(path))
    response = modules.responses.Response("mesh", -1.0, 1.0, lowest=0.0, highest=1.0)
    settings = scene.camera.data.photorig

    def jaw() -> object:
        said = {"jawOpen": response}
        return modules.control.controls_of(scene.camera.data, said, "its bundle")["jawOpen"]

    settings.jawOpen = 1.0
    assert (jaw().range_text, jaw().is_beyond) == ("0.00 – 1.00", False)
    settings.jawOpen = -0.4
    assert not jaw().is_beyond, "what the photo shows can be taken away"
    settings.jawOpen = -0.5
    assert jaw().is_beyond, "and no more"
    assert any("1 is the whole movement" in sentence for sentence in jaw().sentences)
    assert jaw().measurements == ""
    settings.photo_neutral, settings.jawOpen = 1.0, -0.1
    assert jaw().is_beyond, "Neutral has taken it away already"
    settings.mode, settings.jawOpen = "ABSOLUTE", 0.0
    assert (jaw().range_text, jaw().is_beyond) == ("0.00 – 1.00", False)


def test_a_head_that_is_turned_in_the_photo_has_its_own_range_and_says_why(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    path = write_portrait(
        tmp_path / "turned.portrait",
        schema.hash,
        parameters=schema.vector({"headYaw": 20}),
        reach=(schema.vector({"headYaw": -10}), schema.vector({"headYaw": 32})),
    )
    bpy.ops.photorig.load_portrait(filepath=str(path))
    said = {"headYaw": modules.responses.Response("latents", -32, 32, lowest=-32, highest=32)}
    control = modules.control.controls_of(scene.camera.data, said, "its bundle")["headYaw"]
    assert control.range_text == "−30° – 12°"
    assert control.sentences[:2] == (
        "This face was measured to follow Head Yaw over −30° – 12°",
        "In the photo it is 20° already",
    )


def test_neutral_is_offered_where_it_counts(
    scene: bpy.types.Scene, modules: SimpleNamespace, portrait: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    settings = scene.camera.data.photorig
    for mode, active in (("RELATIVE", True), ("ABSOLUTE", False)):
        settings.mode = mode
        layout = FakeLayout()
        modules.panels.draw_portrait(layout, scene.camera.data)
        assert layout.find("prop", "photo_neutral").active == active


def test_a_photo_that_leaves_nothing_of_a_range_says_so(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object], tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    path = write_portrait(
        tmp_path / "wide.portrait", schema.hash, parameters=schema.vector({"jawOpen": 0.6})
    )
    bpy.ops.photorig.load_portrait(filepath=str(path))
    said = {"jawOpen": modules.responses.Response("latents", -0.3, 0.3, lowest=0.0, highest=0.5)}
    control = modules.control.controls_of(scene.camera.data, said)["jawOpen"]
    assert control.sentences[0] == "The photo already shows as much Jaw Open as its face can follow"
    scene.camera.data.photorig.mode = "ABSOLUTE"
    control = modules.control.controls_of(scene.camera.data, said)["jawOpen"]
    assert control.range_text == "0.00 – 0.60"


def test_what_geometry_does_is_not_called_measured(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    said = {"headRoll": modules.responses.Response("geometry", -30, 30, 1.0, 1.0, 0.0)}
    control = modules.control.controls_of(scene.camera.data, said)["headRoll"]
    assert (control.range_text, control.measurements) == ("±30°", "")


def test_a_file_of_an_earlier_version_says_how_to_learn_the_range(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object]
) -> None:
    scene.camera.data.photorig.mode = "ABSOLUTE"
    control = modules.control.controls_of(scene.camera.data, responses)["jawOpen"]
    assert (control.range_text, control.is_beyond) == ("", False)
    assert "Load the portrait again" in control.sentences[0]


def test_a_portrait_that_was_measured_without_translation_is_at_rest_there(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    path = write_portrait(tmp_path / "old.portrait", "0" * 64, parameters=np.full(55, 0.25, "f4"))
    bpy.ops.photorig.load_portrait(filepath=str(path))
    photo = modules.properties.photo_parameters(scene.camera.data.photorig)
    assert (photo["jawOpen"], photo["headX"]) == (0.25, 0.0)


def test_the_tooltip_tells_gain_and_crosstalk(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object]
) -> None:
    layout = _drawn(scene, modules)
    button = next(
        drawn for drawn in layout.drawn if getattr(drawn.operator, "parameter", "") == "jawOpen"
    )
    operator = modules.portrait.PHOTORIG_OT_explain_parameter
    text = operator.description(bpy.context, button.operator)
    assert "gain 0.99" in text
    assert "crosstalk 5.0%" in text
    bpy.context.window_manager.photorig.show_measurements = True
    assert any("gain 0.99" in line for line in _drawn(scene, modules).texts)


def test_a_gain_that_takes_a_value_beyond_the_range_is_seen(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object]
) -> None:
    settings = scene.camera.data.photorig
    settings.jawOpen, settings.gain_jaw = 0.2, 2.0
    layout = _drawn(scene, modules)
    assert layout.find("prop", "jawOpen").alert
    assert layout.has("prop", "gain_jaw")


def test_with_the_mirror_on_a_slider_tells_of_the_other_side(
    scene: bpy.types.Scene, modules: SimpleNamespace, responses: dict[str, object]
) -> None:
    settings = scene.camera.data.photorig
    settings.mirror, settings.headRoll = True, -50
    responses["eyeBlinkLeft"] = modules.responses.Response("none", 0.0, 0.0)
    layout = _drawn(scene, modules)
    assert not layout.find("prop", "eyeBlinkRight").active
    assert layout.find("prop", "eyeBlinkLeft").active
    assert layout.find("prop", "headRoll").alert


def test_without_a_worker_the_panel_shows_sliders_only(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    layout = _drawn(scene, modules)
    for name in modules.schema.FACE_SCHEMA.ids:
        drawn = layout.find("prop", name)
        assert drawn.active and not drawn.alert
    assert not layout.has("operator", "photorig.explain_parameter")


def test_the_link_keeps_what_the_worker_said_when_it_ends(
    shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    link = modules.link.link
    link.responses = {}
    link.wait_until_ready(lambda: False)
    assert link.responses["jawOpen"].maximum == pytest.approx(0.3)
    link.stop()
    assert link.responses["jawOpen"].is_controllable
    link.responses = {}
