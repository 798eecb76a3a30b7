"""What all tests share. Runs in the worker's environment and in Blender's alike."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path

import pytest

with contextlib.suppress(ImportError):  # Blender's environment goes without
    # Before any test file imports torch or OpenVINO: see worker/preparation.py.
    importlib.import_module("photorig.worker")

try:
    import hypothesis
except ImportError:  # Blender's environment goes without
    pass
else:
    # A busy computer is no bug: time is not judged, and no examples are kept between runs.
    hypothesis.settings.register_profile(
        "photorig",
        deadline=None,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("photorig")


HOSTILE_MODULES = "base64 cv2 encodings json multiprocessing numpy os photorig pip re torch zmq"


@pytest.fixture
def hostile_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: it holds modules that note in its file ``ran`` that they were run."""
    folder = tmp_path / "downloaded"
    folder.mkdir()
    for name in HOSTILE_MODULES.split():
        note = f"open({str(folder / 'ran')!r}, 'a').write({name + ' '!r})\n"
        (folder / f"{name}.py").write_text(note)
    monkeypatch.chdir(folder)
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Get the models a test marked ``weights("name", …)`` needs.

    Those of the default bundle have to be there: without them the test fails by itself. Others come
    from places that not every computer can reach, so their tests are skipped and say why.
    """
    for mark in item.iter_markers("weights"):
        if not mark.args:
            continue
        from photorig.shared.errors import ModelError
        from photorig.worker.cli.models import bundle_models
        from photorig.worker.registry import fetch

        for name in mark.args:
            try:
                fetch(name)
            except ModelError as error:
                if name in bundle_models("default"):
                    raise
                pytest.skip(str(error))
