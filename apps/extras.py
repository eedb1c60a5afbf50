"""Commands that need packages beyond the core: a missing one ends in a line that says how to get it."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pixsearch.contract.faults import Fault

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def needs_extra(extra: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Turn a missing third-party package inside the function into a Fault that names the extra."""

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @functools.wraps(function)
        def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            try:
                return function(*args, **kwargs)
            except ModuleNotFoundError as error:
                if not error.name or error.name.split(".")[0] == "pixsearch":
                    raise
                raise Fault(
                    f"package {error.name}",
                    expected=f"the extra {extra!r}",
                    actual="not installed",
                    remedy=f"pip install 'pixsearch[{extra}]'",
                ) from error

        return wrapped

    return decorate
