"""The executors there are; ``local`` is the default.

To add one: a file with an `ExecutorEntry` called ``EXECUTOR``, and its name in `_OWN`. It passes
tests/contract/test_executors.py, and Blender knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from photorig.shared.errors import InputError

from . import local, ray_cluster
from .entry import ExecutorEntry

_OWN = (local, ray_cluster)

DEFAULT = local.EXECUTOR.name


def executors() -> Mapping[str, ExecutorEntry]:
    """All executors by name, the default first."""
    return {module.EXECUTOR.name: module.EXECUTOR for module in _OWN}


def executor_entry(name: str) -> ExecutorEntry:
    """The executor of that name. Raises InputError where there is none."""
    if name not in executors():
        names = " or ".join(repr(known) for known in executors())
        raise InputError(f"There is no executor {name!r}", f"Use {names}.")
    return executors()[name]
