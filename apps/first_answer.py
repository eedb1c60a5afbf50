"""One question in a fresh process, for `model bench`; prints the most memory that it took, in MB.

`python -m pixsearch.apps.first_answer BUNDLE PACK IMAGE QUESTION`
"""

import sys
from pathlib import Path

from pixsearch.apps.floors import peak_memory_mb
from pixsearch.contract.images import read_image
from pixsearch.edge.assistant import open_assistant


def main(bundle: str, pack: str, image: str, question: str) -> None:
    """Ask once, then print the peak."""
    with open_assistant(Path(bundle), [Path(pack)]) as assistant:
        assistant.ask(read_image(Path(image)), question)
    print(peak_memory_mb())


if __name__ == "__main__":
    main(*sys.argv[1:])
