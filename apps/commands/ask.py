"""`pixsearch ask`: one question about one picture."""

from pathlib import Path

import click

from pixsearch.apps.cloud import cloud_options
from pixsearch.apps.companion import memory_option, open_companion
from pixsearch.apps.console import (
    MAX_BUDGET,
    PATH,
    Numbers,
    bundle_option,
    check_output,
    json_option,
    packs_option,
    print_json,
    signature_option,
)
from pixsearch.apps.defaults import packs_or_default
from pixsearch.apps.overlay import draw_answer, png_bytes
from pixsearch.apps.report import report
from pixsearch.contract.files import write_atomic
from pixsearch.contract.images import read_image
from pixsearch.contract.machine import DEFAULT_BUDGET
from pixsearch.edge.assistant import open_assistant
from pixsearch.edge.inputs import Box, Point, check_box, check_point, check_question
from pixsearch.edge.intents import Want, intent_of
from pixsearch.index.signatures import trusted_keys


@click.command(short_help="Ask a question about a picture.")
@click.argument("image", type=PATH)
@click.argument("question")
@packs_option
@signature_option
@click.option("--point", type=Numbers("X,Y"), help="The pixel that the wearer points at.")
@click.option("--box", type=Numbers("X0,Y0,X1,Y1"), help="The box that the wearer draws, in pixels.")
@click.option(
    "--budget",
    type=click.IntRange(0, MAX_BUDGET),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="How many searches a question may take.",
)
@bundle_option
@memory_option
@cloud_options
@click.option("--save-overlay", type=PATH, help="Write the picture with mask, answer and evidence as PNG.")
@json_option
def ask(
    image: Path,
    question: str,
    packs: tuple[Path, ...],
    require_signature: bool,
    point: Point | None,
    box: Box | None,
    budget: int,
    bundle: Path | None,
    memory: Path | None,
    no_memory: bool,
    cloud: str | None,
    cloud_model: str | None,
    save_overlay: Path | None,
    as_json: bool,
) -> None:
    """Ask QUESTION about the picture IMAGE."""
    if point and box:
        raise click.UsageError("--point and --box exclude each other")
    if save_overlay:
        check_output(save_overlay, ".png")
    question = check_question(question)
    remembers = intent_of(question).want is Want.REMEMBER
    frame = read_image(image)
    if point:
        check_point(point, *frame.shape[:2])
    if box:
        check_box(box, *frame.shape[:2])
    trusted = trusted_keys() if require_signature and packs else None  # the everyday pack came with this program
    assistant = open_assistant(bundle, packs_or_default(packs), budget=budget, trusted=trusted)
    with open_companion(assistant, memory, no_memory, cloud, cloud_model, new=remembers) as companion:
        answer = companion.ask(frame, question, point=point, box=box)
    if save_overlay:
        write_atomic(save_overlay, png_bytes(draw_answer(frame, question, answer)))
    if as_json:
        print_json(answer.to_json())
    else:
        click.echo(report(question, answer))
