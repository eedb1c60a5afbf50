"""The questions and the index of `eval egoqa`, made once and kept."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixsearch.model.data.egoqa import Exam
    from pixsearch.model.data.records import Split


def open_exam(data: Path, split: "Split") -> "Exam":
    """All that a split's questions are made from; data : the folder that `make data` filled."""
    from pixsearch.model.corpus import load_materials
    from pixsearch.model.data import flats
    from pixsearch.model.data.catalogue import make_catalogue
    from pixsearch.model.data.egoqa import SEED, Exam
    from pixsearch.model.data.records import Split
    from pixsearch.model.data.wordnet import WordNet

    materials = load_materials(data, split, SEED)
    strangers = load_materials(data, Split.TRAIN, SEED).things
    catalogue = make_catalogue(materials.things, strangers, SEED, materials.world, WordNet(data / "wordnet" / "3.0"))
    motifs = [thing for thing in materials.things if not thing.flat]
    inscriptions = flats.inscriptions(flats.Materials(split, motifs, materials.places))
    return Exam(catalogue, materials.world, materials.places, inscriptions)
