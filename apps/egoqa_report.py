"""The report page of `eval egoqa`: figures, plots and the worst answers with what was cut out."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pixsearch.apps import plots
from pixsearch.apps.egoqa_scores import calibration_bins, confidence_pairs, iou_pairs, risk_coverage
from pixsearch.apps.judged import Judged
from pixsearch.apps.overlay import draw_mask, outlined
from pixsearch.apps.page import data_uri, render_template
from pixsearch.contract.evidence import MAX_HITS
from pixsearch.contract.files import write_atomic
from pixsearch.contract.masks import decode_mask

if TYPE_CHECKING:
    from pixsearch.apps.eval_egoqa import Results
    from pixsearch.model.data.egoqa import Exam, Question

TEMPLATE = "egoqa.html.j2"
WORST = 50
OVERLAY_SIDE = 480  # pixels
RETRIEVAL = {"region_recall_at_1": "right entity first, by region", "image_recall_at_1": "by whole frame",
             "giou": "mean IoU of the mask"}
_MAIN = ("accuracy", "missing", "hallucination", "truthfulness", "modality_accuracy", "searches_mean")


def write_report(path: Path, exam: "Exam", results: "Results", figures: Mapping[str, Any], bundle: str,
                 split: str) -> None:
    """Write the page, one HTML file that needs nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metrics = figures["metrics"]
    ways = {"full": metrics, **figures.get("ablation", {})}
    page = render_template(
        TEMPLATE, title="egoqa: learning when, how and where to search",
        summary={"model": bundle, "split": split, "questions": len(results.questions),
                 "conversations": figures["conversations"]},
        metrics=metrics, main=_MAIN, ways=ways, by=figures["by"], retrieval=RETRIEVAL,
        plots={name: Markup(drawn) for name, drawn in _plots(results, figures, ways).items()},
        worst=[_case(exam, question, answer, judged) for question, answer, judged in worst_cases(results)])
    write_atomic(path, page.encode())


def worst_cases(results: "Results") -> list[tuple["Question", dict[str, Any], Judged]]:
    """Wrong answers, surest first, then those that were missing, by the thing's size, largest first."""
    cases = [case for case in zip(results.questions, results.answers, results.rows["full"], strict=True)
             if case[2].verdict != "right"]
    return sorted(cases, key=lambda case: (case[2].verdict == "missing",
                                           -case[2].confidence if case[2].verdict == "wrong" else -(case[0].size or 0)
                                           ))[:WORST]


def _plots(results: "Results", figures: Mapping[str, Any], ways: Mapping[str, Any]) -> dict[str, str]:
    rows, by = results.rows["full"], figures["by"]
    drawn = {f"by {group}": plots.verdict_bars(table) for group, table in by.items() if table}
    if by["size"]:
        drawn["retrieval"] = plots.paired_bars(by["size"], RETRIEVAL)
    if len(ways) > 1:
        drawn["ways"] = plots.verdict_bars(ways)
    return {
        **drawn,
        "modality": plots.matrix(figures["modality_confusion"], "should search first with", "searched first with"),
        "confidence": plots.reliability(calibration_bins(confidence_pairs(rows)), "confidence", "share right"),
        "iou": plots.reliability(calibration_bins(iou_pairs(rows)), "predicted IoU", "IoU"),
        "risk": plots.curve(risk_coverage(rows), "share of questions answered", "share of answers wrong"),
    }


def _case(exam: "Exam", question: "Question", answer: Mapping[str, Any], judged: Judged) -> dict[str, Any]:
    """A card: the frame with the mask that was searched with, tinted, and the true one's outline."""
    sample = question.sample
    scene = exam.scene(sample.scene_seed)
    codes = [search["mask"] for search in answer["searches"] if search["mask"]]
    picture = draw_mask(scene.frame, decode_mask(codes[0])) if codes else scene.frame
    if sample.target is not None:
        picture = outlined(picture, scene.placed[sample.target].mask)
    searches = [{"name": f'"{one["query"]}"' if one["query"] else one["modality"],
                 "hits": [f"{hit['entity']} {hit['score']:.2f}" for hit in one["hits"][:MAX_HITS]]}
                for one in answer["searches"]]
    return {"number": question.number, "kind": question.kind, "question": sample.question, "answer": answer["answer"],
            "expected": sample.answer or "I don't know", "verdict": judged.verdict, "confidence": judged.confidence,
            "trace": answer["trace"], "overlay": data_uri(picture, OVERLAY_SIDE), "searches": searches,
            "rank": judged.region_rank, "problems": ", ".join(f"{name} {level}" for name, level in
                                                              question.problems.items() if level)}
