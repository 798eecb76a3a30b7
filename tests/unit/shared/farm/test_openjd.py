"""Templates as Open Job Description's own library reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openjd.model import decode_job_template

from photorig.shared.errors import InputError
from photorig.shared.farm.job import BLENDER, WORKER, Face, FarmJob
from photorig.shared.farm.openjd import template, write_openjd
from photorig.shared.farm.preflight import Expected, NodeFacts
from photorig.shared.farm.progress import OPENJD, FarmProgress
from photorig.shared.farm.write import write_for


def job(kind: str = BLENDER, **values: object) -> FarmJob:
    fields = {"name": "shot 7", "frames": tuple(range(1, 241)), "chunk_size": 24} | values
    return FarmJob(kind=kind, faces=(Face("portraits/a.portrait", "p.jsonl"),), **fields)


@pytest.mark.parametrize("kind", [BLENDER, WORKER])
@pytest.mark.parametrize("needs_gpu", [False, True])
def test_openjds_library_accepts_the_template(kind: str, needs_gpu: bool) -> None:
    told = template(job(kind, needs_gpu=needs_gpu))
    decode_job_template(template=told, supported_extensions=["TASK_CHUNKING"])
    assert told["specificationVersion"] == "jobtemplate-2023-09"
    (step,) = told["steps"]
    assert ("hostRequirements" in step) == needs_gpu
    (chunks,) = step["parameterSpace"]["taskParameterDefinitions"]
    assert chunks["type"] == "CHUNK[INT]"
    assert chunks["chunks"]["rangeConstraint"] == "CONTIGUOUS"


def test_a_session_keeps_one_worker_and_a_chunk_can_be_stopped() -> None:
    told = template(job())
    worker, preflight = told["jobEnvironments"]
    assert set(worker["script"]["actions"]) == {"onEnter", "onExit"}
    assert set(preflight["script"]["actions"]) == {"onEnter"}
    action = told["steps"][0]["script"]["actions"]["onRun"]
    assert action["cancelation"]["mode"] == "NOTIFY_THEN_TERMINATE"


def test_a_job_without_blender_names_none() -> None:
    assert "Blender" not in {each["name"] for each in template(job(WORKER))["parameterDefinitions"]}


def test_paths_are_parameters_of_their_kind_so_that_sessions_map_them() -> None:
    kinds = {each["name"]: each for each in template(job())["parameterDefinitions"]}
    for name, flow in (("JobFolder", "IN"), ("BlendFile", "IN"), ("OutputDir", "OUT")):
        assert kinds[name]["type"] == "PATH" and kinds[name]["dataFlow"] == flow


def test_the_folder_is_a_bundle_with_parameters_and_files(tmp_path: Path) -> None:
    write_openjd(tmp_path, job(output="/out"), ["/props/b.blend", "/props/a.png"])
    values = json.loads((tmp_path / "parameter_values.json").read_text())["parameterValues"]
    assert {each["name"]: each["value"] for each in values} == {
        "Frames": "1-240",
        "ChunkSize": 24,
        "OutputDir": "/out",
    }
    assert json.loads((tmp_path / "parameters.json").read_text())["OutputDir"] == "/out"
    told = json.loads((tmp_path / "asset_references.json").read_text())["assetReferences"]
    assert told["inputs"]["filenames"] == ["/props/a.png", "/props/b.blend"]
    assert told["outputs"]["directories"] == ["/out"]


def test_a_job_is_read_again_as_it_was(tmp_path: Path) -> None:
    one = job(WORKER, mode="absolute", size="512", output="/out", needs_gpu=True)
    write_for("openjd", tmp_path, one, Expected(NodeFacts()))
    assert FarmJob.load(tmp_path) == one


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "C:x", "a\\b", ""])
def test_a_job_leads_out_of_its_folder_to_no_file(tmp_path: Path, name: str) -> None:
    write_for("openjd", tmp_path, job(WORKER), Expected(NodeFacts()))
    told = json.loads((tmp_path / "job.json").read_text())
    told["faces"][0]["portrait"] = name
    (tmp_path / "job.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="is no job of ours"):
        FarmJob.load(tmp_path)


@pytest.mark.parametrize("values", [{"frames": ()}, {"chunk_size": 0}, {"chunk_size": 151}])
def test_a_job_that_no_farm_takes_is_a_sentence(values: dict[str, object]) -> None:
    with pytest.raises(InputError):
        job(**values)


def test_messages_are_in_openjds_form_and_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say = FarmProgress(OPENJD)
    say.frame(7, 1, 3)
    say.fail("It broke.\nopenjd_env: PATH=/evil")
    say.set_variable("A", "b c")
    assert capsys.readouterr().out.splitlines() == [
        "openjd_progress: 33.3",
        "openjd_status: frame 7, 1 of 3",
        "openjd_fail: It broke. openjd_env: PATH=/evil",
        "openjd_env: A=b c",
    ]
