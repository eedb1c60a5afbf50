"""What a loop tells: events, and bounded subscriptions that can never hold it up."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from pixsearch.edge.answer import Answer, SearchRecord
from pixsearch.edge.inputs import Box
from pixsearch.index.hits import Hit

if TYPE_CHECKING:
    from pixsearch.edge.live.health import Health
    from pixsearch.edge.live.tickets import Ticket

DEFAULT_SIZE = 256  # events that wait for one subscriber


@dataclass(frozen=True, eq=False)
class View:
    """A frame as it was perceived.

    frame       : uint8 RGB (H, W, 3)
    number      : counts the frames of the camera from 0; those that came too fast are left out
    captured_at : when the frame came, perceived_at when this view was ready: seconds of `time.monotonic`
    mask        : of the thing that was asked for last, bool (H, W); None where it is not in sight
    label       : its name, as the answer's best hit or the words of the question have it
    ticket_id   : of the answer that is pinned to it
    lost        : something is pinned, but not in sight
    still       : the picture is as before, so that nothing was computed
    """

    frame: NDArray[np.uint8] = field(repr=False)
    number: int
    captured_at: float
    perceived_at: float
    mask: NDArray[np.bool_] | None = field(default=None, repr=False)
    label: str | None = None
    ticket_id: int | None = None
    lost: bool = False
    still: bool = False


@dataclass(frozen=True)
class Seen:
    """A frame was perceived."""

    view: View


@dataclass(frozen=True)
class AnswerStarted:
    """A question's turn has come; its ticket holds the frame."""

    ticket: "Ticket"


@dataclass(frozen=True)
class Said:
    """The words of an answer so far, whole: words may be taken back."""

    ticket: "Ticket"
    text: str


@dataclass(frozen=True)
class Searched:
    """A search was made for an answer."""

    ticket: "Ticket"
    record: SearchRecord


@dataclass(frozen=True)
class Answered:
    """An answer is whole."""

    ticket: "Ticket"
    answer: Answer


@dataclass(frozen=True)
class Failed:
    """A question was not answered, and why."""

    ticket: "Ticket"
    reason: str


@dataclass(frozen=True)
class Noticed:
    """Proactive mode: what has been looked at for a while. confidence 0..1; box x0, y0, x1, y1 in pixels."""

    name: str
    confidence: float
    hit: Hit
    box: Box


@dataclass(frozen=True)
class HealthChanged:
    """The camera's state or an alarm changed."""

    health: "Health"


Event = Seen | AnswerStarted | Said | Searched | Answered | Failed | Noticed | HealthChanged
_REPLACED = (Seen, Said)  # a late subscriber can do without the older ones


class Subscription:
    """Events for one subscriber. Iterate, or `get`; close it when done."""

    def __init__(self, bus: "Bus", kinds: tuple[type, ...], size: int) -> None:
        self._bus, self._kinds, self._size = bus, kinds, size
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.dropped = 0  # events that came faster than they were read

    def get(self, timeout: float | None = None) -> Event | None:
        """The next event; None when none came within `timeout` seconds (None: waits), or when all is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout)
            return self._waiting.popleft() if self._waiting else None

    def __iter__(self) -> Iterator[Event]:
        """Every event until the loop or the subscription is closed."""
        while (event := self.get()) is not None:
            yield event

    def offer(self, event: Event) -> None:
        """Add an event if it is of a kind that was asked for; a full line loses its oldest view or words."""
        if self._kinds and not isinstance(event, self._kinds):
            return
        with self._changed:
            if self._closed:
                return
            if len(self._waiting) >= self._size:
                self._drop_one()
            self._waiting.append(event)
            self._changed.notify()

    def _drop_one(self) -> None:
        replaced = next((one for one in self._waiting if isinstance(one, _REPLACED)), self._waiting[0])
        self._waiting.remove(replaced)
        self.dropped += 1

    def close(self) -> None:
        """Ask for no more; whoever waits is woken."""
        self._bus.leave(self)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


class Bus:
    """Hands each event to all subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._lock = threading.Lock()
        self._closed = False

    def subscribe(self, *kinds: type, size: int = DEFAULT_SIZE) -> Subscription:
        """A subscription to events of these kinds; all when none is named."""
        subscription = Subscription(self, kinds, size)
        with self._lock:
            self._subscriptions.append(subscription)
            closed = self._closed
        if closed:
            subscription.close()
        return subscription

    def publish(self, event: Event) -> None:
        """Never waits."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.offer(event)

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End every subscription."""
        with self._lock:
            self._closed = True
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()
