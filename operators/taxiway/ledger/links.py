"""The links of a chain: each has the hash of the one before it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b

from taxiway.ledger.keys import LedgerKeys

_HASH_BYTES = 32


@dataclass(frozen=True)
class Link:
    """One link of the chain.

    Attributes:
        number: Its place in the chain, from 1.
        kind: The kind of the record, `Promotion` or `Decision`.
        model: The registered model that the record is about.
        entry: The MLflow run with the record.
        record: The digest of the record.
        content: The record itself, if it has no MLflow run of its own; `entry` is then its key.
        previous: The hash of the link before; None for the first one.
        signature: The signature of the link's text; None if it was not signed.
    """

    number: int
    kind: str
    model: str
    entry: str
    record: str
    content: str | None = None
    previous: str | None = None
    signature: str | None = None

    @classmethod
    def from_json(cls, text: str) -> "Link | None":
        """Read a link; None if the text is none."""
        try:
            link = cls(**json.loads(text))
        except (ValueError, TypeError):
            return None
        texts = (link.kind, link.model, link.entry, link.record, link.content or "", link.previous or "", link.signature or "")
        return link if isinstance(link.number, int) and all(isinstance(value, str) for value in texts) else None

    @property
    def text(self) -> str:
        """What is hashed and signed: the link without its signature, as canonical JSON."""
        return replace(self, signature=None).to_json()

    @property
    def hash(self) -> str:
        """The hash by which the next link names this one."""
        return blake2b(self.text.encode(), digest_size=_HASH_BYTES).hexdigest()

    def describe(self) -> str:
        """`Promotion of team.model, MLflow run 0123`."""
        return f"{self.kind} of {self.model}, {'MLflow run' if self.content is None else 'query'} {self.entry}"

    def to_json(self) -> str:
        """The link as JSON."""
        fields = asdict(self)
        if self.content is None:
            del fields["content"]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class NewEntry:
    """An entry to append: the content of its `Link`.

    Attributes:
        marks: Tags of the MLflow run with the link, by which it is found.
    """

    kind: str
    model: str
    entry: str
    record: str
    content: str | None = None
    marks: tuple[str, ...] = ()


def broken_links(keys: LedgerKeys, found: Sequence[Link], *, from_start: bool = True) -> Iterator[str]:
    """The links that do not follow the one before, or whose signature is not one of the installation: a message for each.

    Args:
        keys: The keys of the installation.
        found: Links in their order.
        from_start: Whether they are all links of a chain; otherwise there may be gaps before some of them.
    """
    before: Link | None = None
    for link in found:
        following = before.number + 1 if before else 1
        if link.number != following:
            if from_start:
                yield f"links {following} to {link.number - 1} of the chain are missing"
        elif link.previous != (before.hash if before else None):
            yield f"link {before.number if before else 1} of the chain was changed, or link {link.number} was: they do not fit together"
        if link.signature is None and before is not None and before.signature is not None:
            yield f"link {link.number} of the chain ({link.describe()}) is not signed, and the one before it is"
        if link.signature is not None and not keys.verifies(link.text, link.signature):
            yield f"link {link.number} of the chain ({link.describe()}) is not signed with a key of this installation"
        before = link
