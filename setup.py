"""Builds the one compiled module; everything else is declared in pyproject.toml."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

SOURCE = Path("src/assign")
OPTIMISE = ["/O2"] if sys.platform == "win32" else ["-O3", "-fno-strict-aliasing", "-fstack-protector-strong"]

core = Extension(
    "assign._core",
    sources=[str(SOURCE / name) for name in ("_core.pyx", "core/chacha20.c", "core/chacha20_x86.c")],
    depends=[str(path) for path in (*SOURCE.glob("core/*.h"), *SOURCE.glob("_*.pxd"))],
    include_dirs=[numpy.get_include(), str(SOURCE)],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
    extra_compile_args=OPTIMISE,
)

DIRECTIVES = {
    "language_level": 3,
    "embedsignature": True,
    # Indices come from arrays that were checked at the door, and no divisor is ever zero or negative.
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
}

setup(ext_modules=cythonize([core], include_path=["src"], compiler_directives=DIRECTIVES))
