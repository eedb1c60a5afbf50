"""Articles agree with the next word, and letters are left alone."""

import pytest

from pixsearch.contract.articles import agree_articles, article


@pytest.mark.parametrize(("words", "expected"), [
    ("egg", "an"), ("kettle", "a"), ("hour", "an"), ("unicorn", "a"), ("European", "a"), ("one-way street", "a"),
    ("uninhabited island", "an"), ("8 ball", "a"), ("X-ray", "an"), ("Egyptian Mau", "an"),
])
def test_an_article_is_as_the_word_is_said(words: str, expected: str) -> None:
    assert article(words) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("This is a Egyptian Mau.", "This is an Egyptian Mau."),
    ("An robin and a owl.", "A robin and an owl."),
    ("It is a cat.", "It is a cat."),
    ("Vitamin A and C", "Vitamin A and C"),
    ("a", "a"),
])
def test_a_text_gets_its_articles_right(text: str, expected: str) -> None:
    assert agree_articles(text) == expected
