"""`eval crag-mm`: ask the sessions of CRAG-MM, keep the answers, judge them and score them by its rules.

All turns of a session are asked, as the starter kit does; what comes after a conversation's end is left out of the
scores. So kept answers can be judged again by another judge without being asked again.
"""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click
from PIL import Image

from pixsearch.apps.baselines import SALIENT
from pixsearch.apps.cragmm.agent import Agent, PixSearchAgent, load_named
from pixsearch.apps.cragmm.judges import ChatJudge, ExactJudge, Judge
from pixsearch.apps.cragmm.scores import broken_down, session_scores
from pixsearch.apps.eval_egoqa import RUNS
from pixsearch.apps.eval_scenes import DATA
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.kept import Kept
from pixsearch.apps.scores import benchmark, is_well_formed
from pixsearch.apps.ways import FULL, PAPER, Way
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, sha256_file
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.model.data.corpora.crag_mm_rows import Dataset, Session

NAME, FULL_NAME = "crag-mm", "full"
TURN_SECONDS, ANSWER_TOKENS = 10.0, 75  # of the challenge
MAX_BATCH = 16


@dataclass(frozen=True)
class Options:
    """How the benchmark is run.

    data, split, images : see Dataset; limit : only the first sessions
    bundle, packs : of our own agent; agent : "module:Class" of another one; pipeline : "module:function" that makes
                    what is searched instead of packs
    judge_url, judge_model : a chat model that judges; exact words alone otherwise
    tokenizer : the tokenizer.json that counts the tokens of answers; the bundle's unless given
    made : the folder of `make data`; runs : where answers are kept
    """

    data: Path
    split: str = "validation"
    images: Path | None = None
    limit: int | None = None
    ablation: bool = False
    fresh: bool = False
    bundle: Path | None = None
    packs: tuple[Path, ...] = ()
    agent: str | None = None
    pipeline: str | None = None
    judge_url: str | None = None
    judge_model: str = "default"
    tokenizer: Path | None = None
    turn_seconds: float = TURN_SECONDS
    made: Path = DATA
    runs: Path = RUNS

    def __post_init__(self) -> None:
        if self.agent and self.ablation:
            raise Fault("--ablation", expected="our own agent", actual=f"--agent {self.agent}",
                        remedy="leave one of them out")


def evaluate_crag_mm(options: Options) -> dict[str, Any]:
    """Ask what is missing, judge all, and return what `eval crag-mm --json` prints. Raises Fault."""
    started = time.monotonic()
    dataset, judge = Dataset(options.data, options.split, options.images), _judge(options)
    bundle = Bundle.load(options.bundle or default_bundle())
    tokenizer = Tokenizer.load(options.tokenizer) if options.tokenizer else bundle.tokenizer
    own = options.runs / NAME / _key(options, dataset, bundle)
    if options.fresh:
        shutil.rmtree(own, ignore_errors=True)
    agent = _agent(options)
    with closing(agent) if isinstance(agent, PixSearchAgent) else nullcontext():
        answered = {name: answer_all(dataset, agent, own / f"{name}.jsonl", options, tokenizer, way, name)
                    for name, way in _ways(options).items()}
    sessions = [session.without_picture() for session in islice(dataset, options.limit)]
    for name, same in _repeated(options).items():
        answered[name] = answered[same]
    scores = {name: session_scores(sessions, rows, judge) for name, rows in answered.items()}
    full = scores.pop(FULL_NAME)
    return benchmark(
        NAME, sum(len(one.turns) for one in sessions), options.agent or bundle.name, time.monotonic() - started, full,
        sessions=len(sessions), conversations=sum(len(one.turns) > 1 for one in sessions), split=options.split,
        judge=judge.name, by=broken_down(sessions, answered[FULL_NAME], judge), answers=str(own),
        **({"ablation": scores} if scores else {}))


def answer_all(dataset: Dataset, agent: Agent, path: Path, options: Options, tokenizer: Tokenizer, way: Way = FULL,
               label: str = FULL_NAME) -> list[dict[str, Any]]:
    """The answers to the first `limit` sessions, those that are kept in `path` and the ones that were missing."""
    kept = Kept(path)
    count = min(options.limit or len(dataset), len(dataset))
    size = max(1, min(MAX_BATCH, agent.get_batch_size()))
    if isinstance(agent, PixSearchAgent):
        agent.way = way
    left = islice(dataset, len(kept.rows), count)
    with click.progressbar(length=count, label=f"crag-mm, {label}", file=sys.stderr, show_pos=True) as bar:
        bar.update(len(kept.rows))
        while group := list(islice(left, size)):
            for row in answer_group(group, agent, options.turn_seconds, lambda words: cut(words, tokenizer)):
                kept.add(row)
            bar.update(len(group))
    return kept.rows[:count]


