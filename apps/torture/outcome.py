"""What a trial found."""

from dataclasses import dataclass, field
from typing import Any

MAX_TOLD = 5  # failures told in words


@dataclass
class Outcome:
    """How often something was tried, and what did not hold."""

    trial: str
    tried: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def check(self, holds: bool, otherwise: str) -> None:
        """Count one try; `otherwise` says what was seen where it did not hold."""
        self.tried += 1
        if not holds:
            self.failures.append(otherwise)

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"trial": self.trial, "tried": self.tried, "failed": len(self.failures),
                "failures": self.failures[:MAX_TOLD], "seconds": round(self.seconds, 1), **self.notes}
