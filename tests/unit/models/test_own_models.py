"""Models of a team's own class: data in the registry, and code only of the installation, whose digest is the recorded one."""

import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
from mlflow import MlflowClient
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from taxiway.errors import FitError, ModelLoadError, UntrustedModelError
from taxiway.features.encoding import predict_rows
from taxiway.features.signature import ModelColumns
from taxiway.models import own_model
from taxiway.models.own_model import OwnModel
from taxiway.models.row_model import RowModel
from taxiway.records.digests import digest_of_bytes
from taxiway.registry.load import download_version, load_trusted, own_models
from taxiway.registry.register import ModelToSave, check_savable, register
from taxiway.spec.model.section import Model
from taxiway.spec.python_refs import load_python
from taxiway.store import temp_folder
from taxiway.tracking.run import MlflowRun
from taxiway.tracking.tags import FILES
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import training_data
from taxiway.training.rows import TrainingRows

CODE = """import numpy as np
from pathlib import Path

(Path(__file__).parent / "ran").touch()


class Softmax:
    def __init__(self, weights):
        self.weights = weights

    def predict_proba(self, matrix):
        raised = np.exp(matrix @ self.weights)
        return raised / raised.sum(axis=1, keepdims=True)

    def save(self, folder):
        (folder / "deep").mkdir()
        np.savez(folder / "deep" / "weights.npz", weights=self.weights)

    @classmethod
    def load(cls, folder):
        return cls(np.load(folder / "deep" / "weights.npz")["weights"])


def train(data, params, previous):
    start = np.zeros((data.matrix.shape[1], 2)) if previous is None else previous.weights
    return Softmax(start + np.random.default_rng(len(data.labels)).normal(size=start.shape))
"""


CLASSES = ("no", "yes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code" / "team").mkdir(parents=True)
    (tmp_path / "code" / "team" / "own.py").write_text(CODE)
    return tmp_path / "code"


def trained(folder: Path, previous: Any = None, text: str | None = None) -> Any:
    file = folder / "team" / "own.py"
    if text is not None:
        file.write_text(text)
    data = training_data(TrainingRows.made_up("classification"), CLASSES, ("a", "b", "c", "d"))
    own = build_estimator(Model(train=f"{file}:train"), {}, "classification")
    return own.fit(data, "classification", lambda: previous)


def rows(count: int = 60) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(count, 4)), columns=list("abcd"))


def registered(url: str, model: Any) -> tuple[MlflowClient, str, int, RowModel]:
    run = MlflowRun.find_or_make(MlflowClient(url), "team/models", f"dag/{uuid.uuid4()}", {})
    fitted = Pipeline([("transform", StandardScaler().fit(rows())), ("model", model)])
    made = RowModel.of(fitted, ModelColumns(tuple("abcd"), ()), CLASSES)
    name = f"team.m{uuid.uuid4().hex[:8]}"
    version, _ = register(run.client, run.run_id, name, ModelToSave(made, rows(), "key", {"taxiway.snapshot": "s"}, {}))
    return run.client, name, version, made


