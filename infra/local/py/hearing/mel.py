"""The picture of the sound that Whisper reads: 80 (or 128) mel bands, one column each 10 ms."""

import numpy as np

RATE = 16_000
WINDOW = 400
HOP = 160


def bands(count):
    """Triangular filters, evenly spaced on Slaney's mel scale, each of the same area."""

    def mel(hertz):
        return np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(np.maximum(hertz, 1) / 1000) / np.log(6.4))

    def hertz(mels):
        return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mels - 15)))

    edges = hertz(np.linspace(mel(np.float64(0)), mel(np.float64(RATE / 2)), count + 2))
    slopes = edges[:, None] - np.fft.rfftfreq(WINDOW, 1 / RATE)[None]
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).T.astype(np.float32)


class Mel:
    def __init__(self, count):
        self.bands = bands(count)
        self.window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)

    def of(self, samples, seconds):
        """(1, bands, columns) of these 16-bit samples with silence behind them, `seconds` in all."""
        length = round(seconds * RATE)
        wave = np.zeros(length, np.float32)
        wave[: len(samples)] = samples[:length].astype(np.float32) / 32_768
        wave = np.pad(wave, WINDOW // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP][:-1] * self.window
        power = np.abs(np.fft.rfft(frames, axis=1)).astype(np.float32) ** 2
        loud = np.log10(np.maximum(power @ self.bands, 1e-10))
        loud = np.maximum(loud, loud.max() - 8)
        return np.ascontiguousarray(((loud + 4) / 4).T[None], dtype=np.float32)
