"""A TensorRT engine behind the interface of `sessions.Session`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.edge.engines import Device, load_tensorrt

TENSORRT = "TensorRT"
Array = NDArray[Any]


class DeviceArray:
    """An array in GPU memory, freed with the object."""

    def __init__(self, cuda: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype, self._cuda = shape, dtype, cuda
        self.bytes = int(np.prod(shape)) * dtype.itemsize
        self.pointer: int = _called(cuda.cudaMalloc(max(1, self.bytes)))  # an empty input needs an address too

    def write(self, array: Array) -> None:
        """Copy from the host; the array has this shape and dtype."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        _called(self._cuda.cudaMemcpy(self.pointer, array.ctypes.data, self.bytes, kind))

    def numpy(self) -> Array:
        """A copy on the host."""
        array = np.empty(self.shape, self.dtype)
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _called(self._cuda.cudaMemcpy(array.ctypes.data, self.pointer, self.bytes, kind))
        return array

    def __del__(self) -> None:
        self._cuda.cudaFree(self.pointer)


class EngineSession:
    """An engine that runs on this machine's GPU; outputs of one run can be fed to the next without a copy."""

    providers: tuple[str, ...] = (TENSORRT,)

    def __init__(self, path: Path, engine: Path) -> None:
        """path : the graph it was built from, for messages. Raises Fault when the engine does not open here."""
        trt = load_tensorrt()
        self.path, self._cuda = path, _runtime()
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(engine.read_bytes())
        if self._engine is None:
            raise Fault(f"engine {engine}", expected="one that this GPU and TensorRT can open", actual="refused",
                        remedy="delete the file; it is built again")
        self._context = self._engine.create_execution_context()
        self._stream = _called(self._cuda.cudaStreamCreate())
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        self._dtypes = {name: np.dtype(trt.nptype(self._engine.get_tensor_dtype(name))) for name in names}
        shapes = {name: tuple(self._engine.get_tensor_shape(name)) for name in names}
        read = {name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT}
        self.inputs: dict[str, tuple[int | str, ...]] = {name: shapes[name] for name in names if name in read}
        self.outputs: dict[str, tuple[int | str, ...]] = {name: shapes[name] for name in names if name not in read}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, on the host."""
        return {name: value.numpy() for name, value in self.run_values(feeds).items()}

    def run_values(self, feeds: Mapping[str, Array | DeviceArray]) -> dict[str, DeviceArray]:
        """As `run`, but outputs stay in GPU memory."""
        given = {name: self.value(feeds[name]) for name in self.inputs}
        for name, value in given.items():
            self._context.set_input_shape(name, value.shape)
            self._context.set_tensor_address(name, value.pointer)
        made = {}
        for name in self.outputs:
            made[name] = DeviceArray(self._cuda, tuple(self._context.get_tensor_shape(name)), self._dtypes[name])
            self._context.set_tensor_address(name, made[name].pointer)
        if not self._context.execute_async_v3(self._stream):
            raise Fault(f"engine of {self.path}", expected="a run", actual="TensorRT refused it",
                        remedy="delete the engine cache, or run on CUDA or the CPU")
        _called(self._cuda.cudaStreamSynchronize(self._stream))
        return made

    def value(self, array: Array | DeviceArray) -> DeviceArray:
        """An array in this session's memory."""
        if isinstance(array, DeviceArray):
            return array
        made = DeviceArray(self._cuda, array.shape, array.dtype)
        made.write(np.ascontiguousarray(array))
        return made

    def interrupt(self) -> None:
        """Nothing: a kernel on a GPU cannot be called back, and each takes milliseconds."""

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._cuda.cudaStreamDestroy(self._stream)


def this_device() -> Device:
    """The GPU that engines run on. Raises Fault when there is none, with the driver's reason."""
    cuda, trt = _runtime(), load_tensorrt()
    properties = _called(cuda.cudaGetDeviceProperties(0))
    gpu = f"{properties.name.decode().strip(chr(0))} {properties.major}.{properties.minor}"
    return Device(gpu, str(_called(cuda.cudaDriverGetVersion())), f"{trt.__name__} {trt.__version__}")


def _runtime() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise Fault("CUDA", expected="the package cuda-python", actual=str(error)[:120],
                    remedy="install it, or run on the CPU") from error
    return runtime


def _called(result: tuple[Any, ...]) -> Any:
    """The value of a CUDA call. Raises Fault with CUDA's name for what went wrong."""
    status, *values = result
    if status != 0:
        raise Fault("GPU", expected="a CUDA call that works", actual=status.name,
                    remedy="check the driver with nvidia-smi, or run on the CPU")
    return values[0] if values else None
