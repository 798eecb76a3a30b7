"""The worker: turns (portrait, parameters) into pixels. Never imports bpy."""

from .preparation import prepare

prepare()
