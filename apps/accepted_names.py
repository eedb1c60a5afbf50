"""Write into the photo questions which names count as right: `python -m pixsearch.apps.accepted_names`.

The rule: the expected ImageNet class, one that the question allows besides it ("also"), or a WordNet ancestor
within two steps. Needs WordNet 3.0 (`make data`) once; afterwards the questions carry the names themselves.
"""

import json
from pathlib import Path
from typing import Any

from pixsearch.contract.files import write_atomic

STEPS = 2
WORDNET = Path("data/wordnet/3.0")
QUESTIONS = Path(__file__).parent / "photos" / "questions.jsonl"


def with_accepted(row: dict[str, Any], wordnet_folder: Path = WORDNET) -> dict[str, Any]:
    """A question with "expected_name", and ids and names of the synsets that count under "accepted"."""
    from pixsearch.model.data.everyday import class_names
    from pixsearch.model.data.wordnet import WordNet

    wordnet, names = WordNet(wordnet_folder), class_names()
    classes = [row["expected"], *row.get("also", [])]
    ids = dict.fromkeys(classes)
    for one in classes:
        ids.update(dict.fromkeys(wordnet.ancestors(one, STEPS)))
    spoken = [names[one] for one in classes] + [lemma for id in ids for lemma in wordnet.synset(id).lemmas]
    return {
        **row,
        "expected_name": names[row["expected"]],
        "accepted_ids": list(ids),
        "accepted": list(dict.fromkeys(spoken)),
    }


def main() -> None:
    """Fill in the committed questions."""
    rows = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]
    filled = [json.dumps(with_accepted(row), ensure_ascii=False) for row in rows]
    write_atomic(QUESTIONS, ("\n".join(filled) + "\n").encode())


if __name__ == "__main__":
    main()