def answer_group(group: Sequence[Session], agent: Agent, turn_seconds: float, shorten: Callable[[str], str]
                 ) -> list[dict[str, Any]]:
    """Ask some sessions side by side, turn by turn; the agent's own answers are what it is told was said before."""
    pictures = [Image.fromarray(session.picture()) for session in group]
    histories: list[list[dict[str, Any]]] = [[] for _ in group]
    rows: list[dict[str, Any]] = [{"session": session.id, "turns": []} for session in group]
    for number in range(max(len(session.turns) for session in group)):
        live = [at for at, session in enumerate(group) if number < len(session.turns)]
        queries = [group[at].turns[number].query for at in live]
        began = time.monotonic()
        responses = agent.batch_generate_response(queries, [pictures[at] for at in live],
                                                  [list(histories[at]) for at in live])
        seconds = (time.monotonic() - began) / len(live)
        if len(responses) != len(live):
            raise Fault("agent", expected=f"{len(live)} answers", actual=str(len(responses)),
                        remedy="return one for each question")
        for place, (at, response) in enumerate(zip(live, responses, strict=True)):
            words = shorten(str(response or ""))
            rows[at]["turns"].append({"interaction": group[at].turns[number].id, "answer": words,
                                      "seconds": round(seconds, 3), "late": seconds > turn_seconds,
                                      **_behind(agent, place)})
            histories[at] += [{"role": "user", "content": queries[place]}, {"role": "assistant", "content": words}]
    return rows


def cut(words: str, tokenizer: Tokenizer) -> str:
    """An answer without what is beyond the tokens that count."""
    ids = tokenizer.encode(words)
    return words if len(ids) <= ANSWER_TOKENS else tokenizer.decode(ids[:ANSWER_TOKENS])


def _behind(agent: Agent, place: int) -> dict[str, Any]:
    """What our own agent can tell of its last answers."""
    if not isinstance(agent, PixSearchAgent):
        return {}
    answer = agent.answers[place]
    return {"searched": [search.modality.value for search in answer.searches] if answer else [],
            "well_formed": is_well_formed(answer.trace) if answer else True}


def _ways(options: Options) -> dict[str, Way]:
    ways = {FULL_NAME: FULL, **(PAPER if options.ablation else {})}
    if not (options.made / SALIENT).exists() and "pipeline" in ways:
        click.echo(f"pipeline is left out: {options.made / SALIENT} is not there, `make data` fetches it", err=True)
        del ways["pipeline"]
    return {name: way for name, way in ways.items() if name == FULL_NAME or way is not FULL}


def _repeated(options: Options) -> dict[str, str]:
    """Rows of the tables that are the full way under another name."""
    return {name: FULL_NAME for name, way in PAPER.items() if way is FULL} if options.ablation else {}


def _agent(options: Options) -> Agent:
    pipeline = load_named(options.pipeline, "pipeline")() if options.pipeline else None
    if options.agent:
        return load_named(options.agent, "agent")(search_pipeline=pipeline)  # type: ignore[no-any-return]
    return PixSearchAgent(pipeline, bundle=options.bundle, packs=options.packs, data=options.made)


def _judge(options: Options) -> Judge:
    if options.judge_url is None:
        return ExactJudge()
    return _chat_judge(options.judge_url, options.judge_model, options.runs / NAME / "verdicts.sqlite")


@needs_extra("annotate")
def _chat_judge(url: str, model: str, cache: Path) -> Judge:
    from pixsearch.model.chat import ChatServer

    return ChatJudge(ChatServer(url, model), cache)


def _key(options: Options, dataset: Dataset, bundle: Bundle) -> str:
    """What kept answers depend on, as a folder's name."""
    told: Mapping[str, Any] = {
        "files": [(path.name, path.stat().st_size) for path in dataset.files], "split": options.split,
        "bundle": sha256_file(bundle.folder / MANIFEST_NAME),
        "packs": [sha256_file(pack / MANIFEST_NAME) for pack in options.packs if (pack / MANIFEST_NAME).is_file()],
        "agent": options.agent, "pipeline": options.pipeline, "seconds": options.turn_seconds,
        "tokenizer": sha256_file(options.tokenizer) if options.tokenizer else None}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return f"{options.split}-{bundle.name if options.agent is None else 'agent'}-{digest[:12]}"
