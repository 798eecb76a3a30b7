"""Generators: latents in W+ in, images out, with one interface for every backend."""

from __future__ import annotations

from .interface import Generator
from .loading import DEFAULT, load_generator, load_network

__all__ = ["DEFAULT", "Generator", "load_generator", "load_network"]
