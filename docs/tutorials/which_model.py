# %% [markdown]
# # Which model?
#
# How many hidden units, and would something simpler do? Two questions with one answer each: what
# the validation fold says chooses the model, and what the test fold says is reported.

# %%
import matplotlib.pyplot as plt
import numpy as np

import boltzbrain as bb
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import simulate_assemblies

truth = simulate_assemblies(
    Generator.from_seed(3), neurons=80, assemblies=6, bins=8000, sizes=(10, 20),
    on_fraction=(0.04, 0.08), firing=0.5, background=0.02, overlap=0.3,
)
activity = bb.from_states(truth.states, bin_width_s=0.02).binarize().split(seed=0)
activity

# %% [markdown]
# ## How many hidden units?
#
# A sweep trains a model for each number, as many side by side as there are cores, and chooses by
# the validation fold. On the command line: `boltzbrain sweep session.nwb -o sweep --hidden 3,6,12`.
# (In a script, call it under `if __name__ == "__main__":`, as it starts processes.)

# %%
sweep = bb.sweep(activity, "sweep", hidden=[3, 6, 12], updates=2500)
columns = ["hidden", "validation_nats_per_bin", "validation_stderr", "test_gain_over_independent"]
sweep.table()[columns].rename(columns=lambda name: name.replace("_nats_per_bin", "")).round(2)

# %%
print(sweep.choice["reason"])

# %% [markdown]
# The test fold had no say in this. Where the curve is flat, several numbers are as good, and
# `rule="one-stderr"` takes the smallest of them, which is easier to read. The number of hidden
# units is no number of assemblies: several units may share one, or one unit two that go together.
#
# ## Would something simpler do?
#
# Simpler models are fitted to the same bins, their penalties chosen on the same validation fold:
# independent neurons, a pairwise model (`ising`), and one regression for each neuron (`glm`).

# %%
run = sweep.chosen
evaluation = bb.evaluate(run, baselines=("independent", "ising", "glm"))
models = evaluation["baselines"]
for one in models.values():
    gain = one["gain"]
    if gain["value"] is None:
        print(f"{one['title']:<24} no likelihood")
    else:
        print(f"{one['title']:<24} {gain['value']:+.2f} ± {gain['stderr'] or 0:.2f} nats per bin")

# %% [markdown]
# The errors of two models on the same bins go up and down together, so the difference is known
# better than either. This, and not whether two error bars overlap, says who wins:

# %%
for name, one in models.items():
    if name != "rbm" and (apart := one["rbm_minus_this"]["gain"])["value"] is not None:
        print(f"RBM − {one['title']:<20} {apart['value']:+.3f} ± {apart['stderr']:.3f}")

# %% [markdown]
# A model may be good at one thing only. The same models are asked for each neuron given all others,
# and what they generate is compared with the test fold:

# %%
for one in models.values():
    given = one["conditional"]["bits_per_spike"] or 0.0
    made = one["statistics"]["covariances_pearson"]
    print(f"{one['title']:<16} {given:+.2f} bits per spike given the others", end="; ")
    print("generates nothing" if made is None else f"its covariances correlate {made:.2f}")

# %% [markdown]
# How many neurons are active at once is a test that pairs alone do not settle:

# %%
gains = {one["title"]: one["gain"] for one in models.values() if one["gain"]["value"] is not None}
rows = [(name, gain["value"], gain["stderr"], False) for name, gain in gains.items()]
table = sweep.table().sort_values("hidden")
scores = table["validation_nats_per_bin"], table["validation_stderr"]
figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.2), layout="constrained")
axes[0].errorbar(table["hidden"], *scores, fmt="o-")
axes[0].axvline(run.plan.hidden, color="grey", linestyle=":")
axes[0].set(xlabel="hidden units", ylabel="validation (nats per bin)", title="how many?")
axes[0].set_xticks(table["hidden"])
bb.figures.baseline_scores(rows, "gain (nats per test bin)", ax=axes[1])
axes[1].set_title("would something simpler do?")
rates = activity.states_of("train").mean(axis=0)
counts = {
    "recorded": activity.states_of("test").sum(axis=1),
    "RBM": bb.sample(run, 5000, progress=False).states.sum(axis=1),
    "independent": (np.random.default_rng(0).random((5000, len(rates))) < rates).sum(axis=1),
}
for name, count in counts.items():
    axes[2].plot(np.bincount(count, minlength=25)[:25] / len(count), label=name)

axes[2].set(yscale="log", xlabel="neurons active in a bin", ylabel="share of bins")
axes[2].set_title("what do they generate?")
axes[2].legend(frameon=False)
plt.show()

# %% [markdown]
# ## What to say of it
#
# - The test gain of the chosen model, with its error, beside the simpler models on the same folds.
#   If a simpler one is as good, take the simpler one: that is a finding, too.
# - A GLM has no likelihood of a pattern, as its regressions need not belong to one law; compare it
#   by `models["glm"]["conditional"]`. A VAE has a lower bound only.
# - Folds differ from each other more than models often do. Where a verdict matters, repeat it on
#   other folds: `split(seed=1)`.
# - Models that know the past may beat all of these: [time and states](in_time.py).
#
# ## Your own recording
#
# `activity = bb.read("session.nwb").binarize().split()` and the same lines; for hundreds of neurons
# try `hidden=[25, 50, 100, 200]` and leave out `updates`. `bb.report(run)` writes all of it on a
# page. [Baselines](../baselines.md) tells how each simpler model is fitted,
# [choosing](../choosing.md) which likelihood to trust.
