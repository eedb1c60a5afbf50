"""Every connection is in one list, commands say what is allowed and what has left, and the cloud is off by default."""

import ast
import json
from pathlib import Path

import pytest
from cloud_servers import completion, http, raw_server, sends
from conftest import Run
from test_imports import FOLDERS, ROOT, imported

from pixsearch.apps.connections import CONNECTIONS

NETWORK = {"socket", "ssl", "http", "urllib.request", "httpcore", "httpx", "requests", "aiohttp", "websockets",
           "ftplib", "smtplib", "uvicorn", "fastapi", "starlette", "openai", "huggingface_hub", "urllib3"}
OPENS_ADDRESSES = {"VideoCapture"}


def reaches_out(path: Path) -> bool:
    names = imported(path)
    if {".".join(name.split(".")[:depth]) for name in names for depth in (1, 2)} & NETWORK:
        return True
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Attribute) and call.func.attr in OPENS_ADDRESSES for call in calls)


def test_every_file_that_could_open_a_connection_is_in_the_list() -> None:
    listed = tuple(name for one in CONNECTIONS for name in one.files)
    found = [str(path.relative_to(ROOT)) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))
             if reaches_out(path)]
    assert "edge/outbound.py" in found and "edge/live/cameras.py" in found
    assert [name for name in found if not name.startswith(listed)] == []


def test_privacy_lists_all_connections_and_says_that_the_cloud_is_off(run: Run, tmp_path: Path) -> None:
    told = run("doctor", "--privacy")
    assert told.exit_code == 0 and all(f"{one.name} " in told.stdout for one in CONNECTIONS)
    asked = json.loads(run("doctor", "--privacy", "--json").stdout)
    assert asked["cloud"]["state"] == "off" and asked["left_today"]["bytes"] == 0
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ("", "asked where the wearer says so"),
        ('allow = "always"', "asked whenever"),
        ('allow = "never"', "off"),
        ('allow = "never"\n[[rules]]\nwords = ["plant"]\nallow = true', "only by rule"),
        ("allow = 5", "at fault, and therefore off"),
    ],
)
def test_privacy_says_what_the_settings_allow(run: Run, tmp_path: Path, settings: str, state: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cloud.toml").write_text(f'url = "https://example.org/v1"\n{settings}\n')
    assert state in run("doctor", "--privacy").stdout


@pytest.mark.loopback
def test_ask_shows_the_server_s_word_beside_its_own_answer(
    run: Run, photo: Path, red_pack: Path, tmp_path: Path
) -> None:
    with raw_server(sends(http(completion("A cup of tea.")))) as server:
        url = f"http://127.0.0.1:{server.port}/v1"
        question = ("ask", photo, "What is this?", "--pack", red_pack)
        assert "cloud" not in run(*question, "--cloud", url).stdout and not server.received  # it is sure by itself
        (tmp_path / "home").mkdir(exist_ok=True)
        (tmp_path / "home" / "cloud.toml").write_text(f'url = "{url}"\nbelow = 1.0\n')
        assert "cloud" not in run(*question).stdout and not server.received  # not allowed for this question
        told = run(*question, "--cloud", url, "--cloud-model", "large").stdout
        assert 'answer    It owl' in told and 'cloud     large at 127.0.0.1 says "A cup of tea."' in told
        (tmp_path / "home" / "cloud.toml").write_text(f'url = "{url}"\nbelow = 1.0\nallow = "always"\n')
        assert json.loads(run(*question, "--json").stdout)["cloud"]["words"] == "A cup of tea."
        assert len(server.received) == 2
        left = json.loads(run("doctor", "--privacy", "--json").stdout)["left_today"]
        assert left["questions"] == 2 and left["bytes"] == sum(map(len, server.received))


@pytest.mark.parametrize("arguments", [("--cloud", "What is this?"), ("--cloud-model", "large")])
def test_a_server_that_cannot_be_meant_is_one_line(run: Run, photo: Path, red_pack: Path, arguments) -> None:
    ended = run("ask", photo, "What is this?", "--pack", red_pack, *arguments)
    assert ended.exit_code == 1 and "cloud" in ended.stderr and ended.stderr.count("\n") == 1