def test_a_clean_process_answers_bit_for_bit_as_the_trained_model(folder: Path, mlflow_url: str, tmp_path: Path) -> None:
    client, name, version, made = registered(mlflow_url, trained(folder))
    rows().to_parquet(tmp_path / "rows.parquet")
    code = (
        "import sys, numpy as np, pandas as pd\nfrom pathlib import Path\nfrom taxiway.registry.load import load_trusted\n"
        "url, name, version, code, given, out = sys.argv[1:]\n"
        "model = load_trusted(url, name, int(version), code=Path(code))\n"
        "np.save(out, model.get_raw_model().predict_proba(pd.read_parquet(given)))\n"
    )
    arguments = [mlflow_url, name, str(version), str(folder), str(tmp_path / "rows.parquet"), str(tmp_path / "out.npy")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    assert np.array_equal(np.load(tmp_path / "out.npy"), made.predict_proba(rows()))
    # The code is with the model for people, as text.
    with temp_folder("saved") as at:
        files = download_version(client, client.get_model_version(name, str(version)), at)
        assert (files / "own_code.txt").read_text() == CODE


def test_answers_do_not_depend_on_who_shares_the_call(folder: Path) -> None:
    model, frame = trained(folder), rows(300)

    def predict(part: pd.DataFrame) -> Any:
        return model.predict_proba(part.to_numpy())

    together = predict_rows(predict, frame)
    for count in (1, 2, 7, 16, 33, 100):
        for start in range(0, len(frame) - count, 59):
            assert np.array_equal(predict_rows(predict, frame.iloc[start : start + count]), together[start : start + count])


def test_code_is_run_only_if_the_installation_has_it(folder: Path, mlflow_url: str, tmp_path: Path) -> None:
    _, name, version, made = registered(mlflow_url, trained(folder))
    file, ran = folder / "team" / "own.py", folder / "team" / "ran"
    ran.unlink()

    def load(code: Path | None) -> Any:
        return load_trusted(mlflow_url, name, version, code=code).get_raw_model()

    with pytest.raises(UntrustedModelError, match=r"Softmax of own\.py.* there is no folder of trusted code.*--code FOLDER"):
        load(None)
    file.write_text(CODE.replace("touch()", "touch() "))
    with pytest.raises(UntrustedModelError, match=r"own\.py has another digest: it was changed since\. Keep the file"):
        load(folder)
    with pytest.raises(UntrustedModelError, match="no file has this digest"):
        load(tmp_path / "mlflow")
    assert not ran.exists()
    (folder / "own_of_2025.py").write_text(CODE)
    assert np.array_equal(load(folder).predict_proba(rows()), made.predict_proba(rows()))
    # MLflow alone loads no code of a team.
    mlflow.set_tracking_uri(mlflow_url)
    alone = mlflow.pyfunc.load_model(f"models:/{name}/{version}")
    with pytest.raises(UntrustedModelError, match="whose code is not loaded with it; load it with"):
        alone.predict(rows())


def test_altered_artifacts_are_refused_before_code_runs(folder: Path, mlflow_url: str) -> None:
    client, name, version, _ = registered(mlflow_url, trained(folder))
    (folder / "team" / "ran").unlink()
    found = client.get_model_version(name, str(version))
    client.delete_model_version_tag(name, str(version), FILES)
    with pytest.raises(UntrustedModelError, match="trusted only with a digest of the files"):
        load_trusted(mlflow_url, name, version, code=folder)
    client.set_model_version_tag(name, str(version), FILES, found.tags[FILES])
    with temp_folder("altered") as at:
        whole = download_version(client, found, at)
        content = bytearray((whole / "model.skops").read_bytes())
        content[len(content) // 2] ^= 1
        (whole / "model.skops").write_bytes(bytes(content))
        client.log_model_artifacts(str(found.source).removeprefix("models:/"), str(whole))
    with pytest.raises(UntrustedModelError, match="are not those that were registered"):
        load_trusted(mlflow_url, name, version, code=folder)
    client.delete_model_version_tag(name, str(version), FILES)
    with pytest.raises(UntrustedModelError, match="the model file cannot be read: BadZipFile"):
        load_trusted(mlflow_url, name, version, code=folder)
    assert not (folder / "team" / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda saved: saved["artifacts"].update({"deep/weights.npz": pickle.dumps([1])}), "is a pickle"),
        (lambda saved: saved["artifacts"].update({"../../etc/x": b"x"}), "is not a file in the model's folder"),
        (lambda saved: saved["artifacts"].update({"/etc/x": b"x"}), "is not a file in the model's folder"),
        (lambda saved: saved["artifacts"].update({"": b"x"}), "is not a file in the model's folder"),
        (lambda saved: saved["artifacts"].update({"x": "text"}), "is not a file in the model's folder"),
        (lambda saved: saved.update({"class": "__import__('os')"}), "was not saved by Taxiway"),
        (lambda saved: saved.update({"more": "x"}), "was not saved by Taxiway"),
        (lambda saved: saved.update({"artifacts": []}), "was not saved by Taxiway"),
    ],
)
def test_a_forged_model_is_refused_before_code_runs(folder: Path, change: Callable[[Any], None], words: str) -> None:
    model = trained(folder)
    change(model.saved)
    loaded = skops.io.loads(skops.io.dumps(model), trusted=["taxiway.models.own_model.OwnModel"])
    (folder / "team" / "ran").unlink()
    with pytest.raises(UntrustedModelError, match=words):
        loaded.bind(folder)
    assert not (folder / "team" / "ran").exists()


