"""The script that a job's Blender runs: it calls an operator of the extension and tells its end.

It lies in the job's folder, since a node's Blender may lack the extension and must be able to say
so. Words behind ``--``: the operator's name, then its properties as name=value.
"""

from __future__ import annotations

SCRIPT_NAME = "in_blender.py"
SCRIPT = '''\
"""Written by Photorig: runs one of its operators in this Blender and ends it with an exit code."""
import os
import sys

import bpy


READ = {"INT": int, "BOOLEAN": lambda text: text == "True"}


def call(name, *words):
    if name not in dir(bpy.ops.photorig):
        return "The Photorig extension of this Blender is missing or too old. Install it."
    operator = getattr(bpy.ops.photorig, name)
    kinds = {each.identifier: each.type for each in operator.get_rna_type().properties}
    given = dict(word.split("=", 1) for word in words)
    try:
        operator(**{key: READ.get(kinds[key], str)(text) for key, text in given.items()})
    except (RuntimeError, TypeError, KeyError) as error:
        told = str(error).strip().removeprefix("Error: ").splitlines()[0]
        return told.rpartition(".poll() ")[2]
    return ""


words = sys.argv[sys.argv.index("--") + 1:]
problem = call(*words)
if problem:
    form = "openjd_fail" if "messages=openjd" in words else "Photorig"
    print(f"{form}: {problem}", flush=True)
sys.stdout.flush()
sys.stderr.flush()
# Blender's own end of a background process waits for what add-ons have registered.
os._exit(1 if problem else 0)
'''


def words_of(operator: str, **properties: str) -> list[str]:
    """What stands behind ``--python in_blender.py`` on Blender's command line."""
    return ["--", operator, *(f"{name}={value}" for name, value in properties.items())]
