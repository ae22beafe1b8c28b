"""The chain: one list of all entries of the ledger, in which each link has the hash of the one before it.

Links are parameters of MLflow runs, and a parameter can be written once: of two processes that append at once, MLflow accepts one,
and the other appends after it. A run of the chain holds some hundreds of links and names the run that follows it, so that appending
costs the same however long the chain is. Who edits, removes or inserts an entry breaks the chain, and cannot mend it without a key.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError, TransientError
from taxiway.ledger.keys import VARIABLE, LedgerKeys
from taxiway.tracking import tags
from taxiway.tracking.run import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "taxiway/ledger"
SEGMENT_LINKS = 200
"""The links of a run."""
_HASH_BYTES = 32
_NEXT = "next"
"""The parameter of a full run that names the one after it."""
_TRIES = 50


@dataclass(frozen=True)
class Ledger:
    """Where the ledger is, and how it is signed.

    Attributes:
        client: The client of the MLflow server with the ledger.
        keys: The keys of the installation.
    """

    client: "MlflowClient"
    keys: LedgerKeys = field(default_factory=LedgerKeys)


@dataclass(frozen=True)
class Link:
    """One link of the chain.

    Attributes:
        number: Its place in the chain, from 1.
        kind: The kind of the record, `Promotion` or `Decision`.
        model: The registered model that the record is about.
        entry: The MLflow run with the record.
        record: The digest of the record.
        previous: The hash of the link before; None for the first one.
        signature: The signature of the link's text; None if it was not signed.
    """

    number: int
    kind: str
    model: str
    entry: str
    record: str
    previous: str | None = None
    signature: str | None = None

    @classmethod
    def from_json(cls, text: str) -> "Link | None":
        """Read a link; None if the text is none."""
        try:
            link = cls(**json.loads(text))
        except (ValueError, TypeError):
            return None
        texts = (link.kind, link.model, link.entry, link.record, link.previous or "", link.signature or "")
        return link if isinstance(link.number, int) and all(isinstance(value, str) for value in texts) else None

    @property
    def text(self) -> str:
        """What is hashed and signed: the link without its signature, as canonical JSON."""
        return json.dumps(asdict(replace(self, signature=None)), sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """The hash by which the next link names this one."""
        return blake2b(self.text.encode(), digest_size=_HASH_BYTES).hexdigest()

    def to_json(self) -> str:
        """The link as JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class NewEntry:
    """An entry to append: the content of its `Link`."""

    kind: str
    model: str
    entry: str
    record: str


def is_signed(client: "MlflowClient") -> bool:
    """Whether the newest link is signed, so that only who has a key can append to the chain. Takes two requests.

    Raises:
        TerminalError: Its experiment is deleted in MLflow.
    """
    experiment = _experiment(client)
    if experiment is None:
        return False
    _, known = _newest_run(client, experiment)
    return bool(known) and known[-1].signature is not None


def require_keys(ledger: Ledger) -> None:
    """Check that an entry can be appended, before anything of it is written.

    Args:
        ledger: The ledger.

    Raises:
        TerminalError: The chain is signed, and the ledger has no key to sign with.
    """
    if not ledger.keys and is_signed(ledger.client):
        raise _no_key()


def _no_key() -> TerminalError:
    return TerminalError(
        f"the ledger is signed, and here is no key to sign with; set {VARIABLE}, or in Airflow [taxiway] ledger_keys",
        key="ledger_keys",
    )


def _experiment(client: "MlflowClient") -> str | None:
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None and known.lifecycle_stage != "active":
        raise TerminalError(
            f"the experiment {EXPERIMENT} is deleted in MLflow, and nothing can be promoted or decided without it; restore it: "
            f"mlflow experiments restore --experiment-id {known.experiment_id}"
        )
    return None if known is None else str(known.experiment_id)


def append(ledger: Ledger, new: NewEntry, before: Callable[[], Iterable[NewEntry]] = tuple) -> Link:
    """Append an entry to the chain, which is begun if it does not exist, and note the link at the entry.

    An entry that is already among the newest links is not appended again.

    Args:
        ledger: The ledger.
        new: The entry.
        before: Returns the entries of before the chain, in their order, with which it begins if it does not exist.
    """
    experiment = _experiment(ledger.client) or _begin(ledger, before())
    link = _append(ledger, experiment, new)
    _note(ledger.client, link)
    return link


def links(client: "MlflowClient") -> Iterator[Link | str]:
    """All links of the chain from its beginning; instead of a link that cannot be read, a message about it."""
    experiment = _experiment(client)
    run, seen = _first_run(client, experiment) if experiment is not None else None, set[str]()
    while run is not None:
        params = run.data.params
        for name in sorted(name for name in params if name != _NEXT):
            link = Link.from_json(params[name])
            yield link if link is not None and _name(link.number) == name else f"link {name} is not the text of a link"
        seen.add(run.info.run_id)
        following = params.get(_NEXT)
        run = client.get_run(following) if following is not None and following not in seen else None


