"""The README promises only what is there: commands, options, make targets and paths."""

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest

from pixsearch.apps.main import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CARD = (ROOT / "model" / "README.md").read_text("utf-8")
MADE = {"demo/answers.html", "demo/glasses.mp4"}  # by `make demo`
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        found |= (
            leaves(command, (*path, name)) if isinstance(command, click.Group) else {(*path, name): command}
        )
    return found


COMMANDS = leaves(cli)
CALLS = [line.split("pixsearch ", 1)[1] for line in SHELL.splitlines() if "bin/pixsearch " in line]


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_a_code_block_parses(call: str) -> None:
    words = shlex.split(call, comments=True)
    path = next(path for path in COMMANDS if tuple(words[: len(path)]) == path)
    COMMANDS[path].make_context(
        "pixsearch", words[len(path) :]
    )  # raises UsageError for what it does not know


def test_every_command_is_in_the_table_and_no_other() -> None:
    named = {tuple(code.split()[1:]) for code in INLINE if code.startswith("pixsearch ")}
    assert named == set(COMMANDS)


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", "\n".join([SHELL, *INLINE])))
    assert {"demo", "test"} <= named <= targets


def test_every_public_make_target_is_told() -> None:
    listed = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert listed - {"help", "apt", "drawing", "sound", "browser"} <= set(re.findall(r"\bmake ([a-z-]+)", README))


def test_every_path_exists() -> None:
    paths = {code for code in INLINE if re.fullmatch(r"[\w./-]+/[\w./-]*|LICENSE|NOTICE", code)}
    paths |= set(re.findall(r"\]\(([^)#:]+)\)", README))
    assert len(paths) >= 8
    missing = {path for path in paths - MADE if not (ROOT / path).exists()}
    assert not missing


def test_the_model_s_card_names_commands_targets_and_files_that_are_there() -> None:
    named = re.findall(r"`([^`\n]+)`", CARD)
    for call in (code.split()[1:] for code in named if code.startswith("pixsearch ")):
        path = next(path for path in COMMANDS if tuple(call[: len(path)]) == path)
        COMMANDS[path].make_context("pixsearch", call[len(path) :])
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", " ".join(named))) <= targets
    paths = [code for code in named if re.fullmatch(r"[a-z]+/[\w./-]*", code)]
    assert len(paths) >= 4 and all((ROOT / path).exists() for path in paths)


def test_the_first_words_say_what_it_is() -> None:
    assert README.startswith("# pixsearch\n") and "photograph" in README


def test_notice_names_every_package_that_is_installed() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    wanted = [settings["options"]["install_requires"], *settings["options.extras_require"].values()]
    names = {re.split(r"[=\[]", line)[0] for block in wanted for line in block.split()} - {"pixsearch"}
    notice = (ROOT / "NOTICE").read_text("utf-8")
    assert len(names) > 50
    assert {name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", notice)} == set()
