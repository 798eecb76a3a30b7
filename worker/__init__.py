"""The worker: turns (portrait, parameters) into pixels. Never imports bpy."""
