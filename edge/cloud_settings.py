"""What the wearer allows a server elsewhere: where it is, when it is asked, what it is sent."""

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from pixsearch.contract.faults import Fault

MAX_SETTINGS_BYTES = 1 << 16
KEY_ENVIRONMENT = "PIXSEARCH_CLOUD_KEY"
PORTS = {"https": 443, "http": 80}

_WORD = re.compile(r"[^\W_]+")
_KEY = re.compile(r"[!-~]{1,4096}")


class Allow(StrEnum):
    """When the server may be asked about what the device does not know."""

    NEVER = "never"
    ASKED = "asked"    # only where the wearer says so, for a question or a session
    ALWAYS = "always"


@dataclass(frozen=True)
class Rule:
    """Questions with one of these words may be sent, or may not, whatever else is allowed."""

    words: tuple[str, ...]
    allow: bool

    def about(self, question: str) -> bool:
        """Whether the rule is about a question."""
        return bool({word.lower() for word in self.words} & set(_WORD.findall(question.lower())))


@dataclass(frozen=True)
class CloudSettings:
    """All that is to be decided about the cloud.

    url          : of an OpenAI-compatible interface, such as https://example.org/v1
    model        : its name there
    allow, rules : when it may be asked; the first rule that is about a question decides
    below        : confidence under which an answer counts as unsure, 0..1
    picture, evidence : whether the masked crop and what was found locally go along
    deadline_s   : of one question with all its tries
    tries        : connections for one question
    questions_a_day, bytes_a_day : the budget
    ca_file      : certificates to trust instead of the public ones
    plain_http   : whether an address beyond this machine may be reached without TLS
    """

    url: str
    model: str = "default"
    allow: Allow = Allow.ASKED
    rules: tuple[Rule, ...] = ()
    below: float = 0.5
    picture: bool = True
    evidence: bool = True
    deadline_s: float = 5.0
    tries: int = 3
    questions_a_day: int = 50
    bytes_a_day: int = 5_000_000
    ca_file: str = ""
    plain_http: bool = False
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        parts = _split(self.url)
        if parts.scheme == "http" and not self.plain_http and not _is_this_machine(self.host):
            raise _fault("url", "https, or plain_http = true", self.url)
        for name, low, high in (("below", 0, 1), ("deadline_s", 0.1, 60), ("tries", 1, 10),
                                ("questions_a_day", 0, 10**6), ("bytes_a_day", 0, 10**12)):
            if not low <= getattr(self, name) <= high:
                raise _fault(name, f"from {low} to {high}", str(getattr(self, name)))
        if self.key and not _KEY.fullmatch(self.key):
            raise Fault("cloud key", expected="printable characters without spaces", actual="others",
                        remedy=f"set {KEY_ENVIRONMENT} again")

    @property
    def host(self) -> str:
        """The host's name, the only one that is ever reached."""
        return _split(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The host's port."""
        parts = _split(self.url)
        return parts.port or PORTS[parts.scheme]

    def refusal(self, question: str, asked: bool) -> str | None:
        """Why a question may not be sent, None where it may. asked : the wearer said so, for it or the session."""
        rule = next((rule for rule in self.rules if rule.about(question)), None)
        if rule:
            return None if rule.allow else f"a rule keeps questions about {', '.join(rule.words)} here"
        if self.allow is Allow.NEVER or (self.allow is Allow.ASKED and not asked):
            return "it was not allowed"
        return None


def read_settings(path: Path, url: str = "", model: str = "") -> CloudSettings | None:
    """The settings of a TOML file, with `url` and `model` in place of its own where given; None without any.

    The key of the server comes from the environment, PIXSEARCH_CLOUD_KEY, and stands in no file. Raises Fault.
    """
    values = _read(path) if path.exists() else {}
    values |= {name: value for name, value in (("url", url), ("model", model)) if value}
    if not values:
        return None
    known = {one.name: one for one in fields(CloudSettings) if one.name != "key"}
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise _fault(name, near[0] if near else "one of " + ", ".join(known), "an unknown name")
    missing = [name for name, one in known.items() if one.default is MISSING and name not in values]
    if missing:
        raise _fault(missing[0], "a value", "none")
    types = get_type_hints(CloudSettings)
    read = {name: _value(name, types[name], value) for name, value in values.items()}
    return CloudSettings(**read, key=os.environ.get(KEY_ENVIRONMENT, ""))


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_SETTINGS_BYTES + 1)
        if len(content) > MAX_SETTINGS_BYTES:
            raise ValueError(f"more than {MAX_SETTINGS_BYTES} bytes")
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Fault(f"cloud settings {path}", expected="TOML", actual=str(error), remedy="mend the file") from error


def _value(name: str, wanted: Any, value: Any) -> Any:
    if name == "rules":
        return _rules(value)
    if wanted is Allow:
        if value not in tuple(Allow):
            raise _fault(name, "one of " + ", ".join(Allow), repr(value))
        return Allow(value)
    if type(value) is not wanted and not (wanted is float and type(value) is int):
        raise _fault(name, f"a {wanted.__name__}", repr(value)[:80])
    return value


def _rules(value: Any) -> tuple[Rule, ...]:
    rows = value if isinstance(value, list) else [value]
    for row in rows:
        words = row.get("words") if isinstance(row, Mapping) else None
        if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)
                and isinstance(row.get("allow"), bool) and len(row) == 2):
            raise _fault("rules", '[[rules]] with words = ["…"] and allow = true or false', repr(row)[:80])
    return tuple(Rule(tuple(row["words"]), row["allow"]) for row in rows)


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in PORTS and parts.hostname and not (parts.username or parts.query or parts.fragment)
        usable = usable and url.isascii() and url.isprintable() and " " not in url and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise _fault("url", "an address such as https://example.org/v1", repr(url)[:80])
    return parts


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fault(name: str, expected: str, actual: str) -> Fault:
    return Fault(f"cloud setting {name!r}", expected=expected, actual=actual, remedy="mend the cloud settings")
