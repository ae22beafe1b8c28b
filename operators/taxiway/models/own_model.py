"""Models of a team's own class: artifacts, which are data, and the digest of the Python file that computes with them.

The code itself is never loaded from a model. Where a model is loaded, the installation has a folder of trusted code, and the file in it
with the recorded digest is run. This module imports scikit-learn, because a saved model names its class; import it inside of functions.
"""

import ast
import inspect
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Self

from sklearn.base import BaseEstimator  # noqa: TID253 the base of a class that skops looks up by its name

from taxiway.errors import FitError, ModelLoadError, UntrustedModelError
from taxiway.messages import error_line, quoted
from taxiway.models.artifacts import MAX_BYTES, code_in
from taxiway.records.digests import digest_of_bytes
from taxiway.spec.python_refs import load_source
from taxiway.store import temp_folder

_NOT_SEARCHED = ("__pycache__", "node_modules", "site-packages")
_KEYS = {"artifacts", "class", "digest", "file", "text"}


class OwnModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A model of a team's own class, which has `predict_proba` or `predict`, `save(folder)`, and the class method `load(folder)`.

    Args:
        saved: What is saved: the name, the digest and the text of the Python `file`, the `class`, and the `artifacts` by their paths.
            The text is for people; it is never run.
    """

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        self.saved = saved

    @classmethod
    def of(cls, model: Any, folder: Path) -> Self:
        """Save a fitted model of a class in a Python file of a folder, and load it again.

        Raises:
            FitError: The class is not of a file in that folder, or its artifacts are not data.
        """
        kind = type(model)
        name = kind.__name__
        try:
            file = Path(inspect.getfile(kind)).resolve()
        except (TypeError, OSError):
            file = Path()
        if (
            not file.is_relative_to(folder.resolve())
            or not _is_searched(file, folder.resolve())
            or file.suffix != ".py"
            or kind.__qualname__ != name
        ):
            raise FitError(
                f"the class {kind.__qualname__} is of {kind.__module__}; allowed: a class at the top of a Python file in the folder of the "
                f"pipeline file, but not in folders called .*, {', '.join(_NOT_SEARCHED)}"
            )
        content = file.read_bytes()
        with temp_folder("artifacts") as saved_folder:
            try:
                model.save(saved_folder)
            except Exception as error:  # a team's code may raise anything
                raise FitError(f"{name}.save raised {error_line(error)}") from error
            artifacts = _read(saved_folder, name)
        text = content.decode("utf-8", "replace")
        made = cls({"file": file.name, "class": name, "digest": digest_of_bytes(content), "text": text, "artifacts": artifacts})
        try:
            made._load(content, file)
        except (ModelLoadError, UntrustedModelError) as error:
            raise FitError(f"the model was saved, but {error}") from error
        return made

    def bind(self, folder: Path | None) -> None:
        """Load the model with the file of its digest in a folder of trusted code, at any depth and under any name.

        Folders that begin with a dot and those of installed packages are not searched.

        Args:
            folder: The folder; None if the installation has none.

        Raises:
            UntrustedModelError: No trusted file has the digest, the file does not define the class, or an artifact may contain code. No code has
                been executed.
            ModelLoadError: The file or `load` raised an error.
        """
        saved = self._checked_state()
        what = f"the class {saved['class']} of {saved['file']}, whose digest is {saved['digest']}"
        if folder is None:
            raise UntrustedModelError(
                f"the model needs {what}, and there is no folder of trusted code; where it is loaded, say which: taxiway serve --code FOLDER, "
                "or load_trusted(..., code=FOLDER)"
            )
        files = sorted(_python_files(folder), key=lambda path: (path.name != saved["file"], path))
        for path in files:
            content = _content(path)
            if content is not None and digest_of_bytes(content) == saved["digest"]:
                self._load(content, path)
                return
        there = any(path.name == saved["file"] for path in files)
        why = f"{saved['file']} has another digest: it was changed since" if there else "no file has this digest"
        raise UntrustedModelError(
            f"the model needs {what}; in the folder of trusted code {folder}, {why}. Keep the file that the model was trained with under "
            "another name in that folder, or train again"
        )

    @property
    def loaded(self) -> Any:
        """The object of the team's class.

        Raises:
            UntrustedModelError: The code has not been loaded.
        """
        known = self.__dict__.get("_loaded")
        if known is None:
            raise UntrustedModelError(
                "the model is of a team's own class, whose code is not loaded with it; load it with "
                "taxiway.registry.load.load_trusted(tracking_uri, model, version, code=FOLDER)"
            )
        return known

    def fit(self, *_: Any) -> Any:
        """Not possible: the model was trained before it was saved."""
        raise TypeError("a model of a team's own class cannot be fitted again")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, matrix: Any) -> Any:
        """The probabilities of the classes (n, classes)."""
        return self._numbers(self.loaded.predict_proba(matrix))

    def predict(self, matrix: Any) -> Any:
        """The numbers of a regression (n)."""
        return self._numbers(self.loaded.predict(matrix))

    def __getstate__(self) -> dict[str, Any]:
        return {"saved": self.saved}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__["saved"] = state["saved"]  # and nothing else that a file may hold

    @staticmethod
    def _numbers(answers: Any) -> Any:
        import numpy as np

        return np.asarray(answers, dtype=float)

    def _load(self, content: bytes, path: Path) -> None:
        saved = self._checked_state()
        name = saved["class"]
        with temp_folder("artifacts") as folder:
            for relative_path, artifact in saved["artifacts"].items():
                (folder / relative_path).parent.mkdir(parents=True, exist_ok=True)
                (folder / relative_path).write_bytes(artifact)
            try:
                self.__dict__["_loaded"] = _class_in(content, path, name).load(folder)
            except (MemoryError, UntrustedModelError):
                raise
            except (Exception, SystemExit) as error:  # a team's code may raise anything
                raise ModelLoadError(f"{name} of {path.name} cannot be loaded: {error_line(error)}") from error

    def _checked_state(self) -> Mapping[str, Any]:
        """What is saved, of the right types and without code.

        Raises:
            UntrustedModelError: It is something else.
        """
        saved = self.saved
        if not isinstance(saved, Mapping) or set(saved) != _KEYS:
            raise UntrustedModelError("a model of a team's own class was not saved by Taxiway; train it again")
        artifacts = saved["artifacts"]
        texts = all(isinstance(saved[key], str) for key in _KEYS - {"artifacts"})
        if not texts or not str(saved["class"]).isidentifier() or not isinstance(artifacts, Mapping):
            raise UntrustedModelError("a model of a team's own class was not saved by Taxiway; train it again")
        for name, content in artifacts.items():
            path = PurePosixPath(str(name))
            if (
                not isinstance(name, str)
                or not isinstance(content, bytes)
                or not path.parts
                or path.is_absolute()
                or ".." in path.parts
            ):
                raise UntrustedModelError(f"the artifact {quoted(name)} is not a file in the model's folder")
            if found := code_in(path.name, content):
                raise UntrustedModelError(f"the artifact {name} {found}; it was not loaded")
        return saved


def _python_files(folder: Path) -> Iterator[Path]:
    """The Python files in a folder and its subfolders, but not those of installed packages."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_SEARCHED]
        yield from (path for name in names if name.endswith(".py") and (path := Path(parent, name)).is_file())


