"""A chat model behind OpenAI's interface, as judge or annotator. Every reply is kept and asked for only once."""

import base64
import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openai
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault

KEY_VARIABLE = "PIXSEARCH_CHAT_KEY"
MAX_REPLY_CHARS = 1 << 16
PICTURE_SIDE = 768  # pixels of a picture that goes along, at most
TIMEOUT_S = 120.0

Message = Mapping[str, Any]


@dataclass(frozen=True)
class ChatServer:
    """Where a chat model is: "https://example.org/v1" and the model's name there; how often it is asked again."""

    url: str
    model: str
    retries: int = 4


@dataclass(frozen=True)
class Reply:
    """What came back. Tokens are as the server counts them; both are 0 for a reply that was kept."""

    words: str
    tokens_in: int = 0
    tokens_out: int = 0


class Unreadable(ValueError):
    """A reply that is not the JSON that was asked for."""


class Chat:
    """Asks one chat model, greedily; replies are kept in a database file by everything that they depend on."""

    def __init__(self, server: ChatServer, cache: Path) -> None:
        """The server's key, if it wants one, is in the environment variable PIXSEARCH_CHAT_KEY."""
        self.server, self._cache = server, cache
        self._client = openai.OpenAI(base_url=server.url, api_key=os.environ.get(KEY_VARIABLE) or "none",
                                     timeout=TIMEOUT_S, max_retries=server.retries)
        cache.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._open()) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS replies (request TEXT PRIMARY KEY, words TEXT NOT NULL)")

    def ask(self, messages: Sequence[Message], max_tokens: int) -> Reply:
        """The reply to messages of OpenAI's form, a kept one where there is one. Raises Fault."""
        key = self.key(messages, max_tokens)
        with closing(self._open()) as database:
            kept = database.execute("SELECT words FROM replies WHERE request = ?", (key,)).fetchone()
        if kept:
            return Reply(str(kept[0]))
        reply = self._ask(messages, max_tokens)
        with closing(self._open()) as database, database:
            database.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, reply.words))
        return reply

    def holds(self, messages: Sequence[Message], max_tokens: int) -> bool:
        """Whether a reply is kept already."""
        with closing(self._open()) as database:
            return database.execute("SELECT 1 FROM replies WHERE request = ?",
                                    (self.key(messages, max_tokens),)).fetchone() is not None

    def key(self, messages: Sequence[Message], max_tokens: int) -> str:
        """SHA-256 of a request."""
        return hashlib.sha256(json.dumps([self.server.model, list(messages), max_tokens], sort_keys=True).encode()
                              ).hexdigest()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._cache, timeout=60)

    def _ask(self, messages: Sequence[Message], max_tokens: int) -> Reply:
        try:
            completion = self._client.chat.completions.create(
                model=self.server.model, messages=[dict(one) for one in messages],  # type: ignore[misc]
                max_tokens=max_tokens, temperature=0)
            words = completion.choices[0].message.content
        except (openai.OpenAIError, ValueError, IndexError, AttributeError, TypeError) as error:
            raise Fault(f"chat model {self.server.model} at {self.server.url}", expected="a chat completion",
                        actual=str(error)[:300] or type(error).__name__,
                        remedy=f"check address and name, and the key in {KEY_VARIABLE}; what was answered is kept"
                        ) from error
        if not isinstance(words, str) or len(words) > MAX_REPLY_CHARS:
            raise Fault(f"chat model {self.server.model} at {self.server.url}",
                        expected=f"at most {MAX_REPLY_CHARS} characters of words",
                        actual=f"{len(words)}" if words else "none", remedy="try another model")
        usage = completion.usage
        return Reply(words, usage.prompt_tokens if usage else 0, usage.completion_tokens if usage else 0)


def read_object(words: str) -> dict[str, Any]:
    """The JSON object in a reply, which may stand in prose or in a fenced block. Raises Unreadable."""
    decoder = json.JSONDecoder()
    for start in (at for at, sign in enumerate(words) if sign == "{"):
        try:
            found, _ = decoder.raw_decode(words, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    raise Unreadable(f"no JSON object in {words[:80]!r}")


def picture_part(frame: NDArray[np.uint8]) -> dict[str, Any]:
    """A picture, uint8 RGB (H, W, 3), as a part of a message: a JPEG without metadata, at most 768 pixels a side."""
    scale = PICTURE_SIDE / max(frame.shape[:2])
    if scale < 1:
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, content = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise ValueError(f"no JPEG of {frame.shape}")
    return {"type": "image_url",
            "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"}}
