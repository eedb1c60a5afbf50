"""Folders import downwards only, and a device never needs what training needs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("contract", "index", "edge", "model", "export", "apps")
MAY_IMPORT = {
    "contract": set(),
    "index": {"contract"},
    "edge": {"contract", "index"},
    "model": {"contract"},
    "export": {"contract", "model"},
    "apps": {"contract", "index", "edge", "model", "export"},
}
DEVICE = ("contract", "index", "edge")
NOT_ON_A_DEVICE = ("torch", "transformers", "onnx", "pixsearch.model", "pixsearch.export", "pixsearch.apps")


def modules(folder: str) -> list[str]:
    names = (path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / folder).rglob("*.py")))
    return ["pixsearch." + ".".join(name.parts).removesuffix(".__init__") for name in names]


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {node.module or ""} | {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_those_below_it(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        used = {name.split(".")[1] for name in imported(path) if name.startswith("pixsearch.")} & set(FOLDERS)
        assert used <= MAY_IMPORT[folder] | {folder}, f"{path} imports {sorted(used)}"


@pytest.mark.parametrize("folder", DEVICE)
def test_device_code_names_no_training_library(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"torch", "transformers", "onnx", "peft"}, path


def test_loading_every_device_module_loads_no_training_library() -> None:
    names = [name for folder in DEVICE for name in modules(folder)]
    assert len(names) > 20
    code = (
        f"import importlib, sys\nfor name in {names!r}:\n    importlib.import_module(name)\n"
        f"print([name for name in {NOT_ON_A_DEVICE!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
