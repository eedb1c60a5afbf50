"""CRAG-MM's scores: every turn counts, those after a conversation's end as missing, conversations also as a whole."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixsearch.apps.cragmm.judges import Judge, is_exact, verdict_of
from pixsearch.apps.egoqa_scores import conversation_scores, is_over, with_unreached
from pixsearch.apps.scores import Verdict, applying, mean, share, verdict_scores
from pixsearch.model.data.corpora.crag_mm_rows import Session, TurnRow

Rows = Sequence[Mapping[str, Any]]  # {"session", "turns": [{"interaction", "answer", "seconds", "late", …}]}


def session_scores(sessions: Sequence[Session], rows: Rows, judge: Judge) -> dict[str, Any]:
    """All single figures.

    sessions, rows : of the same order; accuracy and its like are means over all turns, conversation_* means over
    sessions of several turns
    """
    verdicts = [session_verdicts(session, row, judge) for session, row in zip(sessions, rows, strict=True)]
    talks = [(one, session) for one, session in zip(verdicts, sessions, strict=True) if len(session.turns) > 1]
    turns = [turn for row in rows for turn in row["turns"]]
    return applying({
        **verdict_scores([verdict for one, session in zip(verdicts, sessions, strict=True)
                          for verdict in with_unreached(one, len(session.turns))]),
        **conversation_scores([one for one, _ in talks], [len(session.turns) for _, session in talks]),
        "exact": share(is_exact(turn, said["answer"]) for session, row in zip(sessions, rows, strict=True)
                       for turn, said in zip(session.turns, row["turns"], strict=True)),
        "late": share(turn["late"] for turn in turns),
        "seconds_a_turn": mean([turn["seconds"] for turn in turns]),
        "searches_mean": mean([len(turn["searched"]) for turn in turns if "searched" in turn]),
        "well_formed": share(turn["well_formed"] for turn in turns if "well_formed" in turn),
    })


def session_verdicts(session: Session, row: Mapping[str, Any], judge: Judge) -> list[Verdict]:
    """The verdicts of the turns up to the conversation's end; later turns are not judged."""
    verdicts: list[Verdict] = []
    for turn, said in zip(session.turns, row["turns"], strict=True):
        verdicts.append(verdict_of(turn, said["answer"], said["late"], judge))
        if is_over(verdicts):
            break
    return verdicts


def broken_down(sessions: Sequence[Session], rows: Rows, judge: Judge) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores of turns by domain, question category, dynamism, image quality, and by how the picture was given."""
    groups: dict[str, Callable[[TurnRow, Session], str]] = {
        "domain": lambda turn, _: turn.domain,
        "query_category": lambda turn, _: turn.category,
        "dynamism": lambda turn, _: turn.dynamism,
        "image_quality": lambda turn, _: turn.quality,
        "picture": lambda _, session: "by address" if session.address else "egocentric",
        "session": lambda _, session: "conversation" if len(session.turns) > 1 else "single turn",
    }
    counted = [(turn, session, verdict) for session, row in zip(sessions, rows, strict=True)
               for turn, verdict in zip(session.turns, with_unreached(session_verdicts(session, row, judge),
                                                                      len(session.turns)), strict=True)]
    return {group: _table([(name(turn, session), verdict) for turn, session, verdict in counted])
            for group, name in groups.items()}


def _table(named: Sequence[tuple[str, Verdict]]) -> dict[str, dict[str, Any]]:
    return {name: {"n": len(own), **verdict_scores(own)}
            for name in sorted({name for name, _ in named if name})
            if (own := [verdict for other, verdict in named if other == name])}
