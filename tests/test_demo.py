"""The demo page: whole in one file, every word escaped, every question on it."""

import re
from pathlib import Path

import numpy as np
import pytest
from edge_builders import a_frame

from pixsearch.apps.demo import PAGE, QUESTIONS, VIDEO, run_demo
from pixsearch.apps.page import Asked, data_uri, render_page
from pixsearch.apps.report import report
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.live import open_camera


@pytest.fixture
def asked(red_assistant: Assistant) -> Asked:
    frame, question = a_frame(), "<script>alert('x')</script> & what?"
    return Asked("box.png", question, frame, red_assistant.ask(frame, question))


def test_words_from_outside_cannot_become_markup(asked: Asked) -> None:
    page = render_page([asked], "<b>title</b>", {"<i>": "&"})
    assert "<script" not in page and "<b>title" not in page and "<i>" not in page
    assert "&lt;script&gt;" in page and "&lt;search&gt;" in page


def test_the_page_reads_nothing_from_elsewhere(asked: Asked) -> None:
    page = render_page([asked], "title", {})
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 3 and all(
        one.startswith("data:image/jpeg;base64,") for one in sources
    )  # overlay, two hits
    assert "http" not in page and "url(" not in page


def test_the_page_shows_hits_with_scores_and_facts(asked: Asked) -> None:
    page = render_page([asked], "title", {})
    hit = asked.answer.searches[0].hits[0]
    assert hit.entity == "owl" and f"{hit.score:.2f}" in page and "colour: red" in page and "guide" in page


def test_a_picture_on_the_page_is_bounded() -> None:
    large = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)
    assert len(data_uri(large, 96)) < 20_000


def test_the_demo_asks_everything_and_writes_page_and_clip(
    red_assistant: Assistant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = run_demo(red_assistant, tmp_path / "demo")
    photos = {one.where for one in asked if one.where.endswith(".jpg")}
    assert len(asked) >= 10 and len(photos) >= 6 and len(asked) - len(QUESTIONS.read_text().splitlines()) >= 1
    page = (tmp_path / "demo" / PAGE).read_text()
    assert page.count("<article>") == len(asked)
    assert capsys.readouterr().out.count("answer    ") == len(asked)
    frames = list(open_camera(str(tmp_path / "demo" / VIDEO)))
    assert len(frames) > 50 and frames[0].shape[1] >= 480
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == sorted([PAGE, VIDEO])


def test_names_from_a_pack_cannot_steer_the_terminal(asked: Asked) -> None:
    told = report("What?\x1b[2J", asked.answer)
    assert "\x1b" not in told and "What? [2J" in told
