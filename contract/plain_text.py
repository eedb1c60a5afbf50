"""Words from outside as plain text: what steers a terminal or a model is taken out or told apart elsewhere."""


def plain(words: str) -> str:
    """Words on one line: control and other unprintable characters become spaces, runs of spaces become one."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
