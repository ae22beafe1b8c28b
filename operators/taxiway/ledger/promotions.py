"""The promotion ledger: one MLflow run for each promotion, in its own experiment, written once and decided once.

An entry is written as INTENT before it is decided. Its decision is an MLflow parameter, which can be written once: of two processes
that decide an entry differently, MLflow accepts one. Two concurrent promotions of a model both write their entry before they look
for others, so at least one of them sees the other. An entry that a crash left open is completed by a retry of the same promotion;
once it is stale, any other promotion may decide it. Clocks say when an entry is stale, and nothing else: the order of promotions
is that of their numbers.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.ledger import chain
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import DECIDED, Entry, State, not_signed
from taxiway.ledger.links import Link, NewEntry
from taxiway.ledger.runs import entry_of, runs_of
from taxiway.records import Promotion
from taxiway.records.digests import digest_of_bytes
from taxiway.tracking import tags
from taxiway.tracking.run import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "taxiway/promotions"
_log = logging.getLogger(__name__)
STALE_AFTER = timedelta(minutes=10)
"""If an open entry's time and that of another promotion differ by more, the entry counts as left by a crash."""


def promotion_key(model: str, version: int | None, verdict: str) -> str:
    """The key of a promotion, by which a retry finds the entry of its first try."""
    return digest_of_bytes(f"{model}\n{version}\n{verdict}".encode())


def entries(
    client: "MlflowClient",
    model: str | None = None,
    *,
    key: str | None = None,
    state: State | None = None,
    limit: int | None = None,
) -> list[Entry]:
    """Read entries of the ledger, newest first: by their numbers, and those of different models by their time.

    Args:
        client: The MLflow client.
        model: Only entries of this model.
        key: Only entries of the promotion with this key.
        state: Only entries in this state.
        limit: Only so many entries, the newest ones.
    """
    wanted = {tags.PROMOTION_MODEL: model, tags.PROMOTION_KEY: key, tags.PROMOTION_STATE: state}
    read = [_read_entry(run) for run in runs_of(client, EXPERIMENT, wanted, limit)]
    # The tag with the model is not signed, and the promotion is.
    found = [entry for entry in read if entry is not None and model in (None, entry.promotion.model)]
    # The sort is stable. Numbers of different models are not comparable, but no reader compares entries of different models.
    return sorted(found, key=lambda entry: -entry.number)


def as_written(client: "MlflowClient") -> list[NewEntry]:
    """What the chain should say of each decided promotion, by what is in MLflow now, oldest first."""
    return [
        entry_of(run, "Promotion", tags.PROMOTION_MODEL, tags.PROMOTION_RECORD)
        for run in reversed(runs_of(client, EXPERIMENT, {}))
        if _state(run) in DECIDED
    ]


def open_entry(ledger: Ledger, key: str, promotion: Promotion, known: Sequence[Entry]) -> Entry:
    """Write the entry of a promotion before it is decided.

    Args:
        ledger: The ledger.
        key: Its key.
        promotion: The promotion.
        known: All entries of the model, read before the champion that the promotion replaces was read.
    """
    chain.require_keys(ledger)
    number = 1 + max((entry.number for entry in known), default=0)
    entry = Entry("", number, State.INTENT, key, promotion)
    signature = ledger.keys.sign(entry.text)
    run = ledger.client.create_run(
        experiment_id(ledger.client, EXPERIMENT),
        run_name=f"{promotion.model} {promotion.from_version or 'none'} to {promotion.to_version or 'none'}",
        tags={
            tags.PROMOTION_MODEL: promotion.model,
            tags.PROMOTION_KEY: key,
            tags.PROMOTION_STATE: State.INTENT,
            tags.PROMOTION_NUMBER: str(number),
            tags.PROMOTION_RECORD: promotion.to_json(),
            **({tags.ENTRY_SIGNATURE: signature} if signature else {}),
        },
    )
    return replace(entry, run_id=run.info.run_id, signature=signature)


