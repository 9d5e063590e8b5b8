import numpy as np

from tidenhance.data.distortions import high_frequency_noise


def test_spectrum_has_little_power_at_low_frequencies():
    grey = np.full((256, 256, 3), 128, np.uint8)
    noise = high_frequency_noise.distort(grey, 3, np.random.default_rng(0)) - 128.0
    power = np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2
    rows, columns = np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256), indexing="ij")
    frequency = np.hypot(rows, columns)  # in cycles a pixel
    assert power[frequency < 0.1].mean() < 0.02 * power[frequency > 0.4].mean()
