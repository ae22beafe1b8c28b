"""Import Python objects that a pipeline file names: from installed packages, or from a file in its folder."""

import contextlib
import inspect
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from taxiway.errors import ConfigError, allowed_values
from taxiway.records.digests import digest_of_bytes, digest_of_file


def load_python(path: Path) -> ModuleType:
    """Load a module from a file, without a cache.

    It gets a unique module name, because two teams may have files of the same name, and dataclasses and pickle look modules up by
    name.

    Raises:
        ImportError: There is no such file.
        Exception: Whatever its code raises.
    """
    name = f"{path.stem}_{digest_of_bytes(str(path).encode())[:8]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"{path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def load_source(content: bytes, path: Path) -> ModuleType:
    """Run the content of a Python file as a module of its own, so that what is run is what was read.

    Args:
        content: The content.
        path: Where it was read, for tracebacks and `__file__`.

    Raises:
        Exception: Whatever its code raises.
    """
    module = ModuleType(f"{path.stem}_{digest_of_bytes(content)[:8]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(content, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 a team's own file, as an import runs it
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


@contextmanager
def never_exiting() -> Iterator[None]:
    """Within this block, code of a team that would end the process raises an error instead, so that the end is never a success.

    `os._exit` in a thread or a forked process ends the process as usual, in a thread never with code 0. What ends the process from C,
    such as a Java virtual machine, is not noticed.

    Raises:
        ConfigError: The code raised SystemExit, or called `os._exit`.
    """
    mine = (os.getpid(), threading.get_ident())
    with _lock:
        _blocks.append(mine)
        os._exit = _refuse
    try:
        yield
    except SystemExit as error:
        raise ConfigError(
            f"code that the pipeline runs wanted to end the process (SystemExit: {error}); allowed: to return, or to raise an error"
        ) from error
    finally:
        with _lock:
            _blocks.remove(mine)
            if not _blocks:
                os._exit = _end_process


@contextmanager
def same_process() -> Iterator[None]:
    """End a process that the code inside forked, and that comes back from it: it must not go on with the pipeline."""
    process = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != process:
            _end_process(1)


_end_process = os._exit
_lock = threading.Lock()
_blocks: list[tuple[int, int]] = []
"""Process and thread of each block of `never_exiting`."""


def _refuse(status: int) -> NoReturn:
    """`os._exit` while there are such blocks."""
    if (os.getpid(), threading.get_ident()) in _blocks:
        raise SystemExit(f"os._exit({status})")
    in_this_process = any(process == os.getpid() for process, _ in _blocks)
    _end_process(status or (1 if in_this_process else 0))


_FUNCTION = re.compile(r"(.+\.py|\w+(\.\w+)+):[^\W\d]\w*")


def names_function(text: str) -> bool:
    """Whether a text, where a column may be named too, is `FILE.py:function` or `package.module:function`."""
    return _FUNCTION.fullmatch(text) is not None


def function_hint(text: str) -> str:
    """What to write instead, if a text that was taken for a column looks like a function; empty if it does not."""
    return "; for a function, write FILE.py:function or package.module:function" if ":" in text else ""


def short_name(path: str) -> str:
    """`FILE.py:function` without the folder of the file; anything else as it is."""
    return Path(path).name if names_function(path) else path


def look_up_function(path: str, key: str, arguments: tuple[str, ...], allowed: str) -> Any:
    """Import a function of a team by its path, and check that it can be called.

    Args:
        path: `FILE.py:function` or `package.module:function`.
        key: The key in the pipeline file, for errors.
        arguments: The names of the positional arguments that it is called with.
        allowed: What a function must be, for errors.

    Raises:
        ConfigError: The function does not exist, or cannot be called with so many arguments.
    """
    function = look_up(path, ":", key)
    try:
        with contextlib.suppress(ValueError):  # some functions written in C do not say what they take
            inspect.signature(function).bind(*(None for _ in arguments))
    except TypeError as error:
        called = f"{short_name(path)} cannot be called with ({', '.join(arguments)}): {error}"
        raise ConfigError(f"{key}: {called}; allowed: {allowed}", key=key) from error
    return function


def look_up(path: str, separator: str, key: str) -> Any:
    """Import a class or function by its path.

    Args:
        path: `package.module` or `FILE.py`, the separator, and the name.
        separator: `.` or `:`.
        key: The key in the pipeline file, for errors.

    Raises:
        ConfigError: The path is not valid, or cannot be imported.
    """
    module_name, found, name = path.rpartition(separator)
    if not found or not name or not module_name:
        file = "FILE.py:name, or " if separator == ":" else ""
        raise ConfigError(f'{key}: "{path}" is not a path; allowed: {file}package.module{separator}name')
    try:
        module = load_python(Path(module_name)) if module_name.endswith(".py") else import_module(module_name)
    except ImportError as error:
        raise ConfigError(f'{key}: cannot import "{module_name}": {error}; is it installed where the workers run?') from error
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{key}: {module_name} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        public = [n for n in dir(module) if not n.startswith("_")]
        raise ConfigError(f'{key}: {module_name} has no "{name}"; {allowed_values(name, public)}')
    return getattr(module, name)


def code_digest(path: str | None, key: str) -> dict[str, str]:
    """The digest of the file that defines a function, by the function's key; empty without a function, or without a file of it.

    The files that it imports are not part of it.

    Args:
        path: `FILE.py:function` or `package.module:function`; None for none.
        key: The key in the pipeline file.
    """
    if path is None:
        return {}
    source = path.rpartition(":")[0]
    try:
        file = source if source.endswith(".py") else inspect.getsourcefile(inspect.unwrap(look_up(path, ":", key)))
    except TypeError:  # written in C
        file = None
    return {key: digest_of_file(Path(file))} if file else {}
