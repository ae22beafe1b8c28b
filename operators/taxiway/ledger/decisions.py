"""The decisions of people: one MLflow run for each, in its own experiment, valid once it is in the chain.

A decision that a crash left outside of the chain is not made. Who decides the same again, finds or completes it.
"""

import os
import pwd
import socket
from collections.abc import Container
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.ledger import chain
from taxiway.ledger.chain import Ledger
from taxiway.ledger.links import Link, NewEntry
from taxiway.ledger.promotions import before_the_chain
from taxiway.ledger.runs import entry_of, runs_of
from taxiway.messages import kept_text_problem
from taxiway.records import Decision, DecisionKind
from taxiway.records.digests import digest_of_bytes
from taxiway.tracking import tags
from taxiway.tracking.run import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "taxiway/decisions"
ANSWERS = (DecisionKind.APPROVAL, DecisionKind.REJECTION)
"""The kinds that answer whether a version may be pushed: of several about one record, the first one stands."""


def local_person() -> str:
    """Who decides here, as the operating system names them: `ada@host`. Variables of the environment are not asked."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user id without a name, as in a container
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def record_decision(ledger: Ledger, decision: Decision) -> Decision:
    """Write a decision into the ledger.

    Args:
        ledger: The ledger.
        decision: The decision.

    Returns:
        The decision; if the same person has decided the same about the same record, that decision.

    Raises:
        TerminalError: The reason is empty or too long, or an approval or rejection was preceded by another answer to the question.
    """
    _check_reason(decision)
    key = _key(decision)
    # Somebody else may have written a run with this key: only one whose decision says the same is completed.
    own = [run for run in _runs(ledger, {tags.DECISION_KEY: key}) if (said := _read(run)) is not None and _key(said) == key]
    made = [found for run in own if (found := _valid(ledger, run)) is not None]
    if not made:
        chain.require_keys(ledger)
        run_id = own[0].info.run_id if own else _write(ledger, decision, key)
        decision = (_read(own[0]) if own else None) or decision
        chain.append(ledger, _new_link(run_id, decision), lambda: before_the_chain(ledger))
        made = [decision]
    if decision.kind in ANSWERS:
        _require_first(ledger, made[0])
    return made[0]


def is_recorded(ledger: Ledger, decision: Decision) -> bool:
    """Whether the same person has decided the same about the same record before, for the same reason: this is a retry."""
    same = (decision.kind, decision.by, decision.reason)
    return any((made.kind, made.by, made.reason) == same for made in decisions(ledger, about=decision.about))


def decisions(
    ledger: Ledger, *, model: str | None = None, about: str | None = None, limit: int | None = None
) -> tuple[Decision, ...]:
    """Read decisions that are in the chain, newest first; those that are not signed with a key of the installation are left out.

    Args:
        ledger: The ledger.
        model: Only those about this model.
        about: Only those about the record with this digest.
        limit: Only so many, the newest ones.
    """
    runs = _runs(ledger, {tags.DECISION_MODEL: model, tags.DECISION_ABOUT: about}, limit)
    found = [made for run in runs if (made := _valid(ledger, run)) is not None]
    # The tags are not signed, and the decisions are.
    return tuple(made for made in found if model in (None, made.model) and about in (None, made.about))


def answer(ledger: Ledger, about: str) -> Decision | None:
    """The approval or rejection that decides about a record: the first one in the chain; None if there is none."""
    found = [decision for decision in decisions(ledger, about=about) if decision.kind in ANSWERS]
    return found[-1] if found else None


def as_written(client: "MlflowClient", in_chain: Container[str]) -> list[NewEntry]:
    """What the chain should say of each decision, by what is in MLflow now, oldest first; without those that a crash left open.

    Args:
        client: The MLflow client.
        in_chain: The MLflow runs that the chain names.
    """
    return [
        entry_of(run, "Decision", tags.DECISION_MODEL, tags.DECISION_RECORD)
        for run in reversed(runs_of(client, EXPERIMENT, {}))
        if tags.CHAIN_LINK in run.data.tags or run.info.run_id in in_chain
    ]


def with_runs(client: "MlflowClient") -> "list[tuple[Run, Decision | None]]":
    """All MLflow runs of decisions, signed or not, newest first, each with its decision; None if that cannot be read."""
    return [(run, _read(run)) for run in runs_of(client, EXPERIMENT, {})]


def is_signed(ledger: Ledger, run: "Run", decision: Decision) -> bool:
    """Whether a decision was written with a key of the installation, whether or not it is in the chain."""
    return ledger.keys.verifies(_signed_text(decision), run.data.tags.get(tags.ENTRY_SIGNATURE))


def _check_reason(decision: Decision) -> None:
    problem = kept_text_problem(decision.reason, "say why", lines=True)
    if problem is not None:
        raise TerminalError(f"the reason {problem}", key="reason")


def _require_first(ledger: Ledger, made: Decision) -> None:
    """Raise TerminalError if somebody else has answered the same question before."""
    first = answer(ledger, made.about)
    if first is not None and first.kind is not made.kind:
        raise TerminalError(
            f"{made.model} version {made.version}: {first.by} has given the {first.kind} at {first.at:%Y-%m-%d %H:%M:%S} UTC: "
            f"{first.reason}. The first answer stands; your {made.kind} is recorded and changes nothing"
        )


def _key(decision: Decision) -> str:
    """The key by which a retry finds the decision: all that it says, except when."""
    return digest_of_bytes(decision.model_copy(update={"at": None}).to_json().encode())


def _signed_text(decision: Decision) -> str:
    """What is signed when a decision is written, to distinguish one that a crash left open from one that was inserted."""
    return f"{EXPERIMENT}\n{decision.to_json()}"


def _write(ledger: Ledger, decision: Decision, key: str) -> str:
    signature = ledger.keys.sign(_signed_text(decision))
    run = ledger.client.create_run(
        experiment_id(ledger.client, EXPERIMENT),
        run_name=f"{decision.model} {decision.version or ''} {decision.kind}".replace("  ", " "),
        tags={
            tags.DECISION_MODEL: decision.model,
            tags.DECISION_KEY: key,
            tags.DECISION_ABOUT: decision.about,
            tags.DECISION_RECORD: decision.to_json(),
            **({tags.ENTRY_SIGNATURE: signature} if signature else {}),
        },
    )
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # people have no reason to open runs of the ledger
    ledger.client.set_terminated(run.info.run_id, "FINISHED")
    return str(run.info.run_id)


def _runs(ledger: Ledger, wanted: dict[str, str | None], limit: int | None = None) -> "list[Run]":
    """The MLflow runs of decisions with these tags, newest link first; those outside of the chain come last.

    What a crash has left in the chain without a note at its run is noted first, so that the order of answers cannot change later.
    """
    runs = runs_of(ledger.client, EXPERIMENT, wanted, limit)
    missing = {run.info.run_id for run in runs if _link(run) is None}
    left = [link for link in chain.newest_links(ledger.client) if link.entry in missing] if missing else []
    if left:
        chain.note(ledger.client, left)
        runs = runs_of(ledger.client, EXPERIMENT, wanted, limit)
    return sorted(runs, key=lambda run: -(link.number if (link := _link(run)) else 0))


def _read(run: "Run") -> Decision | None:
    try:
        return Decision.from_json(run.data.tags.get(tags.DECISION_RECORD, ""))
    except (ValueError, TypeError):
        return None


def _link(run: "Run") -> Link | None:
    return Link.from_json(run.data.tags.get(tags.CHAIN_LINK, ""))


def _new_link(run_id: str, decision: Decision) -> NewEntry:
    return NewEntry("Decision", decision.model, run_id, decision.digest)


def _valid(ledger: Ledger, run: "Run") -> Decision | None:
    """The decision in a run; None if it is not in the chain, or not signed with a key of the installation."""
    link = _link(run)
    if link is None or not ledger.keys.verifies(link.text, link.signature):
        return None
    decision = _read(run)
    if decision is None:
        return None
    new = _new_link(run.info.run_id, decision)
    return (
        decision if (link.kind, link.model, link.entry, link.record) == (new.kind, new.model, new.entry, new.record) else None
    )
