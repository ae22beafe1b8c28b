"""A limit on what a YAML text expands to, checked before values are made of it."""

import yaml

MAX_DEPTH = 50
"""How deep lists and mappings may be nested; beyond some ten thousand levels, libyaml overflows the C stack."""


MAX_NUMBER = 1000
"""How many characters a number may have: Python does not print long ones, and to read one in base 60 takes quadratic time."""
_IN_NUMBERS = "0123456789abcdefABCDEFxo+-._:"


class NestingError(yaml.YAMLError):
    """A YAML text has an alias, is nested too deeply, or has a very long number.

    Attributes:
        problem: What is not allowed.
        line: Where, from 1.
    """

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(f"line {line}: {problem}")
        self.problem, self.line = problem, line


def check_nesting(text: str) -> None:
    """Check that a YAML text has no aliases, is not nested too deeply, and has no very long numbers.

    A few lines of aliases expand to more values than fit into memory. The text is read as events, one at a time.

    Raises:
        NestingError: It has an alias, is nested too deeply, or has a very long number.
        yaml.YAMLError: It is not YAML.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _not_allowed("aliases (*name) are not allowed; write the value out", event)
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_NUMBER and not event.value.strip(_IN_NUMBERS):
            raise _not_allowed(f"a number has {len(event.value):,} characters; allowed: at most {MAX_NUMBER:,}", event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _not_allowed(f"lists and mappings are nested more than {MAX_DEPTH} levels deep", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _not_allowed(problem: str, event: yaml.Event) -> NestingError:
    return NestingError(problem, event.start_mark.line + 1 if event.start_mark else 1)
