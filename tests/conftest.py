"""What all tests share. Runs in the worker's environment and in Blender's alike."""

from __future__ import annotations

import pytest

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
