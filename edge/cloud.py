"""Asking a server elsewhere what the device does not know: off by default, bounded, and written down.

What leaves goes through one gate (`outbound.py`), is in the log before it leaves (`outbound_log.py`), and is the
question, the masked crop (`redaction.py`) and what packs say about it; never the frame, earlier turns or memories.
"""

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import certifi
import httpcore
import numpy as np
import pybreaker
import tenacity

from pixsearch.contract.evidence import MAX_HITS, EvidenceItem, format_evidence
from pixsearch.contract.images import Pixels
from pixsearch.contract.masks import decode_mask
from pixsearch.edge.answer import Answer, CloudWord
from pixsearch.edge.assistant import DEADLINE_S
from pixsearch.edge.cloud_reply import read_reply
from pixsearch.edge.cloud_settings import CloudSettings
from pixsearch.edge.outbound import Gate, Refused
from pixsearch.edge.outbound_log import Exchange, OutboundLog
from pixsearch.edge.redaction import masked_crop

MAX_REPLY_BYTES = 1 << 18
MAX_REPLY_TOKENS = 120
MIN_TIME_S = 0.3  # with less left, nothing is begun
FAILURES_TO_OPEN, OPEN_S = 3, 60.0
FIRST_WAIT_S = 0.2  # before the second try, at most; doubled for each further one
WORTH_ANOTHER_TRY = (408, 429, 500, 502, 503, 504)
BUSY = "the question before is still under way"
INSTRUCTION = ("You answer a question of somebody who wears smart glasses, in one short sentence. The picture shows "
               "the thing that the question is about, cut out. Notes are from the wearer's own collection and may be "
               "wrong. Say that you do not know rather than guess.")


class Again(Exception):
    """A try that failed and may go better next time."""


class Fails(Exception):
    """A try that failed as the next one would."""


class BudgetSpent(Fails):
    """No more may leave today."""

    def __str__(self) -> str:
        return "the budget of the day is spent"


@dataclass(frozen=True)
class Request:
    """What is asked: the question, and what goes along. mask : bool (H, W), None to send no picture."""

    question: str
    frame: Pixels
    mask: np.ndarray | None
    evidence: str


@dataclass
class _Result:
    """What has become of a question so far."""

    words: str | None = None
    trouble: str | None = None
    exchange: Exchange | None = None


