"""What makes the runtime fast changes no answer: the shipped bundle, with and without it, on real photographs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixsearch.apps.defaults import EVERYDAY_PACK, PHOTOS
from pixsearch.contract import graphs
from pixsearch.contract.images import read_image
from pixsearch.contract.preprocess import PIXEL_MEAN, PIXEL_SCALE, scale_pixels
from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.language import Beginning, BundleLanguage, reserve
from pixsearch.edge.sessions import OnnxSession

QUESTIONS = ("What is this?", "What animal is this?", "Which kind is it, and what is it known for?")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(default_bundle())


@pytest.fixture(scope="module")
def assistant():
    with open_assistant(None, [EVERYDAY_PACK]) as opened:
        yield opened


def some_image_tokens(bundle: Bundle, seed: int = 0) -> np.ndarray:
    shape = (1, bundle.tokenizer.image_tokens, bundle.dimensions.width)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("photo", ["cat.jpg", "robin.jpg", "coffee.jpg"])
def test_later_questions_on_one_frame_get_the_answers_of_fresh_frames(assistant: Assistant, photo: str) -> None:
    frame = read_image(PHOTOS / photo)
    seen = assistant.perceive(frame)
    for question in (*QUESTIONS, QUESTIONS[-1]):
        again = assistant.ask(frame, question, perception=seen)
        fresh = assistant.ask(frame, question)
        assert (again.answer, again.trace) == (fresh.answer, fresh.trace)
        assert again.confidence == pytest.approx(fresh.confidence, abs=0.02)


def test_a_second_prompt_reads_only_what_is_new(bundle: Bundle) -> None:
    tokens, beginning, words = some_image_tokens(bundle), Beginning(), bundle.tokenizer
    first = words.prompt(QUESTIONS[1])
    BundleLanguage(bundle, tokens, beginning).feed(first)
    history = [Turn(QUESTIONS[1], "A cat.")]
    for prompt in (words.prompt(QUESTIONS[2]), words.prompt(QUESTIONS[0], history), first, first):
        logits, hidden = BundleLanguage(bundle, tokens, beginning).feed(prompt)
        plain_logits, plain_hidden = BundleLanguage(bundle, tokens).feed(prompt)
        assert len(plain_hidden) == len(prompt) and 1 <= len(hidden) <= len(prompt) - words.image_tokens - 2
        # a token alone is summed in another order, which int8 activations round otherwise here and there
        assert np.corrcoef(hidden.ravel(), plain_hidden[-len(hidden) :].ravel())[0, 1] > 0.95
        assert np.corrcoef(logits, plain_logits)[0, 1] > 0.95


def test_frames_do_not_share_what_was_read(assistant: Assistant) -> None:
    seen = [assistant.perceive(read_image(PHOTOS / name)) for name in ("cat.jpg", "coffee.jpg")]
    prompt = assistant.bundle.tokenizer.prompt(QUESTIONS[0])
    assistant.ask(seen[0].frame, QUESTIONS[0], perception=seen[0])
    _, hidden = BundleLanguage(assistant.bundle, seen[1].image_tokens, seen[1].beginning).feed(prompt)
    assert len(hidden) == len(prompt)


def test_pixels_are_scaled_as_the_networks_were_trained() -> None:
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    image[..., 1] = image[::-1, :, 1]
    scaled = (image.astype(np.float32) / 255.0 - PIXEL_MEAN) / PIXEL_SCALE
    np.testing.assert_array_equal(scale_pixels(image), scaled.transpose(2, 0, 1)[None])


def test_a_whole_context_is_read_at_the_start_of_a_loop(red_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, lengths = Bundle.load(red_bundle, threads=1), []
    run = OnnxSession.run_values

    def noted(session: OnnxSession, feeds: dict[str, Any]) -> Any:
        outputs = run(session, feeds)
        lengths.append(outputs["keys"].numpy().shape[2])
        return outputs

    monkeypatch.setattr(OnnxSession, "run_values", noted)
    reserve(bundle)
    assert lengths[-1] == bundle.tokenizer.context and len(lengths) == 4
    assert set(bundle.open_all()) == set(graphs.GRAPHS)
