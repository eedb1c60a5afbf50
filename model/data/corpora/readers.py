"""The readers by name: what `[corpora]` in a run file may name."""

import difflib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pixsearch.contract.faults import Fault
from pixsearch.model.data.corpora.crag_mm import read_crag_mm
from pixsearch.model.data.corpora.entities import read_infoseek, read_oven
from pixsearch.model.data.corpora.example import Found
from pixsearch.model.data.corpora.label_maps import read_ade20k, read_cocostuff
from pixsearch.model.data.corpora.llava import read_llava
from pixsearch.model.data.corpora.paco import read_paco, read_partimagenet
from pixsearch.model.data.corpora.refcoco import read_refcoco
from pixsearch.model.data.corpora.vqa import read_aokvqa, read_okvqa, read_textvqa
from pixsearch.model.data.corpora.webqa import read_webqa
from pixsearch.model.data.records import Split

Reader = Callable[[Path, Split], Found]
READERS: dict[str, Reader] = {
    "refcoco": read_refcoco,
    "refcoco+": partial(read_refcoco, which="refcoco+"),
    "refcocog": partial(read_refcoco, which="refcocog"),
    "ade20k": read_ade20k,
    "cocostuff": read_cocostuff,
    "paco": read_paco,
    "partimagenet": read_partimagenet,
    "llava": read_llava,
    "infoseek": read_infoseek,
    "oven": read_oven,
    "textvqa": read_textvqa,
    "okvqa": read_okvqa,
    "aokvqa": read_aokvqa,
    "webqa": read_webqa,
    "crag-mm": read_crag_mm,
}


def reader_named(name: str) -> Reader:
    """The reader of a corpus. Raises Fault."""
    if name not in READERS:
        near = difflib.get_close_matches(name, READERS, 1)
        raise Fault(f"corpus {name!r}", expected=f"one of {', '.join(READERS)}", actual=name,
                    remedy=f"did you mean {near[0]!r}?" if near else "see docs/corpora.md")
    return READERS[name]
