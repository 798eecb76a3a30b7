"""The zip: what is in it, and that Blender takes it."""

from __future__ import annotations

import ast
import subprocess
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import pytest


def _python_files(extension_zip: Path) -> dict[str, str]:
    with zipfile.ZipFile(extension_zip) as archive:
        return {
            name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")
        }


def _imports(source: str) -> list[ast.Import | ast.ImportFrom]:
    nodes = ast.walk(ast.parse(source))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def test_it_installs_and_enables(addon: ModuleType) -> None:
    assert addon.__name__ in bpy.context.preferences.addons
    assert hasattr(bpy.types.Camera, "photorig")
    assert "PHOTORIG" in {
        getattr(engine, "bl_idname", "") for engine in bpy.types.RenderEngine.__subclasses__()
    }


def test_it_brings_its_own_zmq(addon: ModuleType) -> None:
    import zmq

    assert ".local" in Path(zmq.__file__).parts
    assert zmq.has("curve")


def test_the_manifest_asks_for_what_the_extension_does_and_no_more(extension_zip: Path) -> None:
    with zipfile.ZipFile(extension_zip) as archive:
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    assert set(manifest["permissions"]) == {"files", "network", "clipboard"}
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]


def test_no_module_uses_python_threads_or_the_workers_packages(extension_zip: Path) -> None:
    forbidden = {"threading", "_thread", "concurrent", "multiprocessing", "torch", "photorig"}
    for name, source in _python_files(extension_zip).items():
        for node in _imports(source):
            if isinstance(node, ast.Import):
                roots = {alias.name.split(".")[0] for alias in node.names}
            else:
                roots = {(node.module or "").split(".")[0]} if node.level == 0 else set()
            assert not roots & forbidden, f"{name} imports {roots & forbidden}"


def test_nothing_can_unpickle(extension_zip: Path) -> None:
    for name, source in _python_files(extension_zip).items():
        assert "allow_pickle=True" not in source, name
        for node in _imports(source):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            assert not {"pickle", "marshal", "shelve", "dill"} & set(names), name


def test_it_can_be_disabled_and_enabled_again(addon: ModuleType) -> None:
    bpy.ops.preferences.addon_disable(module=addon.__name__)
    assert not hasattr(bpy.types.Camera, "photorig")
    bpy.ops.preferences.addon_enable(module=addon.__name__)
    assert hasattr(bpy.types.Camera, "photorig")


@pytest.mark.parametrize(
    "panel", ["RENDER_PT_format", "RENDER_PT_output", "RENDER_PT_stamp", "DATA_PT_shape_keys"]
)
def test_blenders_own_panels_stay_with_this_engine(addon: ModuleType, panel: str) -> None:
    assert "PHOTORIG" in getattr(bpy.types, panel).COMPAT_ENGINES


def test_every_operator_explains_itself(addon: ModuleType) -> None:
    operators = [name for name in dir(bpy.ops.photorig) if not name.startswith("_")]
    assert "render_to_sequencer" in operators
    for name in operators:
        description = getattr(bpy.ops.photorig, name).get_rna_type().description
        assert description, name
        assert not description.endswith("."), name


def test_the_vendored_schema_is_the_workers(modules: SimpleNamespace) -> None:
    assert len(modules.schema.FACE_SCHEMA) == 58


def test_it_connects_to_a_worker_that_runs_elsewhere_and_leaves_it_running(
    scene: bpy.types.Scene, modules: SimpleNamespace, card_worker_program: Path, tmp_path: Path
) -> None:
    connection_file = tmp_path / "worker.json"
    worker = subprocess.Popen(
        [card_worker_program, "serve", "--connection-file", connection_file],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stdout.readline() == "ready\n"
        bpy.ops.photorig.connect_worker(filepath=str(connection_file))
        assert modules.link.link.is_ready
        bpy.ops.photorig.stop_worker()
        assert not modules.link.link.is_ready
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait()


def test_a_connection_file_that_is_not_there_is_a_sentence(
    scene: bpy.types.Scene, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="No worker has written"):
        bpy.ops.photorig.connect_worker(filepath=str(tmp_path / "nothing.json"))
