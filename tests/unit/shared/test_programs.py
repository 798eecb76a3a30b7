"""What is started, and that nothing in the current folder becomes code by that."""

from __future__ import annotations

import ast
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from photorig.shared import programs

from ..test_rooms import ROOT, called_names, files_of, imports, parsed, shown

ROOMS = [path for room in ("shared", "worker", "blender_addon") for path in files_of(room)]
THE_PLACE = ROOT / "shared" / "programs.py"
DEVELOPERS = ROOT / "blender_addon" / "packaging"
"""Not in the zip, and run by those who build it."""
MULTIPROCESSING = {"worker/evaluation/protocols/stages.py"}
"""Files that start processes with it, and only in ``programs.safe_children()``."""

STARTERS = {
    "subprocess": "Popen run call check_call check_output getoutput getstatusoutput".split(),
    "os": "system popen startfile posix_spawn posix_spawnp fork forkpty".split()
    + [f"{kind}{way}" for kind in ("spawn", "exec") for way in "l le lp lpe v ve vp vpe".split()],
    "shutil": ["which"],
    "pty": ["spawn", "fork"],
    "asyncio": ["create_subprocess_exec", "create_subprocess_shell"],
}


@pytest.mark.parametrize(
    "path",
    [path for path in ROOMS if path != THE_PLACE and DEVELOPERS not in path.parents],
    ids=shown,
)
def test_programs_are_found_and_started_in_one_place_only(path: Path) -> None:
    calls = {f"{module}.{name}" for module, names in STARTERS.items() for name in names}
    assert not {name for name, _ in called_names(path)} & calls
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            forbidden = STARTERS.get(node.module or "", ())
            assert not {entry.name for entry in node.names}.intersection(forbidden)
    if shown(path) not in MULTIPROCESSING:
        modules = {module.split(".")[0] for level, module in imports(path) if level == 0}
        assert "multiprocessing" not in modules
        assert "ProcessPoolExecutor" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [ROOT / name for name in sorted(MULTIPROCESSING)], ids=shown)
def test_processes_of_multiprocessing_are_started_as_safe_children(path: Path) -> None:
    guarded = {
        call
        for block in ast.walk(parsed(path))
        if isinstance(block, ast.With)
        and any(ast.unparse(item) == "programs.safe_children()" for item in block.items)
        for call in map(ast.unparse, ast.walk(block))
        if call.endswith(".start()")
    }
    starts = {ast.unparse(call) for name, call in called_names(path) if name.endswith(".start")}
    assert starts and starts <= guarded


@pytest.mark.parametrize("path", ROOMS, ids=shown)
def test_a_module_is_never_run_without_a_safe_path(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.List):
            words = [word.value for word in node.elts if isinstance(word, ast.Constant)]
            for option in {"-m", "-c"} & set(words):
                assert words[words.index(option) - 1] == "-P", f"line {node.lineno}"


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_is_found_in_absolute_folders_of_the_search_path_only(
    hostile_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "WINDOWS", False)
    program(hostile_folder, "photorig")
    ours = program(tmp_path / "ours", "photorig")
    relative = ["", ".", "..", os.path.relpath(hostile_folder.parent / "ours")]
    monkeypatch.setenv("PATH", os.pathsep.join(relative))
    assert programs.find("photorig") is None
    monkeypatch.setenv("PATH", os.pathsep.join([*relative, str(ours.parent)]))
    assert programs.find("photorig") == ours
    assert programs.find("photorig", str(tmp_path)) is None
    for name in ("./photorig", "../downloaded/photorig", "", ".", ".."):
        assert programs.find(name) is None
    assert programs.find(str(ours)) == ours
    assert programs.find(str(ours.parent)) is None, "a folder is no program"


def test_on_windows_the_current_folder_is_no_place_for_programs_either(
    hostile_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "WINDOWS", True)
    monkeypatch.setenv("PATHEXT", ".COM;.EXE;.BAT")
    for name in ("photorig.EXE", "photorig", "npm.BAT"):
        program(hostile_folder, name)
    ours = program(tmp_path / "ours", "photorig.EXE")
    program(tmp_path / "ours", "npm")  # cannot be run there: it has no ending
    monkeypatch.setenv("PATH", os.pathsep.join([".", str(ours.parent)]))
    assert programs.find("photorig") == ours
    assert programs.find("photorig.EXE") == ours
    assert programs.find(str(ours.with_suffix(""))) == ours
    assert programs.find("npm") is None


def test_a_module_that_is_run_is_the_installed_one(hostile_folder: Path, tmp_path: Path) -> None:
    command = programs.python_module("base64", "-t")
    done = programs.run(command, tmp_path, 60)
    assert done.returncode == 0, done.stderr
    with programs.start(command, tmp_path, stdout=subprocess.DEVNULL) as process:
        assert process.wait(60) == 0
    assert not (hostile_folder / "ran").exists()


def test_what_a_program_of_ours_starts_is_a_safe_python_too(hostile_folder: Path) -> None:
    # Even in that folder, and without -P: the variable is handed on.
    done = programs.run([sys.executable, "-c", "import base64"], hostile_folder, 60)
    assert done.returncode == 0, done.stderr
    assert not (hostile_folder / "ran").exists()


def test_what_is_started_needs_absolute_paths(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="absolute"):
        programs.start(["python"], tmp_path)
    with pytest.raises(ValueError, match="absolute"):
        programs.run([sys.executable], Path("folder"), 1)


def test_multiprocessing_imports_nothing_from_the_current_folder(
    hostile_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(programs.PYTHON_VARIABLE, "")
    process = multiprocessing.get_context("spawn").Process(target=len, args=("",))
    with programs.safe_children():
        process.start()
    process.join(60)
    assert process.exitcode == 0
    assert not (hostile_folder / "ran").exists()
    assert os.environ[programs.PYTHON_VARIABLE] == ""