def _is_searched(file: Path, folder: Path) -> bool:
    """Whether `_python_files` finds a file."""
    return not any(name.startswith(".") or name in _NOT_SEARCHED for name in file.relative_to(folder).parts[:-1])


def _class_in(content: bytes, path: Path, name: str) -> Any:
    """Run the content of a Python file, and return the class that it defines.

    Raises:
        UntrustedModelError: It does not define the class, so it was not run; or the name is of another object in the end.
        Exception: Whatever the file raises.
    """
    if not _defines(content, name):
        raise UntrustedModelError(
            f"{path.name} does not define the class {name}; allowed: a class at the top of the file, in no other block. Nothing was run"
        )
    module = load_source(content, path)
    kind = getattr(module, name, None)
    if not isinstance(kind, type) or kind.__module__ != module.__name__:
        raise UntrustedModelError(f"{path.name} replaces its class {name} with another object")
    return kind


def _defines(content: bytes, name: str) -> bool:
    """Whether the content of a Python file defines a class at its top; nothing of it is run."""
    try:
        body = ast.parse(content).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # it could not be run either
        return False
    return any(isinstance(statement, ast.ClassDef) and statement.name == name for statement in body)


def _content(path: Path) -> bytes | None:
    """The content of a file; None if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:  # also of a folder
        return None


def _read(folder: Path, name: str) -> dict[str, bytes]:
    """The files that a model has written.

    Raises:
        FitError: There are none, or one is not data.
    """
    files = sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    if not files:
        raise FitError(f"{name}.save wrote no files into the folder; a model needs at least one to be loaded from")
    strange = [path.name for path in files if path.is_symlink() or not path.is_file()]
    if strange:
        raise FitError(f"{name}.save wrote {strange[0]}, which is not a plain file")
    size = sum(path.stat().st_size for path in files)
    if size > MAX_BYTES:
        raise FitError(f"{name}.save wrote {size:,} bytes; allowed: {MAX_BYTES:,}")
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    for artifact, content in found.items():
        if problem := code_in(artifact, content):
            raise FitError(
                f"{name}.save wrote {artifact}, which {problem}; allowed: files without code, such as JSON, .npz and safetensors"
            )
    return found
