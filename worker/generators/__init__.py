"""Generators: latents in W+ in, images out, with one interface for every backend."""

from __future__ import annotations

from .interface import Generator
from .loading import load_generator

__all__ = ["Generator", "load_generator"]
