"""The one training loop, for both stages and every size. A run continues where it was cut."""

import gc
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from pixsearch.contract.faults import Fault
from pixsearch.model.anchors import load_anchors, phrases_of
from pixsearch.model.batches import on_device
from pixsearch.model.checkpoint import BASE, Checkpoint, described_size, load_model, save_model
from pixsearch.model.concepts import Concepts
from pixsearch.model.config import RunConfig
from pixsearch.model.corpus import Corpus, build_corpus
from pixsearch.model.curves import plot_curves
from pixsearch.model.data.records import Split
from pixsearch.model.distill import Pair, PairedSteps, distil_losses
from pixsearch.model.families.language import FamilyLanguage
from pixsearch.model.image_tokens import add_seen
from pixsearch.model.looks import Looks
from pixsearch.model.losses import LOSSES, full_losses, sight_losses
from pixsearch.model.network import PixSearch, add_adapters, merge_adapters, trained_parameters
from pixsearch.model.prepare import prepare, start_folder
from pixsearch.model.progress import latest, load_progress, save_progress
from pixsearch.model.pruning import keep_layers
from pixsearch.model.sight import load_sight
from pixsearch.model.spread import Spread
from pixsearch.model.steps import FullStep, SightStep, Steps, seeds
from pixsearch.model.validation import validate

