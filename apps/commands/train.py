"""`pixsearch train`: both training stages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

import pixsearch.model
from pixsearch.apps.console import PATH
from pixsearch.apps.defaults import DEFAULT_SIZE
from pixsearch.apps.extras import needs_extra

CONFIGS = Path(pixsearch.model.__file__).parent / "runs"


@click.group()
def train() -> None:
    """Train the model; a stage that was interrupted goes on where it stopped."""


def _stage(name: str, summary: str) -> click.Command:
    @click.option("--size", default=DEFAULT_SIZE, show_default=True, help="Which size's run file to take.")
    @click.option("--config", type=PATH, help="Another run file (TOML), instead of a size's own.")
    @click.option("--weights", type=PATH, help="Folder of a vision-language model, for the sizes made from one.")
    @click.option("--sam", type=PATH, help="Folder of SAM 2.1, to see and draw masks with.")
    @click.option("--quantized", is_flag=True, help="Keep that model's linear layers in 4 bits (QLoRA).")
    @click.option(
        "--data", type=PATH, default=Path("data"), show_default=True, help="The folder of `make data`."
    )
    @click.option("--runs", type=PATH, default=Path("runs"), show_default=True, help="Where runs are kept.")
    @needs_extra("train")
    def run(
        size: str, config: Path | None, weights: Path | None, sam: Path | None, quantized: bool, data: Path, runs: Path
    ) -> None:
        from pixsearch.model.config import load_config
        from pixsearch.model.training import train as run_stage

        run_file = load_config(config or CONFIGS / f"{size}-{name}.toml")
        given: dict[str, Any] = {"weights": weights and str(weights), "sam": sam and str(sam), "quantized": quantized}
        run_stage(replace(run_file, **{key: value for key, value in given.items() if value}), data, runs)

    return click.command(name, help=summary)(run)


train.add_command(_stage("stage1", "Learn masks, spans, referring words and simple visual questions."))
train.add_command(_stage("distill", "Learn from a bigger model that is trained, beside what is right."))
train.add_command(_stage("stage2", "Learn traces with searches, beside stage 1's samples."))
