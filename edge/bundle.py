"""A model bundle: checked whole before any graph of it is opened."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from pixsearch.contract import graphs, preprocess
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, manifest_checksum, read_manifest, verify_files
from pixsearch.contract.tokenizer import IMAGE_TOKENS, Tokenizer
from pixsearch.edge.calibration import Calibration
from pixsearch.edge.engine_session import TENSORRT
from pixsearch.edge.fused_session import FusedSession
from pixsearch.edge.processor import multiplies_int8
from pixsearch.edge.sessions import CPU, CUDA, OnnxSession, Session, default_threads, open_session

KIND = "bundle"
ENVIRONMENT = "PIXSEARCH_BUNDLE"
DEFAULT_FOLDER = Path(__file__).parent / "bundles" / "nano-int8"
MAX_DIMENSION = 1 << 20
MAX_IMAGE_TOKENS = 4096
TEXTS = ("name", "size", "precision", "embedder")
REINSTALL = "install the bundle again"
REEXPORT = "export the bundle again with this version"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dimensions:
    """Sizes that the graphs of a bundle share; letters as in `contract.graphs`."""

    width: int  # W, of the language model
    region: int  # R, of a region vector
    text: int  # X, of a text vector
    layers: int  # L
    kv_heads: int  # K
    head_width: int  # H
    vocabulary: int  # V
    detail: int  # C, channels of the fine features
    context: int  # D, channels of the coarse features

    @classmethod
    def read(cls, source: str, values: object) -> Self:
        """From a manifest. Raises Fault unless every size is a whole number from 1."""
        names = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or set(values) != set(names) or not all(
                type(value) is int and 0 < value <= MAX_DIMENSION for value in values.values()):
            raise Fault(source, expected=f"dimensions {', '.join(names)}", actual=repr(values)[:120],
                        remedy=REEXPORT)
        return cls(**values)


def default_bundle() -> Path:
    """The bundle that the environment variable PIXSEARCH_BUNDLE names, or else the shipped one."""
    return Path(os.environ.get(ENVIRONMENT) or DEFAULT_FOLDER)


class Bundle:
    """Graphs, tokenizer and constants of one model. Get one from `Bundle.load`."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any], providers: Sequence[str] | None,
                 threads: int | None) -> None:
        source = f"{KIND} manifest {folder / MANIFEST_NAME}"
        self.folder, self.manifest = folder, manifest
        self.name, self.size, self.precision, self.embedder_id = (str(manifest[key]) for key in TEXTS)
        self.dimensions = Dimensions.read(source, manifest.get("dimensions"))
        self.calibration = Calibration.read(source, manifest.get("calibration"))
        self.tokenizer = _tokenizer(folder, self.dimensions.vocabulary, _image_tokens(
            source, manifest["graphs"][graphs.VISION]))
        self.threads = threads or default_threads()
        on_gpu = (TENSORRT, CUDA) if manifest.get("target") == graphs.TENSORRT_TARGET else None
        self._providers = on_gpu if providers is None else providers
        self._sessions: dict[str, Session] = {}
        self._locks = {name: threading.Lock() for name in graphs.GRAPHS}

    @classmethod
    def load(cls, folder: Path, providers: Sequence[str] | None = None, threads: int | None = None) -> Self:
        """Read and check a bundle; graphs are opened on first use.

        providers, threads : see `sessions.open_session`
        Raises Fault for a missing or changed file, another format, and other preprocessing constants.
        """
        manifest = read_manifest(folder, KIND)
        _check_manifest(folder, manifest)
        verify_files(folder, manifest, KIND)
        return cls(folder, manifest, providers, threads)

    def session(self, name: str) -> Session:
        """The graph of this name (`contract.graphs.GRAPHS`), opened once. Raises Fault for another kind."""
        with self._locks[name]:
            if name not in self._sessions:
                session = self._fast(name) or open_session(self.folder / graphs.graph_file(name), self._providers,
                                                           self.threads)
                _check_signature(name, session, self.tokenizer.image_tokens)
                self._sessions[name] = session
            return self._sessions[name]

    def _fast(self, name: str) -> Session | None:
        """A graph in its form for CPUs; None without one, for a GPU, and where this machine or runtime cannot."""
        if graphs.fast_file(name) not in self.manifest["files"] or set(self._providers or ()) - {CPU}:
            return None
        if name != graphs.LANGUAGE and not multiplies_int8():
            return None
        kind = FusedSession if name == graphs.LANGUAGE else OnnxSession
        try:
            return open_session(self.folder / graphs.fast_file(name), threads=self.threads, kind=kind)
        except Fault as fault:
            logger.warning("%s; going on with the plain one", fault)
            return None

    def open_all(self) -> dict[str, Session]:
        """Open every graph, one after another: side by side it is no faster and takes 100 MB more.

        The runtime prepares one graph on all cores; each further thread would have a heap of its own that keeps what
        was needed meanwhile.
        """
        return {name: self.session(name) for name in graphs.GRAPHS}

    @contextmanager
    def wrapped(self, wrap: Callable[[str, Session], Session]) -> Iterator[None]:
        """Work with every session as `wrap` returns it, given its graph's name, until the block ends."""
        before = self.open_all()
        self._sessions = {name: wrap(name, session) for name, session in before.items()}
        try:
            yield
        finally:
            self._sessions = before

    def interrupt(self) -> None:
        """End the runs of all graphs that are under way in other threads: they raise."""
        for session in list(self._sessions.values()):
            session.interrupt()


