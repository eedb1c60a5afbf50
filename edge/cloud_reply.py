"""What a server elsewhere answered: bounded, checked, and only ever words."""

import json
from typing import Any

from pixsearch.contract.grammar import escape

MAX_WORDS_CHARS = 600


class Unusable(ValueError):
    """A reply that has no words to show."""


def read_reply(content_type: str, content: bytes) -> str:
    """The words of a chat completion, on one line, without control characters, special tokens escaped.

    Anything else in it (tool calls, links, further choices) is left alone. Raises Unusable.
    """
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Unusable(f"a reply of type {content_type[:40]!r} instead of application/json")
    try:
        reply = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unusable("a reply that is not JSON") from error
    words = _tidy(_text(reply))
    if not words:
        raise Unusable("a reply without words")
    return words


def _text(reply: Any) -> str:
    try:
        said = reply["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise Unusable("a reply that is no chat completion") from error
    if isinstance(said, list):  # parts: only those of text are looked at
        said = " ".join(part["text"] for part in said if isinstance(part, dict) and isinstance(part.get("text"), str))
    if not isinstance(said, str):
        raise Unusable("a reply that is no chat completion")
    return said


def _tidy(text: str) -> str:
    """One line of printable characters: no terminal codes, no marks that turn the direction of writing."""
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in text[:8 * MAX_WORDS_CHARS]).split())
    words = escape(words)
    return words if len(words) <= MAX_WORDS_CHARS else words[:MAX_WORDS_CHARS - 1].rstrip() + "…"
