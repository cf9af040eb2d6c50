"""L-BFGS side by side: minima, and what is kept of their curvature."""

import numpy as np
import pytest

from boltzbrain.baselines.side_by_side import SideBySide

PROBLEMS, ENTRIES = 5, 30


class Bowls:
    """Convex losses x A x / 2 + sum log cosh(x - b), of different conditions."""

    def __init__(self, square=0.0):
        rng = np.random.default_rng(3)
        turn = np.linalg.qr(rng.normal(size=(PROBLEMS, ENTRIES, ENTRIES)))[0]
        bend = np.geomspace(0.2, np.geomspace(1, 100, PROBLEMS), ENTRIES).T
        self.matrix = turn @ (bend[:, :, None] * turn.transpose(0, 2, 1))
        self.matrix = self.matrix + square * np.eye(ENTRIES)
        self.middle = rng.normal(size=(PROBLEMS, ENTRIES))
        self.asked = []

    def __call__(self, points, problems):
        self.asked.append(len(problems))
        bent = np.einsum("nij,nj->ni", self.matrix[problems], points)
        away = points - self.middle[problems]
        value = (points * bent).sum(axis=1) / 2 + np.logaddexp(away, -away).sum(axis=1)
        return value, bent + np.tanh(away)

    @property
    def curvature(self):
        return np.diagonal(self.matrix, axis1=1, axis2=2)


def minima(search, bowls, start, precision=1e-12):
    return search.minimise(
        bowls, start, np.arange(PROBLEMS),
        curvature=bowls.curvature, iterations=300, precision=precision,
    )  # fmt: skip


def test_every_problem_reaches_its_own_minimum_and_then_leaves():
    bowls = Bowls()
    found = minima(SideBySide(PROBLEMS, ENTRIES), bowls, np.zeros((PROBLEMS, ENTRIES)))
    _, slope = bowls(found, np.arange(PROBLEMS))
    assert np.abs(slope).max() < 1e-4
    # the round ones are done long before the narrow ones
    assert bowls.asked[0] == PROBLEMS
    assert 1 <= bowls.asked[-2] < PROBLEMS


def test_problems_do_not_touch_each_other():
    together = minima(SideBySide(PROBLEMS, ENTRIES), Bowls(), np.zeros((PROBLEMS, ENTRIES)))
    bowls = Bowls()
    alone = SideBySide(PROBLEMS, ENTRIES).minimise(
        lambda points, of: bowls(points, of + 3), np.zeros((1, ENTRIES)), np.array([3]),
        curvature=bowls.curvature[3:4], iterations=300, precision=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(alone[0], together[3], atol=1e-9)


@pytest.mark.parametrize("told", [True, False])
def test_an_added_square_leaves_what_was_learnt_true(told):
    search, bend, asked = SideBySide(1, 1), 1.0, []

    def parabola(points, problems):
        asked.append(len(problems))
        return (bend * points**2 / 2 - points)[:, 0], bend * points - 1

    def solve(start):
        return search.minimise(
            parabola, start, np.array([0]),
            curvature=np.full((1, 1), 1.0), iterations=50, precision=1e-9,
        )  # fmt: skip

    start = solve(np.zeros((1, 1)))
    bend = 8.0
    if told:
        search.add_square(np.array([7.0]))
    asked.clear()
    np.testing.assert_allclose(solve(start), 1 / 8, atol=1e-6)
    # the start, the minimum by one step, and that there is no more to gain
    assert (len(asked) == 3) is told


@pytest.mark.parametrize("iterations", [1, 4])
def test_no_more_evaluations_than_allowed(iterations):
    search, bowls = SideBySide(PROBLEMS, ENTRIES), Bowls()
    search.minimise(
        bowls, np.zeros((PROBLEMS, ENTRIES)), np.arange(PROBLEMS),
        curvature=bowls.curvature, iterations=iterations, precision=0.0,
    )  # fmt: skip
    assert search.evaluations == len(bowls.asked) == iterations


def test_searches_that_go_on_from_each_other_never_rise():
    """Each of few evaluations, some problems a thousand times as steep as they are said to be."""
    search, bowls = SideBySide(PROBLEMS, ENTRIES), Bowls()
    steep = np.array([1e-3, 1.0, 1.0, 30.0, 1000.0])

    def losses(points, problems):
        value, slope = bowls(points, problems)
        return value * steep[problems], slope * steep[problems, None]

    point, course = np.zeros((PROBLEMS, ENTRIES)), []
    for _ in range(30):
        course.append(losses(point, np.arange(PROBLEMS))[0])
        point = search.minimise(
            losses, point, np.arange(PROBLEMS),
            curvature=bowls.curvature, iterations=6, precision=0.0,
        )  # fmt: skip
    course = np.array(course)
    assert np.diff(course, axis=0).max() <= 1e-6 * np.abs(course).max()
    slope = bowls(point, np.arange(PROBLEMS))[1]
    assert np.abs(slope[1:]).max() < 1e-3
    # the flat one takes the step that its slope tells, and is lower
    assert course[-1][0] < course[0][0]
