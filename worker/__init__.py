"""The worker: turns (portrait, parameters) into pixels. Never imports bpy."""

from photorig.worker.preparation import prepare

prepare()
