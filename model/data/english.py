"""Small English: articles, plurals, number words, and verbs that agree."""

import re

from pixsearch.contract.articles import article

NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")

_IRREGULAR = {
    "mouse": "mice",
    "goose": "geese",
    "ox": "oxen",
    "foot": "feet",
    "tooth": "teeth",
    "knife": "knives",
    "leaf": "leaves",
    "loaf": "loaves",
    "wolf": "wolves",
    "calf": "calves",
    "sheep": "sheep",
    "fish": "fish",
    "deer": "deer",
    "moose": "moose",
    "aircraft": "aircraft",
    "bison": "bison",
    "shrimp": "shrimp",
}
_SINGULAR_S = ("ss", "us", "is", "bellows", "lens", "gas", "canvas", "atlas", "mars")
_PLURALS = {"mice", "geese", "oxen", "feet", "teeth", "people", "dice"}
_THIRD_PERSON = {"is": "are", "was": "were", "does": "do", "has": "have"}


def with_article(words: str) -> str:
    """ "a kettle", "an egg"; plurals stay bare."""
    if is_plural(words):
        return words
    return f"{article(words)} {words}"


def is_plural(noun: str) -> bool:
    """Whether a noun phrase is plural as it stands ("grapes", "ears of corn")."""
    head = re.split(r" (?:of|in|with|and) ", noun)[0].split()[-1].lower()
    return head in _PLURALS or (head.endswith("s") and not head.endswith(_SINGULAR_S))


def plural(noun: str) -> str:
    """The plural of a noun phrase: "cups of tea", "geese", "cherries"."""
    if is_plural(noun):
        return noun
    first, joint, rest = re.fullmatch(r"(.*?)( (?:of|in|with|and) |$)(.*)", noun).groups()  # type: ignore[union-attr]
    before, _, head = first.rpartition(" ")
    if head in _IRREGULAR:
        head = _IRREGULAR[head]
    elif re.search(r"[^aeiou]y$", head):
        head = head[:-1] + "ies"
    elif re.search(r"(?:s|x|z|ch|sh)$", head) or head in ("tomato", "potato", "mango", "hero"):
        head += "es"
    else:
        head += "s"
    return f"{before} {head}".strip() + joint + rest


def agree(verb_phrase: str, plural_subject: bool) -> str:
    """Put a verb phrase in the plural: "is made of tin" becomes "are made of tin"."""
    if not plural_subject:
        return verb_phrase
    verb, space, rest = verb_phrase.partition(" ")
    if verb in _THIRD_PERSON:
        return _THIRD_PERSON[verb] + space + rest
    if re.search(r"(?:sh|ch|ss)es$", verb):
        return verb[:-2] + space + rest
    return (verb[:-1] if verb.endswith("s") else verb) + space + rest


def agree_question(template: str) -> str:
    """Make the verbs next to `{x}` plural: "what is {x}?" becomes "what are {x}?"."""
    for verb, many in _THIRD_PERSON.items():
        template = re.sub(rf"\b{verb} \{{x\}}", f"{many} {{x}}", template)
        template = re.sub(rf"\{{x\}} {verb}\b", f"{{x}} {many}", template)
    template = re.sub(r"(?<=[a-z])'s \{x\}", " are {x}", template)
    template = re.sub(r"\{x\} (come|weigh|cost|eat|live|taste|get|belong|keep)s\b", r"{x} \1", template)
    return template.replace("makes it", "makes them").replace("is it?", "are they?")


def agree_words(words: str) -> str:
    """Make words for a plural thing agree: "those socks", "the socks that are red"."""
    for one, many in (("this", "these"), ("that", "those")):
        words = re.sub(rf"^{one} ", f"{many} ", words)
    for verb, many in {"is": "are", "looks": "look", "takes": "take"}.items():
        words = words.replace(f" that {verb} ", f" that {many} ")
    return words


def capitalise(text: str) -> str:
    """Upper-case the first letter and leave the rest."""
    return text[:1].upper() + text[1:]


def listing(items: list[str]) -> str:
    """ "a kettle, a kiwi and a cup"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
