"""The commands with which people decide: approve, reject, force, waive, roll back and retire."""

from datetime import UTC, datetime
from typing import Any

import click

from taxiway.cli.given_options import with_given_options
from taxiway.cli.people.airflow_question import answer_question, waiting_run
from taxiway.cli.people.opened import Given, Opened, answer_options, echo_served, installation_options, opened
from taxiway.errors import TaxiwayError
from taxiway.ledger.decisions import local_person
from taxiway.messages import kept_text_problem
from taxiway.records import Decision, DecisionKind, Promotion, RunSummary

reason_option = click.option("--reason", required=True, help="Why, for the ledger.")
_VERSION = "MODEL/VERSION"


@click.command()
@click.argument("name", metavar=_VERSION)
@reason_option
@answer_options
def approve(name: str, reason: str, **given: Any) -> None:
    """Approve a version that passed its gates, and push it.

    For pipelines with `approval: required`, whose runs wait for a person before the push.
    """
    from taxiway.registry.decided import approve_version, earlier_rejection
    from taxiway.stages.close import close_answered
    from taxiway.stages.push import require_valid_waivers

    with opened(Given(**given)) as installation:
        judged, at = _judged(installation, name), datetime.now(UTC)
        ledger, verdict = installation.ledger, judged.verdict
        rejected = earlier_rejection(ledger, verdict)
        if rejected is not None:
            click.echo(
                f"note: {rejected.by} has rejected {name} at {rejected.at:%Y-%m-%d %H:%M:%S} UTC, under an earlier verdict: {rejected.reason}",
                err=True,
            )
        require_valid_waivers(ledger, installation.store(), verdict, at.date())
        decision = _decision(DecisionKind.APPROVAL, verdict, reason)
        decision, promotion = approve_version(ledger, verdict, judged.records.shadow, decision, at=at)
        summary = close_answered(installation.ledger, installation.store(), judged, decision, promotion)
        _echo_promotion(installation, promotion)
        _echo_closed(summary)
        _answer_in_airflow(installation, judged, decision)


@click.command()
@click.argument("name", metavar=_VERSION)
@reason_option
@answer_options
def reject(name: str, reason: str, **given: Any) -> None:
    """Reject a version, which is not pushed then."""
    from taxiway.registry.decided import reject_version
    from taxiway.stages.close import close_answered

    with opened(Given(**given)) as installation:
        judged = _judged(installation, name)
        made = _decision(DecisionKind.REJECTION, judged.verdict, reason)
        decision = reject_version(installation.ledger, judged.verdict, made)
        summary = close_answered(installation.ledger, installation.store(), judged, decision, None)
        click.echo(f"{name} is rejected; the ledger has it with your name and the reason")
        _echo_closed(summary)
        _answer_in_airflow(installation, judged, decision)


@click.command()
@click.argument("name", metavar=_VERSION)
@reason_option
@installation_options
def force(name: str, reason: str, **given: Any) -> None:
    """Push a version although it did not pass its gates, or somebody has rejected it.

    Every page names you and the reason until the version is replaced.
    """
    from taxiway.registry.decided import force_version

    with opened(Given(**given)) as installation:
        judged = _judged(installation, name)
        decision, at = _decision(DecisionKind.FORCE, judged.verdict, reason), datetime.now(UTC)
        _echo_promotion(
            installation, force_version(installation.ledger, judged.verdict, judged.records.shadow, decision, at=at)
        )


@click.command()
@click.argument("name", metavar=f"REPORT|{_VERSION}")
@click.option("--anomaly", required=True, metavar="KIND[:COLUMN]", help="The anomaly, such as new_category:carrier.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The last day on which the waiver holds.")
@reason_option
@installation_options
def waive(name: str, anomaly: str, until: datetime, reason: str, **given: Any) -> None:
    """Accept an anomaly of one data report until a date.

    The report is named by its digest, or by a version that was trained on its data. The span can then be decided again; waivers for
    all spans are in the schema file.
    """
    from taxiway.ledger.decisions import decisions, record_decision
    from taxiway.lineage.waivers import other_valid_waivers, report_and_model, waiver

    with opened(Given(**given)) as installation:
        report, model, span = report_and_model(installation.ledger.client, installation.store(), name)
        made = waiver(report, model, anomaly, until=until.date(), by=local_person(), via="command line", reason=reason)
        made = record_decision(installation.ledger, made)
        others = other_valid_waivers(made, decisions(installation.ledger, about=report.digest), datetime.now(UTC).date())
    click.echo(f"{anomaly} is waived in report {report.digest} until {until:%Y-%m-%d}")
    for other in others:
        click.echo(
            f"note: the earlier waiver of {other.by} until {other.until} still holds; this one does not replace it", err=True
        )
    click.echo(
        f"next: decide span {span} again, by the run parameter span in Airflow, or "
        f"{with_given_options(f'taxiway run FILE --span {span}')}",
        err=True,
    )