@pytest.mark.parametrize(
    "text",
    ["import joblib\n", "from joblib import Memory as joblib\n", "if True:\n    class joblib: ...\n", "def joblib(: pass\n"],
)
def test_a_name_in_a_trusted_file_that_is_no_class_of_it_is_refused_before_code_runs(folder: Path, text: str) -> None:
    own = trained(folder)
    content = f"from pathlib import Path\n(Path(__file__).parent / 'helper_ran').touch()\n{text}".encode()
    (folder / "helper.py").write_bytes(content)
    own.saved |= {"class": "joblib", "file": "helper.py", "digest": digest_of_bytes(content)}
    with pytest.raises(UntrustedModelError, match=r"helper\.py does not define the class joblib; .* Nothing was run"):
        OwnModel(own.saved).bind(folder)
    assert not (folder / "helper_ran").exists()


@pytest.mark.parametrize("last", ["import joblib as Softmax", "from pathlib import Path as Softmax"])
def test_a_class_that_its_file_replaces_is_refused(folder: Path, last: str) -> None:
    own = trained(folder)
    content = f"{CODE}\n{last}\n".encode()
    (folder / "other.py").write_bytes(content)
    with pytest.raises(UntrustedModelError, match="replaces its class Softmax with another object"):
        OwnModel({**own.saved, "digest": digest_of_bytes(content)}).bind(folder)


def test_a_class_may_inherit_how_it_is_loaded(folder: Path) -> None:
    text = CODE.replace("def train(", "class Own(Softmax):\n    pass\n\n\ndef train(").replace(
        "return Softmax(start", "return Own(start"
    )
    assert trained(folder, text=text).saved["class"] == "Own"


@pytest.mark.parametrize("skipped", [".venv", "venv/lib/site-packages", "node_modules", "__pycache__"])
def test_packages_in_the_folder_of_trusted_code_are_not_searched(folder: Path, skipped: str) -> None:
    own = trained(folder)
    (folder / skipped).mkdir(parents=True)
    (folder / "team" / "own.py").rename(folder / skipped / "own.py")
    os.mkfifo(folder / "pipe.py")  # whose content would be waited for
    with pytest.raises(UntrustedModelError, match="no file has this digest"):
        OwnModel(own.saved).bind(folder)
    with pytest.raises(FitError, match="but not in folders called"):
        OwnModel.of(load_python(folder / skipped / "own.py").Softmax(np.zeros((4, 2))), folder)
    (folder / skipped / "own.py").rename(folder / "renamed.py")
    OwnModel(own.saved).bind(folder)


def test_the_file_of_the_recorded_name_is_read_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, read = trained(folder), []
    (folder / "a.py").write_text("x = 1")
    content_of = own_model._content
    monkeypatch.setattr(own_model, "_content", lambda path: (read.append(path.name), content_of(path))[1])
    OwnModel(own.saved).bind(folder)
    assert read == ["own.py"]