LOG_FILE, CURVES_FILE = "log.jsonl", "curves.png"


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
        self.spread = Spread(config, self.folder)
        self.device = self.spread.device
        with self.spread.first_alone():
            self._gather(data, runs)
        self.steps = self._steps(data, runs)
        add_adapters(self.model, config.seed, language=config.rate > 0)
        if config.checkpointing and isinstance(self.model.language, FamilyLanguage):
            self.model.language.compute_twice()
        self.learner, self.optimiser = self.spread.prepare(self.model, self._optimiser())
        gc.collect()
        gc.freeze()  # the samples are a million objects that no later collection needs to visit
        kept = latest(self.folder)
        self.step = load_progress(kept, self.model, self.optimiser) if kept else 0

    def _gather(self, data: Path, runs: Path) -> None:
        """Model, corpora and anchors, made where they are not there yet."""
        config = self.config
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
        for one in (self.model, base.model, self.corpus, self.held_out):
            one.to(self.device)
        self.anchors = load_anchors(runs / "anchors", base.model, self.tokenizer,
                                    phrases_of([self.corpus, self.held_out], self.concepts.phrases))

    def _steps(self, data: Path, runs: Path) -> Steps:
        config, known = self.config, self.anchors.rows
        if not config.teacher:
            return Steps(self.corpus, self.tokenizer, self.concepts, self.looks, known, config)
        with self.spread.first_alone():
            checkpoint = load_model(runs / config.teacher)
            self.teacher = checkpoint.model.requires_grad_(False).eval()
            self.teacher_corpus = self._corpus(Split.TRAIN, config.scenes, data, runs, self.teacher)
            looks = Looks.of_split(Split.TRAIN, data, runs, self.teacher, self.concepts)
        for one in (self.teacher, self.teacher_corpus):
            one.to(self.device)
        steps = PairedSteps(self.corpus, self.tokenizer, self.concepts, self.looks, known, config)
        steps.teacher = Steps(self.teacher_corpus, checkpoint.tokenizer, self.concepts, looks, known, config)
        return steps

    def _corpus(self, split: Split, count: int, data: Path, runs: Path, model: PixSearch | None = None) -> Corpus:
        """Composed scenes and published corpora as a model sees them, the one that learns unless given.

        Validation is by scenes alone where there are any.
        """
        config, model = self.config, model or self.model
        composed = None
        if count:
            folder = runs / "corpus" / f"{split}-{count}"
            build_corpus(folder, data, split, count, model.trunk)
            composed = Corpus(folder, add_seen(folder, data, split, model))
            if not config.corpora or split is Split.VALIDATION:
                return composed
        from pixsearch.model.corpora import joined, kept_corpora  # needs the extra [corpora]

        folders = kept_corpora(config.corpora, split, config.pictures, runs, model.trunk, config.traces)
        return joined(composed, [Corpus(one, add_seen(one, data, split, model)) for one in folders])

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

    def train_step(self, *parts: SightStep | FullStep | Pair) -> dict[str, float]:
        """Learn from this process's parts of a step; returns the weighted losses, their mean over all parts."""
        self.optimiser.zero_grad()
        sums = torch.zeros(2, len(LOSSES), device=self.device)  # of each loss, and how many parts have it
        for number, part in enumerate(parts):
            torch.manual_seed(self._seed(self.spread.rank + number * self.spread.count))
            losses = self._losses(on_device(part, self.device))
            self.spread.learn(self.learner, torch.stack(list(losses.values())).sum() / len(parts),
                              number == len(parts) - 1)
            for name, value in losses.items():
                sums[:, LOSSES.index(name)] += torch.stack([value.detach(), torch.ones_like(value)])
        for group in self.optimiser.param_groups:
            group["lr"] = self._rates()[group["part"]] * learning_rate(self.step, self.config)
        self.spread.clip([p for group in self.optimiser.param_groups for p in group["params"]])
        self.optimiser.step()
        self.step += 1
        means, shares = self.spread.mean(sums)
        return {name: mean / share for name, mean, share in zip(LOSSES, means, shares, strict=True) if share}

    def _seed(self, part: int) -> int:
        return int(np.random.default_rng(seeds(self.config, self.step, part, 2)).integers(2**31))

    def _losses(self, step: SightStep | FullStep | Pair) -> dict[str, Tensor]:
        features = self.corpus.scene_features(step.scenes.rows, step.scenes.mirrored)
        if isinstance(step, Pair):
            seen = self.teacher_corpus.scene_features(step.scenes.rows)
            soft: dict[str, Tensor] = self.learner(distil_losses, features, step, self.anchors, self.teacher, seen)
            return soft
        work = sight_losses if isinstance(step, SightStep) else full_losses
        losses: dict[str, Tensor] = self.learner(work, features, step, self.anchors)
        return losses

    def validate(self) -> dict[str, float]:
        """Figures of held-out scenes; every process takes part."""
        with torch.no_grad():
            found: dict[str, float] = self.learner(validate, self.held_out, self.tokenizer, self.concepts,
                                                   self.held_out_looks, self.config)
        return found

    def save(self) -> None:
        """Keep what a resumed run needs; every process takes part."""
        save_progress(self.folder, self.model, self.optimiser, self.step, self.spread.rank, self.spread.count,
                      self.spread.wait)

    def finish(self, folder: Path) -> None:
        """Write the trained model; adapters of a family stay beside its own folder, others are merged."""
        state = self.spread.whole_state(self.learner) if self.spread.is_sharded else None
        if not self.config.weights:
            merge_adapters(self.model)
        if self.spread.is_main:
            save_model(folder, Checkpoint(self.model, self.backend,
                                          {"stage": self.config.stage, "run": asdict(self.config)}), state)
        self.spread.wait()
        self.spread.end()

    def log(self, record: dict[str, object]) -> None:
        """Append one line to the run's log, redraw its curves, and tell the trackers."""
        self.spread.track({f"{kind}/{name}": float(value) for kind, values in record.items()
                           if isinstance(values, dict) for name, value in values.items()}, self.step)
        if not self.spread.is_main:
            return
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
    run.spread.begin_tracking(config)
    recent: list[dict[str, float]] = []
    began = time.monotonic()
    bar: Any = click.progressbar(length=config.steps, label=config.name, file=sys.stderr, show_pos=True,
                                 hidden=not run.spread.is_main, item_show_func=lambda _: _summary(recent))
    with bar:
        bar.update(run.step)
        parts = run.steps.following(run.step, run.device, run.spread.rank, run.spread.count)
        while own := list(islice(parts, config.parts // run.spread.count)):
            recent.append(run.train_step(*own))
            bar.update(1)
            if run.step % config.log_every == 0:
                means = {name: float(np.mean([one[name] for one in recent if name in one]))
                         for name in sorted({name for one in recent for name in one})}
                run.log({"losses": means, "seconds": round(time.monotonic() - began, 1)})
                recent.clear()
            if run.step % config.validate_every == 0 or run.step == config.steps:
                run.log({"validation": run.validate()})
            if run.step % config.save_every == 0 or run.step == config.steps:
                run.save()
            if on_step:
                on_step(run)
    run.finish(runs / config.name)
    return run.model


def _summary(recent: list[dict[str, float]]) -> str:
    return f"loss {sum(recent[-1].values()):.2f}" if recent else ""
