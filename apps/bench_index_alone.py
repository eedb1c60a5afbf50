"""One engine of `make bench-index` in a process of its own: name, folder and dimension in, JSON out."""

import json
import sys
from pathlib import Path

from pixsearch.apps.bench_index import open_alone

if __name__ == "__main__":
    print(json.dumps(open_alone(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
