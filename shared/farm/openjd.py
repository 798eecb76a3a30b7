"""A job as Open Job Description has it: jobtemplate-2023-09 with task chunking.

``openjd run JOB/template.json`` runs it as it is; ``deadline bundle submit JOB`` sends it to a farm
of that kind. A session enters two environments once, so that the worker loads its models once and
a node that differs is found out before its first frame; then come the chunks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .in_blender import SCRIPT_NAME, words_of
from .job import BLEND_NAME, BLENDER, MOST_CHUNK, FarmJob, write_json
from .preflight import EXPECTED_NAME
from .progress import OPENJD

TEMPLATE_NAME = "template.json"
PARAMETERS_NAME = "parameters.json"
"""For ``openjd run -p file://…``; the other two are what Deadline Cloud reads of a bundle."""
_BUNDLE_PARAMETERS_NAME = "parameter_values.json"
_BUNDLE_FILES_NAME = "asset_references.json"
_JOB, _OUTPUT, _CHUNK = "{{Param.JobFolder}}", "{{Param.OutputDir}}", "{{Task.Param.Frame}}"
_ENTER_SECONDS = 900
_EXIT_SECONDS = 60
_STOP_SECONDS = 20
_LONGEST_NAME = 64


def write_openjd(folder: Path, job: FarmJob, files: Sequence[str] = ()) -> Path:
    """Write what an OpenJD farm reads into the job's folder.

    Args:
        files: paths outside of the folder that the shot needs: libraries, pictures, sounds.

    Returns:
        The template's path.

    Raises:
        InputError.
    """
    write_json(folder / TEMPLATE_NAME, template(job))
    values = {"Frames": job.range, "ChunkSize": job.chunk_size}
    if job.output:
        values["OutputDir"] = job.output
    write_json(folder / PARAMETERS_NAME, values)
    listed = [{"name": name, "value": value} for name, value in values.items()]
    write_json(folder / _BUNDLE_PARAMETERS_NAME, {"parameterValues": listed})
    told = {
        "inputs": {"filenames": sorted(files), "directories": []},
        "outputs": {"directories": [job.output] if job.output else []},
        "referencedPaths": [],
    }
    write_json(folder / _BUNDLE_FILES_NAME, {"assetReferences": told})
    return folder / TEMPLATE_NAME


def template(job: FarmJob) -> dict[str, Any]:
    """The job template of either kind of job."""
    has_blender = job.kind == BLENDER
    environments = [_worker_environment(), _blender_preflight()] if has_blender else [_preflight()]
    step: dict[str, Any] = {
        "name": "Render",
        "description": "Chunks of frames; what is finished already is left alone.",
        "parameterSpace": {"taskParameterDefinitions": [_chunks()]},
        "script": {"actions": {"onRun": _render_in_blender() if has_blender else _render()}},
    }
    if job.needs_gpu:
        step["hostRequirements"] = {"amounts": [{"name": "amount.worker.gpu", "min": 1}]}
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "extensions": ["TASK_CHUNKING"],
        "name": " ".join(job.name.split())[:_LONGEST_NAME] or "Photorig",
        "parameterDefinitions": _parameters(job),
        "jobEnvironments": environments,
        "steps": [step],
    }


def _parameters(job: FarmJob) -> list[dict[str, Any]]:
    found = [
        _path("JobFolder", "DIRECTORY", "IN", ".", "The folder that Submit to Farm wrote."),
        _path("OutputDir", "DIRECTORY", "OUT", "frames", "Where the frames go."),
        {
            "name": "Frames",
            "type": "STRING",
            "default": job.range,
            "description": "1-240, or 1,5,10-20.",
        },
        {
            "name": "ChunkSize",
            "type": "INT",
            "minValue": 1,
            "maxValue": MOST_CHUNK,
            "default": job.chunk_size,
            "description": "Frames that a node takes at once.",
        },
        _program("Photorig", "photorig"),
    ]
    if job.kind == BLENDER:
        found.append(_path("BlendFile", "FILE", "IN", BLEND_NAME, "The shot."))
        found.append(_program("Blender", "blender"))
    return found


def _path(name: str, kind: str, flow: str, default: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "PATH",
        "objectType": kind,
        "dataFlow": flow,
        "default": default,
        "description": description,
    }


def _program(name: str, default: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "STRING",
        "default": default,
        "description": f"The {default} program on the nodes: its name or its path.",
    }


def _chunks() -> dict[str, Any]:
    return {
        "name": "Frame",
        "type": "CHUNK[INT]",
        "range": "{{Param.Frames}}",
        "chunks": {"defaultTaskCount": "{{Param.ChunkSize}}", "rangeConstraint": "CONTIGUOUS"},
    }


def _worker_environment() -> dict[str, Any]:
    here = ["--folder", "{{Session.WorkingDirectory}}"]
    rules = ["--path-mapping", "{{Session.PathMappingRulesFile}}", "--messages", OPENJD]
    return _environment(
        "Worker",
        _photorig("farm", "start-worker", *here, *rules),
        _photorig("farm", "stop-worker", *here),
    )


def _blender_preflight() -> dict[str, Any]:
    return _environment("Preflight", _blender("farm_preflight"))


def _preflight() -> dict[str, Any]:
    expected = f"{_JOB}/{EXPECTED_NAME}"
    return _environment("Preflight", _photorig("farm", "preflight", expected, "--messages", OPENJD))


def _environment(
    name: str, enter: dict[str, Any], leave: dict[str, Any] | None = None
) -> dict[str, Any]:
    actions = {"onEnter": {**enter, "timeout": _ENTER_SECONDS}}
    if leave is not None:
        actions["onExit"] = {**leave, "timeout": _EXIT_SECONDS}
    return {"name": name, "script": {"actions": actions}}


def _render_in_blender() -> Mapping[str, Any]:
    return _stoppable(_blender("farm_render", frames=_CHUNK, output=_OUTPUT))


def _render() -> Mapping[str, Any]:
    words = ["farm", "render", _JOB, "--frames", _CHUNK, "--out", _OUTPUT, "--messages", OPENJD]
    return _stoppable(_photorig(*words))


def _stoppable(action: dict[str, Any]) -> dict[str, Any]:
    how = {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": _STOP_SECONDS}
    return {**action, "cancelation": how}


def _photorig(*words: str) -> dict[str, Any]:
    return {"command": "{{Param.Photorig}}", "args": list(words)}


def _blender(operator: str, **properties: str) -> dict[str, Any]:
    words = words_of(operator, job=_JOB, messages=OPENJD, **properties)
    script = ["--python-exit-code", "1", "--python", f"{_JOB}/{SCRIPT_NAME}"]
    return {
        "command": "{{Param.Blender}}",
        "args": ["--background", "{{Param.BlendFile}}", *script, *words],
    }
