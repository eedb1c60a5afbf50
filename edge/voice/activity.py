"""Whether somebody speaks: Silero's detector, a frame at a time."""

from pathlib import Path

import numpy as np
import onnxruntime

from pixsearch.edge.voice.audio import Samples, to_float

CONTEXT = 64  # samples of the frame before that the detector wants to see
MODEL = "silero_vad_v6.onnx"


class Activity:
    """Keeps the detector's memory from frame to frame."""

    def __init__(self) -> None:
        import faster_whisper

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = Path(faster_whisper.__file__).parent / "assets" / MODEL
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._hidden = self._cell = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)

    def __call__(self, frame: Samples) -> float:
        """How likely speech is, 0..1, in the next frame, int16 (512,)."""
        sound = to_float(frame)
        seen = np.concatenate([self._context, sound])[None]  # (1, 576)
        probability, self._hidden, self._cell = self._session.run(
            None, {"input": seen, "h": self._hidden, "c": self._cell})
        self._context = sound[-CONTEXT:]
        return float(probability.ravel()[0])
