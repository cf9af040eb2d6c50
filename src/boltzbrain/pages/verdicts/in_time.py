"""What earlier bins tell, beside what the RBM knows of a bin alone: sentences from figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boltzbrain.evaluation.in_context.free_running import words_of
from boltzbrain.foundations.showing.numbers import number, with_error
from boltzbrain.pages.verdicts.baselines import doubts_of, gain_error
from boltzbrain.pages.verdicts.score import given_words
from boltzbrain.pages.verdicts.thresholds import BY_CHANCE_TIMES, CLEAR, LOCKED_SHARE, LONG_STAY
from boltzbrain.pages.verdicts.verdict import Level, Verdict, at_most, figure_at


def with_time(baselines: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the models beside the RBM that see earlier bins and have a score, by name."""
    return {
        name: one
        for name, one in baselines.items()
        if name != "rbm"
        and one.get("predictive", {}).get("uses_time")
        and one["predictive"]["gain"]["value"] is not None
    }


def not_interpreted(one: Mapping[str, Any]) -> str:
    """Say why what a model with time holds should not be read; empty where it may be."""
    gain = one["predictive"]["gain"]
    if gain["value"] > CLEAR * (gain_error(gain) or 0.0):
        return ""
    return (
        f"The {one['title']} does not clearly tell more of test bins than rates do "
        f"({with_error(gain['value'], gain.get('stderr'), 2, '+')} nats): what it found should "
        "not be interpreted. "
    )


def doubted(found: Verdict, doubt: str) -> Verdict:
    """Return a verdict, poor where `not_interpreted` forbids to read what it is of."""
    return Verdict("poor", doubt + found.text) if doubt else found


def beside_time(evaluation: Mapping[str, Any]) -> Verdict:
    """Say which model predicts a bin best, and how far the RBM lies from it.

    Good where the RBM lies clearly above every model with time, poor where clearly below one.
    """
    baselines = evaluation.get("baselines", {})
    models = with_time(baselines)
    own = figure_at(evaluation, "predictive.gain.value")
    if not models or own is None:
        return Verdict("unknown", "No model with time has a score.")
    best = max(models.values(), key=lambda one: float(one["predictive"]["gain"]["value"]))
    gain = best["predictive"]["gain"]
    text = (
        f"Of the models with time, the {best['title']} tells a bin best, given the earlier ones of "
        f"its segment: {with_error(gain['value'], gain['stderr'], 2, '+')} nats over independent "
        f"neurons; the RBM{given_words(evaluation) or ', which sees the bin alone,'} has "
        f"{with_error(own, None, 2, '+')}."
    )
    level: Level = "fair"
    less = best["rbm_minus_this"]["predictive"]
    value, error = less["value"], less["stderr"]
    if value is not None and error is not None and abs(value) > CLEAR * error:
        level = "good" if value > 0 else "poor"
        text += f" The RBM lies {with_error(abs(value), error, 2)} nats "
        if value > 0:
            text += "above."
        elif given_words(evaluation):
            text += "below."
        else:
            text += "below: the past tells more than the bin's own pattern."
    doubts = doubts_of(baselines.get("rbm", {}))
    if doubts:
        # annealing lies below log Z on average: a doubtful RBM looks too good, and wins nothing
        level = at_most(level, "fair")
        text += f" The RBM's own figure is doubtful: {'; '.join(doubts)}."
    return Verdict(level, text)


def of_context(evaluation: Mapping[str, Any]) -> Verdict:
    """Say what the context of the RBM adds, and what the model keeps of time when it runs freely.

    Good where the context lifts the model clearly: over the run that it began with, or else over
    itself without it.
    """
    place = "predictive"
    told = [
        (what, figure_at(evaluation, f"{place}.{name}.value"),
         figure_at(evaluation, f"{place}.{name}.stderr"))
        for name, what in (
            ("over_run", "the run it began with"),
            ("over_itself_without_time", "the same parameters without it"),
        )
    ]  # fmt: skip
    known = [(what, value, error) for what, value, error in told if value is not None]
    own = figure_at(evaluation, f"{place}.gain.value")
    if own is None or not known:
        return Verdict("unknown", "The test bins have no score with the context.")
    listed = " and ".join(
        f"{with_error(value, error, 2, '+')} nats over {what}" for what, value, error in known
    )
    text = (
        f"A bin{given_words(evaluation)}: {with_error(own, None, 2, '+')} nats, {listed}. "
        "Generated bins on this page are given the recorded context; what is said of weights and "
        "hidden units holds at its mean."
    )
    free = words_of(evaluation[place].get("free_run", {}))
    text += f" {free[0].upper()}{free[1:]}." if free else ""
    _, value, error = known[0]
    if error is None or abs(value) <= CLEAR * error:
        return Verdict("fair", text)
    return Verdict("good" if value > 0 else "poor", text)


