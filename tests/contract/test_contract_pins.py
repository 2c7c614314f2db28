"""What the project declares to need and what `make setup` installs agree."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def _declared() -> list[str]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    return [*document["build-system"]["requires"], *project["dependencies"], *extras]


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("text", _declared())
def test_every_declared_package_is_pinned_within_its_range(text: str) -> None:
    """A package that is not in constraints.txt would be another one on each machine: `make upgrade` pins it."""
    requirement = Requirement(text)
    version = _pins().get(canonicalize_name(requirement.name))
    assert version is not None, f"{requirement.name} is not in constraints.txt"
    assert requirement.specifier.contains(version)
