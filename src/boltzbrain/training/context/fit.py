"""What a context is before the training: fitted to the training bins with independent neurons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from boltzbrain.baselines.in_time.history import PENALTIES, fit_history, ranks_of
from boltzbrain.baselines.in_time.labels import LabelledBins, fit_labels
from boltzbrain.data.activity import Activity, stretches
from boltzbrain.data.clusters import ENOUGH
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.context import Context
from boltzbrain.model.context.contextual import Contexts
from boltzbrain.model.context.following import FollowingPast
from boltzbrain.model.context.labelled import Labelled, OfEpoch, PlaceInTrial, rows_of
from boltzbrain.model.context.recurrent import FollowingAssemblies
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field
from boltzbrain.training.context.behaviour import following, require_followed
from boltzbrain.training.context.names import followed
from boltzbrain.training.context.states import states_alike
from boltzbrain.training.plan import TrainingPlan

CALCIUM_STEP, CALCIUM_LAGS = "deconvolve", 2
"""The step that tells of calcium traces, and the own bins that then move a neuron's field: a trace
that decays would else be read as an assembly that lasts."""
_LATER = 0.5
"""Share of the training bins that must follow one of their piece for the past to be a context."""


def require_contexts(activity: Activity, plan: TrainingPlan) -> None:
    """Refuse contexts that the activity cannot give.

    Raises
    ------
    InputError
        If one is among those of the plan; the message says what to do.
    """
    where, bins = activity.source.path, activity.bins_of("train")
    follows = [one for one in plan.contexts if one in ("past", "assemblies", "states")]
    if follows and len(bins):
        later = 1.0 - len(Sequences.of_fold(activity, "train").edges[:-1]) / len(bins)
        if later < _LATER:
            raise bad_input(
                "context",
                f"be another than `{follows[0]}` where few training bins follow one another "
                "(--split segments or blocks keeps them together)",
                f"{later:.0%} of them do",
                file=where,
            )
    if "trial" in plan.contexts:
        first, length = stretches(activity.segment)
        if len(first) < ENOUGH or int(length.max()) < 2:
            raise bad_input(
                "context",
                f"be another than `trial` where there are fewer than {ENOUGH} segments of two bins "
                "or more (--epoch LABEL makes every interval of a label one)",
                f"{len(first)} of at most {int(length.max())}",
                file=where,
            )
    if "epoch" in plan.contexts:
        found = set() if activity.epoch is None else set(activity.epoch[bins].tolist()) - {-1}
        if len(found) < 2:
            raise bad_input(
                "context",
                "be another than `epoch` where the training bins lie in fewer than two epochs "
                "(a table of them belongs to the recording; `boltzbrain info` lists it)",
                ", ".join(activity.epoch_names[one] for one in sorted(found)) or "none",
                file=where,
            )
    for name in followed(plan.contexts):
        require_followed(activity, name)


def fit_contexts(
    activity: Activity, plan: TrainingPlan, trained: Contexts | None = None
) -> Contexts:
    """Fit the contexts of a plan one after the other, each beside those before it.

    The neurons of a bin are independent here; penalties are chosen on the validation bins.

    Parameters
    ----------
    activity
        States and folds.
    plan
        Names at least one context.
    trained
        The contexts after the training, whose regression on the past, which rests, is taken as it
        is; else it is fitted.

    Raises
    ------
    InputError
        As `require_contexts`.
    """
    require_contexts(activity, plan)
    train = Sequences.of_fold(activity, "train")
    held = (
        Sequences.of_fold(activity, "validation") if len(activity.bins_of("validation")) else None
    )
    field = independent_field(torch.from_numpy(train.states))
    parts: list[Context] = []
    base: list[Tensor | None] = [None, None]
    if "past" in plan.contexts:
        known = [] if trained is None else trained.parts
        past = next((one for one in known if isinstance(one, FollowingPast)), None)
        if trained is None or past is None:
            past, field = _past(train, held, plan)
        else:
            field = trained.foot
        parts.append(past)
        base = [past.law.odds(train), None if held is None else past.law.odds(held)]
    for empty in _empty(activity, train, plan):
        part = _labelled(empty, (train, held), base, field)
        parts.append(part)
        for number, bins in enumerate((train, held)):
            if bins is not None:
                more = rows_of(part.visible, torch.from_numpy(part.labels(bins)))
                before = base[number]
                base[number] = more if before is None else before + more
    if "assemblies" in plan.contexts:
        parts.append(_assemblies(activity, plan))
    if "states" in plan.contexts:
        parts.append(states_alike(field, plan.states, plan.hidden))
    return Contexts(tuple(parts), field)


def _assemblies(activity: Activity, plan: TrainingPlan) -> FollowingAssemblies:
    """Return assemblies that do not follow each other yet."""
    lags = plan.self_history
    if lags is None:
        calcium = activity.step(CALCIUM_STEP) is not None and "past" not in plan.contexts
        lags = CALCIUM_LAGS if calcium else 0
    units = torch.zeros(plan.hidden)
    square = torch.zeros((plan.hidden, plan.hidden))
    return FollowingAssemblies(square, units, units, torch.zeros((lags, activity.n_neurons)))


def _past(
    train: Sequences, held: Sequences | None, plan: TrainingPlan
) -> tuple[FollowingPast, Tensor]:
    """Return the regression on the past as a context, and its fields."""
    nobody, neurons = Generator.from_seed(0), train.states.shape[1]
    seconds = (0.0,) if plan.past_s is None else (0.0, plan.past_s)
    traces = len(seconds) + plan.past_lags - 1
    ranks = ranks_of(neurons, traces)
    if plan.past_axes is not None:
        ranks = (min(plan.past_axes, traces * neurons),)
    of_past: dict[str, Any] = {"seconds": seconds, "lags": plan.past_lags}
    if held is None:
        # nothing can choose: the middle of what is tried, along the fewest axes
        middle = PENALTIES[len(PENALTIES) // 2]
        model = fit_history(train, train, nobody, penalties=(middle,), ranks=ranks[:1], **of_past)
    else:
        model = fit_history(train, held, nobody, ranks=ranks, **of_past)
    assert model.from_past is not None
    return FollowingPast(model.from_past), model.fields[0]


def _empty(activity: Activity, train: Sequences, plan: TrainingPlan) -> Iterator[Labelled]:
    """Yield the contexts of labels with offsets of 0, in the order in which they are fitted."""
    neurons = train.states.shape[1]

    def tables(count: int) -> tuple[Tensor, Tensor, Tensor | None]:
        hidden = torch.zeros((count, plan.hidden)) if plan.context_hidden else None
        return torch.zeros((count, neurons)), torch.zeros(neurons), hidden

    if PlaceInTrial.name in plan.contexts:
        assert train.in_segment is not None
        yield PlaceInTrial(*tables(int(train.in_segment.max()) + 1))
    if OfEpoch.name in plan.contexts:
        yield OfEpoch(*tables(len(activity.epoch_names)), activity.epoch_names)
    for number, name in enumerate(followed(plan.contexts)):
        yield following(name, number, train, tables)


def _labelled(
    empty: Labelled,
    bins: tuple[Sequences, Sequences | None],
    base: list[Tensor | None],
    field: Tensor,
) -> Labelled:
    """Return offsets for the labels of training bins, drawn to 0 as the validation bins choose."""
    sets = [
        None
        if one is None
        else LabelledBins(torch.from_numpy(one.states), torch.from_numpy(empty.labels(one)), beside)
        for one, beside in zip(bins, base, strict=True)
    ]
    assert sets[0] is not None
    table, pseudo = fit_labels(sets[0], sets[1], field, len(empty.visible))
    rate = torch.sigmoid(field)
    prior = (pseudo * rate * (1 - rate)).to(torch.float32)
    return replace(empty, visible=table.to(torch.float32), prior=prior)
