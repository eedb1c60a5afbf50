"""A pack in Milvus answers as the local engine does: by Milvus Lite, which serves from this process."""

from pathlib import Path

import numpy as np
import pytest

from pixsearch.contract.faults import Fault
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import ALL_VIEWS, View
from pixsearch.index.milvus import MilvusPack
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library
from pixsearch.index.writer import PackWriter


def a_pack(folder: Path, entities: int = 60) -> Path:
    random = np.random.default_rng(0)
    with PackWriter(folder / "p.pxpack", name="p", embedder=EmbedderId("e", 16, 2), licence="CC0-1.0",
                    calibration={"gain": 0.5, "offset": 0.25}) as writer:
        for at in range(entities):
            kind = 'a "jar"' if at % 3 else "tool"
            entity = writer.add_entity(f"k{at}", f"jar {at}", kind=kind, facts={"n": str(at)})
            for view in (View.REGION, View.REGION, View.IMAGE):
                writer.add_vector(entity, random.normal(size=16), view)
    return folder / "p.pxpack"


def test_milvus_finds_what_the_local_engine_finds(tmp_path: Path) -> None:
    path, uri = a_pack(tmp_path), str(tmp_path / "milvus.db")
    with (Pack.open(path, "e") as local, MilvusPack.upload(Pack.open(path, "e"), uri, "jars", index="FLAT") as remote):
        for views, kinds in ((ALL_VIEWS, None), ((View.IMAGE,), None), ((View.REGION,), ['a "jar"']),
                             (ALL_VIEWS, ["tool"]), (ALL_VIEWS, ["none"]), (ALL_VIEWS, [])):
            for query in np.random.default_rng(1).normal(size=(4, 16)):
                expected = local.search_vectors(query, views, 7, kinds)
                found = remote.search_vectors(query, views, 7, kinds)
                assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-5)
                assert [(hit.key, hit.view, hit.facts) for hit in found] == [
                    (hit.key, hit.view, hit.facts) for hit in expected]
        assert remote.search_text("jar 7")[0].key == "k7" and remote.has_name("jar 7")
        assert len(remote.looks("jar 7")) == 2
        with pytest.raises(Fault, match="a new name"):
            MilvusPack.upload(local, uri, "jars")
    with (MilvusPack.open(Pack.open(path, "e"), uri, "jars") as again, Library([again]) as library):
        assert len(library.search_vectors(np.ones(16), k=5)) == 5
