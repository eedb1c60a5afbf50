"""The demo page: one self-contained HTML file with questions, overlays, hits and timings."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from pixsearch.apps.overlay import answer_mask, draw_mask
from pixsearch.apps.report import search_name
from pixsearch.contract.evidence import MAX_HITS
from pixsearch.contract.images import Pixels, read_image
from pixsearch.edge.answer import Answer, SearchRecord
from pixsearch.index.hits import Hit

TEMPLATE = "answers.html.j2"
OVERLAY_SIDE, THUMBNAIL_SIDE = 640, 96  # pixels
JPEG_QUALITY = 82
MAX_FACTS = 4
STAGES = ("vision", "language", "mask", "region", "search")


@dataclass(frozen=True)
class Asked:
    """A question about a frame, uint8 RGB (H, W, 3), with its answer; `where` names the picture."""

    where: str
    question: str
    frame: Pixels
    answer: Answer


def render_page(items: Sequence[Asked], title: str, summary: dict[str, str]) -> str:
    """The page as text; see `render_template`."""
    longest = max((item.answer.timings.total for item in items), default=1.0)
    return render_template(
        TEMPLATE, title=title, summary=summary, stages=STAGES, cards=[answer_card(item, longest) for item in items]
    )


def render_template(name: str, **values: Any) -> str:
    """A page of this folder's templates: words are escaped; pictures are data URIs, so that the file stands alone."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(values)


def data_uri(picture: Pixels, side: int) -> str:
    """A picture, at most `side` pixels wide and high, as a JPEG data URI."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def answer_card(item: Asked, longest: float) -> dict[str, Any]:
    """What a page shows of an answer; bars are shares of `longest` milliseconds."""
    answer, mask = item.answer, answer_mask(item.answer)
    marked = item.frame if mask is None else draw_mask(item.frame, mask)
    times = answer.timings.as_json()
    return {
        "where": item.where,
        "question": item.question,
        "answer": answer.answer,
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "trace": answer.trace,
        "overlay": data_uri(marked, OVERLAY_SIDE),
        "searches": [search_card(search) for search in answer.searches],
        "total": times["total"],
        "bars": [(stage, times[stage], 100 * times[stage] / longest) for stage in STAGES],
    }


def search_card(search: SearchRecord) -> dict[str, Any]:
    """What a page shows of a search: its hits with thumbnails as data URIs."""
    return {
        "name": search_name(search),
        "words": search.words,
        "iou": search.iou,
        "hits": [_hit(hit) for hit in search.hits[:MAX_HITS]],
    }


def _hit(hit: Hit) -> dict[str, Any]:
    thumbnail = data_uri(read_image(hit.thumbnail), THUMBNAIL_SIDE) if hit.thumbnail else None
    return {
        "entity": hit.entity,
        "score": hit.score,
        "source": hit.source or hit.pack,
        "facts": hit.facts[:MAX_FACTS],
        "thumbnail": thumbnail,
    }
