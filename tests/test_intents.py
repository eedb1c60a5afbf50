"""What an utterance wants, however it is phrased, and what only sounds like it."""

import time

import pytest

from pixsearch.edge.intents import Want, intent_of, name_of

REMEMBER = {
    "Remember this, it is my spare key for the shed": "spare key for the shed",
    "remember this: it's my spare key for the shed.": "spare key for the shed",
    "Please remember this as my spare key": "spare key",
    "Hey pixsearch, can you remember that this is Anna's blue bicycle?": "Anna's blue bicycle",
    "Don’t forget, this is the fuse box for the kitchen": "fuse box for the kitchen",
    "Save this as the good screwdriver, please": "good screwdriver",
    "This is my spare key for the shed, remember it.": "spare key for the shed",
    "note that this is the fuse for the kitchen": "fuse for the kitchen",
    "Make a note: these are the pills for the morning": "pills for the morning",
    "Keep this in mind: it is my lamp": "lamp",
    "learn this, it is a trapezoid screw": "trapezoid screw",
    "Remember this cup": "cup",
    "It is my umbrella. Remember it!": "umbrella",
}


@pytest.mark.parametrize("said", REMEMBER)
def test_what_is_to_be_remembered_gets_its_words_and_a_name(said: str) -> None:
    intent = intent_of(said)
    assert intent.want is Want.REMEMBER and intent.words and intent.words in said.replace("’", "'")
    assert name_of(intent.words) == REMEMBER[said]


@pytest.mark.parametrize(
    ("said", "want", "thing"),
    [
        ("Remember this", Want.REMEMBER, None),
        ("Remember where my keys are", Want.REMEMBER, "keys"),
        ("remember where I parked the car", Want.REMEMBER, "car"),
        ("Remember my keys are on the hook by the door", Want.REMEMBER, "keys"),
        ("I put my glasses here, remember that", Want.REMEMBER, "glasses"),
        ("What did I say about this?", Want.SAID, None),
        ("and what did I tell you about my keys", Want.SAID, "keys"),
        ("What did I call this again?", Want.SAID, None),
        ("Do you remember this?", Want.SAID, None),
        ("What do you remember about the fuse box?", Want.SAID, "fuse box"),
        ("have I seen this before?", Want.SAID, None),
        ("Where did I last see my keys?", Want.WHERE, "keys"),
        ("where did I put my glasses", Want.WHERE, "glasses"),
        ("When did I last see the spare key?", Want.WHERE, "spare key"),
        ("do you remember where I left my umbrella?", Want.WHERE, "umbrella"),
        ("Where did I park the car?", Want.WHERE, "car"),
        ("Where are my keys?", Want.FIND, "keys"),
        ("where's my phone", Want.FIND, "phone"),
        ("Have you seen my wallet?", Want.FIND, "wallet"),
        ("I can't find my glasses", Want.FIND, "glasses"),
        ("Forget my keys", Want.FORGET, "keys"),
        ("forget what I said about this", Want.FORGET, None),
        ("Delete the memory of the fuse box", Want.FORGET, "fuse box"),
        ("What do you remember?", Want.LIST, None),
        ("list my memories", Want.LIST, None),
        ("Read this", Want.READ, None),
        ("Read that sign", Want.READ, "sign"),
        ("Can you read this to me?", Want.READ, None),
        ("Read it out loud", Want.READ, None),
        ("Please read the label aloud", Want.READ, "label"),
        ("Read me what it says", Want.READ, None),
        ("Read the words on the box", Want.READ, "box"),
        ("What does it say?", Want.READ, None),
        ("What does this say here?", Want.READ, None),
        ("What does the sign on the left say?", Want.READ, "sign on the left"),
        ("What does that sign read?", Want.READ, "sign"),
        ("What do these signs say?", Want.READ, "signs"),
        ("What does it say on the bottle?", Want.READ, "bottle"),
        ("What is written on the label?", Want.READ, "label"),
        ("What's written here?", Want.READ, None),
        ("What is printed on it?", Want.READ, None),
        ("What is the text on the door?", Want.READ, "door"),
        ("Tell me what the sign says", Want.READ, "sign"),
        ("Tell me what it says on the label", Want.READ, "label"),
        ("Look up what it says", Want.LOOK_UP, None),
        ("Look up what is written on the label", Want.LOOK_UP, "label"),
        ("Look up the text on the box", Want.LOOK_UP, "box"),
        ("Search for what the sign says", Want.LOOK_UP, "sign"),
        ("Ask the cloud", Want.ASK_CLOUD, None),
        ("please ask the cloud about this", Want.ASK_CLOUD, None),
        ("You may ask the cloud from now on", Want.ALLOW_CLOUD, None),
        ("don't ask the cloud any more", Want.FORBID_CLOUD, None),
        ("keep it on the device", Want.FORBID_CLOUD, None),
        ("never mind", Want.NEW_TOPIC, None),
        ("Forget it.", Want.NEW_TOPIC, None),
    ],
)
def test_wants_and_what_they_are_about(said: str, want: Want, thing: str | None) -> None:
    for phrased in (said, said.lower(), said.upper(), f"  {said} "):
        intent = intent_of(phrased)
        assert (intent.want, intent.thing and intent.thing.lower()) == (want, thing)


@pytest.mark.parametrize(
    "said",
    ["What is this?", "Where is the cup?", "Where was this made?", "What does this remember?", "How old is it?",
     "Is this my cup?", "What did Einstein say about this?", "Where did the Romans put their baths?",
     "Where do you keep bananas?", "Is it safe to store this here?", "How do I keep this fresh?", "Remember the Alamo?",
     "Can you find the red car?", "What can I note about this bird?", "What is this remembered for?", "Keep this dry",
     "Do you know this?", "Who remembers this?", "What is cloud computing?", "Is that a cloud?", "Don't touch this",
     "How do I save this plant?", "Who reads this?", "Read me a story", "Which book did I read?", "How do I read this?",
     "What does the manual say about this?", "What does it say about the maker?", "What does it mean?",
     "Who wrote this?", "What is the word for this?", "What are the words of the song?", "Read", "", "?", "my"],
)
def test_questions_stay_questions(said: str) -> None:
    assert intent_of(said).want is Want.ANSWER


def test_long_utterances_are_read_in_no_time() -> None:
    started = time.process_time()
    for one in ("please ", "remember this ", "it is ", "where did i last ", "my ", "a,", "so and now "):
        intent_of(one * (1000 // len(one)) + "x")
    assert time.process_time() - started < 1


def test_a_long_description_gets_a_short_name() -> None:
    name = name_of("it is the old brass key that opens the lower lock of the garden gate behind the shed")
    assert name == "old brass key"
    assert len(name_of("x " * 500).split()) <= 8 and name_of("it is") == "it is"
