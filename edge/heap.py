"""The memory that threads of a process allocate from."""

import ctypes
from contextlib import suppress

ARENA_MAX = -8  # M_ARENA_MAX of glibc's mallopt


def share_heap() -> None:
    """Let threads that start from now on allocate from one heap; nothing where the C library is not glibc.

    Each thread would have one of its own, which keeps what that thread once needed: tens of megabytes in the loop.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
