"""A slot that holds the latest value only: a slow reader skips what it was too late for."""

import threading
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """One writer puts, readers take what is newest; nothing ever waits in a line."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: Value | None = None
        self._taken, self._closed = True, False

    def put(self, value: Value) -> None:
        """Replace the value."""
        with self._changed:
            self._value, self._taken = value, False
            self._changed.notify_all()

    def take(self, timeout: float) -> Value | None:
        """The newest value that was not taken yet; None when `timeout` seconds bring none, or it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._taken, timeout)
            if self._taken or self._closed:
                return None
            self._taken = True
            return self._value

    def peek(self) -> Value | None:
        """The newest value, taken or not."""
        with self._changed:
            return self._value

    def close(self) -> None:
        """Wake whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
