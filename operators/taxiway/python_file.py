"""Loading a Python file of a team's, which lies beside its pipelines and on no path that Python looks into."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from taxiway.digests import digest_of_bytes


def load_python(path: Path) -> ModuleType:
    """The module in `path`, read anew. Raises whatever its code raises, and ImportError where there is no such file.

    It is known to Python by a name of its own, because two teams may have files of the same name, and because dataclasses and
    pickles look for the module of a class by its name.
    """
    name = f"{path.stem}_{digest_of_bytes(str(path).encode())[:8]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
