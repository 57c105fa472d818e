"""The outcome of an audit: what was compared, what the examination uses, and what the reader must know."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from deepsight.core.evidence import Table

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Audit(Generic[Choice]):
    """The outcome of an audit.

    Attributes:
        table: what was compared.
        choice: what the examination uses.
        warning: a sentence that the reader must see, or None where nothing is wrong.
    """

    table: Table
    choice: Choice
    warning: str | None
