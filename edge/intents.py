"""What an utterance wants besides an answer: to remember, to recall, to forget, or to ask elsewhere. English.

One small grammar: fixed phrases around free words. What fits none of it is a question for the model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Want(StrEnum):
    """What is wanted."""

    ANSWER = "answer"                # an ordinary question
    REMEMBER = "remember"            # "remember this, it is my spare key for the shed"
    SAID = "said"                    # "what did I say about this?"
    WHERE = "where"                  # "where did I last see my keys?"
    FIND = "find"                    # "where are my keys?", which may be in view
    FORGET = "forget"                # "forget my keys"
    LIST = "list"                    # "what do you remember?"
    READ = "read"                    # "what does the sign on the left say?"
    LOOK_UP = "look up"              # "look up what it says"
    ASK_CLOUD = "ask cloud"          # "ask the cloud"
    ALLOW_CLOUD = "allow cloud"      # "you may ask the cloud from now on"
    FORBID_CLOUD = "forbid cloud"    # "keep it on the device"
    NEW_TOPIC = "new topic"          # "never mind"


@dataclass(frozen=True)
class Intent:
    """What is wanted, and of what.

    thing : what it is about, without "my" and "the"; None for what is in view
    words : what is to be remembered of it, as it was said; None where nothing was
    """

    want: Want
    thing: str | None = None
    words: str | None = None


_THIS = r"(?:this|that|it|these|those|them|(?:this|that) (?:one|thing)|what (?:i|i'm|i am) (?:see|looking at))"
_PLEASE = r"(?:(?:please|hey|ok|okay|so|and|now|well|hey pixsearch|pixsearch|can you|could you|would you|will you|" \
          r"i want you to|i'd like you to|do)[, ]+)*"
_KEEP = r"(?:remember|memori[sz]e|save|note down|note|make a note|take a note|write down|don't forget|do not forget|" \
        r"keep(?: this| that| it)? in mind|learn)"
_IS = r"(?:it is|it's|its|this is|that is|that's|these are|those are|they are|they're|i call (?:it|this|that))"
_REMEMBERED = r"(?:say|tell you|said|told you|note|noted|write|teach you|ask you to remember|have you remember)"
_SEEN = r"(?:see|saw|put|left|leave|have|had|place|placed|park|parked|lay|store|stored|keep|seen|spot|notice)"
_WRITING = r"(?:text|words|writing|letters|letterings?|inscription|caption)"
_WRITTEN = r"(?:written|printed|painted|engraved|inscribed|to be read)"
_ON_IT = rf"(?:(?:on|in|at|under|above) (?:{_THIS}|(?P<thing>.+))|here|there)"
_SAYS = (rf"what (?:{_THIS}|(?P<thing>.+?)) (?:says|say|reads)(?: here| there)?",
         rf"what (?:it says|is {_WRITTEN}|stands) {_ON_IT}", rf"the {_WRITING}(?: {_ON_IT})?")
_CLOUD = r"(?:cloud|server|internet|big model|remote model|online model)"

# The first that fits the whole utterance decides. Groups: `words` to remember, `thing` that is meant.
_GRAMMAR: Sequence[tuple[Want, str]] = (
    (Want.FORBID_CLOUD, rf"(?:do not|don't|never|stop) (?:ask|asking|use|using) the {_CLOUD}"
                        r"(?: (?:any ?more|again|now))?"),
    (Want.FORBID_CLOUD, r"(?:keep|leave) (?:it|this|that|everything|my questions) "
                        r"(?:here|local|private|on (?:the|this) device|to yourself)"),
    (Want.ALLOW_CLOUD, rf"(?:from now on )?(?:you (?:may|can)|feel free to|always) (?:ask|use) the {_CLOUD}"
                       r"(?: (?:from now on|if you (?:want|need to|must|don't know)|for this|today))*"),
    (Want.ASK_CLOUD, rf"(?:ask|try|use|check with) the {_CLOUD}(?: (?:about|for) {_THIS}| then| instead)*"),
    (Want.NEW_TOPIC, r"(?:never ?mind|new topic|forget it|something else|let's start over|start over)"),
    (Want.LIST, r"(?:what|which things) (?:do|can) you remember|what have i (?:told|taught) you(?: so far)?|"
                r"(?:list|show|read)(?: me)? (?:all )?(?:my|your|the) memor(?:y|ies)|"
                r"what (?:have you|is|do you have) (?:remembered|saved|stored|in (?:your|my) memory)"),
    (Want.FORGET, rf"(?:forget|delete|erase|remove) (?:about )?(?:everything|what) i (?:said|told you)(?: about)? "
                  rf"(?:{_THIS}|(?P<thing>.+))"),
    (Want.FORGET, rf"(?:forget|delete|erase|remove) (?:about )?(?:(?:the|that|this) memory(?: of| about)?|{_THIS})"),
    (Want.FORGET, r"(?:forget|erase) (?:about )?(?:the memory (?:of|about) )?(?P<thing>.+)"),
    (Want.FORGET, r"(?:delete|remove) the memory (?:of|about) (?P<thing>.+)"),
    (Want.SAID, rf"what (?:did|had|have|was it) i (?:last )?{_REMEMBERED}(?: that i said)? (?:about|of|for|regarding) "
                rf"(?:{_THIS}|(?P<thing>.+))"),
    (Want.SAID, rf"what did i (?:call|name) (?:{_THIS}|(?P<thing>.+))"),
    (Want.SAID, rf"(?:do you (?:remember|recall)|have i (?:told|shown) you(?: about)?|did i tell you about) {_THIS}"
                r"(?: (?:already|before|again|one))*"),
    (Want.SAID, rf"what do you (?:remember|recall|have) (?:about|of|on) (?:{_THIS}|(?P<thing>.+))"),
    (Want.SAID, rf"(?:have|did) i (?:seen|see) {_THIS} before"),
    (Want.WHERE, rf"(?:do you (?:remember|know) )?(?:where|when) (?:did|had|have|was it that) i (?:last |usually )?"
                 rf"{_SEEN} (?P<thing>.+?)(?: (?:last|the last time|before|down|again))?"),
    (Want.WHERE, r"(?:when|where) was the last time (?:that )?i saw (?P<thing>.+)"),
    (Want.WHERE, r"(?:do you (?:remember|know) )?(?:where|when) i (?:last )?(?:saw|put|left|placed|parked|stored) "
                 r"(?P<thing>.+?)(?: (?:last|down))?"),
    (Want.FIND, r"(?:where (?:is|are|'s|did you (?:last )?see)|where's|where're|have you seen|did you see|find|"
                r"i (?:can't|cannot) find|i (?:have )?lost|i'm looking for) my (?P<thing>.+)"),
    *((Want.LOOK_UP, rf"(?:look up|search(?: for)?|find out about) {says}") for says in _SAYS),
    *((Want.READ, rf"(?:read(?: me| out| aloud)?|tell me|show me) {says}(?: (?:out|aloud|out loud|to me))*")
      for says in _SAYS),
    (Want.READ, rf"read(?: out| aloud)? (?:{_THIS}|(?P<thing>(?:the|that|this|these|those|my) .+?))"
                r"(?: (?:out|aloud|out loud|to me|here|there))*"),
    (Want.READ, rf"what (?:do|does) (?:{_THIS}|(?P<thing>.+?)) (?:say|read)(?: (?:here|there|exactly))*"),
    (Want.READ, rf"what does it say {_ON_IT}"),
    (Want.READ, rf"what(?: is|'s| stands)(?: it)? {_WRITTEN}(?: {_ON_IT})?"),
    (Want.READ, rf"what(?: is| are|'s) the {_WRITING}(?: {_ON_IT})?"),
    (Want.REMEMBER, rf"{_KEEP}(?: that)?[,:;.]? (?:{_THIS}|where (?:i am|we are))(?: (?:for me|for later|here))?"),
    (Want.REMEMBER, rf"{_KEEP}(?: that| down)?[,:;.]? (?P<words>{_IS} .+)"),
    (Want.REMEMBER, rf"{_KEEP}(?: that)?[,:;.]? {_THIS}(?: here)?(?:[,:;.]+ | (?:as|because|and that|since) | )"
                    r"(?P<words>.+)"),
    (Want.REMEMBER, rf"(?P<words>{_IS} .+?)[,:;.]+ (?:so |and |please )*{_KEEP} {_THIS}(?: (?:for me|for later))?"),
    (Want.REMEMBER, rf"{_KEEP} where (?P<thing>.+?) (?:is|are|was|were)(?: (?:kept|stored|parked))?"),
    (Want.REMEMBER, rf"{_KEEP} where i (?:put|left|placed|parked|keep|store|hid|saw) (?P<thing>.+)"),
    (Want.REMEMBER, rf"(?P<words>(?:i (?:put|left|placed|parked|keep|store|hid)) (?P<thing>.+?) here)[,:;.]* {_KEEP} "
                    rf"{_THIS}"),
    (Want.REMEMBER, rf"{_KEEP}(?: that)?[,:;.]? (?P<words>(?P<thing>(?:my|the|our|his|her) .+?) (?:is|are|lies|lie) "
                    r"(?:here|there|in|on|at|under|behind|next|with|for).*)"),
)
_COMPILED = [(want, re.compile(rf"{_PLEASE}(?:{pattern})(?:[, ]+(?:please|for me|thanks|thank you|again))*[.?! ]*$"))
             for want, pattern in _GRAMMAR]
_ARTICLE = re.compile(r"^(?:(?:my|our|the|a|an|this|that|these|those|some|his|her|their|where|all)\b\s*)+",
                      re.IGNORECASE)
_OPENING = re.compile(rf"^(?:{_IS}\s+)?(?:called\s+|named\s+)?", re.IGNORECASE)
_OF_IT = re.compile(r"\s+(?:for|from|of|that|which|with|in|on|at|to|by|is|are|and|who|belongs?|bought)\b.*$",
                    re.IGNORECASE)
MAX_NAME_WORDS = 8


def intent_of(utterance: str) -> Intent:
    """What an utterance wants; any length and letter case, with or without its stops."""
    said = " ".join(utterance.replace("’", "'").split())
    lowered = said.lower()
    if len(lowered) == len(said):  # so that the words can be taken as they were written
        for want, pattern in _COMPILED:
            if found := pattern.match(lowered):
                groups = {name: _piece(said, found, name) for name in found.groupdict()}
                thing = groups.get("thing")
                return Intent(want, bare(thing) if thing else None, groups.get("words"))
    return Intent(Want.ANSWER)


def _piece(said: str, found: re.Match[str], name: str) -> str | None:
    start, end = found.span(name)
    return said[start:end].strip(" .,;:!?") or None if start >= 0 else None


def bare(thing: str) -> str:
    """A thing's name without what stands before it: "my spare keys" is "spare keys"."""
    return _ARTICLE.sub("", thing).strip(" .,;:!?") or thing


def name_of(words: str) -> str:
    """What something is called, from what was said of it: "spare key" from "it is my spare key".

    A name of more than eight words is cut before its first "for", "from", "that" and the like.
    """
    name = bare(_OPENING.sub("", words, count=1))
    name = re.split(r"[.;!?]|, ", name)[0].strip()
    if len(name.split()) > MAX_NAME_WORDS:
        name = _OF_IT.sub("", name)
    return " ".join(name.split()[:MAX_NAME_WORDS]) or words
