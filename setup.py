"""Builds the one compiled module; everything else is declared in pyproject.toml."""

from __future__ import annotations

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

core = Extension(
    "assign._core",
    sources=["src/assign/_core.pyx"],
    include_dirs=[numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
    extra_compile_args=["-O3"],
)

setup(ext_modules=cythonize([core], language_level=3, compiler_directives={"embedsignature": True}))
