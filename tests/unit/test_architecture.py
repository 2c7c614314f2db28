"""The shape of the code, enforced: which way imports go, what may not be imported, how large things get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "assign"
GENERATED = SOURCE / "v1"
FILES = sorted(path for path in SOURCE.rglob("*.py") if GENERATED not in path.parents)
NAMES = [str(path.relative_to(SOURCE)) for path in FILES]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# The specification of the draw is one file on purpose: a second implementer reads it from top to bottom.
LONGER = {"reference.py": 420}

# What the library never needs: it is pure, and installs without any of these.
FORBIDDEN = {
    "server",
    "grpc",
    "grpc_status",
    "google",
    "sqlalchemy",
    "alembic",
    "starlette",
    "httpx2",
    "uvicorn",
    "pydantic",
}
# Where time, chance and the outside world would be a hole: everything there is a function of its arguments.
PURE_FOLDERS = ("rules", "draw", "log")
IMPURE = {"time", "os", "random", "secrets", "uuid", "socket", "threading", "subprocess", "pathlib", "io", "sys"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base", "tools"}

# Who may import whom, from the bottom up; a package may import its own modules and those below it.
LAYERS = (
    {"errors"},
    {"encoding"},
    {"names", "container"},
    {"person", "order", "wave", "roster"},
    {"rules"},
    {"reference_stream"},
    {"_core", "reference", "log"},
    {"draw"},
    {"selftest"},
    {"review"},
    {"verify"},
    {"selftest"},
    {"cli", "receipt_cli"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, by its full name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "assign":
                yield from (f"assign.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def part_of(module: str) -> str:
    """The layer's name of `assign.draw.inputs`: `draw`."""
    return module.split(".")[1]


@pytest.mark.parametrize("name", NAMES)
def test_library_needs_no_server(name: str) -> None:
    """Nothing of the library imports the server, gRPC, protobuf, a database or a web framework."""
    roots = {module.partition(".")[0] for module in imports_of(SOURCE / name)}
    assert roots.isdisjoint(FORBIDDEN)
    assert not any(module.startswith("assign.v1") for module in imports_of(SOURCE / name))


@pytest.mark.parametrize("name", NAMES)
def test_imports_go_one_way(name: str) -> None:
    """A module imports its own package and what lies below it, never what lies above."""
    parts = Path(name).with_suffix("").parts
    if parts == ("__init__",):
        return
    assert parts[0] in LEVEL, "say in LAYERS where this module belongs"
    level = LEVEL[parts[0]]
    above = [
        module
        for module in imports_of(SOURCE / name)
        if module.startswith("assign.") and part_of(module) != parts[0] and LEVEL[part_of(module)] >= level
    ]
    assert above == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(PURE_FOLDERS)])
def test_rules_draw_and_log_are_functions_of_their_arguments(name: str) -> None:
    """No clock, no entropy, no files: what is replayed depends on nothing else."""
    roots = {module.partition(".")[0] for module in imports_of(SOURCE / name)}
    assert roots.isdisjoint(IMPURE)
    for node in ast.walk(ast.parse((SOURCE / name).read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today"}, f"line {node.lineno} asks for the time"


@pytest.mark.parametrize("name", NAMES)
def test_files_and_functions_stay_small(name: str) -> None:
    """A file fits in a head, a function on a screen."""
    text = (SOURCE / name).read_text()
    assert text.count("\n") <= LONGER.get(name, MAX_FILE_LINES)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("name", NAMES)
def test_names_say_what_is_inside(name: str) -> None:
    """Files are nouns of the domain."""
    assert VAGUE_NAMES.isdisjoint(Path(name).with_suffix("").parts)


@pytest.mark.parametrize("name", NAMES)
def test_public_names_are_documented(name: str) -> None:
    """Every module, and whatever it exports, says what it is."""
    tree = ast.parse((SOURCE / name).read_text())
    if not tree.body:
        return
    assert ast.get_docstring(tree), "the module says nothing"
    exported = _exported(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in exported:
            assert ast.get_docstring(node), node.name


def _exported(tree: ast.Module) -> set[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return set(ast.literal_eval(node.value))
    return set()


def test_nothing_draws_with_a_general_random_generator() -> None:
    """`random` and `numpy.random` may change their streams between releases, and are not keyed."""
    for path in FILES:
        text = path.read_text()
        assert "numpy.random" not in text or path.name == "__init__.py", path
        assert "np.random" not in text, path
