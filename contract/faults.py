"""The one exception for what a user can mend: it prints as one line."""

from pixsearch.contract.plain_text import plain


class Fault(Exception):
    """An input or a file at fault: what was wrong, expected, actual, and what to do about it."""

    def __init__(self, what: str, *, expected: str, actual: str, remedy: str) -> None:
        super().__init__(what, expected, actual, remedy)
        self.what, self.expected, self.actual, self.remedy = what, expected, actual, remedy

    def __str__(self) -> str:
        line = f"{self.what}: expected {self.expected}, got {self.actual}; {self.remedy}"
        return plain(line)  # words from outside may carry line breaks and what steers a terminal
