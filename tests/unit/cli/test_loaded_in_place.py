"""MLflow loads the champion of local runs where its files are kept, and adds a note of its own to them."""

from collections.abc import Iterator

import mlflow
import pytest
from cli.local_runs import NAME, run
from stages.conftest import Site

from taxiway.errors import UntrustedModelError
from taxiway.registry.load import load_trusted
from taxiway.stages.installation import DEFAULT_HOME
from taxiway.tracking.local import database_uri


@pytest.fixture
def uri(champion_site: Site) -> Iterator[str]:
    """That of the local runs, for all of MLflow."""
    assert champion_site.folder.is_dir()
    found, before = database_uri(DEFAULT_HOME.absolute()), mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(found)
    yield found
    mlflow.set_tracking_uri(before)


def test_the_champion_is_the_same_after_somebody_has_loaded_it_with_mlflow(uri: str, champion_site: Site) -> None:
    mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    (note,) = (champion_site.folder / ".taxiway").rglob("registered_model_meta")
    assert note.read_text()
    champion_site.arrive(3)
    again = run()
    assert again.exit_code == 0, again.output
    assert load_trusted(uri, NAME, 1)
    assert note.exists(), "only the copy is without it"


@pytest.mark.parametrize("added", ["\nimport: os", "\n- [", "\xff"])
def test_another_file_of_that_name_is_a_change(uri: str, champion_site: Site, added: str) -> None:
    mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    (note,) = (champion_site.folder / ".taxiway").rglob("registered_model_meta")
    note.write_bytes(note.read_bytes() + added.encode("latin-1"))
    with pytest.raises(UntrustedModelError, match="are not those that were registered"):
        load_trusted(uri, NAME, 1)