@click.command()
@click.argument("model")
@click.option("--to", "to_version", type=click.IntRange(1), help="A version that was champion before, instead of the last one.")
@reason_option
@installation_options
def rollback(model: str, to_version: int | None, reason: str, **given: Any) -> None:
    """Make the previous champion of MODEL the champion again, and wait until the gateway serves it.

    The command can be repeated: the same reason is the same rollback. To go further back, name the version with --to.
    """
    from taxiway.registry.demote import rollback as roll_back

    _require_reason(reason)
    with opened(Given(**given)) as installation:
        at = datetime.now(UTC)
        done = roll_back(installation.ledger, model, by=local_person(), reason=reason, at=at, to_version=to_version)
        _echo_promotion(installation, done)
        if done.at != at:
            click.echo(
                f"{_decided_before(done)}; to go further back: taxiway rollback {model} --to VERSION --reason WHY", err=True
            )


@click.command()
@click.argument("model")
@reason_option
@installation_options
def retire(model: str, reason: str, **given: Any) -> None:
    """End the champion of MODEL: the gateway answers that the model is retired, until a push or a rollback."""
    from taxiway.registry.demote import retire as end_champion

    _require_reason(reason)
    with opened(Given(**given)) as installation:
        at = datetime.now(UTC)
        done = end_champion(installation.ledger, model, by=local_person(), reason=reason, at=at)
        _echo_promotion(installation, done)
        if done.at != at:
            click.echo(_decided_before(done), err=True)


def _judged(installation: Opened, name: str) -> Any:
    from taxiway.lineage.queries import resolve
    from taxiway.lineage.verdicts import judged_version

    if "/" not in name:
        raise click.UsageError(f"{name} is not {_VERSION}; name the version, such as flights.late_arrivals/3")
    client = installation.ledger.client
    return judged_version(client, installation.store(), *resolve(client, name))


def _decision(kind: DecisionKind, verdict: Any, reason: str) -> Decision:
    return Decision(
        kind=kind,
        model=verdict.model,
        version=verdict.version,
        about=verdict.digest,
        by=local_person(),
        via="command line",
        at=datetime.now(UTC),
        reason=reason,
    )


def _require_reason(reason: str) -> None:
    problem = kept_text_problem(reason, "say why")
    if problem is not None:
        raise click.UsageError(f"--reason {problem}")


def _echo_closed(summary: RunSummary | None) -> None:
    """Print what an answer means for the span of the run that waits for it."""
    if summary is None:
        return
    attempt = f", attempt {summary.attempt}" if summary.attempt > 1 else ""
    click.echo(f"span {summary.span.label} has a decision: {summary.outcome.replace('_', ' ')}{attempt}")


def _answer_in_airflow(installation: Opened, judged: Any, made: Decision) -> None:
    """Let the run that asks for this answer continue, or print how."""
    waiting = waiting_run(installation.ledger.client, judged.mlflow_run)
    if waiting is None:
        return
    dag, run, page = waiting
    there = f"next: if the run waits, answer it in Airflow, too, which changes nothing but lets it continue: {page}"
    if installation.airflow is None:
        click.echo(f"{there}; or give its address: --airflow URL", err=True)
        return
    try:
        if answer_question(installation.airflow, dag, run, approved=made.kind is DecisionKind.APPROVAL, reason=made.reason):
            click.echo(f"the run in Airflow continues: {page}")
    except TaxiwayError as error:
        click.echo(f"{error}. {there}", err=True)


def _decided_before(done: Promotion) -> str:
    """A note that a command was repeated, or has completed what was begun."""
    return f"note: {done.by} has decided this at {done.at:%Y-%m-%d %H:%M:%S} UTC, so it was not done again"


def _echo_promotion(installation: Opened, done: Promotion) -> None:
    if done.forced and "overrules" in done.reason:
        click.echo(done.reason)
    now = f"version {done.to_version}" if done.to_version is not None else "none"
    click.echo(f"champion of {done.model}: {now} (was {done.from_version or 'none'})")
    if done.downstream:
        from taxiway.stages.push import told_downstream

        click.echo(told_downstream(done))
    echo_served(installation, done.model)
