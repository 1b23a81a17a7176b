"""A real signal may lack the axis of its one part: exporters leave it out, onnxruntime takes it."""

from typing import Any

import numpy as np
from written_files import run_in_onnxruntime

import onnxgrad as og


def test_a_signal_without_the_axis_of_its_part() -> None:
    signal = np.random.default_rng(0).normal(size=(2, 13)).astype(np.float32)
    window = np.hanning(5).astype(np.float32)
    b = og.Builder("frames")
    x = b.input("x", "float32", signal.shape)
    b.output(b.op.STFT(x, np.array(4), window, onesided=1), "y")
    graph = b.build()
    frames = np.stack([signal[:, k : k + 5] for k in (0, 4, 8)], 1).astype(np.float64)
    found = np.fft.rfft(frames * window)
    expected = np.stack([found.real, found.imag], -1)
    feeds: dict[str, Any] = {"x": signal}
    for y in (
        og.compile(graph).run(feeds)["y"],
        og.compile(graph, "onnxruntime").run(feeds)["y"],
        run_in_onnxruntime(og.to_onnx(graph), feeds)["y"],
    ):
        np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6)
    assert og.check_gradients(graph, "y", "x", feeds)
