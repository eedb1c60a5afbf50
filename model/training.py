"""The one training loop, for both stages and every size. A run continues where it was cut."""

import gc
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from pixsearch.contract.faults import Fault
from pixsearch.model.anchors import load_anchors, phrases_of
from pixsearch.model.batches import on_device
from pixsearch.model.checkpoint import (
    BASE,
    Checkpoint,
    described_size,
    load_model,
    load_progress,
    save_model,
    save_progress,
)
from pixsearch.model.concepts import Concepts
from pixsearch.model.config import RunConfig
from pixsearch.model.corpus import Corpus, build_corpus
from pixsearch.model.curves import plot_curves
from pixsearch.model.data.records import Split
from pixsearch.model.families.language import FamilyLanguage
from pixsearch.model.image_tokens import add_image_tokens
from pixsearch.model.looks import Looks
from pixsearch.model.losses import full_losses, sight_losses
from pixsearch.model.network import PixSearch, add_adapters, merge_adapters, trained_parameters
from pixsearch.model.prepare import prepare, start_folder
from pixsearch.model.pruning import keep_layers
from pixsearch.model.sight import load_sight
from pixsearch.model.steps import FullStep, SightStep, Steps
from pixsearch.model.validation import validate

LOG_FILE, PROGRESS_FILE, CURVES_FILE = "log.jsonl", "progress.safetensors", "curves.png"
GRADIENT_LIMIT = 1.0


def learning_rate(step: int, config: RunConfig) -> float:
    """Share of the full rate: in each phase a linear warm-up, then half a cosine down to a twentieth."""
    begin, end = (0, config.sight_steps) if step < config.sight_steps else (config.sight_steps, config.steps)
    step, length = step - begin, end - begin
    if step < config.warmup:
        return (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, length - config.warmup)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class Run:
    """One run's state on disk and in memory."""

    def __init__(self, config: RunConfig, data: Path, runs: Path) -> None:
        torch.set_float32_matmul_precision("high")  # TF32 where a GPU has it
        torch.set_flush_denormal(True)  # gradients of finished masks are that small, and cost a third of a step
        self.config, self.folder = config, runs / f"{config.name}.run"
        self.folder.mkdir(parents=True, exist_ok=True)
        size, start = described_size(asdict(config)), runs / config.start
        checkpoint = load_model(start, config.quantized) if start.exists() else prepare(size, data, runs)
        if size.weights and checkpoint.model.size != size:
            raise Fault(f"model {start}", expected=f"made from {size.weights}",
                        actual=f"{checkpoint.model.size.name} from {checkpoint.model.size.weights or 'no folder'}",
                        remedy="name another `start`, or other --weights")
        base = _untrained(checkpoint, data, runs)
        self.model, self.backend = keep_layers(checkpoint.model, size, checkpoint.tokenizer), checkpoint.backend
        if config.sight:
            load_sight(self.model)
        self.tokenizer = checkpoint.tokenizer
        self.corpus, self.held_out = (
            self._corpus(split, count, data, runs)
            for split, count in ((Split.TRAIN, config.scenes), (Split.VALIDATION, config.validation_scenes)))
        self.concepts = Concepts(data)
        self.looks, self.held_out_looks = (Looks.of_split(split, data, runs, self.model, self.concepts)
                                           for split in (Split.TRAIN, Split.VALIDATION))
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        for one in (self.model, base.model, self.corpus, self.held_out):
            one.to(self.device)
        self.anchors = load_anchors(runs / "anchors", base.model, self.tokenizer,
                                    phrases_of([self.corpus, self.held_out], self.concepts.phrases))
        self.steps = Steps(self.corpus, self.tokenizer, self.concepts, self.looks, self.anchors.rows, config)
        add_adapters(self.model, config.seed, language=config.rate > 0)
        if config.checkpointing and isinstance(self.model.language, FamilyLanguage):
            self.model.language.compute_twice()
        self.optimiser = self._optimiser()
        gc.collect()
        gc.freeze()  # the samples are a million objects that no later collection needs to visit
        progress = self.folder / PROGRESS_FILE
        self.step = load_progress(progress, self.model, self.optimiser) if progress.exists() else 0

    def _corpus(self, split: Split, count: int, data: Path, runs: Path) -> Corpus:
        """Composed scenes and published corpora; validation is by scenes alone where there are any."""
        config, tower = self.config, self.model.tower
        composed = None
        if count:
            folder = runs / "corpus" / f"{split}-{count}"
            build_corpus(folder, data, split, count, self.model.trunk)
            composed = Corpus(folder, add_image_tokens(folder, data, split, tower) if tower else "")
            if not config.corpora or split is Split.VALIDATION:
                return composed
        from pixsearch.model.corpora import joined, kept_corpora  # needs the extra [corpora]

        folders = kept_corpora(config.corpora, split, config.pictures, runs, self.model.trunk, config.traces)
        return joined(composed, [Corpus(one, add_image_tokens(one, data, split, tower) if tower else "")
                                 for one in folders])

    def _optimiser(self) -> torch.optim.AdamW:
        """The paper's AdamW: betas 0.9 and 0.95, no weight decay; what is new learns faster than what is adapted."""
        groups: dict[str, list[Tensor]] = {"adapted": [], "mask": [], "new": []}
        for name, parameter in trained_parameters(self.model).items():
            part = {"language": "adapted", "pyramid": "mask", "decoder": "mask"}.get(name.partition(".")[0], "new")
            groups[part].append(parameter)
        return torch.optim.AdamW([{"params": parameters, "part": part} for part, parameters in groups.items()
                                  if parameters],
                                 lr=self.config.rate, betas=self.config.betas, weight_decay=0.0, fused=True)

    def _rates(self) -> dict[str, float]:
        """Full learning rates of the parts in this phase."""
        config = self.config
        mask = config.sight_rate if self.step < config.sight_steps else config.mask_rate
        return {"adapted": config.rate, "mask": mask, "new": config.new_rate}

    def train_step(self, step: SightStep | FullStep) -> dict[str, float]:
        """Learn from one step; returns the weighted losses."""
        torch.manual_seed(int(np.random.default_rng([self.config.seed, self.step, 2]).integers(2**31)))
        losses = self._losses(on_device(step, self.device))
        total = torch.stack(list(losses.values())).sum()
        for group in self.optimiser.param_groups:
            group["lr"] = self._rates()[group["part"]] * learning_rate(self.step, self.config)
        self.optimiser.zero_grad()
        total.backward()
        parameters: list[Tensor] = [p for group in self.optimiser.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_LIMIT)
        self.optimiser.step()
        self.step += 1
        return dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))

    def _losses(self, step: SightStep | FullStep) -> dict[str, Tensor]:
        features = self.corpus.scene_features(step.scenes.rows, step.scenes.mirrored)
        if isinstance(step, SightStep):
            return sight_losses(self.model, features, step, self.anchors)
        return full_losses(self.model, features, step, self.anchors)

    def save(self) -> None:
        """Keep what a resumed run needs."""
        save_progress(self.folder / PROGRESS_FILE, self.model, self.optimiser, self.step)

    def log(self, record: dict[str, object]) -> None:
        """Append one line to the run's log and redraw its curves."""
        with (self.folder / LOG_FILE).open("a") as stream:
            stream.write(json.dumps({"step": self.step, **record}) + "\n")
        plot_curves(self.folder / LOG_FILE, self.folder / CURVES_FILE)


