"""Whether the words of a database are words: SQLite lets any column hold anything."""

from collections.abc import Callable
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.index.entities import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, MAX_VALUE_LENGTH

_LIMITS = {
    "entities": {"key": MAX_NAME_LENGTH, "name": MAX_NAME_LENGTH, "kind": MAX_NAME_LENGTH, "text": MAX_TEXT_LENGTH,
                 "source": MAX_VALUE_LENGTH},
    "aliases": {"alias": MAX_NAME_LENGTH},
    "facts": {"attribute": MAX_NAME_LENGTH, "value": MAX_VALUE_LENGTH},
    "vectors": {"view": MAX_NAME_LENGTH, "thumbnail": MAX_NAME_LENGTH},
}
_NUMBERS = {"aliases": "entity", "facts": "entity", "vectors": "entity", "texts": "entity"}
_OPTIONAL = ("thumbnail",)


def check_words(rows: Callable[[str], list[tuple[Any, ...]]], title: str) -> None:
    """Raise Fault for a column that holds something else than text of its length, or no number where one belongs."""
    for table, columns in _LIMITS.items():
        for column, limit in columns.items():
            wrong = f"typeof({column}) != 'text' OR length({column}) > {limit}"
            if column in _OPTIONAL:
                wrong = f"{column} NOT NULL AND ({wrong})"
            _refuse(rows, table, column, wrong, title, f"text of at most {limit} characters")
    for table, column in _NUMBERS.items():
        _refuse(rows, table, column, f"typeof({column}) != 'integer'", title, "a number")


def _refuse(rows: Callable[[str], list[tuple[Any, ...]]], table: str, column: str, wrong: str, title: str,
            expected: str) -> None:
    found = rows(f"SELECT rowid, typeof({column}) FROM {table} WHERE {wrong} LIMIT 1")
    if found:
        row, kind = found[0]
        raise Fault(f"{title}, row {row} of {table}", expected=f"{column}: {expected}",
                    actual=f"{kind}, or a longer one", remedy="build the pack again")
