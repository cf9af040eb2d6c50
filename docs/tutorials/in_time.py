# %% [markdown]
# # Time and states
#
# An RBM sees each bin alone. What it finds may then be the state that the brain is in, or the last
# 20 ms, read as an assembly. Models that know the earlier bins tell which. Here a population is
# simulated that switches between two states of a second or two, with other rates and other
# assemblies, and in which an assembly that came on lasts for some bins.

# %%
import matplotlib.pyplot as plt
import numpy as np

import boltzbrain as bb
from boltzbrain.model.context.sequences import Sequences

generator = np.random.default_rng(5)
bins, neurons = 6000, 40
state = (np.cumsum(generator.random(bins) < 0.01) % 2).astype(int)
on = np.zeros((bins, 4), dtype=bool)
for now in range(1, bins):
    begins, goes_on = generator.random((2, 4)) < [[0.06], [0.6]]
    allowed = np.arange(4) // 2 == state[now]  # two assemblies in each state
    on[now] = allowed & (begins | (on[now - 1] & goes_on))

member = np.zeros((neurons, 4), dtype=bool)
for unit in range(4):
    member[generator.choice(neurons, 14, replace=False), unit] = True

quiet = np.where(state[:, None] == np.arange(neurons) % 2, 0.1, 0.02)
states = generator.random((bins, neurons)) < 1 - (1 - quiet) * 0.5 ** (on @ member.T.astype(int))
activity = bb.from_states(states, bin_width_s=0.02).binarize().split(by="blocks", seed=0)
activity

# %% [markdown]
# Time must be left whole: folds are blocks of time, never shuffled bins. First the model without
# time.

# %%
alone = bb.fit(activity, hidden=8, updates=2000, out="alone")
alone

# %% [markdown]
# ## Three kinds of memory
#
# `context` gives the model what moves its fields from bin to bin; the weights, and so the
# assemblies, stay the same for all bins. `start=alone` begins with the weights that are there.
#
# - `past`: the earlier bins of all neurons, as in a GLM with history;
# - `assemblies`: the hidden units of the bin before (a recurrent temporal RBM);
# - `states`: hidden states that follow each other, here two (a hidden Markov model of RBMs).

# %%
after_past = bb.fit(activity, context="past", start=alone, updates=400, out="past")
after_units = bb.fit(activity, context="assemblies", start=alone, updates=400, out="assemblies")
in_states = bb.fit(activity, context="states", states=2, start=alone, updates=600, out="states")

# %% [markdown]
# All are scored by the same thing: how probable the next bin is, given the earlier ones of its
# stretch. Nothing that comes later is known. `over_run` is the difference to the model that they
# began with, paired bin by bin, with its error: read that one.

# %%
runs = {"a bin alone": alone, "given the past": after_past, "given assemblies": after_units,
        "given states": in_states}
scores = {}
for name, run in runs.items():
    told = bb.evaluate(run, progress=False)["predictive"]
    scores[name] = gain = told["gain"]
    more = told.get("over_run")
    words = "" if more is None else f", over the first {more['value']:+.2f} ± {more['stderr']:.2f}"
    print(f"{name:<17} {gain['value']:+.2f} ± {gain['stderr']:.2f} nats per bin{words}")

# %% [markdown]
# What was simulated comes out: assemblies last, so knowing which was on tells most; the state tells
# something; single neurons of the past tell little more than the bin itself. In a recording you do
# not know which it is. If a state or the past takes the whole gain of the RBM, then what the RBM
# found *was* the state or the past.
#
# ## When was which state?
#
# The posterior has seen the whole stretch; it is for the eye, no score uses it. Which state is
# called 1 is chance, so it is matched with the planted one first.

# %%
model, test = in_states.in_context(), Sequences.of_fold(activity, "test")
posterior = model.contexts.states.posterior(test, model.rbm)
planted = state[activity.bins_of("test")]
if ((posterior[:, 1] > 0.5) == planted).mean() < 0.5:
    posterior = posterior[:, ::-1]

right = ((posterior[:, 1] > 0.5) == planted).mean()
print(f"the likelier state is the planted one in {right:.0%} of test bins")

# %%
figure, axes = plt.subplots(2, 2, figsize=(11, 4.6), layout="constrained", width_ratios=(2.6, 1),
                            height_ratios=(4, 1))
shown = 500
order = np.argsort(np.arange(neurons) % 2, kind="stable")
bb.figures.state_ribbon(test.states[:shown][:, order], posterior[:shown], None, 0.02, ax=axes[0, 0])
axes[0, 0].set_title("test bins, and the state that the model finds")
axes[1, 0].step(0.02 * np.arange(shown), planted[:shown], color="black", linewidth=1)
axes[1, 0].set(xlim=(0, 0.02 * shown), yticks=[0, 1], xlabel="time (s)", ylabel="planted")
values, errors = zip(*[(one["value"], one["stderr"]) for one in scores.values()], strict=True)
axes[0, 1].errorbar(values, range(4), xerr=errors, fmt="o", color="C1")
axes[0, 1].set_yticks(range(4), scores)
axes[0, 1].set(ylim=(3.5, -0.5), xlim=(0, None), xlabel="gain (nats per test bin)")
axes[0, 1].set_title("what time adds")
axes[1, 1].axis("off")
plt.show()

# %% [markdown]
# ## Your own recording
#
# - `boltzbrain fit session.nwb -o run`, then `boltzbrain fit session.nwb -o timed --context past
#   --from run`; `boltzbrain evaluate timed`, `boltzbrain interpret timed`, `boltzbrain report
#   timed`.
# - How many states? `boltzbrain sweep session.nwb -o sweep --context states --vary states=2,4,8`.
# - `boltzbrain evaluate run --baselines hmm,history,hmmglm --controls` sets models without
#   assemblies beside it, and says what the slow course of a trial explains by itself ([in
#   time](../baselines.md#in-time)).
# - A context is in the model, not in the brain: `past` predicts, it does not say who drives whom.
