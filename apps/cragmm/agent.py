"""The agent interface of CRAG-MM's starter kit, and the assistant behind it.

In the starter kit's `user_config.py`: `from pixsearch.apps.cragmm.agent import PixSearchAgent as UserAgent`.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from pixsearch.apps.cragmm.search import PipelineAssistant, SearchPipeline
from pixsearch.apps.defaults import packs_or_default
from pixsearch.apps.eval_scenes import DATA
from pixsearch.apps.ways import FULL, Asker, Way, directed
from pixsearch.contract.abstention import UNKNOWN
from pixsearch.contract.faults import Fault
from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.inputs import check_question

Message = Mapping[str, Any]  # {"role": "user" or "assistant", "content": words}


class Agent(Protocol):
    """What the starter kit calls."""

    def get_batch_size(self) -> int:
        """How many questions it wants at once, from 1."""

    def batch_generate_response(self, queries: list[str], images: list[Image.Image],
                                message_histories: list[list[dict[str, Any]]]) -> list[str]:
        """An answer to each question about its picture, given what was said about it before."""


class PixSearchAgent:
    """The assistant as an agent; its searches go to packs, or to the benchmark's own pipeline."""

    def __init__(self, search_pipeline: SearchPipeline | None = None, *, bundle: Path | None = None,
                 packs: tuple[Path, ...] = (), data: Path = DATA) -> None:
        """search_pipeline : what is searched instead of packs

        bundle, packs : the shipped ones unless given; data : the folder that `make data` filled, for one comparison
        """
        mounted = packs if search_pipeline is not None else packs_or_default(packs)
        self.assistant: Assistant = open_assistant(bundle, mounted)
        if search_pipeline is not None:
            self.assistant = PipelineAssistant(self.assistant, search_pipeline)
        self._asker = Asker(data)
        self.way: Way = FULL
        self.answers: list[Answer | None] = []  # behind the last responses; None where nothing could be asked

    def get_batch_size(self) -> int:
        """One at a time: questions share no work, and each has its own time limit."""
        return 1

    def batch_generate_response(self, queries: list[str], images: list[Image.Image],
                                message_histories: list[list[dict[str, Any]]]) -> list[str]:
        """See Agent."""
        self.answers = [self._ask(query, image, history)
                        for query, image, history in zip(queries, images, message_histories, strict=True)]
        return [answer.answer if answer else UNKNOWN for answer in self.answers]

    def _ask(self, query: str, image: Image.Image, history: Sequence[Message]) -> Answer | None:
        try:
            question = check_question(query)
        except Fault:
            return None  # a turn must be answered, whatever it asks
        frame = np.asarray(image.convert("RGB"))
        perception = self._asker.perceive(self.assistant, frame, self.way)
        return directed(self.assistant, self.way).ask(frame, question, perception=perception,
                                                      history=turns_of(history), **self.way.allowed)

    def close(self) -> None:
        """Unmount the packs."""
        self.assistant.close()


def turns_of(history: Sequence[Message]) -> tuple[Turn, ...]:
    """Pairs of what a user asked and what the assistant said; other messages are left out."""
    turns: list[Turn] = []
    asked: str | None = None
    for message in history:
        words = str(message.get("content") or "")
        if message.get("role") == "user":
            asked = words
        elif message.get("role") == "assistant" and asked is not None:
            turns.append(Turn(asked, words))
            asked = None
    return tuple(turns)


def load_named(name: str, what: str) -> Callable[..., Any]:
    """What "package.module:name" names. Raises Fault; the module's own errors come through."""
    module, _, attribute = name.partition(":")
    remedy = "name it as package.module:Class, importable from here"
    try:
        found = getattr(importlib.import_module(module), attribute or "")
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise Fault(f"{what} {name}", expected="something that can be imported", actual=str(error),
                    remedy=remedy) from error
    if not callable(found):
        raise Fault(f"{what} {name}", expected="a class or a function", actual=type(found).__name__, remedy=remedy)
    return found  # type: ignore[no-any-return]