def test_nothing_but_artifacts_is_saved_or_loaded(folder: Path) -> None:
    """Not the object of the team's class, nor what a file claims to be one."""
    model = trained(folder)
    check_savable(model)
    assert own_models([{"x": model}]) == [model]
    forged = skops.io.loads(skops.io.dumps(model), trusted=["taxiway.models.own_model.OwnModel"])
    forged.__setstate__({"saved": model.saved, "_loaded": "anything"})
    with pytest.raises(UntrustedModelError, match="is not loaded with it"):
        _ = forged.loaded


def test_a_champion_is_what_the_next_training_starts_from(folder: Path, mlflow_url: str) -> None:
    _, name, version, made = registered(mlflow_url, trained(folder))
    champion = load_trusted(mlflow_url, name, version, code=folder).get_raw_model().estimator.steps[-1][1]
    again = trained(folder, champion.loaded)
    first = made.estimator.steps[-1][1].loaded
    assert np.allclose(again.loaded.weights, 2 * first.weights)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("np.savez(folder", "import pickle; (folder / 'm').write_bytes(pickle.dumps(1)); np.savez(folder", "wrote m, which is a pickle"),
        ('np.savez(folder / "deep" / "weights.npz", weights=self.weights)', "pass", "wrote no files"),
        ("np.savez(folder", "(folder / 'm').symlink_to('/etc/passwd'); np.savez(folder", "is not a plain file"),
        ("np.savez(folder", "1 / 0; np.savez(folder", "Softmax.save raised ZeroDivisionError"),
        ("return cls(np", "1 / 0; return cls(np", "was saved, but Softmax of own.py cannot be loaded: ZeroDivisionError"),
        ("return cls(np", "open(folder / 'no'); return cls(np", "cannot be loaded: FileNotFoundError"),
        ("weights=self.weights", "weights=0 * self.weights", "answers otherwise after save and load"),
        ("raised = np", "matrix = matrix + np.random.rand(*matrix.shape); raised = np", "differ from call to call"),
        ("raised = np", "matrix = matrix - matrix.mean(axis=0); raised = np", "depends on the other rows of the call"),
        ("class Softmax:", "class Base: ...\n\n\nif Base:\n  class Softmax(Base):", "does not define the class Softmax"),
        ("    @classmethod", "    _x = None\n\n    @classmethod", ""),
    ],
)  # fmt: skip
def test_what_a_class_does_wrong_is_a_sentence_in_training(folder: Path, old: str, new: str, words: str) -> None:
    assert old in CODE
    if not words:
        assert isinstance(trained(folder, text=CODE.replace(old, new)), OwnModel)
        return
    with pytest.raises(FitError, match=words):
        trained(folder, text=CODE.replace(old, new))


def test_a_class_of_another_place_is_refused(folder: Path) -> None:
    with pytest.raises(FitError, match=r"returned a Bare; allowed: .* a class of your own with predict_proba, save and load"):
        trained(folder, text="class Bare: pass\n\n\ndef train(data, params):\n    return Bare()\n")
    inside = CODE.replace(
        "def train(data, params, previous):", "def train(data, params, previous=None):\n    class Own(Softmax): pass\n"
    )
    with pytest.raises(FitError, match=r"the class train\.<locals>\.Own is of .* a class at the top of a Python file"):
        trained(folder, text=inside.replace("return Softmax(start", "return Own(start"))


def test_code_that_cannot_be_imported_where_it_is_served_is_a_sentence(folder: Path) -> None:
    text = CODE.replace("import numpy as np\n", "import numpy as np\nimport helper_of_the_team\n", 1)
    (folder / "team" / "helper_of_the_team.py").write_text("")
    sys.path.insert(0, str(folder / "team"))
    try:
        model = trained(folder, text=text)
    finally:
        sys.path.remove(str(folder / "team"))
        del sys.modules["helper_of_the_team"]
    with pytest.raises(ModelLoadError, match=r"Softmax of own\.py cannot be loaded: ModuleNotFoundError"):
        model.bind(folder)
