"""Read a scoring file and the team file in its folder, with errors that name the file and the line."""

from pathlib import Path

from taxiway.spec.files.pipeline_file import TEAM_FILE, find_beside, parse_file, read_team
from taxiway.spec.scoring import Scoring
from taxiway.spec.team import Team
from taxiway.spec.yaml_files.document import read_yaml

SCORING_SUFFIX = ".scoring.yaml"


def read_scoring(path: Path) -> tuple[Scoring, Team | None]:
    """The scoring in a file, with the absolute path of its schema, and its team.

    Returns:
        The scoring, and its team; None without a team file.

    Raises:
        ConfigError: One of the files is not valid. The message lists every mistake.
    """
    file = read_yaml(path)
    scoring = parse_file(file, Scoring, "a scoring file")
    team = read_team(path.parent)
    if team is not None and scoring.team != team.team:
        raise file.error(
            ("team",),
            f'is "{scoring.team}", but the team file in this folder is for "{team.team}" ({TEAM_FILE})',
            got=scoring.team,
        )
    if scoring.schema_file is None:
        return scoring, team
    return scoring.model_copy(update={"schema_file": find_beside(file, ("schema",), scoring.schema_file, ".yaml")}), team
