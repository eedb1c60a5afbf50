"""From a trained checkpoint to what ships: ONNX graphs, quantization, parity checks, the everyday pack (torch)."""
