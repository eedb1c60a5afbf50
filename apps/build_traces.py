"""`python -m pixsearch.apps.build_traces CORPUS FOLDER -o traces.jsonl`: from questions and answers to traces.

Any server of OpenAI's chat interface annotates; `--dry-run` says what it would cost and asks nothing. Replies are kept
beside the output, and a run that was interrupted goes on.
"""

import json
from itertools import islice
from pathlib import Path

import click

from pixsearch.apps.console import PATH, OneCommand
from pixsearch.apps.extras import needs_extra
from pixsearch.contract.faults import Fault

SPLITS = click.Choice(["train", "validation"])


@click.command(cls=OneCommand)
@click.argument("corpus")
@click.argument("folder", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="Where rows are appended, JSON lines.")
@click.option("--server", required=True, metavar="URL", help="The annotator, such as http://127.0.0.1:8000/v1.")
@click.option("--model", required=True, help="Its name there; its key is in PIXSEARCH_CHAT_KEY.")
@click.option("--split", type=SPLITS, default="train", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first pictures.")
@click.option("--sam", type=PATH, help="Folder of SAM 2.1 in transformers' form, for masks; GrabCut if not.")
@click.option("--dry-run", is_flag=True, help="Print what it would cost at most, and ask nothing.")
@click.option("--price-in", type=float, default=0.0, help="US dollars for a million tokens in.")
@click.option("--price-out", type=float, default=0.0, help="US dollars for a million tokens out.")
@needs_extra("annotate")
def main(corpus: str, folder: Path, output: Path, server: str, model: str, split: str, limit: int | None,
         sam: Path | None, dry_run: bool, price_in: float, price_out: float) -> None:
    """Annotate the questions of a CORPUS (docs/corpora.md) in FOLDER with traces."""
    from pixsearch.model.chat import Chat, ChatServer
    from pixsearch.model.data.corpora.readers import reader_named
    from pixsearch.model.data.records import Split
    from pixsearch.model.data.segmenters import grab_cut, sam2
    from pixsearch.model.data.traces import Price, TraceBuilder, annotate, estimate

    chat = Chat(ChatServer(server, model), output.with_suffix(".replies.sqlite"))
    examples = islice(reader_named(corpus)(folder, Split(split)), limit)
    if dry_run:
        cost = estimate(examples, chat, Price(price_in, price_out))
        click.echo(json.dumps(cost.__dict__))
        return

    def report(fault: Fault) -> None:
        click.echo(f"left out {fault}", err=True)

    click.echo(json.dumps(annotate(examples, TraceBuilder(chat, sam2(sam) if sam else grab_cut), output, report)))


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.build_traces")
