"""The curator's page: every command on it, in its order, on a small collection; and its limits are the code's."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import Run
from edge_builders import GREEN, RED, a_frame
from PIL import Image

from pixsearch.contract import images
from pixsearch.index import entities
from pixsearch.index.installed import installed
from pixsearch.index.pack import info

PAGE = (Path(__file__).parents[1] / "docs" / "curators.md").read_text("utf-8")
TABLE = re.search(r"```csv\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
PHOTOS = ("Alto kettle/front", "Alto kettle/side", "Milk jug 1", "Milk jug 2", "Tin robot")


def a_collection(folder: Path) -> None:
    """The photographs that the page names, each another, and one of a visitor."""
    for number, name in enumerate(PHOTOS):
        picture = a_frame(RED if number % 2 else GREEN, (60, 40, 90 + 12 * number, 100))
        picture[120:150, 20 * number:30 + 40 * number] = (0, 0, 40 * number)
        path = folder / "photos" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    Image.fromarray(a_frame(RED)).save(folder / "visitor.jpg")


def test_the_page_s_commands_lead_from_photographs_to_an_updated_pack(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    a_collection(tmp_path)
    assert len(COMMANDS) > 14 and TABLE
    for command in COMMANDS:
        result = run(*shlex.split(command)[1:])
        assert result.exit_code == 0, f"{command}: {result.stderr}"
        if " import photos " in command:
            written = (tmp_path / "collection" / "entities.csv").read_text("utf-8-sig")
            for picture in re.findall(r"images/[\w.-]+", TABLE[1]):
                assert picture in written
            (tmp_path / "collection" / "entities.csv").write_text(TABLE[1], "utf-8")
        elif " search " in command and "kettle" in command:
            assert "Alto kettle" in result.stdout.splitlines()[0]
        elif " apply " in command:
            assert [(pack.name, pack.version) for pack in installed()] == [("museum", 2)]
    assert [(pack.name, pack.version) for pack in installed()] == [("museum", 1)]  # rolled back
    assert info(tmp_path / "museum.pxpack")["counts"]["entities"] == 3
    assert "Tin robot" in (tmp_path / "museum.pxpack" / "report.html").read_text("utf-8")


def test_the_page_s_limits_are_the_code_s() -> None:
    told = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", PAGE[PAGE.index("## Limits"):])}
    assert {entities.MAX_IMAGES, entities.MAX_FACTS, entities.MAX_ALIASES, entities.MAX_NAME_LENGTH,
            entities.MAX_VALUE_LENGTH, entities.MAX_TEXT_LENGTH, images.MAX_FILE_BYTES // 10**6,
            images.MAX_PIXELS // 10**6} <= told
    assert entities.MAX_ROWS == 10**6


def test_the_page_names_every_column_of_a_table() -> None:
    columns = set(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE)) - {"fact"}
    assert columns | {"facts"} == set(entities.KEYS)


