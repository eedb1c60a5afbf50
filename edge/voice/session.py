"""A session: waits for its word or the button, hears a question, asks it, and speaks the answer."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum, auto
from types import TracebackType
from typing import Generic, Self, TypeVar

from pixsearch.contract.faults import Fault
from pixsearch.edge.voice.audio import FRAME_S, Samples
from pixsearch.edge.voice.capture import Back, Capture, Lost, Message, Over, Sound
from pixsearch.edge.voice.devices import Loudspeaker, Microphone
from pixsearch.edge.voice.endpoint import Patience, Turn
from pixsearch.edge.voice.engines import Engines
from pixsearch.edge.voice.events import Replied, StateChanged, Unanswered, Understood, VoiceEvent, VoiceState, Woken
from pixsearch.edge.voice.hearing import Hearing
from pixsearch.edge.voice.player import Player, Utterance
from pixsearch.edge.voice.transcriber import Transcript
from pixsearch.edge.voice.wake import WakeWord

Reply = TypeVar("Reply")

MOST_BEHIND = 200  # frames that wait (6 s); later ones are dropped
BEFORE_WORD_S = 1.28  # of sound: a question is understood better with the whole word before it
BEFORE_S = 0.32  # of sound before the button, or before speech was noticed, that belongs to the question
SORRY = "Sorry, that did not work."


class Wake(StrEnum):
    """What a question begins with."""

    WORD = auto()
    BUTTON = auto()
    SPEECH = auto()  # any speech: for a microphone that hears the wearer only


class _Control(StrEnum):
    TALK = auto()
    RELEASE = auto()
    CLOSE = auto()


@dataclass(eq=False)
class _Asked(Generic[Reply]):
    """A question from its last word to the last of its answer; fields are filled as it goes."""

    spoke_until: float
    by_word: bool
    transcript: "Future[Transcript]"
    words: str = ""
    understood_at: float = 0.0
    reply: "Future[Reply] | None" = None
    said: str = ""
    answered_at: float = 0.0
    utterance: Utterance | None = None


class Session(Generic[Reply]):
    """Use it as a context manager; methods may be called from any thread.

    ask   : asks a question, from the session's thread; a future reply. Raises Fault when it cannot be asked
    words : what to say of a reply
    tell  : hears every event, from the session's thread; must not wait
    wake  : the word that wakes, for Wake.WORD; who made it closes it
    """

    def __init__(self, microphone: Microphone, loudspeaker: Loudspeaker, ask: Callable[[str], "Future[Reply]"],
                 words: Callable[[Reply], str], tell: Callable[[VoiceEvent], None] = lambda _: None, *,
                 engines: Engines, wake: WakeWord | None = None, begin: Wake = Wake.WORD,
                 patience: Patience | None = None) -> None:
        if (wake is None) == (begin is Wake.WORD):
            raise ValueError(f"a session that begins with {begin}, and word {wake}")
        self._engines, self._wake, self._begin, self._patience = engines, wake, begin, patience or Patience()
        self._ask, self._words, self._tell = ask, words, tell
        self._inbox: queue.Queue[object] = queue.Queue()
        self._capture = Capture(microphone, self._take)
        self._player = Player(loudspeaker, engines.speech.rate, self._inbox.put)
        self._transcriber = ThreadPoolExecutor(1, "pixsearch-transcriber")
        self._before: deque[Samples] = deque(maxlen=round(BEFORE_WORD_S / FRAME_S))
        self._hearing: Hearing | None = None
        self._by_word = self._over = False
        self._asked: _Asked[Reply] | None = None
        self._deaf = ""
        self.state = VoiceState.WAITING
        self._thread = threading.Thread(target=self._run, name="pixsearch-voice", daemon=True)

    def talk(self) -> None:
        """The button is pressed: whatever is being said stops, and a question begins."""
        self._inbox.put(_Control.TALK)

    def release(self) -> None:
        """The button is let go: the question has ended. A silence ends it, too."""
        self._inbox.put(_Control.RELEASE)

    def __enter__(self) -> Self:
        self._thread.start()
        self._player.start()
        self._capture.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything; returns when threads have ended and devices are let go."""
        self._capture.close()
        self._inbox.put(_Control.CLOSE)
        if self._thread.ident is not None:
            self._thread.join()
        self._player.close()
        self._transcriber.shutdown(cancel_futures=True)

    def _take(self, message: Message) -> None:
        if not isinstance(message, Sound) or self._inbox.qsize() < MOST_BEHIND:
            self._inbox.put(message)

    def _run(self) -> None:
        while (message := self._inbox.get()) is not _Control.CLOSE:
            try:
                self._handle(message)
            except Exception as error:  # one question may fail; the session goes on
                self._hearing = self._asked = None
                self._tell(Unanswered("", f"{type(error).__name__}: {error}"[:200]))
            self._settle()
        self._break_off()
        self._over = True
        self._settle()

    def _handle(self, message: object) -> None:
        if isinstance(message, Sound):
            self._hear(message)
        elif isinstance(message, _Asked):
            self._go_on(message)
        elif isinstance(message, Utterance):
            self._ended(message)
        elif message is _Control.TALK:
            self._listen(by_word=False)
        elif message is _Control.RELEASE:
            self._end_question()
        elif isinstance(message, Lost):
            self._deaf, self._hearing = message.cause or "lost", None
        elif isinstance(message, Back):
            self._deaf = ""
            self._engines.activity.reset()
        elif isinstance(message, Over):
            self._end_question()
            self._over = True

    def _hear(self, sound: Sound) -> None:
        probability = self._engines.activity(sound.frame)
        self._before.append(sound.frame)
        if self._hearing:
            return self._follow(self._hearing, sound, probability)
        speech = probability >= self._patience.speech
        if self._wake and self._wake.feed(sound.frame, speech):
            self._listen(by_word=True)
        elif self._begin is Wake.SPEECH and speech and self._asked is None:
            self._listen(by_word=False)

    def _listen(self, by_word: bool) -> None:
        """Begin a question; an answer that is being made or spoken is not wanted any more."""
        self._break_off()
        self._by_word = by_word
        self._hear_question(BEFORE_WORD_S if by_word else BEFORE_S)
        self._player.say(())  # opens the device while the question is spoken
        self._tell(Woken(by_word))

    def _hear_question(self, before_s: float) -> None:
        before = list(self._before)[-round(before_s / FRAME_S):]
        begins = f"{self._wake.words.title()}." if self._wake and self._by_word else ""
        self._hearing = Hearing(before, self._patience, lambda samples: self._transcriber.submit(
            self._engines.transcriber, samples, begins))

    def _break_off(self) -> None:
        if self._asked and self._asked.reply:
            self._asked.reply.cancel()
        self._asked = None
        self._player.hush()

    def _follow(self, hearing: Hearing, sound: Sound, probability: float) -> None:
        turn = hearing.feed(sound, probability)
        if turn is Turn.ENDED:
            self._end_question()
        elif turn is Turn.NOBODY:
            self._hearing = None
            self._tell(Understood(""))

    def _end_question(self) -> None:
        hearing, self._hearing = self._hearing, None
        if hearing is None:
            return
        until = hearing.spoke_until or time.monotonic()
        asked: _Asked[Reply] = _Asked(until, self._by_word, hearing.end())
        self._asked = asked
        asked.transcript.add_done_callback(lambda _: self._inbox.put(asked))

    def _go_on(self, asked: _Asked[Reply]) -> None:
        """Words or a reply have come, if they are still wanted."""
        if asked is not self._asked:
            return
        if asked.reply is None:
            self._understand(asked)
        else:
            self._answer(asked, asked.reply)

    def _understand(self, asked: _Asked[Reply]) -> None:
        asked.understood_at = time.monotonic()
        asked.words = asked.transcript.result().words
        if not asked.words:
            self._asked = None
            if asked.by_word:  # a pause after the word: the question is still to come
                self._by_word = False
                return self._hear_question(BEFORE_S)
        self._tell(Understood(asked.words))
        if asked.words:
            try:
                asked.reply = self._ask(asked.words)
            except Fault as fault:
                return self._fail(asked, str(fault))
            asked.reply.add_done_callback(lambda _: self._inbox.put(asked))

    def _answer(self, asked: _Asked[Reply], reply: "Future[Reply]") -> None:
        try:
            said = self._words(reply.result())
        except CancelledError:
            self._asked = None
        except Exception as error:
            self._fail(asked, str(error))
        else:
            self._say(asked, said)

    def _fail(self, asked: _Asked[Reply], reason: str) -> None:
        self._tell(Unanswered(asked.words, reason))
        self._say(asked, SORRY)

    def _say(self, asked: _Asked[Reply], said: str) -> None:
        asked.said, asked.answered_at = said, time.monotonic()
        asked.utterance = self._player.say(self._engines.speech.say(said), asked)

    def _ended(self, utterance: Utterance) -> None:
        asked = utterance.about
        if not isinstance(asked, _Asked):
            return
        if asked is self._asked:
            self._asked = None
        self._tell(Replied(asked.words, asked.said, asked.spoke_until, asked.understood_at, asked.answered_at,
                           utterance.first_at, not utterance.whole, utterance.trouble))

    def _settle(self) -> None:
        """Tell the state when it is another."""
        if self._hearing:
            state = VoiceState.LISTENING
        elif self._asked:
            state = VoiceState.SPEAKING if self._asked.utterance else VoiceState.THINKING
        elif self._over:
            state = VoiceState.ENDED
        else:
            state = VoiceState.DEAF if self._deaf else VoiceState.WAITING
        if state is not self.state:
            self.state = state
            self._tell(StateChanged(state, self._deaf))