class Cloud:
    """A server that may be asked, with its budget and its circuit breaker. Safe to use from several threads."""

    def __init__(self, settings: CloudSettings, log: OutboundLog, private_packs: Collection[str] = ()) -> None:
        """private_packs : names of packs whose hits stay here, such as the wearer's memories."""
        self.settings, self.log = settings, log
        self.allowed_now: bool | None = None  # for this session, by the wearer's word; None leaves it to the settings
        self._private = frozenset(private_packs)
        self._breaker = pybreaker.CircuitBreaker(FAILURES_TO_OPEN, OPEN_S, throw_new_error_on_trip=False,
                                                 exclude=[BudgetSpent, OSError])  # neither is the server's fault
        self._busy = threading.Lock()

    def wanted(self, answer: Answer) -> bool:
        """Whether the device knows too little."""
        return answer.abstained or answer.confidence < self.settings.below

    def complement(self, frame: Pixels, question: str, answer: Answer) -> Answer:
        """The answer with this server's word, where the device knows too little and the wearer allows it.

        What is left of the time of a question is all that it may take. The answer itself stays as it is.
        """
        if not self.wanted(answer) or self._refusal(question, asked=False):
            return answer
        left = DEADLINE_S - answer.timings.total / 1000
        return replace(answer, cloud=self.ask(frame, question, answer, seconds=left))

    def ask(self, frame: Pixels, question: str, answer: Answer, *, asked: bool = False,
            seconds: float | None = None) -> CloudWord:
        """Ask the same question elsewhere; what comes back, or why nothing does.

        frame, answer : uint8 RGB (H, W, 3) and what was answered about it here
        asked   : the wearer allows it for this question
        seconds : at most so long, however long the settings allow. The call never takes longer: what hangs in the
            system beyond that (a look-up of a name) is left to end by itself
        """
        started = time.monotonic()
        limit = self.settings.deadline_s if seconds is None else min(seconds, self.settings.deadline_s)
        result = _Result(trouble=self._refusal(question, asked))
        if result.trouble is None:
            result = self._until(started + limit, lambda into: self._exchange(
                self._request(frame, question, answer), started + limit, into))
        sent = result.exchange.sent if result.exchange else 0
        trouble = None if result.words else result.trouble or "it took too long"
        return CloudWord(self.settings.host, self.settings.model, result.words, trouble, sent,
                         (time.monotonic() - started) * 1000)

    def _refusal(self, question: str, asked: bool) -> str | None:
        if self.allowed_now is False and not asked:
            return "the wearer keeps questions here for now"
        return self.settings.refusal(question, asked or bool(self.allowed_now))

    def _request(self, frame: Pixels, question: str, answer: Answer) -> Request:
        mask = next((record.mask for record in reversed(answer.searches) if record.mask), None)
        items = [EvidenceItem(hit.entity, {"kind": hit.kind, **hit.fact_map} if hit.kind else hit.fact_map, None, "")
                 for record in answer.searches if not record.is_reading
                 for hit in record.hits[:MAX_HITS] if hit.pack not in self._private]
        return Request(question, frame, decode_mask(mask) if mask and self.settings.picture else None,
                       format_evidence(items, question) if self.settings.evidence else "")

    def _until(self, deadline: float, work: Callable[[_Result], None]) -> _Result:
        """Do the work beside this thread, one at a time, and see at the deadline what has become of it."""
        if deadline - time.monotonic() < MIN_TIME_S:
            return _Result(trouble="no time was left")
        if not self._busy.acquire(blocking=False):
            return _Result(trouble=BUSY)
        result, done = _Result(), threading.Event()

        def run() -> None:
            try:
                work(result)
            except Exception as error:  # whatever a hostile reply brings about, the wearer has the answer from here
                result.trouble = str(error) or type(error).__name__
            finally:
                self._busy.release()
                done.set()

        threading.Thread(target=run, name="cloud", daemon=True).start()
        done.wait(max(0.0, deadline - time.monotonic()))
        return replace(result)

    def _exchange(self, request: Request, deadline: float, into: _Result) -> None:
        """Send one question, within the budget. Raises what went wrong."""
        body = self._body(request)
        try:
            with self.log.exchange(f"{self.settings.host}:{self.settings.port}", self.settings.key.encode()) as sending:
                if self.log.spent_today().exchanges >= self.settings.questions_a_day:
                    raise BudgetSpent
                into.exchange = sending
                into.words = self._breaker.call(self._tries, body, sending, deadline)
        except pybreaker.CircuitBreakerError:
            into.trouble = f"it failed {FAILURES_TO_OPEN} times and is left alone for {OPEN_S:.0f} seconds"
        except BlockingIOError:
            into.trouble = BUSY

    def _body(self, request: Request) -> bytes:
        """The JSON of a chat completion's request."""
        said = request.question + (f"\n\nNotes:\n{request.evidence}" if request.evidence else "")
        content: object = said
        if request.mask is not None:
            picture = base64.b64encode(masked_crop(request.frame, request.mask)).decode()
            content = [{"type": "text", "text": said},
                       {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}}]
        return json.dumps({"model": self.settings.model, "max_tokens": MAX_REPLY_TOKENS, "temperature": 0,
                           "messages": [{"role": "system", "content": INSTRUCTION},
                                        {"role": "user", "content": content}]}).encode()

    def _tries(self, body: bytes, exchange: Exchange, deadline: float) -> str:
        """Try until words come, tries or time are spent. Raises Again, Fails, Unusable or OSError."""
        left = deadline - time.monotonic()
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Again), reraise=True,
            wait=tenacity.wait_random_exponential(FIRST_WAIT_S),
            stop=tenacity.stop_after_attempt(self.settings.tries) | tenacity.stop_before_delay(left))
        return str(again(self._try, body, exchange, deadline))

    def _try(self, body: bytes, exchange: Exchange, deadline: float) -> str:
        if self.log.spent_today().sent + len(body) > self.settings.bytes_a_day:
            raise BudgetSpent
        settings = self.settings
        headers: dict[str | bytes, str | bytes] = {
            "Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity",
            "Connection": "close", **({"Authorization": f"Bearer {settings.key}"} if settings.key else {})}
        gate = Gate(settings.host, settings.port, exchange, deadline, MAX_REPLY_BYTES)
        trusted = ssl.create_default_context(cafile=settings.ca_file or certifi.where())
        try:
            with httpcore.ConnectionPool(ssl_context=trusted, network_backend=gate) as pool:
                response = pool.request("POST", f"{settings.url.rstrip('/')}/chat/completions", headers=headers,
                                        content=body)
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise Fails("it took too long") from error
        except (httpcore.ConnectError, httpcore.ReadError, httpcore.WriteError) as error:
            kind = Fails if isinstance(error.__cause__, ssl.SSLError) else Again
            raise kind(f"the connection failed: {error}") from error
        except (httpcore.ProtocolError, Refused) as error:
            raise Fails(f"it did not speak HTTP as agreed: {error}") from error
        return _words(response)


def _words(response: httpcore.Response) -> str:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    if response.status in WORTH_ANOTHER_TRY:
        raise Again(f"it answered with status {response.status}")
    if response.status != 200:
        raise Fails(f"it answered with status {response.status}")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Fails(f"a reply in the encoding {headers['content-encoding'][:20]!r}, which was not asked for")
    return read_reply(headers.get("content-type", ""), response.content)