def _check_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    source = f"{KIND} manifest {folder / MANIFEST_NAME}"
    if manifest.get("kind") != KIND:
        raise Fault(f"folder {folder}", expected="a model bundle", actual=repr(manifest.get("kind"))[:60],
                    remedy="check the path")
    if manifest.get("format_version") != graphs.BUNDLE_FORMAT:
        raise Fault(f"{KIND} {folder}", expected=f"format version {graphs.BUNDLE_FORMAT}",
                    actual=repr(manifest.get("format_version"))[:60], remedy=REEXPORT)
    if manifest.get("checksum") != manifest_checksum(manifest):
        raise Fault(source, expected="the checksum of its content", actual="another one", remedy=REINSTALL)
    for key in TEXTS:
        if not isinstance(manifest.get(key), str) or not manifest[key]:
            raise Fault(source, expected=f"{key!r} as words", actual=repr(manifest.get(key))[:60],
                        remedy=REEXPORT)
    _check_preprocessing(source, manifest.get("preprocessing"))
    listed, described = manifest.get("files"), manifest.get("graphs")
    for name in graphs.GRAPHS:
        if not isinstance(listed, dict) or graphs.graph_file(name) not in listed or not isinstance(
                described, dict) or name not in described:
            raise Fault(source, expected=f"a graph {name!r}", actual="none", remedy=REEXPORT)
    if graphs.TOKENIZER_FILE not in manifest["files"]:
        raise Fault(source, expected=graphs.TOKENIZER_FILE, actual="none", remedy=REEXPORT)


def _check_preprocessing(source: str, values: object) -> None:
    given = values if isinstance(values, dict) else {}
    for name in sorted(given.keys() | preprocess.CONSTANTS.keys()):
        expected, actual = preprocess.CONSTANTS.get(name), given.get(name)
        if actual != expected:
            raise Fault(source, expected=f"preprocessing constant {name} = {expected}",
                        actual=repr(actual)[:60], remedy=REEXPORT)


def _check_signature(name: str, session: Session, image_tokens: int) -> None:
    inputs, outputs = graphs.SIGNATURES[name]
    left_out = graphs.OPTIONAL_INPUTS.get(name, frozenset()) - set(session.inputs)
    for side, expected, actual in (("inputs", inputs, {*session.inputs, *left_out}),
                                   ("outputs", outputs, session.outputs)):
        if set(actual) != set(expected):
            raise Fault(f"graph {session.path}", expected=f"{side} {', '.join(expected)}",
                        actual=", ".join(actual)[:200], remedy=REEXPORT)
    if name == graphs.VISION and session.outputs["image_tokens"][1] != image_tokens:
        raise Fault(f"graph {session.path}", expected=f"{image_tokens} image tokens, as the manifest says",
                    actual=str(session.outputs["image_tokens"][1]), remedy=REEXPORT)


def _image_tokens(source: str, described: object) -> int:
    """How many vectors stand for the frame. Raises Fault where the manifest says something else than a number.

    described : the manifest's words about the vision graph; the usual number where they do not mention it
    """
    outputs = described.get("outputs", {}) if isinstance(described, dict) else {}
    shape = outputs.get("image_tokens", [1, IMAGE_TOKENS, 0]) if isinstance(outputs, dict) else []
    count = shape[1] if isinstance(shape, list) and len(shape) == 3 else None
    if type(count) is not int or not 0 < count <= MAX_IMAGE_TOKENS:
        raise Fault(source, expected="image tokens (1, N, I) of the vision graph", actual=repr(shape)[:60],
                    remedy=REEXPORT)
    return count


def _tokenizer(folder: Path, vocabulary: int, image_tokens: int) -> Tokenizer:
    path = folder / graphs.TOKENIZER_FILE
    try:
        tokenizer = Tokenizer.load(path, image_tokens)
    except Fault:
        raise
    except Exception as error:  # the tokenizers library raises bare Exception
        raise Fault(f"tokenizer {path}", expected="a tokenizer", actual=str(error)[:120],
                    remedy=REINSTALL) from error
    if tokenizer.size != vocabulary:
        raise Fault(f"tokenizer {path}", expected=f"{vocabulary} tokens", actual=str(tokenizer.size),
                    remedy=REEXPORT)
    return tokenizer