def append_to_chain(ledger: Ledger, entry: Entry) -> Entry:
    """Append a decided entry to the chain, unless it is in it. The chain begins with the entries of before it.

    Raises:
        TerminalError: The entry was not written with a key of the installation.
    """
    if entry.is_linked(ledger):
        return entry
    if not entry.is_signed(ledger):
        raise TerminalError(not_signed(ledger, [entry]))
    return replace(entry, link=chain.append(ledger, entry.new_link, lambda: before_the_chain(ledger)))


def before_the_chain(ledger: Ledger) -> list[NewEntry]:
    """The promotions with which a chain begins, because they are older than it.

    With a key there are none: signing whatever is in MLflow is a decision of a person (`taxiway ledger sign`).
    """
    return [] if ledger.keys else as_written(ledger.client)


def decide(ledger: Ledger, entry: Entry, state: State) -> Entry:
    """Decide an open entry, unless it is decided.

    Args:
        ledger: The ledger.
        entry: The entry.
        state: MOVING, WITHDRAWN or ABORTED.

    Returns:
        The entry with the state that it has now: `state`, or the decision of the process that was faster.
    """
    from mlflow.exceptions import MlflowException

    if state is State.MOVING:
        chain.require_keys(ledger)
    client, signature = ledger.client, ledger.keys.sign(entry.decided_text) if state is State.MOVING else None
    try:
        client.log_param(entry.run_id, tags.PROMOTION_DECISION, f"{state} {signature}" if signature else state)
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":  # the parameter has another value
            raise
        return _read_entry(client.get_run(entry.run_id)) or entry
    decided = replace(entry, state=state, decision=signature)
    if state is not State.MOVING:
        close(client, decided)
    return decided


def close(client: "MlflowClient", entry: Entry) -> None:
    """Write the final state of a decided entry, and end its MLflow run."""
    final = State.DONE if entry.state is State.MOVING else entry.state
    client.set_tag(entry.run_id, tags.PROMOTION_STATE, final)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # people have no reason to open runs of the ledger
    client.set_terminated(entry.run_id, "FINISHED" if final is State.DONE else "KILLED")


def is_stale(entry: Entry, at: datetime) -> bool:
    """Whether an open entry counts as left by a crash at the time `at`; a clock may be wrong in either direction."""
    return abs(at - entry.promotion.at) > STALE_AFTER


def _state(run: "Run") -> State:
    """The state of an entry; INTENT if somebody has written something else there."""
    states = {str(state): state for state in State}
    state = states.get(run.data.tags.get(tags.PROMOTION_STATE, ""), State.INTENT)
    return states.get(_decision(run)[0], state) if state is State.INTENT else state


def _decision(run: "Run") -> tuple[str, str | None]:
    """The state that was decided, empty if none was, and its signature."""
    state, _, signature = run.data.params.get(tags.PROMOTION_DECISION, "").partition(" ")
    return state, signature or None


def _read_entry(run: "Run") -> Entry | None:
    """The entry in a run; None, with a warning, if it is none that Taxiway has written."""
    values = run.data.tags
    try:
        promotion = Promotion.from_json(values[tags.PROMOTION_RECORD])
        key, number = values[tags.PROMOTION_KEY], int(values.get(tags.PROMOTION_NUMBER, 0))  # earlier versions wrote no number
    except (KeyError, ValueError, TypeError):
        _log.warning("the MLflow run %s in %s is not an entry of the ledger, and is ignored", run.info.run_id, EXPERIMENT)
        return None
    return Entry(
        run_id=run.info.run_id,
        number=number,
        state=_state(run),
        key=key,
        promotion=promotion,
        signature=values.get(tags.ENTRY_SIGNATURE),
        decision=_decision(run)[1],
        link=Link.from_json(values.get(tags.CHAIN_LINK, "")),
    )
