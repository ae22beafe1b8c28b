"""`taxiway label send`: sends the true labels of predictions to the gateway."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taxiway.errors import ConfigError
from taxiway.messages import counted

if TYPE_CHECKING:
    from taxiway.serving.client import GatewayClient

_CSV, _PARQUET = "text/csv", "application/vnd.apache.parquet"
_MEDIA_TYPES = {".csv": _CSV, ".parquet": _PARQUET}
_OF_REQUEST = ("request_id", "row", "label")
_ROWS = 10_000
_CHARACTERS = 1 << 20
_SHOWN = 10


@click.command("send")
@click.argument("model")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--by", "person", help="Who has made the labels of a file of taxiway audit. Default: your user name.")
@click.option("--gateway", envvar="TAXIWAY_GATEWAY", show_envvar=True, help="The address of the gateway.")
@click.option("--token", envvar="TAXIWAY_GATEWAY_TOKEN", show_envvar=True, hidden=True)
def send(model: str, file: Path, person: str | None, gateway: str | None, token: str | None) -> None:
    """Send the true labels of predictions of MODEL in FILE to the gateway.

    FILE is CSV or Parquet with the column `label`, and either `request_id` (and `row` for requests of several rows), or input columns
    that identify the rows. Of a CSV file of taxiway audit, the rows that have a label are sent, as labels of an audit by the person: they
    replace no label of anybody else, and taxiway log export leaves their rows out. The gateway's token is read from TAXIWAY_GATEWAY_TOKEN; its caller needs the scope `feedback`.
    """
    if file.suffix not in _MEDIA_TYPES:
        raise click.UsageError(f"{file} ends in {file.suffix or 'nothing'}; allowed: {' or '.join(_MEDIA_TYPES)}")
    auditor = (person or getuser()) if file.suffix == ".csv" and _is_audit(file) else ""
    if person and not auditor:
        raise click.UsageError(f"--by is for a CSV file of taxiway audit, and {file} is none; leave it out")
    counts, refused, first = dict.fromkeys(("recorded", "corrected", "unchanged"), 0), list[str](), 0
    with _client(gateway, token) as client:
        for body, rows in (_csv_parts if file.suffix == ".csv" else _parquet_parts)(file):
            answer = client.send_labels(model, body, _MEDIA_TYPES[file.suffix], auditor=auditor)
            counts = {name: count + answer[name] for name, count in counts.items()}
            refused += [f"label {first + each['index'] + 1:,}: {each['reason']}" for each in answer["refused"]]
            first += rows
    click.echo(
        f"{counted(counts['recorded'], 'label')} recorded, {counts['corrected']:,} corrected, {counts['unchanged']:,} known already"
    )
    if refused:
        more = f"\n  and {len(refused) - _SHOWN:,} more" if len(refused) > _SHOWN else ""
        shown = "".join(f"\n  {line}" for line in refused[:_SHOWN])
        click.echo(f"{counted(len(refused), 'label')} refused:{shown}{more}", err=True)
        sys.exit(1)


def _client(gateway: str | None, token: str | None) -> "GatewayClient":
    """The client of the named gateway, or of that of the stack in this folder."""
    from taxiway.local.stack import find_running
    from taxiway.local.stack_dir import DEFAULT_STACK_HOME
    from taxiway.serving.client import GatewayClient

    if gateway and token:
        return GatewayClient(gateway, token)
    if gateway:
        raise ConfigError("the gateway needs a token; set the environment variable TAXIWAY_GATEWAY_TOKEN", key="token")
    stack = find_running(DEFAULT_STACK_HOME)
    if stack is None:
        raise ConfigError("no gateway is known here; name it: --gateway URL", key="gateway")
    return GatewayClient(stack.url("gateway"), token or stack.secrets.gateway_admin_token)


def _csv_parts(file: Path) -> Iterator[tuple[bytes, int]]:
    """A CSV file in parts with its header each, and their numbers of rows."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        try:
            rows: Iterator[list[str]] = csv.reader(lines, strict=True)
            header = next(rows, [])
            if _has_inputs(header):
                header, rows = list(_OF_REQUEST), _labelled(rows, header, file)
            part, count = _new_part(header), 0
            for row in rows:
                csv.writer(part).writerow(row)
                count += 1
                if count == _ROWS or part.tell() >= _CHARACTERS:
                    yield part.getvalue().encode(), count
                    part, count = _new_part(header), 0
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} is not CSV in UTF-8: {error}") from None
    if count:
        yield part.getvalue().encode(), count


def _has_inputs(header: Sequence[str]) -> bool:
    """Whether a header is that of a file of `taxiway audit`, which has the inputs next to the ids and the label."""
    return set(header) > set(_OF_REQUEST) and len(set(header)) == len(header)


def _is_audit(file: Path) -> bool:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        try:
            return _has_inputs(next(csv.reader(lines), []))
        except (csv.Error, UnicodeDecodeError):
            return False  # reading its rows says why


def _labelled(rows: Iterable[list[str]], header: Sequence[str], file: Path) -> Iterator[list[str]]:
    """The ids and labels of the rows of `taxiway audit` that have a label."""
    places = [header.index(name) for name in _OF_REQUEST]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ConfigError(
                f"row {number:,} of {file} has {len(row):,} values, and the header {len(header):,}; correct the row"
            )
        cells = [row[place] for place in places]
        if cells[-1].strip():
            yield cells


def _new_part(header: list[str]) -> io.StringIO:
    part = io.StringIO()
    csv.writer(part).writerow(header)
    return part


def _parquet_parts(file: Path) -> Iterator[tuple[bytes, int]]:
    """A Parquet file in parts, and their numbers of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_ROWS):
            part = io.BytesIO()
            pq.write_table(pa.Table.from_batches([batch]), part)
            yield part.getvalue(), batch.num_rows
    except pa.ArrowException as error:
        raise ConfigError(f"{file} is not a Parquet file: {error}") from None
