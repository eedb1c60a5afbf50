"""Assistants that search by a plan, or find what they are told; the masks that searches are given in turn."""

from pathlib import Path

import numpy as np
import pytest
from conftest import colour_pack
from edge_builders import PLAIN_SCRIPT, a_bundle, a_frame, tokenizer

from pixsearch.apps.baselines import GivenMask, WholeFrame
from pixsearch.apps.directed import Planned, PlannedMachine, Told
from pixsearch.contract.grammar import MalformedTrace, Modality
from pixsearch.contract.machine import MAX_TEXT_TOKENS
from pixsearch.edge.assistant import Assistant, open_assistant


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    """Answers "Red" and never searches by itself."""
    folder = tmp_path_factory.mktemp("plain")
    bundle = a_bundle(folder / "bundle", PLAIN_SCRIPT)
    return open_assistant(bundle, [colour_pack(folder / "pack.pxpack", bundle)], threads=1)


def test_planned_searches_are_made_in_their_order_and_no_other(assistant: Assistant) -> None:
    assert not assistant.ask(a_frame(), "What is it?").searches
    for plan in ((Modality.REGION,), (Modality.IMAGE,), (Modality.REGION, Modality.TEXT)):
        answer = Planned(assistant, plan).ask(a_frame(), "What is it?")
        assert tuple(search.modality for search in answer.searches) == plan


def test_a_planned_trace_cannot_end_before_its_searches() -> None:
    words, plan = tokenizer(), (Modality.REGION, Modality.TEXT)
    machine = PlannedMachine(words, plan)
    for token in words.encode("x" * MAX_TEXT_TOKENS):
        machine.push(token)
    assert np.flatnonzero(machine.allowed()).tolist() == [words.special.search]
    machine.push(words.special.search)
    assert np.flatnonzero(machine.allowed()).tolist() == [words.special.region]
    machine.push(words.special.region)
    machine.push(words.special.search_end)
    machine.push_evidence(words.information("owl"))
    machine.push(words.encode("a")[0])
    with pytest.raises(MalformedTrace):
        machine.push(words.special.eos)
    machine.push(words.special.search)
    assert not machine.allowed()[words.special.region] and not machine.allowed()[words.special.image]


def test_a_search_finds_what_it_is_told(red_bundle: Path, red_pack: Path) -> None:
    with open_assistant(red_bundle, [red_pack], threads=1) as assistant:
        told = Told(assistant, ["a heron (sure)"]).ask(a_frame(), "What is it?")
        own = Told(assistant, []).ask(a_frame(), "What is it?")
    assert told.searches[0].evidence == "a heron (sure)" and "a heron" in told.trace
    assert own.searches[0].evidence.startswith("owl")


def test_each_search_cuts_out_the_next_given_mask(red_assistant: Assistant) -> None:
    frame = a_frame()
    first, second = np.zeros((2, *frame.shape[:2]), bool)
    first[:10], second[-10:] = True, True
    given, hidden = GivenMask(red_assistant.bundle, frame, first, second), np.ones((2, 3), np.float32)
    for expected in (first, second, second):
        segment = given.look_closer(given.segment(hidden))
        assert np.array_equal(segment.mask, expected)


def test_the_whole_frame_is_searched_with_without_a_mask(red_assistant: Assistant) -> None:
    frame = a_frame()
    answer = red_assistant.ask(frame, "What is it?", perception=WholeFrame(red_assistant.bundle, frame))
    assert answer.searches[0].modality is Modality.REGION and answer.searches[0].mask is None
    assert red_assistant.ask(frame, "What is it?").searches[0].mask is not None


