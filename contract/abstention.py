"""The sentences with which the assistant says that it does not know."""

UNKNOWN = "I don't know."
UNKNOWN_THING = "I don't know what that is."
UNKNOWN_FACT = "I don't know that."
UNKNOWN_PLACE = "I don't know this place."
ABSTENTIONS = (UNKNOWN, UNKNOWN_THING, UNKNOWN_FACT, UNKNOWN_PLACE)
_SIGN = "i don't know"


def is_abstention(answer: str) -> bool:
    """Whether an answer says that it does not know."""
    return _SIGN in answer.lower().replace("’", "'")
