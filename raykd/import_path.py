"""Keeps what lies in the working folder out of the imports.

Only what Python has loaded by itself is imported here: anything else may be what has to be kept out.
"""

import os
import sys


def leave_out_working_folder(*, module: bool = False) -> None:
    """Import nothing from the folder that raykd is started in, where a ``torch.py`` or ``datasets/`` may lie.

    An empty part of PYTHONPATH, as ``export PYTHONPATH=$PYTHONPATH:more`` leaves it, means that folder too, here and in
    every process that this one starts; a part that names it stays.

    Args:
        module: Python was started by ``-m``, which puts the folder first.
    """
    try:
        folder = os.getcwd()
    except OSError:  # it was removed
        return
    if module and sys.path and sys.path[0] in ("", folder):
        del sys.path[0]
        source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if source == folder and source not in sys.path:  # a checkout that is not installed
            sys.path.append(source)
    parts = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if "" in parts and len(parts) > 1:
        named = [part for part in parts if part]
        os.environ["PYTHONPATH"] = os.pathsep.join(named)
        if folder not in [os.path.abspath(part) for part in named]:
            sys.path[:] = [entry for entry in sys.path if entry not in ("", folder)]
