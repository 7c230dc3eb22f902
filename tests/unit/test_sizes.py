"""No module and no class grows beyond what a newcomer reads in one sitting."""

import ast
from pathlib import Path

import reconciler

_MODULE, _CLASS = 400, 200  # lines
_ROOT = Path(reconciler.__file__).parent


def _too_long(module: Path) -> list[str]:
    text = module.read_text()
    found = [f"{module.name}: {lines} lines"] if (lines := text.count("\n")) > _MODULE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            found += [f"{module.name}: class {node.name}: {lines} lines"] if lines > _CLASS else []
    return found


def test_no_module_and_no_class_is_too_long() -> None:
    modules = sorted(_ROOT.rglob("*.py"))
    assert len(modules) > 100
    assert [one for module in modules for one in _too_long(module)] == []


def test_one_that_is_too_long_is_named(tmp_path: Path) -> None:
    module = tmp_path / "long.py"
    module.write_text("class Long:\n" + "    x = 1\n" * _MODULE)
    assert _too_long(module) == ["long.py: 401 lines", "long.py: class Long: 401 lines"]
