"""The architecture, checked: who may import what, and what nobody may do."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STANDARD_LIBRARY = set(sys.stdlib_module_names)

LONG_FILES: dict[str, str] = {}
"""Files that may be longer than 500 lines, each with the reason why."""


def files_of(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py") if "__pycache__" not in path.parts)


ALL_FILES = [
    *(
        path
        for room in ("shared", "worker", "blender_addon", "tests", ".ci")
        for path in files_of(room)
    ),
    ROOT / "build.py",
]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(level, module) of each import statement, wherever in the file; level 0 is absolute."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def absolute_imports(path: Path) -> set[str]:
    """First part of the name of each absolutely imported module."""
    return {module.split(".")[0] for level, module in imports(path) if level == 0}


def called_names(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Dotted name of each call, as far as it is one."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", files_of("shared"), ids=shown)
def test_shared_needs_only_the_standard_library_and_numpy(path: Path) -> None:
    assert absolute_imports(path) <= STANDARD_LIBRARY | {"numpy"}


@pytest.mark.parametrize("path", files_of("shared"), ids=shown)
def test_shared_never_reaches_out_of_its_package(path: Path) -> None:
    depth = len(path.relative_to(ROOT / "shared").parts)
    assert all(level <= depth for level, _ in imports(path))


@pytest.mark.parametrize("path", files_of("worker"), ids=shown)
def test_the_worker_never_imports_blender(path: Path) -> None:
    forbidden = {"bpy", "mathutils", "gpu", "bmesh", "blender_addon", "photorig_addon"}
    assert not absolute_imports(path) & forbidden


@pytest.mark.parametrize(
    "path",
    [path for path in files_of("blender_addon") if "packaging" not in path.parts],
    ids=shown,
)
def test_the_extension_imports_blender_numpy_zmq_and_itself_only(path: Path) -> None:
    blender = {"bpy", "blf", "bpy_extras", "mathutils", "gpu", "gpu_extras", "bmesh"}
    forbidden = {"threading", "_thread", "concurrent", "multiprocessing", "asyncio"}
    found = absolute_imports(path)
    assert found <= STANDARD_LIBRARY | blender | {"numpy", "zmq"}
    assert not found & forbidden


@pytest.mark.parametrize(
    "path",
    [path for path in files_of("blender_addon") if "packaging" not in path.parts],
    ids=shown,
)
def test_the_extension_leaves_the_import_path_alone(path: Path) -> None:
    attributes = (node for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute))
    assert "sys.path" not in {ast.unparse(node) for node in attributes}


INNER_ROOMS = ("faces", "generators", "portraits", "reenactment", "registry")


@pytest.mark.parametrize(
    "path", [path for room in INNER_ROOMS for path in files_of(f"worker/{room}")], ids=shown
)
def test_models_know_neither_server_nor_command_line(path: Path) -> None:
    for _, module in imports(path):
        assert not re.search(r"(^|\.)(server|cli)(\.|$)", module), module
    assert "zmq" not in absolute_imports(path)


@pytest.mark.parametrize("path", files_of("worker/server"), ids=shown)
def test_the_server_does_not_know_the_command_line(path: Path) -> None:
    for _, module in imports(path):
        assert not re.search(r"(^|\.)cli(\.|$)", module), module


UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


@pytest.mark.parametrize("path", ALL_FILES, ids=shown)
def test_nothing_is_unpickled_anywhere(path: Path) -> None:
    if "tests" not in path.relative_to(ROOT).parts:  # a test may make a hostile file
        assert not absolute_imports(path) & UNPICKLING
    for name, _ in called_names(path):
        assert name not in {
            f"{module}.{load}" for module in UNPICKLING for load in ("load", "loads")
        }
    for name, call in called_names(path):
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        if name in ("torch.load", "torch.jit.load"):
            value = options.get("weights_only")
            assert isinstance(value, ast.Constant) and value.value is True, f"line {call.lineno}"
        if name in ("np.load", "numpy.load"):
            value = options.get("allow_pickle")
            assert value is None or (isinstance(value, ast.Constant) and value.value is False)
        assert not name.endswith(("send_pyobj", "recv_pyobj")), f"line {call.lineno}"


@pytest.mark.parametrize("path", ALL_FILES, ids=shown)
def test_no_text_is_run_as_code(path: Path) -> None:
    assert not {name for name, _ in called_names(path)} & {"eval", "exec", "os.system"}
    for name, call in called_names(path):
        if name.startswith("subprocess."):
            assert "shell" not in {keyword.arg for keyword in call.keywords}, f"line {call.lineno}"


@pytest.mark.parametrize("path", ALL_FILES, ids=shown)
def test_no_file_grows_beyond_five_hundred_lines(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 500 or shown(path) in LONG_FILES, f"{lines} lines: split it, or say why not"


def test_no_machine_and_no_package_index_is_named_in_the_sources() -> None:
    here = re.escape(str(ROOT))
    pattern = re.compile(rf"--(extra-)?index-url|/home/\w|/Users/\w|/root/|{here}/")
    allowed = {"tests/unit/test_rooms.py", "tests/unit/registry/test_cards.py"}
    folders = (
        "shared",
        "worker",
        "blender_addon",
        "models",
        "docs",
        ".ci",
        "tests",
        "requirements",
    )
    suffixes = {".py", ".toml", ".md", ".json", ".txt", ""}
    texts = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    for path in [*texts, ROOT / "build.py", ROOT / "pyproject.toml", ROOT / "README.md"]:
        if path.is_file() and path.suffix in suffixes and shown(path) not in allowed:
            assert not pattern.search(path.read_text(encoding="utf-8")), shown(path)


def test_every_package_of_the_worker_is_listed_for_installation() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(settings["tool"]["setuptools"]["packages"])
    folders = {path.parent for room in ("worker", "shared", "models") for path in files_of(room)}
    there = {f"photorig.{'.'.join(folder.relative_to(ROOT).parts)}" for folder in folders}
    assert listed == there


def test_every_package_has_a_docstring_that_says_what_lives_there() -> None:
    for room in ("worker", "shared", "models", "blender_addon"):
        for path in files_of(room):
            if path.name == "__init__.py":
                assert ast.get_docstring(parsed(path)), shown(path)


def test_weights_in_the_repository_are_safetensors_only() -> None:
    suffixes = {path.suffix for path in (ROOT / "models").iterdir() if path.is_file()}
    assert suffixes <= {".toml", ".safetensors", ".py"}
