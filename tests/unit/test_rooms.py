"""The architecture, checked: who may import what, and what nobody may do."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
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


@cache
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


@pytest.mark.parametrize("room", ["blender_addon/client", "shared"])
def test_what_speaks_the_wire_knows_no_blender(room: str) -> None:
    blender = {"bpy", "blf", "bpy_extras", "mathutils", "gpu", "gpu_extras", "bmesh"}
    for path in files_of(room):
        assert not absolute_imports(path) & blender, shown(path)


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in files_of("worker")
        if path.relative_to(ROOT).parts[1] not in ("server", "cli")
    ],
    ids=shown,
)
def test_models_do_not_speak_zeromq(path: Path) -> None:
    assert "zmq" not in absolute_imports(path)


# ---------------------------------------------------------------------------------------------
# Floors: importing goes downwards only

FLOORS = {
    "worker": (
        ("cli", "training"),
        ("server", "evaluation", "farm"),
        ("fitting",),
        ("reenactment",),
        ("compositing",),
        ("media", "portraits", "speech"),
        ("faces", "generators"),
        ("importers", "registry"),
        ("places", "preparation", "rasters", "tensors", "threads"),
    ),
    "blender_addon": (
        ("ui", "operators"),
        ("engine",),
        ("farm", "head", "portrait", "preview", "render", "sequence"),
        ("link", "mapping"),
        ("camera", "client"),
        ("compat", "extension", "translation"),
    ),
}
"""Rooms from the top floor to the ground; a room may import those of its own floor and below."""

MODULES = {
    path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__"): path
    for room in ("shared", *FLOORS)
    for path in files_of(room)
    if "packaging" not in path.parts
}
"""Files by their path without suffix; a package by its folder."""


def modules_imported(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports anywhere, for types alone too."""
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.ImportFrom):
            continue
        parts = (node.module or "").split(".") if node.module else []
        if node.level:
            base = path.parents[node.level - 1].relative_to(ROOT).parts
            # The extension's zip holds shared/ as a room of its own.
            if base == ("blender_addon",) and parts[:1] == ["shared"]:
                base = ()
            parts = [*base, *parts]
        elif parts[:1] == ["photorig"]:
            parts = parts[1:]
        else:
            continue
        for alias in node.names:
            inner = "/".join([*parts, alias.name])
            yield inner if inner in MODULES else "/".join(parts)


def floor_of(module: str) -> int | None:
    """0 is the top; None for what belongs to no room (a package's own __init__, shared)."""
    top, _, rest = module.partition("/")
    room = rest.partition("/")[0]
    for number, rooms in enumerate(FLOORS.get(top, ())):
        if room in rooms:
            return number
    return None


@pytest.mark.parametrize("room", FLOORS)
def test_every_room_has_its_floor(room: str) -> None:
    named = {name for floor in FLOORS[room] for name in floor}
    there = {name.split("/")[1] for name in MODULES if name.startswith(f"{room}/")}
    assert there == named


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_downwards_only(module: str) -> None:
    here = floor_of(module)
    if here is None:
        return
    for other in modules_imported(MODULES[module]):
        there = floor_of(other)
        if there is not None and other.partition("/")[0] == module.partition("/")[0]:
            assert there >= here, f"{other} is above"


def test_no_files_import_each_other_in_a_circle() -> None:
    needs = {name: set(modules_imported(path)) & set(MODULES) for name, path in MODULES.items()}
    while True:
        free = {name for name, others in needs.items() if not others & set(needs)}
        if not free:
            break
        needs = {name: others for name, others in needs.items() if name not in free}
    assert not needs, f"these stand in a circle, or need one: {sorted(needs)}"


@pytest.mark.parametrize("path", files_of("worker"), ids=shown)
def test_the_worker_imports_relatively_within_a_room_and_absolutely_beyond(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    within = f"photorig.{'.'.join(parts[:2])}"
    for level, module in imports(path):
        if level:
            assert level <= len(parts) - 2 or len(parts) == 2, f"line with {module} leaves the room"
        elif len(parts) > 2:
            assert module != within and not module.startswith(f"{within}."), module


@pytest.mark.parametrize("path", [*files_of("shared"), *files_of("blender_addon")], ids=shown)
def test_what_is_in_the_zip_imports_relatively(path: Path) -> None:
    assert not any(level == 0 and module.startswith("photorig") for level, module in imports(path))


OF_ONE_GENERATOR = re.compile(
    r"generators\.(mobile_stylegan|stylegan2|weights|latents|preview_head|\w+_backend|openvino_\w+)\b"
)
KNOWS_ITS_GENERATOR = {
    "worker/training/preview_heads": "trains the image heads of the project's own generator",
    "worker/training/stylespace": "chooses channels of the project's own generator",
    "worker/cli/models_import.py": "writes what was imported",
    "worker/fitting/encoder.py": "an encoder that was imported lies with its generator",
}
"""What may say which generator it is about, each with the reason why."""


@pytest.mark.parametrize("path", files_of("worker"), ids=shown)
def test_nobody_knows_which_generator_there_is(path: Path) -> None:
    """A network, a generator and a code say themselves how many rows they have and how long."""
    name = shown(path)
    if name.startswith(("worker/generators/", *KNOWS_ITS_GENERATOR)):
        return
    for _, module in imports(path):
        assert not OF_ONE_GENERATOR.search(module), module
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"MobileStyleGAN\(|\b16, 512\b|, 512\) float32|_rows, 512\b", text)


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
