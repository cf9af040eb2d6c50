"""What evaluations, interpretations and comparisons tell of themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from boltzbrain.evaluation.scores import Evaluation
from boltzbrain.foundations.showing.numbers import number, with_error
from boltzbrain.foundations.showing.told import Told, counted, listed
from boltzbrain.interpretation.animals.compare import Comparison
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.pages.objects.pictures import picture_of_map, picture_of_scores


def evaluation_told(found: Evaluation) -> Told:
    """Return what an evaluation tells: its scores, their errors, and how to read on."""
    rows = [
        (f"{name} fold", _nats(getattr(found, name))) for name in ("train", "validation", "test")
    ]
    rows += [
        ("gain on test", f"{_nats(found.gain, '+')} over independent neurons"),
        ("", f"{found.bits_per_spike} bits per spike"),
        ("log-partition", str(found.log_partition)),
        ("doubts", "; ".join(found.unreliable)),
    ]
    table = found.statistics
    if len(table):
        told = {
            str(name): number(float(one), 2)
            for name, one in table["pearson"].dropna().items()
            if name in ("rates", "covariances", "triplets")
        }
        rows.append(("Pearson, test", listed(told)))
    rows += [
        ("baselines", listed(list(found.get("baselines", {})))),
        ("undefined", _undefined(found.reasons)),
        ("keys", listed([name for name in found if isinstance(found[name], dict)], 4)),
    ]
    folds = [
        name for name in ("train", "validation", "test") if getattr(found, name).value is not None
    ]
    return Told(
        f"Evaluation of update {found.chosen_update:,}",
        tuple(rows),
        lambda: picture_of_scores(
            folds,
            [getattr(found, one).value for one in folds],
            [getattr(found, one).stderr or 0.0 for one in folds],
        ),
    )


def _undefined(reasons: Mapping[str, str]) -> str:
    """Return how many figures of which part do not exist, and the most frequent reason."""
    if not reasons:
        return ""
    parts = Counter(path.partition(".")[0] for path in reasons)
    why = Counter(reasons.values()).most_common()
    others = ", and others" if len(why) > 1 else ""
    told = listed({name: f"{n:,}" for name, n in parts.items()})
    return f"{told}: {why[0][0]}{others} (.reasons)"


def _nats(figure: Any, sign: str = "") -> str:
    if figure.value is None:
        return f"none: {figure.reason}"
    return f"{with_error(figure.value, figure.stderr, 2, sign)} nats per bin"


def interpretation_told(found: Interpretation) -> Told:
    """Return what an interpretation tells: couplings, assemblies, regions, and how to get them."""
    summary = found.summary
    couplings, assemblies = summary["couplings"], summary["assemblies"]
    norms = couplings["norms"]
    maps = found.maps()
    rooms = listed(sorted({path.partition("/")[0] for path in found}))
    rows = [
        ("couplings", f"{couplings['form']}; norms: fields {norms['fields']:.3g}, pairs "
         f"{norms['pairs']:.3g}, triplets {norms['triplets']:.3g}"),
        ("assemblies", f"{len(found['assemblies/sizes']):,} of {assemblies['median_size']:.0f} "
         f"neurons (median); {assemblies['embedded']:.0%} of neurons embedded"),
        ("regions", "" if maps is None else listed(
            {name: f"{n:,}" for name, n in zip(maps.names, maps.counts.tolist(), strict=True)})),
        ("tables", "to_dataframe('neurons'), 'couplings', 'assemblies'"
         + ("" if maps is None else ", 'regions'")),
        ("arrays", f"{len(found.entries)} by path, in {rooms}; to_xarray() for all"),
        ("missing", listed([f"{path}: {why}" for path, why in summary.get("reasons", {}).items()],
                           2)),
    ]  # fmt: skip
    return Told(
        f"Interpretation of {counted(len(found['neurons/id']), 'neuron')}",
        tuple(rows),
        None if maps is None else lambda: picture_of_map(maps.names, maps.counts, maps.l1),
    )


def comparison_told(found: Comparison) -> Told:
    """Return what a comparison tells: its runs, and the maps that were averaged."""
    runs = found.summary["runs"]
    rows = [
        (
            f"animal {one['animal']}",
            f"{one['folder']}" + ("" if one["converged"] else ", not converged"),
        )
        for one in runs[:10]
    ]
    rows += [("", f"and {len(runs) - 10} more" if len(runs) > 10 else "")]
    rows += [("average maps", listed(list(found.averages)))]
    return Told(f"Comparison of {counted(len(runs), 'run')}", tuple(rows))
