"""Which region of a frame an utterance means that the model itself does not answer."""

import numpy as np

from pixsearch.edge.asked import Asked
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.conversation import find_again
from pixsearch.edge.inputs import check_box, check_point
from pixsearch.edge.perception import Segment
from pixsearch.edge.retrieval import TRUSTED_MASK


def region_meant(asked: Asked, assistant: Assistant, before: Segment | None, question: str) -> Segment | None:
    """Where it points, or what was spoken of before, or what the model takes a question for, or the middle.

    before   : a region of an earlier turn that may be meant; question : asked of the model, to find the thing
    Returns None where nothing can be cut out. Raises Fault for a point or box outside the frame.
    """
    perception = asked.perceived(assistant.perceive)
    height, width = asked.frame.shape[:2]
    no_words = np.zeros((0, assistant.bundle.dimensions.width), np.float32)
    if asked.point is not None or asked.box is not None:
        at = None if asked.point is None else check_point(asked.point, height, width)
        inside = None if asked.box is None else check_box(asked.box, height, width)
        return perception.look_closer(perception.segment(no_words, at, inside))
    if before is not None and (found := find_again(before, perception)) is not None:
        return perception.look_closer(found)
    answer = assistant.ask(asked.frame, question, perception=perception)
    if named := next((one.segment for one in reversed(answer.searches) if one.segment and one.mask), None):
        return named
    middle = perception.segment(no_words, (width / 2, height / 2))
    return middle if middle.iou >= TRUSTED_MASK else None