def controls(evaluation: Mapping[str, Any]) -> Verdict:
    """Say what of the gain with time is locked to the trial, and what is slow.

    Poor where the past of another segment tells more than half of what the own one does.
    """
    path = "predictive.controls"
    value = {
        name: figure_at(evaluation, f"{path}.{name}.gain.value")
        for name in ("history", "other_segment", "shuffled_in_segment", "place_in_trial")
    }
    share = figure_at(evaluation, f"{path}.shuffled_in_segment.share")
    words = [
        f"{what} {number(found, 2, '+')} nats"
        for name, what in (
            ("place_in_trial", "rates that follow the place in the trial gain"),
            ("other_segment", "the past of another segment"),
        )
        if (found := value[name]) is not None
    ]
    if share is not None:
        words.append(f"with bins shuffled within segments {share:.0%} of the past's gain is left")
    own = value["history"]
    if own is None or not words:
        return Verdict("unknown", "Nothing to compare with.")
    text = f"The past of a segment gains {number(own, 2, '+')} nats; {'; '.join(words)}."
    if own <= 0:
        return Verdict("unknown", f"{text} There is nothing to explain.")
    if share is not None:
        text += " What shuffling leaves is slow: a state, and not the last bin."
    other = value["other_segment"]
    if other is None:
        return Verdict("fair", text)
    return Verdict("good" if other < LOCKED_SHARE * own else "poor", text)


def states(told: Mapping[str, Any], bin_width_s: float) -> Verdict:
    """Judge whether states last: good where the middle one stays for three bins or more."""
    seen = sorted(one for one in told["dwell_seen_s"] if one is not None)
    middle = seen[len(seen) // 2] if seen else 0.0
    rare = len(told["rare"])
    text = (
        f"{told['number']} states; the middle one stays {middle:.2g} s at a time. A state is told "
        f"with a certainty of {told['certainty']:.0%} on average."
    )
    if rare:
        text += f" {rare} of them hold less than 1% of the bins each."
    if "couplings" in told:
        pairs = told["couplings"]
        text += (
            f" Couplings of {pairs['changing']:,} of {pairs['pairs']:,} pairs change with the "
            f"state beyond states at other times, where {pairs['expected']:.0f} are expected."
        )
    return Verdict(LONG_STAY.high_is_good(middle / bin_width_s), text)


def influences(told: Mapping[str, Any], bin_width_s: float) -> Verdict:
    """Say which assemblies follow which: good where more do than by chance, by far."""
    text = (
        f"{told['clear']} of {told['pairs']} influences between units, fitted anew to validation "
        f"bins, lie beyond those of units at other times, where {told['expected']:.0f} are expected"
    )
    named = "; ".join(
        f"{one['unit']} follows {one['follows']} by "
        f"{with_error(one['value'], one['stderr'], 3, '+')}"
        for one in told["strongest"][:3]
    )
    text += f"; the strongest: {named}." if named else "."
    text += f" The middle unit is remembered for {told['median_s']:.2g} s"
    if told["shorter"]:
        text += f"; {told['shorter']} for less than two bins of {1000 * bin_width_s:g} ms"
    if told["longer"]:
        text += (
            f"; {told['longer']} for more than a tenth of the longest segment, which says little"
        )
    found = told["clear"] > BY_CHANCE_TIMES * max(told["expected"], 1.0)
    return Verdict("good" if found else "fair", f"{text}.")


def changing_pairs(told: Mapping[str, Any]) -> Verdict:
    """Say how many couplings change with the label: good where more do than at other times."""
    text = (
        f"Couplings of {told['changing']:,} of {told['pairs']:,} pairs change over "
        f"{len(told['labels'])} labels by more than {told['threshold']:.2g} nats, beyond those of "
        f"labels at other times, where {told['expected']:.0f} are expected."
    )
    found = told["changing"] > BY_CHANCE_TIMES * max(told["expected"], 1.0)
    return Verdict("good" if found else "fair", text)


def number_of_states(evaluation: Mapping[str, Any]) -> Verdict:
    """Say how many states were chosen: fair where the most that were tried won."""
    words, level = [], "good"
    for one in with_time(evaluation.get("baselines", {})).values():
        if "states" in one["fit"]["chosen"]:
            words.append(f"{one['title']} {one['fit']['chosen']['states']:g}")
            tried = {row["states"] for row in one["fit"]["grid"] if "states" in row}
            most = len(tried) > 1 and one["fit"]["chosen"]["states"] == max(tried)
            level = "fair" if most else level
    text = f"Chosen: {', '.join(words)}."
    if level == "fair":
        text += " The most that were tried won, so more may be better."
    return Verdict("fair" if level == "fair" else "good", text)


def profiles(told: Mapping[str, Any]) -> Verdict:
    """Say how many groups of neurons there are: good with more than one."""
    sizes = told["groups"]["sizes"]
    if not sizes[1:]:
        return Verdict("fair", "Neurons form one group: states change them all alike.")
    listed = ", ".join(map(str, sizes))
    return Verdict("good", f"Neurons form {len(sizes)} groups, of {listed} neurons.")