def newest_links(client: "MlflowClient") -> list[Link]:
    """The last links of the chain, oldest first; none if it was not begun."""
    experiment = _experiment(client)
    return _newest_run(client, experiment)[1] if experiment is not None else []


def _begin(ledger: Ledger, before: Iterable[NewEntry]) -> str:
    """Begin the chain; returns its experiment. Of two processes that do, one can give its own the name; the other's is deleted."""
    from mlflow.exceptions import MlflowException

    client = ledger.client
    made = experiment_id(client, f"{EXPERIMENT} {uuid.uuid4().hex}")
    _make_run(client, made, 1)
    noted = [_append(ledger, made, entry) for entry in before]
    try:
        client.rename_experiment(made, EXPERIMENT)
    except MlflowException:
        client.delete_experiment(made)
        faster = _experiment(client)
        if faster is None:
            raise
        return faster
    note(client, noted)
    return made


def note(client: "MlflowClient", appended: Iterable[Link]) -> None:
    """Note links at their entries, such as those that a crash kept from being noted."""
    for link in appended:
        _note(client, link)


def _append(ledger: Ledger, experiment: str, new: NewEntry) -> Link:
    for _ in range(_TRIES):
        run, known = _newest_run(ledger.client, experiment)
        same = next((link for link in known if (link.entry, link.record) == (new.entry, new.record)), None)
        if same is not None and ledger.keys.verifies(same.text, same.signature):
            return same
        last = known[-1] if known else None
        if last is not None and last.signature is not None and not ledger.keys:
            raise _no_key()
        link = Link(
            last.number + 1 if last else 1, new.kind, new.model, new.entry, new.record, previous=last.hash if last else None
        )
        link = replace(link, signature=ledger.keys.sign(link.text))
        if len(_own(run)) >= SEGMENT_LINKS:
            _continue(ledger.client, experiment, run, link.number)
        elif _written(ledger.client, run.info.run_id, _name(link.number), link.to_json()):
            return link
        else:
            _require_link(ledger.client, run.info.run_id, _name(link.number))
    raise TransientError(f"the ledger is written by others all the time; {new.kind} of {new.model} is not appended; try again")


def _require_link(client: "MlflowClient", run: str, name: str) -> None:
    """Raise TerminalError if what another process has written there is no link, so that nothing can be appended any more."""
    if Link.from_json(client.get_run(run).data.params.get(name, "")) is None:
        raise TerminalError(
            f"the parameter {name} of the MLflow run {run} is no link of the chain, so nothing can be appended to the ledger; somebody else "
            f"has written it. Restore MLflow's database, or delete the parameter there (experiment {EXPERIMENT})"
        )


def _newest_run(client: "MlflowClient", experiment: str) -> "tuple[Run, list[Link]]":
    """The last run of the chain, and its links after the last one of the run before it."""
    found = client.search_runs(
        [experiment],
        f"tags.`{tags.CHAIN_STATE}` = '{_LINKED}'",
        order_by=[f"tags.`{tags.CHAIN_FIRST}` DESC"],
        max_results=2,
    )
    if not found:
        raise TerminalError(
            f"the experiment {EXPERIMENT} has no run with the beginning of the chain; restore MLflow's database"
        )
    runs = list(reversed(found))
    seen = {run.info.run_id for run in runs}
    while (following := runs[-1].data.params.get(_NEXT)) is not None and following not in seen:
        runs.append(client.get_run(following))
        seen.add(following)
    known = [link for run in runs[-2:] for link in _own(run)]
    return runs[-1], known


def _own(run: "Run") -> list[Link]:
    params = run.data.params
    read = [Link.from_json(params[name]) for name in sorted(name for name in params if name != _NEXT)]
    return [link for link in read if link is not None]


def _continue(client: "MlflowClient", experiment: str, full: "Run", first: int) -> None:
    """Make the run that follows a full one, unless another process was faster."""
    made = _make_run(client, experiment, first, linked=False)
    if _written(client, full.info.run_id, _NEXT, made):
        client.set_tag(made, tags.CHAIN_STATE, _LINKED)
    else:
        client.delete_run(made)


_LINKED = "LINKED"


def _make_run(client: "MlflowClient", experiment: str, first: int, *, linked: bool = True) -> str:
    state = {tags.CHAIN_STATE: _LINKED} if linked else {}
    made = client.create_run(experiment, run_name=f"from entry {first}", tags={tags.CHAIN_FIRST: _name(first), **state})
    return str(made.info.run_id)


def _first_run(client: "MlflowClient", experiment: str) -> "Run | None":
    found = client.search_runs([experiment], f"tags.`{tags.CHAIN_FIRST}` = '{_name(1)}'", max_results=1)
    return found[0] if found else None


def _written(client: "MlflowClient", run: str, name: str, value: str) -> bool:
    """Write a parameter once; False if it has another value."""
    from mlflow.exceptions import MlflowException

    try:
        client.log_param(run, name, value)
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        return False
    return True


def _note(client: "MlflowClient", link: Link) -> None:
    client.set_tag(link.entry, tags.CHAIN_LINK, link.to_json())


def _name(number: int) -> str:
    return f"{number:09}"
