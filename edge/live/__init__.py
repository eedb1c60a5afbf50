"""The glasses' loop: capture, perception and answers on threads of their own; see `loop.Loop`."""

from pixsearch.edge.live.cameras import check_source, is_live, open_camera
from pixsearch.edge.live.capture import Backoff
from pixsearch.edge.live.events import (
    Answered,
    AnswerStarted,
    Event,
    Failed,
    HealthChanged,
    Noticed,
    Said,
    Searched,
    Seen,
    Subscription,
    View,
)
from pixsearch.edge.live.health import Alarm, Health, Limits, State
from pixsearch.edge.live.loop import Loop, LoopOptions
from pixsearch.edge.live.tickets import Ticket

__all__ = ["Alarm", "Answered", "AnswerStarted", "Backoff", "Event", "Failed", "Health", "HealthChanged", "Limits",
           "Loop", "LoopOptions", "Noticed", "Said", "Searched", "Seen", "State", "Subscription", "Ticket", "View",
           "check_source", "is_live", "open_camera"]
