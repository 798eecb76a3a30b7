"""The server with test cards, and the extension's client as a package of its own, no Blender."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "photorig_addon_client"
sys.path.insert(0, str(Path(__file__).parent))

from card_server import RunningServer, portrait_bytes  # noqa: E402


@pytest.fixture(scope="session")
def addon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The client as the extension has it: beside its own copy of ``shared``, and no bpy."""
    folder = tmp_path_factory.mktemp("addon")
    package = folder / PACKAGE
    shutil.copytree(ROOT / "shared", package / "shared")
    shutil.copytree(ROOT / "blender_addon" / "client", package / "client")
    (package / "camera").mkdir()
    shutil.copy(ROOT / "blender_addon" / "camera" / "portrait_file.py", package / "camera")
    sys.path.insert(0, str(folder))
    modules = {
        ".".join(path.relative_to(package).with_suffix("").parts): path
        for path in package.rglob("*.py")
        if path.name != "__init__.py"
    }
    loaded = {
        name.rpartition(".")[2]: importlib.import_module(f"{PACKAGE}.{name}")
        for name in sorted(modules)
    }
    assert "bpy" not in sys.modules
    yield SimpleNamespace(**loaded)
    sys.path.remove(str(folder))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def portrait() -> bytes:
    return portrait_bytes(1)


@pytest.fixture
def connect(addon: SimpleNamespace) -> Iterator[Callable[..., Any]]:
    """Makes connected clients from a connection file, and closes them."""
    clients = []

    def make(file: Path) -> Any:
        client = addon.client.WorkerClient(addon.connection.ConnectionInfo.load(file), "test")
        clients.append(client)
        client.connect()
        return client

    yield make
    for client in clients:
        client.close()
