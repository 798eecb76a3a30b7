"""Moved to photorig.worker.faces.face_topology."""

from photorig.worker.faces.face_topology import *  # noqa: F403
