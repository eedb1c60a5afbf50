"""A chat model as judge: asked once for each answer, bounded, and a failure is one line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cloud_servers import completion, http, raw_server, sends
from cragmm_builders import a_session, write_parquet
from edge_builders import a_frame

from pixsearch.apps.cragmm.evaluation import Options, evaluate_crag_mm
from pixsearch.contract.faults import Fault
from pixsearch.model.chat import MAX_REPLY_CHARS, Chat, ChatServer, Unreadable, picture_part, read_object

MESSAGES = [{"role": "user", "content": "What is this?"}]


def agent(search_pipeline=None):
    from cragmm_builders import Scripted

    return Scripted(search_pipeline, {"a": "A bird of prey.", "b": "It is a leaf.", "c": "I don't know."})


@pytest.mark.loopback
def test_a_reply_is_asked_for_once_and_kept(tmp_path: Path) -> None:
    with raw_server(sends(http(completion("An owl.")))) as server:
        chat = Chat(ChatServer(f"http://127.0.0.1:{server.port}/v1", "large"), tmp_path / "kept.sqlite")
        assert not chat.holds(MESSAGES, 9)
        assert chat.ask(MESSAGES, 9).words == "An owl." and chat.holds(MESSAGES, 9)
        again = Chat(ChatServer(f"http://127.0.0.1:{server.port}/v1", "large"), tmp_path / "kept.sqlite")
        assert again.ask(MESSAGES, 9).words == "An owl." and len(server.received) == 1
        again.ask(MESSAGES, 10)
        assert len(server.received) == 2
        body = json.loads(server.received[0].split(b"\r\n\r\n", 1)[1])
        assert (body["model"], body["messages"], body["temperature"]) == ("large", MESSAGES, 0)


@pytest.mark.loopback
@pytest.mark.parametrize("reply", [
    http(b"{}"), http(b'{"choices": []}'), http(b"no JSON"), http(b"{}", "401 Unauthorized"),
    http(completion("x" * (MAX_REPLY_CHARS + 1))), http(completion(None))])
def test_what_is_no_reply_is_one_line_and_not_kept(tmp_path: Path, reply: bytes) -> None:
    with raw_server(sends(reply)) as server:
        chat = Chat(ChatServer(f"http://127.0.0.1:{server.port}/v1", "large"), tmp_path / "kept.sqlite")
        with pytest.raises(Fault) as caught:
            chat.ask(MESSAGES, 9)
        assert "\n" not in str(caught.value) and not chat.holds(MESSAGES, 9)


@pytest.mark.parametrize(("words", "found"), [
    ('{"right": true}', {"right": True}), ('So:\n```json\n{"right": false}\n```', {"right": False}),
    ("{oh} {\"a\": {\"b\": 1}} more", {"a": {"b": 1}})])
def test_json_is_found_among_words(words: str, found: dict) -> None:
    assert read_object(words) == found


@pytest.mark.parametrize("words", ["", "yes", "[1]", "{", "{" * 5000])
def test_words_without_json_are_unreadable(words: str) -> None:
    with pytest.raises(Unreadable):
        read_object(words)


def test_a_picture_goes_along_small() -> None:
    assert picture_part(a_frame(height=2000, width=3000))["image_url"]["url"].startswith("data:image/jpeg;base64,")


@pytest.mark.loopback
def test_a_judge_decides_what_words_alone_cannot_and_its_verdicts_are_kept(tmp_path: Path, red_bundle: Path) -> None:
    data = write_parquet(tmp_path / "data", [a_session(0, [("a", "It is an owl."), ("c", "x")]),
                                             a_session(1, [("b", "It is a leaf."), ("a", "It is an owl.")])])
    with raw_server(sends(http(completion('{"right": true}')))) as server:
        options = Options(data, agent="test_chat:agent", bundle=red_bundle, runs=tmp_path / "runs",
                          judge_url=f"http://127.0.0.1:{server.port}/v1", judge_model="large")
        result = evaluate_crag_mm(options)
        assert result["judge"] == "large" and len(server.received) == 1  # one question, reference and answer
        assert result["metrics"]["accuracy"] == 0.75 and result["metrics"]["missing"] == 0.25
        assert evaluate_crag_mm(replace(options))["metrics"] == result["metrics"] and len(server.received) == 1
    exact = evaluate_crag_mm(replace(options, judge_url=None))
    assert exact["metrics"]["accuracy"] == 0.25 and exact["judge"] == "exact"


@pytest.mark.loopback
def test_a_server_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="chat model large at http://127.0.0.1:9/v1") as caught:
        Chat(ChatServer("http://127.0.0.1:9/v1", "large", retries=0), tmp_path / "kept.sqlite").ask(MESSAGES, 9)
    assert "\n" not in str(caught.value)
