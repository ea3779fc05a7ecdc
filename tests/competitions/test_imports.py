"""Preparing and scoring take no backend: importing one takes seconds, and prints what users should not see."""

import subprocess
import sys

import pytest

from shared.settings import raw_folders

COMPETITIONS = tuple(raw_folders())


@pytest.mark.parametrize("name", COMPETITIONS)
def test_nothing_but_the_network_loads_a_backend(name):
    code = (
        "import importlib, pkgutil, sys\n"
        f"package = importlib.import_module('competitions.{name}')\n"
        "computing = {'model', 'inference', 'objective', 'gplinker'}\n"
        "for module in pkgutil.iter_modules(package.__path__):\n"
        "    if module.name not in computing:\n"
        f"        importlib.import_module('competitions.{name}.' + module.name)\n"
        "print(*sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("\n", "")
