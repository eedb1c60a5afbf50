"""A training run as one TOML file; unknown keys are refused with the nearest known one."""

import difflib
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from pixsearch.contract.faults import Fault


@dataclass(frozen=True)
class RunConfig:
    """What one stage of training does."""

    name: str  # the run's folder under `runs/`
    stage: int  # 1: sees and says; 2: searches, mixed with stage 1
    size: str
    start: str  # folder of the model that training starts from, relative to `runs/`
    steps: int  # all of them, sight_steps included
    scenes: int  # of the training split; 0 for the corpora alone
    validation_scenes: int
    weights: str = ""  # folder of a vision-language model, for the sizes that are made from one
    sam: str = ""  # folder of SAM 2.1, which then sees and draws the masks
    quantized: bool = False  # whether that model's linear layers are kept in 4 bits while adapters learn (QLoRA)
    checkpointing: bool = False  # whether its layers are computed twice, which takes less memory
    teacher: str = ""  # folder of the model that a smaller one is distilled from, relative to `runs/`
    sight: bool = False  # whether the mask side starts from what is kept in the repository (`sight.py`)
    batch: int = 8
    parts: int = 1  # of a batch, each learned from by itself: less memory, and processes share them out
    sight_steps: int = 0  # first steps, in which only the mask side trains and no language pass is made
    sight_batch: int = 12  # scenes in each of them
    sight_words: int = 128  # names without a picture in each of them
    words: int = 16  # names without a picture in each step
    stage1_share: float = 1.0  # of a batch; the paper mixes 7 : 9 in stage 2
    rate: float = 2e-4  # of the adapters and special tokens; 0 leaves the language part as it is
    new_rate: float = 1e-3  # of the parts that start from nothing
    sight_rate: float = 2e-3  # of the mask side in the sight steps
    mask_rate: float = 3e-4  # of the mask side afterwards
    warmup: int = 50  # steps at the beginning of each of the two phases
    betas: tuple[float, float] = (0.9, 0.95)
    seed: int = 0
    log_every: int = 10
    save_every: int = 200
    validate_every: int = 400
    validation_batches: int = 12
    corpora: dict[str, str] = field(default_factory=dict)  # folders of published corpora by reader's name
    traces: dict[str, str] = field(default_factory=dict)  # files of made traces, instead of a corpus's own samples
    pictures: int = 0  # of each corpus at most; 0 for all


def load_config(path: Path) -> RunConfig:
    """Read and check a run file. Raises Fault with the line's key."""
    if not path.is_file():
        raise Fault(f"run file {path}", expected="a TOML file", actual="none there", remedy="see model/runs/*.toml")
    try:
        raw = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise Fault(f"run file {path}", expected="TOML", actual=str(error), remedy="mend that line") from error
    known = {one.name: one for one in fields(RunConfig)}
    for key in raw:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, 1)
            raise Fault(f"run file {path}", expected=f"keys among {', '.join(known)}", actual=repr(key),
                        remedy=f"did you mean {nearest[0]!r}?" if nearest else "remove it")
    raw = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    try:
        config = RunConfig(**raw)
    except TypeError as error:
        raise Fault(f"run file {path}", expected="all keys without a default", actual=str(error),
                    remedy="add what is missing") from error
    check_corpora(path, {**config.corpora, **dict.fromkeys(config.traces, "")})
    if not set(config.traces) <= set(config.corpora):
        raise Fault(f"run file {path}", expected="[traces] of [corpora]", actual=", ".join(config.traces),
                    remedy="name the corpus, too")
    if config.stage not in (1, 2) or not 0 <= config.stage1_share <= 1:
        raise Fault(f"run file {path}", expected="stage 1 or 2 and a stage1_share from 0 to 1",
                    actual=f"stage {config.stage}, stage1_share {config.stage1_share}", remedy="mend the values")
    if config.parts < 1 or config.batch % config.parts or config.sight_batch % config.parts:
        raise Fault(f"run file {path}", expected="batch and sight_batch to be whole multiples of parts",
                    actual=f"{config.batch}, {config.sight_batch} and {config.parts}", remedy="mend the values")
    return config


def check_corpora(path: Path, corpora: object) -> None:
    """Refuse what is no table of folders by readers' names. Raises Fault."""
    if not isinstance(corpora, dict) or not all(isinstance(folder, str) for folder in corpora.values()):
        raise Fault(f"run file {path}", expected='a table [corpora] such as refcoco = "/data/refer"',
                    actual=repr(corpora)[:100], remedy="see docs/corpora.md")
    if corpora:
        from pixsearch.model.data.corpora.readers import reader_named  # needs the extra [corpora]

        for name in corpora:
            reader_named(name)
