# %% [markdown]
# # What assemblies do
#
# An assembly is a group of neurons; what is it for? Here a task is simulated: a stimulus on the
# left or right, a running wheel, a reward. One assembly follows the side, one the running, one
# knows nothing of either but drifts slowly, as everything in a brain does.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

import boltzbrain as bb

generator = np.random.default_rng(0)
trials, per_trial, neurons, width_s = 200, 40, 45, 0.05
bins = trials * per_trial
trial, place = np.divmod(np.arange(bins), per_trial)
right = generator.random(trials) < 0.5
smooth = np.exp(-np.arange(400) / 100) / 14
speed = 5 + 3 * np.convolve(generator.normal(size=bins), smooth)[:bins]
drift = np.convolve(generator.normal(size=bins), smooth)[:bins]
chance_on = np.column_stack([
    np.where(right[trial] & (place > 9) & (place < 25), 0.35, 0.02),  # the side, after the stimulus
    0.25 / (1 + np.exp(3 - speed / 2)),  # running
    0.25 / (1 + np.exp(2 - 2 * drift)),  # neither
])
on = generator.random((bins, 3)) < chance_on
member = np.arange(neurons)[:, None] // 12 == np.arange(3)  # 12 neurons each, 9 in none
states = generator.random((bins, neurons)) < 1 - 0.97 * 0.5 ** (on @ member.T.astype(int))

# %% [markdown]
# ## A recording with a task
#
# Trials are a table with a row for each, covariates series with a clock of their own. From files:
# `bb.read("session.nwb")` finds those of NWB and ALF; csv files and data frames go beside any
# recording.

# %%
table = pd.DataFrame({
    "start_s": np.arange(trials) * per_trial * width_s,
    "stop_s": (np.arange(trials) + 1) * per_trial * width_s,
    "side": np.where(right, "right", "left"),
    "reward": generator.random(trials) < 0.7,
})
series = pd.DataFrame({"time_s": np.arange(bins) * width_s, "speed [cm/s]": speed})
recording = bb.read(
    states.astype(np.uint8), axes="time,neuron", values="states", frame_s=width_s,
    trials=table, covariates=series,
)
activity = recording.binarize().split(seed=0)
run = bb.fit(activity, hidden=6, updates=2000, weights_from="data", out="run")
bb.evaluate(run)

# %% [markdown]
# The model has seen neither trials nor speed. What its assemblies have to do with them is asked
# afterwards.
#
# ## Tuning

# %%
bb.tuning(run, "side").round(3)[["effect", "preferred", "q_value", "tuned", "smallest_effect"]]

# %%
bb.tuning(run, "speed").round(3)[["effect", "correlation", "q_value", "tuned", "smallest_effect"]]

# %% [markdown]
# `effect` is the share of an assembly's variance that the column explains, beyond chance. `tuned`
# is a q-value of 0.05 or less. `smallest_effect` is what would have been seen in four of five
# recordings like this one: where nothing is tuned, it says whether that means anything.
#
# **Chance** is what decides. Activity and behaviour both remember, and two series that know nothing
# of each other go together more often than independent samples would. So trials are permuted among
# neighbours, and series are moved in a circle, which leaves the memory of both. Taking bins for
# independent would call the drifting assembly tuned to almost anything slow:

# %%
hidden = run.best.mean_hidden(torch.as_tensor(activity.states)).numpy()  # (bin, unit)
drifting = np.abs(np.corrcoef(np.column_stack([on[:, 2], hidden]).T)[0, 1:]).argmax()
naive = spearmanr(hidden[:, drifting], speed).pvalue
honest = bb.tuning(run, "speed").loc[drifting, "p_value"]
print(f"assembly {drifting} drifts; its p-value with speed is {honest:.2g}, "
      f"and {naive:.1g} if bins are taken for independent")

# %% [markdown]
# Two slow series seem to go together in a recording of this length, and nothing is behind it.
#
# ## Decoding, and the other way round
#
# Do a few hidden units hold what all neurons hold? Linear models train on the training and
# validation fold and are scored on the test fold; `chance` is the same after the null above. Then
# the other way: what does each column explain of an assembly that all others do not (`unique`)?

# %%
bb.decode(run, "side")[["number", "score", "stderr", "chance", "p_value"]].round(3)

# %%
explained = bb.explained(run)
explained.pivot(index="assembly", columns="of", values="unique").round(3)

# %% [markdown]
# Six hidden units tell the side nearly as well as all 45 neurons: little of what the neurons say of
# it is lost.
#
# ## All in one picture

# %%
found = bb.interpret(run, behaviour_draws=400)
names = found.summary["behaviour"]["names"]
direction = np.sign(found["behaviour/hidden/direction"])
effect = direction * np.maximum(found["behaviour/hidden/effect"], 0)
tuned = found["behaviour/hidden/q_value"] <= 0.05
side, fast = names.index("side"), names.index("speed")
levels = list(found.summary["behaviour"]["of"]["side"]["levels"])
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", width_ratios=(1.2, 1, 1))
bb.figures.tuning_map(names, effect, tuned, ax=axes[0])
best = int(found[f"behaviour/{side:03d}/best"][0])
bb.figures.trial_raster(
    found[f"behaviour/{side:03d}/single"][0], found[f"behaviour/{side:03d}/sorted"], levels,
    found[f"behaviour/{side:03d}/seconds"], ax=axes[1],
)
axes[1].set_title(f"assembly {best} in every trial")
runs_with = int(found["behaviour/hidden/effect"][fast].argmax())
bb.figures.tuning_curves(
    found[f"behaviour/{fast:03d}/centres"],
    {f"assembly {runs_with}": found[f"behaviour/{fast:03d}/curve"][:, runs_with]},
    "speed (cm/s)", ax=axes[2],
)
plt.show()

# %% [markdown]
# ## Your own recording
#
# - `boltzbrain fit session.nwb -o run --trials trials.csv --covariates running.csv`, `boltzbrain
#   interpret run`, `boltzbrain report run`: the page has all of this for every column and series.
# - Trials need `start_s` and `stop_s` on the clock of the recording, or the number of their
#   segment.
# - What drifts through a whole session, as a brain that tires, is judged by swapping sessions only:
#   `null="sessions"`. [Behaviour](../behaviour.md) has the table of nulls and when each holds.
