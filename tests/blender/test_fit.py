"""A photo becomes the portrait of a camera, and what a person sees and can do meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from fake_layout import FakeLayout


@pytest.fixture
def photo(tmp_path: Path) -> Callable[[str], Path]:
    """A photo that the test worker understands as a word; see fake_fit_program.py."""

    def make(word: str, name: str = "anna.jpg") -> Path:
        path = tmp_path / name
        path.write_bytes(word.encode())
        return path

    return make


@pytest.fixture(autouse=True)
def no_fit_is_left(scene: bpy.types.Scene, card_worker: Path, modules: SimpleNamespace) -> Any:
    yield
    modules.portrait_fit.slot.cancel()
    modules.portrait_fit.slot.forget()


def tick_until(fit: Any, condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        fit.tick()
        time.sleep(0.01)
    assert value, f"it did not happen: {fit.summary}"
    return value


def drawn(scene: bpy.types.Scene, modules: SimpleNamespace) -> FakeLayout:
    layout = FakeLayout()
    modules.panels.draw_portrait(layout, scene.camera.data)
    return layout


def test_a_photo_becomes_the_cameras_portrait_beside_it(
    scene: bpy.types.Scene, photo: Callable[..., Path]
) -> None:
    path = photo("portrait")
    assert bpy.ops.photorig.fit_photo(filepath=str(path)) == {"FINISHED"}
    settings = scene.camera.data.photorig
    assert settings.portrait_name == "Nobody 7"
    assert Path(settings.portrait_path) == path.with_name("anna.portrait")
    assert settings.portrait_id and not settings.portrait_problem


def test_the_portrait_of_a_saved_file_lies_beside_that_file(
    scene: bpy.types.Scene, photo: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "shots").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shots" / "shot.blend"))
    bpy.ops.photorig.fit_photo(filepath=str(photo("portrait")))
    assert (tmp_path / "shots" / "anna.portrait").is_file()
    assert bpy.context.scene.camera.data.photorig.portrait_path == "//anna.portrait"


def test_another_portrait_of_that_name_stays_as_it_is(
    scene: bpy.types.Scene, photo: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "anna.portrait").write_bytes(b"of another shot")
    for _ in range(2):  # the same portrait again is no reason for a third file
        bpy.ops.photorig.fit_photo(filepath=str(photo("portrait")))
    assert (tmp_path / "anna.portrait").read_bytes() == b"of another shot"
    assert scene.camera.data.photorig.portrait_path.endswith("anna 2.portrait")
    assert len(list(tmp_path.glob("*.portrait"))) == 2


def test_a_folder_that_cannot_be_written_loses_no_portrait(
    scene: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    path = photo("portrait")
    fit = modules.portrait_fit.start([path], scene.camera.data)
    fit._folders.insert(0, path / "no folder")
    tick_until(fit, lambda: fit.is_done)
    assert fit.error == ""
    assert fit.path == path.with_name("anna.portrait")
    assert f"It is in {path.parent}" in fit.summary


def test_what_is_wrong_with_a_photo_is_one_sentence_and_the_old_portrait_stays(
    shot: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    before = shot.camera.data.photorig.portrait_id
    with pytest.raises(RuntimeError, match=r"No face was found\. Look elsewhere"):
        bpy.ops.photorig.fit_photo(filepath=str(photo("refuse")))
    assert shot.camera.data.photorig.portrait_id == before
    layout = drawn(shot, modules)
    assert "No face was found. Look elsewhere." in layout.texts
    again = layout.find("operator", "photorig.fit_photo").operator
    assert again.directory == str(photo("refuse").parent), "the browser opens beside the photo"
    assert not hasattr(again, "filepath"), "and does not try the same one again"


def test_progress_and_cancel_stand_in_the_panel(
    scene: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    fit = modules.portrait_fit.start([photo("hang")], scene.camera.data)
    assert drawn(scene, modules).has("progress", "Waiting for the worker")
    tick_until(fit, lambda: fit.progress)
    layout = drawn(scene, modules)
    assert layout.find("progress", "Finding the likeness").options["factor"] == 0.25
    assert layout.has("operator", "photorig.cancel_fit")
    assert not layout.has("operator", "photorig.fit_photo")
    bpy.ops.photorig.cancel_fit()
    assert fit.is_done
    assert drawn(scene, modules).has("operator", "photorig.fit_photo")


def test_several_faces_are_shown_and_the_chosen_one_is_fitted(
    scene: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    fit = modules.portrait_fit.start([photo("faces")], scene.camera.data)
    tick_until(fit, lambda: fit.faces)
    layout = drawn(scene, modules)
    assert [d.kind for d in layout.drawn].count("template_icon") == 2
    assert layout.find("operator", "photorig.choose_face").operator.face == 1
    assert "The face is too small" in layout.texts
    with pytest.raises(RuntimeError, match="too small"):
        bpy.ops.photorig.choose_face(face=2)
    bpy.ops.photorig.choose_face(face=1)
    tick_until(fit, lambda: fit.is_done)
    assert scene.camera.data.photorig.portrait_name == "Nobody 70"


def test_without_a_window_several_faces_need_a_number(
    scene: bpy.types.Scene, photo: Callable[..., Path]
) -> None:
    path = str(photo("faces"))
    with pytest.raises(RuntimeError, match=r"2 faces\. Name one"):
        bpy.ops.photorig.fit_photo(filepath=path)
    bpy.ops.photorig.fit_photo(filepath=path, face=2)
    assert scene.camera.data.photorig.portrait_name == "Nobody 71"


def test_a_worker_that_dies_is_told_in_one_sentence_and_the_photo_can_be_tried_again(
    scene: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    fit = modules.portrait_fit.start([photo("hang")], scene.camera.data)
    tick_until(fit, lambda: fit.progress)
    os.kill(modules.link.link.connection.pid, signal.SIGKILL)
    tick_until(fit, lambda: fit.is_done)
    assert "worker" in fit.error
    assert "\n" not in fit.error
    bpy.ops.photorig.fit_photo(filepath=str(photo("portrait")))
    assert scene.camera.data.photorig.portrait_name == "Nobody 7"


def test_a_fit_goes_on_while_another_file_is_opened_and_is_not_lost(
    scene: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    path = photo("portrait")
    fit = modules.portrait_fit.start([path], scene.camera.data)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    tick_until(fit, lambda: fit.is_done)
    assert fit.error == ""
    assert path.with_name("anna.portrait").is_file()
    assert "'Camera' is not here" in fit.summary


def test_a_renamed_camera_gets_its_portrait(
    scene: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    fit = modules.portrait_fit.start([photo("portrait")], scene.camera.data)
    scene.camera.data.name = "Close Up"
    tick_until(fit, lambda: fit.is_done)
    assert scene.camera.data.photorig.portrait_name == "Nobody 7"


def test_undo_during_a_fit_does_not_lose_it(
    scene: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    bpy.ops.ed.undo_push(message="before")
    scene.camera.data.photorig.jawOpen = 0.5
    bpy.ops.ed.undo_push(message="jaw")
    fit = modules.portrait_fit.start([photo("portrait")], scene.camera.data)
    bpy.ops.ed.undo()
    assert bpy.context.scene.camera.data.photorig.jawOpen == 0.0
    tick_until(fit, lambda: fit.is_done)
    assert bpy.context.scene.camera.data.photorig.portrait_name == "Nobody 7"


def test_one_photo_is_fitted_at_a_time_and_the_button_says_so(
    scene: bpy.types.Scene, photo: Callable[..., Path], modules: SimpleNamespace
) -> None:
    modules.portrait_fit.start([photo("hang")], scene.camera.data)
    with pytest.raises(RuntimeError, match="A photo is being fitted"):
        bpy.ops.photorig.fit_photo(filepath=str(photo("portrait", "eva.jpg")))


@pytest.mark.parametrize("name", ["missing.jpg", "."])
def test_a_photo_that_cannot_be_read_is_told_at_once(
    scene: bpy.types.Scene, tmp_path: Path, name: str, modules: SimpleNamespace
) -> None:
    with pytest.raises(RuntimeError, match=r"no photo|is a folder"):
        bpy.ops.photorig.fit_photo(filepath=str(tmp_path / name))
    assert not modules.portrait_fit.slot.is_running
