"""Infobox values as published, wiki markup and all, to the plain words that facts are made of."""

import html
import json
from collections.abc import Mapping
from typing import Any

from pixsearch.contract.plain_text import plain

MAX_MARKUP = 20_000  # characters of one value
ABOUT_THE_BOX = frozenset((  # attributes that lay a box out and say nothing of the thing
    "alt", "caption", "captions", "image", "images", "image alt", "image caption", "image size", "imagesize",
    "image upright", "image width", "logo", "logo size", "logo caption", "map", "map caption", "map size", "module",
    "native name lang", "photo", "picture", "signature", "width"))


def infobox_facts(attributes: object) -> dict[str, str]:
    """Facts by attribute from an infobox: an object, or the same as JSON. Empty and layout values are left out."""
    if isinstance(attributes, str):
        try:
            attributes = json.loads(attributes)
        except (ValueError, RecursionError):
            return {}
    if not isinstance(attributes, Mapping):
        return {}
    facts = {}
    for name, value in attributes.items():
        attribute = plain(str(name).replace("_", " "))
        if attribute.lower() not in ABOUT_THE_BOX and (words := _words(value)):
            facts[attribute] = words
    return facts


def _words(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words, value)))
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {words}" for name, one in value.items() if (words := _words(one)))
    return "" if value is None else plain_wikitext(str(value))


def plain_wikitext(markup: str) -> str:
    """The words of some wiki markup: links by their label, line breaks as "; ", templates by their values."""
    if not any(sign in markup for sign in "[{<&'"):
        return plain(markup)
    import mwparserfromhell  # of the extra [import]
    from mwparserfromhell.nodes import Text

    code = mwparserfromhell.parse(markup[:MAX_MARKUP])
    for tag in code.filter_tags(matches=lambda tag: tag.tag in ("ref", "br")):
        if code.contains(tag):  # not inside one that has gone
            code.replace(tag, Text("; " if tag.tag == "br" else ""))
    for template in code.filter_templates(recursive=False):
        values = [str(one.value) for one in template.params if not one.showkey]
        code.replace(template, Text(plain_wikitext(" ".join(values))))
    return plain(html.unescape(code.strip_code())).strip("; ")
