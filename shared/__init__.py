"""What Photorig's two processes agree on: parameters, messages, file formats, errors.

Used by the worker as ``photorig.shared`` and copied into the Blender extension as a sub-package,
so every import inside this package is relative, and needs only the standard library and numpy.
"""
