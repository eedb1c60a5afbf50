""" "A" and "an" by how the next word is said."""

import re

_SAID_WITH_AN = re.compile(r"(?i)(?:[aeiou]|hour|honest|heir|[fhlmnrsx]\d|[FHLMNRSX]-)")
_SAID_WITH_A = re.compile(r"(?i)(?:eu|one\b|once|uni(?!n)|use|usu|ukul|ut[ei])")
_ARTICLE = re.compile(r"\b([Aa])n? (?=\w)(?!(?:and|or|is|as|in|of|at)\b)")  # the letter A is no article


def article(words: str) -> str:
    """ "a" for "kettle", "an" for "egg"."""
    return "an" if _SAID_WITH_AN.match(words) and not _SAID_WITH_A.match(words) else "a"


def agree_articles(text: str) -> str:
    """The text with each article as its next word wants it: "a Egyptian Mau" becomes "an Egyptian Mau"."""
    return _ARTICLE.sub(lambda found: f"{found[1]}{article(text[found.end():])[1:]} ", text)
