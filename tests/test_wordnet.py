"""WordNet's noun files are read by offset; a miniature of them stands in for the release."""

from pathlib import Path

import pytest

from pixsearch.contract.faults import Fault
from pixsearch.model.data import everyday
from pixsearch.model.data.everyday import everyday_entity
from pixsearch.model.data.wordnet import WordNet

LICENCE = "  1 A licence line, which begins with spaces.  \n"
# name: (words, pointers as (symbol, name), gloss); offsets are filled in when the file is laid out
SYNSETS: dict[str, tuple[list[str], list[tuple[str, str]], str]] = {
    "animal": (["animal", "beast"], [("~", "cat")], 'a living organism; "animals move"'),
    "cat": (["cat", "true_cat"], [("@", "animal"), ("~", "tabby"), ("%p", "paw")], "feline mammal"),
    "tabby": (["tabby", "tabby_cat"], [("@", "cat"), ("~i", "felix")], "a cat with a grey coat; striped"),
    "felix": (["Felix"], [("@i", "tabby")], "a cat of cartoons"),
    "paw": (["paw"], [("#p", "cat"), ("+", "cat")], "a clawed foot"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data.noun and index.noun that hold SYNSETS."""
    write_wordnet(tmp_path)
    return tmp_path


def write_wordnet(folder: Path) -> dict[str, str]:
    """Write SYNSETS as a release; returns their ids by name."""
    folder.mkdir(parents=True, exist_ok=True)
    width = {name: len(_line(name, {other: 0 for other in SYNSETS}).encode()) for name in SYNSETS}
    offsets, at = {}, len(LICENCE)
    for name in SYNSETS:
        offsets[name], at = at, at + width[name]
    (folder / "data.noun").write_text(LICENCE + "".join(_line(name, offsets) for name in SYNSETS))
    rows = [
        f"{word.lower()} n 1 1 @ 1 0 {offsets[name]:08d}  \n"
        for name, row in SYNSETS.items()
        for word in row[0]
    ]
    (folder / "index.noun").write_text(LICENCE + "".join(sorted(rows)))
    return {name: f"n{offset:08d}" for name, offset in offsets.items()}


def _line(name: str, offsets: dict[str, int]) -> str:
    words, pointers, gloss = SYNSETS[name]
    spelt = " ".join(f"{word} 0" for word in words)
    targets = "".join(f" {symbol} {offsets[target]:08d} n 0000" for symbol, target in pointers)
    return f"{offsets[name]:08d} 05 n {len(words):02x} {spelt} {len(pointers):03d}{targets} | {gloss}  \n"


def test_a_synset_has_its_words_gloss_and_relations(folder: Path) -> None:
    wordnet = WordNet(folder)
    (cat,) = wordnet.lookup("cat")
    (animal,), (tabby,), (paw,) = wordnet.lookup("animal"), wordnet.lookup("tabby cat"), wordnet.lookup("Paw")
    synset = wordnet.synset(cat)
    assert synset.lemmas == ("cat", "true cat")
    assert synset.gloss == "feline mammal"
    assert (synset.hypernyms, synset.hyponyms, synset.parts) == ((animal,), (tabby,), (paw,))
    assert wordnet.synset(paw).wholes == (cat,)


@pytest.mark.parametrize(
    ("word", "gloss"),
    [
        ("animal", "a living organism"),  # the example sentence is left out
        ("tabby", "a cat with a grey coat; striped"),  # a semicolon alone begins no example
    ],
)
def test_a_gloss_is_the_definition_without_examples(folder: Path, word: str, gloss: str) -> None:
    wordnet = WordNet(folder)
    assert wordnet.synset(wordnet.lookup(word)[0]).gloss == gloss


def test_ancestors_come_nearest_first_and_stop_after_the_steps(folder: Path) -> None:
    wordnet = WordNet(folder)
    felix, tabby, cat, animal = (wordnet.lookup(word)[0] for word in ("felix", "tabby", "cat", "animal"))
    assert wordnet.ancestors(felix) == (tabby, cat, animal)
    assert wordnet.ancestors(felix, 2) == (tabby, cat)
    assert wordnet.ancestors(felix, 0) == ()


def test_is_a_holds_upwards_only_and_for_itself(folder: Path) -> None:
    wordnet = WordNet(folder)
    cat, animal, paw = (wordnet.lookup(word)[0] for word in ("cat", "animal", "paw"))
    assert wordnet.is_a(cat, animal) and wordnet.is_a(cat, cat)
    assert not wordnet.is_a(animal, cat) and not wordnet.is_a(paw, animal)


def test_an_unknown_word_has_no_meanings(folder: Path) -> None:
    assert WordNet(folder).lookup("zzyzx") == ()


@pytest.mark.parametrize("id", ["n99999999", "n00000001", "02123597", "n1", "", "n00000050\n"])
def test_an_id_that_names_no_synset_is_a_fault(folder: Path, id: str) -> None:
    with pytest.raises(Fault, match="WordNet id"):
        WordNet(folder).synset(id)


def test_a_folder_without_the_files_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="data.noun"):
        WordNet(tmp_path)


def test_an_everyday_entity_tells_kind_family_gloss_and_parts(folder: Path) -> None:
    wordnet = WordNet(folder)
    tabby, cat = wordnet.lookup("tabby")[0], wordnet.lookup("cat")[0]
    facts = everyday_entity(wordnet, tabby, "tabby cat").facts
    assert facts == {"kind": "cat", "family": "animal", "about": "a cat with a grey coat; striped"}
    assert everyday_entity(wordnet, cat, "cat").facts["parts"] == "paw"


def test_an_everyday_entity_is_of_the_kind_that_people_call_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wordnet = WordNet(folder)
    tabby, cat = wordnet.lookup("tabby")[0], wordnet.lookup("cat")[0]
    monkeypatch.setattr(everyday, "_CATEGORIES", {cat: "pet"})
    facts = everyday_entity(wordnet, tabby, "tabby cat").facts
    assert (facts["kind"], facts["family"]) == ("pet", "cat")
