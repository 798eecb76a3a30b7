"""What must hold in every process of the worker before a library that computes is loaded.

Importing `photorig.worker` calls it, so that no way in can be forgotten: the command line, the
program of a fit, a measuring process, a test.
"""

from __future__ import annotations

import os
import sys

PATIENT_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""Threads that wait for others sleep. They would spin otherwise, and where something else keeps a
core busy they spin in the way of the very thread that they wait for: a frame then takes up to nine
times as long. OpenMP's runtimes read this when they are loaded; what the user has set stays."""

TELEMETRY = "openvino_telemetry"
"""Importing OpenVINO imports this package, which then writes into the home and calls an analytics
host from a process of its own, unless ``CI`` is set or a file in the home says no."""


def prepare() -> None:
    """Make threads patient and keep OpenVINO from telling anybody that it is used."""
    for name, value in PATIENT_THREADS.items():
        os.environ.setdefault(name, value)
    # To Python this says "there is no such package", and OpenVINO then does without.
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]
