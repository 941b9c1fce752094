"""Imports Gradio without its type stubs, which take a good part of the time of the import.

At every import, Gradio parses the source of each of its components and compares it with a `.pyi`
file beside it, or writes that file. Editors read these; a server that starts has no use for them.
Gradio has no setting for it (6.31, `gradio/component_meta.py`).
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType

_MODULE, _FUNCTION = "gradio.component_meta", "create_or_modify_pyi"


def leave_stubs_alone() -> None:
    """Makes the next import of Gradio leave its stubs as they are.

    If Gradio has been imported already, or no longer has the function that writes them, this does
    nothing.
    """
    if _MODULE not in sys.modules:
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds the module that writes stubs as the others do, and then is no longer asked."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if hasattr(module, _FUNCTION):
            setattr(module, _FUNCTION, _write_none)


def _write_none(*_: object) -> None:
    """Stands in for Gradio's function."""