def _untrained(checkpoint: Checkpoint, data: Path, runs: Path) -> Checkpoint:
    """What a model was before any training, which anchors are read from."""
    if checkpoint.description["stage"] == BASE:
        return checkpoint
    size = checkpoint.model.size
    folder = start_folder(size, runs)
    return load_model(folder) if folder.exists() else prepare(size, data, runs)


def train(config: RunConfig, data: Path, runs: Path, on_step: Callable[[Run], None] | None = None) -> PixSearch:
    """Run a stage to its end and write the merged model to `runs/<name>`. `on_step` is called after every step."""
    run = Run(config, data, runs)
    recent: list[dict[str, float]] = []
    began = time.monotonic()
    bar: Any = click.progressbar(length=config.steps, label=config.name, file=sys.stderr, show_pos=True,
                                 item_show_func=lambda _: _summary(recent))
    with bar:
        bar.update(run.step)
        for step in run.steps.following(run.step, run.device):
            recent.append(run.train_step(step))
            bar.update(1)
            if run.step % config.log_every == 0:
                means = {name: float(np.mean([one[name] for one in recent if name in one]))
                         for name in sorted({name for one in recent for name in one})}
                run.log({"losses": means, "seconds": round(time.monotonic() - began, 1)})
                recent.clear()
            if run.step % config.validate_every == 0 or run.step == config.steps:
                run.log({"validation": validate(run.model, run.held_out, run.tokenizer, run.concepts,
                                                run.held_out_looks, config)})
            if run.step % config.save_every == 0 or run.step == config.steps:
                run.save()
            if on_step:
                on_step(run)
    if not config.weights:  # a family's own folder stays as it is, and its adapters beside it
        merge_adapters(run.model)
    save_model(runs / config.name, Checkpoint(run.model, run.backend, {"stage": config.stage, "run": asdict(config)}))
    return run.model


def _summary(recent: list[dict[str, float]]) -> str:
    return f"loss {sum(recent[-1].values()):.2f}" if recent else ""
