"""What page and loop say to each other: JSON both ways, and pictures as JPEG with a head of JSON."""

import base64
import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pixsearch.apps.overlay import draw_mask
from pixsearch.apps.page import Asked, answer_card, search_card
from pixsearch.contract.images import Pixels
from pixsearch.contract.masks import box_of
from pixsearch.edge.answer import Answer
from pixsearch.edge.inputs import MAX_QUESTION_CHARS
from pixsearch.edge.live import AnswerStarted, Event, Failed, Health, Noticed, Said, Searched, Ticket, View
from pixsearch.edge.memories import spoken_time

MAX_MESSAGE_BYTES = 8192  # of a page's
PICTURE_SIDE = 960  # pixels
JPEG_QUALITY = 80
HEAD = struct.Struct(">I")  # bytes of the JSON before a picture


@dataclass(frozen=True)
class Ask:
    """A question; point : x, y as shares of the picture's width and height, 0..1"""

    question: str
    point: tuple[float, float] | None


@dataclass(frozen=True)
class Shown:
    """The last picture is on the page: the next one may come."""


@dataclass(frozen=True)
class Forget:
    """The picture goes on without the last answer."""


@dataclass(frozen=True)
class Cancel:
    """A question is not wanted any more."""

    id: int


@dataclass(frozen=True)
class Talk:
    """The button of the voice was pressed, or let go."""

    pressed: bool


Wish = Ask | Shown | Forget | Cancel | Talk


def read_wish(text: str) -> Wish:
    """A page's message. Raises ValueError for anything that no page of ours sends."""
    if len(text) > MAX_MESSAGE_BYTES:
        raise ValueError(f"at most {MAX_MESSAGE_BYTES} characters, got {len(text)}")
    try:
        told = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    match told:
        case {"kind": "ask", "question": str(question), "point": None} if len(question) <= MAX_QUESTION_CHARS:
            return Ask(question, None)
        case {"kind": "ask", "question": str(question), "point": [x, y]} if len(question) <= MAX_QUESTION_CHARS:
            return Ask(question, (_share(x), _share(y)))
        case {"kind": "shown"}:
            return Shown()
        case {"kind": "forget"}:
            return Forget()
        case {"kind": "cancel", "id": int(number)} if not isinstance(number, bool):
            return Cancel(number)
        case {"kind": "talk", "pressed": bool(pressed)}:
            return Talk(pressed)
    raise ValueError("an unknown message")


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and 0 <= value <= 1):
        raise ValueError("a point is two numbers from 0 to 1")
    return float(value)


def in_pixels(point: tuple[float, float] | None, frame: Pixels) -> tuple[float, float] | None:
    """A point given as shares of a frame (H, W, 3), in its pixels."""
    if point is None:
        return None
    height, width = frame.shape[:2]
    return min(point[0] * width, width - 1), min(point[1] * height, height - 1)


def picture(view: View) -> bytes:
    """A view with its mask drawn, at most 960 pixels wide and high, and before it where the thing is."""
    frame, mask = _bounded(view)
    height, width = frame.shape[:2]
    box = box_of(mask) if mask is not None else None
    head = json.dumps({
        "label": view.label, "lost": view.lost, "id": view.ticket_id,
        "box": [box[0] / width, box[1] / height, box[2] / width, box[3] / height] if box else None,
    }).encode()
    drawn = frame if mask is None else draw_mask(frame, mask)
    fine, content = cv2.imencode(".jpg", drawn[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    if not fine:
        raise ValueError(f"a frame of shape {frame.shape} cannot be written as JPEG")
    return HEAD.pack(len(head)) + head + content.tobytes()


def _bounded(view: View) -> tuple[Pixels, np.ndarray | None]:
    height, width = view.frame.shape[:2]
    scale = PICTURE_SIDE / max(height, width)
    if scale >= 1:
        return view.frame, view.mask
    size = max(1, round(width * scale)), max(1, round(height * scale))
    frame = np.asarray(cv2.resize(view.frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    if view.mask is None:
        return frame, None
    mask = cv2.resize(view.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return frame, np.asarray(mask, np.uint8).astype(bool)


def of_event(event: Event) -> dict[str, Any] | None:
    """An event for the page; None for those that go another way."""
    match event:
        case AnswerStarted(ticket):
            return started(ticket)
        case Said(ticket, text):
            return {"kind": "said", "id": ticket.id, "text": text}
        case Searched(ticket, record):
            return {"kind": "searched", "id": ticket.id, "search": search_card(record)}
        case Failed(ticket, reason):
            return {"kind": "failed", "id": ticket.id, "question": ticket.question, "reason": reason}
        case Noticed(name, confidence):
            return {"kind": "noticed", "name": name, "confidence": confidence}
    return None


def started(ticket: Ticket) -> dict[str, Any]:
    """A question that waits, or is being answered."""
    return {"kind": "started", "id": ticket.id, "question": ticket.question}


def answered(ticket: Ticket, answer: Answer) -> dict[str, Any]:
    """An answer with all that the page shows of it."""
    if ticket.frame is None:
        raise ValueError("an answer about no frame")
    card = answer_card(Asked("the frame that was asked about", ticket.question, ticket.frame, answer),
                       longest=answer.timings.total)
    return {"kind": "answered", "id": ticket.id, **card, "memory": _memory(answer),
            "cloud": answer.cloud.as_json() if answer.cloud else None}


def _memory(answer: Answer) -> list[dict[str, Any]]:
    return [{"entity": one.entity, "words": one.words, "when": spoken_time(one.time),
             "picture": f"data:image/webp;base64,{base64.b64encode(one.picture).decode()}" if one.picture else None}
            for one in answer.memory]


def health(told: Health) -> dict[str, Any]:
    """How the loop is, in figures and words."""
    return {"kind": "health", **told.as_json()}


def voice(state: str, cause: str = "") -> dict[str, Any]:
    """What the voice is doing."""
    return {"kind": "voice", "state": state, "cause": cause}


def refused(reason: str) -> dict[str, Any]:
    """Why what a page wished was not done."""
    return {"kind": "refused", "reason": reason}
