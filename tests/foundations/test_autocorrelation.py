"""One window for every autocorrelation time: of chains, of recordings, of curves."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from boltzbrain.data.timescale import independent_bins
from boltzbrain.evaluation.dynamics.curves import Curve
from boltzbrain.evaluation.dynamics.time_scales import integrated_time as time_of_curve
from boltzbrain.foundations.autocorrelation import WINDOW, lagged_products, windowed_sum
from boltzbrain.sampling.mixing import integrated_time as time_of_chains

STEPS = 100_000


def autoregressive(rho: float, seed: int) -> np.ndarray:
    """Return x' = rho x + noise in equilibrium, (step,)."""
    noise = np.random.default_rng(seed).normal(size=STEPS + 2000)
    return lfilter([1.0], [1.0, -rho], noise)[2000:]


def in_chains(series: np.ndarray) -> float:
    return time_of_chains(series.reshape(1, -1))


def in_bins(series: np.ndarray) -> float:
    counts = np.round(1000 * series).astype(np.int64)
    return STEPS / independent_bins(counts, np.zeros(STEPS, np.int32)) / 2


def in_a_curve(series: np.ndarray) -> float:
    lags = np.arange(2000)
    products = lagged_products(series - series.mean())[:2000] / (STEPS - lags)
    return time_of_curve(Curve(lags.astype(float), products / products[0], np.zeros(2000)))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("time", [in_chains, in_bins, in_a_curve])
def test_the_time_of_an_autoregression_is_known(rho, time):
    """The error is sqrt(2 (2 W + 1) / steps) of the time; beyond 5 errors by chance: 6e-7."""
    known = 0.5 * (1 + rho) / (1 - rho)
    error = math.sqrt(2 * (2 * WINDOW * known + 1) / STEPS) * known
    found = time(autoregressive(rho, seed=7))
    assert abs(found - known) < 5 * error
    # the control: 5 errors tell this process from a slightly slower one, but where all is noise
    slower = 0.5 * (1 + rho + 0.1 * (1 - rho)) / (0.9 * (1 - rho))
    assert rho == 0.97 or abs(found - slower) > abs(found - known)


def test_the_three_estimates_of_one_series_are_one():
    series = autoregressive(0.9, seed=3)
    chains, bins, curve = in_chains(series), in_bins(series), in_a_curve(series)
    assert bins == pytest.approx(chains, rel=0.01)
    assert curve == pytest.approx(chains, rel=0.01)


@pytest.mark.parametrize(("share", "missed"), [(1.0, 0.001), (0.5, 0.025), (0.2, 0.36)])
def test_the_window_reaches_over_the_slow_rest_of_a_series_that_is_mostly_noise(share, missed):
    """Exact curves, without chance; windows of 5 and 6 would miss twice as much and more."""
    rho = 0.99
    curve = share * rho ** np.arange(5000)
    curve[0] = 1.0
    known = 0.5 + share * rho / (1 - rho)
    assert known * (1 - missed) < windowed_sum(curve) <= known
