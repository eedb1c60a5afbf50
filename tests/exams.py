"""A miniature exam: coloured ellipses as things, smooth photographs as places, a dictionary of five words."""

from pathlib import Path

from test_scenes import a_cutout, a_photograph
from test_wordnet import SYNSETS, write_wordnet

from pixsearch.model.data.catalogue import make_catalogue
from pixsearch.model.data.egoqa import SEED, Exam
from pixsearch.model.data.everyday import everyday_entity
from pixsearch.model.data.knowledge import make_world
from pixsearch.model.data.records import Place, Split, Thing
from pixsearch.model.data.wordnet import WordNet

NOUNS = {"kettle": "household object", "lamp": "device", "truck": "vehicle", "kiwi": "bird", "rose": "flower",
         "pear": "fruit", "label": "stationery", "drum": "musical instrument", "desk": "furniture", "boot": "clothing"}
COLOURS = {"red": (210, 20, 20), "green": (20, 160, 30), "blue": (20, 40, 220)}
INSCRIPTION = "Norvik & Sons"


def an_exam(folder: Path, split: Split = Split.VALIDATION) -> Exam:
    """All that questions are made from, in a folder."""
    ids = write_wordnet(folder / "wordnet")
    wordnet = WordNet(folder / "wordnet")
    everyday = {id: everyday_entity(wordnet, id, SYNSETS[name][0][0]) for name, id in ids.items()}
    things = [_thing(folder, noun, category, colour, split) for noun, category in NOUNS.items() for colour in COLOURS]
    things += [_thing(folder, SYNSETS[name][0][0], "animal", "green", split, id) for name, id in ids.items()]
    strangers = [_thing(folder, noun, "tool", colour, Split.TRAIN) for noun in ("saw", "axe") for colour in COLOURS]
    places = [Place(f"place{number}", split, a_photograph(folder / f"{number}.jpg", number)) for number in range(2)]
    world = make_world(split, SEED, places, everyday)
    inscriptions = {thing.id: INSCRIPTION for thing in things if thing.noun == "label"}
    return Exam(make_catalogue(things, strangers, SEED, world, wordnet), world, places, inscriptions)


def _thing(folder: Path, noun: str, category: str, colour: str, split: Split, wordnet: str | None = None) -> Thing:
    picture = a_cutout(folder / f"{noun}-{colour}.png", COLOURS[colour], (120, 60 + 7 * len(noun)))
    return Thing(f"mini/{noun}/{colour}", noun, category, split, picture, False, colour, wordnet,
                 other_sides=(picture, picture))
