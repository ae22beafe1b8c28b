"""How YAML files are read and written: YAML 1.1 as PyYAML has it, but numbers with an exponent are numbers, as in YAML 1.2."""

import re
from typing import Any

import yaml

_FLOAT = "tag:yaml.org,2002:float"
_EXPONENT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$")
"""YAML 1.1 takes some of these for text, such as 1e-3."""


class Loader(yaml.CSafeLoader):
    """Reads YAML with libyaml, because every task parses its pipeline file."""


class Dumper(yaml.SafeDumper):
    """Writes YAML that `Loader` reads as the same values; a value that occurs twice is written twice, not as an alias."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


for kind in (Loader, Dumper):
    kind.add_implicit_resolver(_FLOAT, _EXPONENT, list("-+.0123456789"))
