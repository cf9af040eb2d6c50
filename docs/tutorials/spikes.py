# %% [markdown]
# # From spikes to a score
#
# You have spike times. At the end of this page you have a model of them, a score on bins that it
# never saw, and know whether to believe it. The recording is made here, so that the right answer is
# known; the last section says what to change for your own.

# %%
import matplotlib.pyplot as plt
import numpy as np

import boltzbrain as bb
from boltzbrain.cli.simulated import planted_gain
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import simulate_assemblies

truth = simulate_assemblies(
    Generator.from_seed(1), neurons=80, assemblies=6, bins=12_000, sizes=(10, 20),
    on_fraction=(0.04, 0.08), firing=0.45, background=0.02, overlap=0.2,
)
bin_number, neuron = np.nonzero(truth.states)
seconds = 0.02 * (bin_number + np.random.default_rng(1).random(len(neuron)))
areas = np.array(["CA1", "LP", "VISp"])[truth.membership.argmax(axis=1) % 3]

# %% [markdown]
# Eighty neurons, four minutes, six hidden assemblies: groups of 10 to 20 neurons, each of which
# fires with probability 0.45 in a bin of 20 ms in which its assembly is on. `seconds` and `neuron`
# are what a spike sorter gives: when, and who.
#
# ## A recording, its bins and folds

# %%
recording = bb.from_spike_times((seconds, neuron + 1000), stop_s=240.0, region=areas)
recording

# %% [markdown]
# A neuron is active in a bin, or it is not. Wide bins lose spikes, as a burst counts once; narrow
# ones lose what happens together. 10 to 50 ms are usual.
#
# The bins are then divided. The training fold teaches the model, the validation fold decides when
# to stop, the test fold is looked at once, at the end. Held out are stretches of time with gaps
# between them, never single bins: a bin resembles its neighbours, and a model that has seen them
# has seen it.

# %%
activity = recording.binarize(bin_ms=20).split(seed=0)
activity

# %% [markdown]
# ## The model

# %%
run = bb.fit(activity, hidden=12, updates=3000, out="run")
run

# %% [markdown]
# Two lines matter. *gain* is what the model tells of a held-out bin beyond the rates of its
# neurons: at 0 it has found nothing but rates. *chosen update* is where the validation fold was
# best; if that is long before the last one, the model went on to learn the training bins by heart,
# and fewer hidden units or more data would help.
#
# ## The score

# %%
evaluation = bb.evaluate(run)
evaluation

# %% [markdown]
# The log-likelihood says little by itself, as it falls with every neuron that one adds. The gain
# over independent neurons is what counts, with its error. Believe it if
#
# - it is several errors above 0,
# - it is not far below that of the training fold (else the model is overfitted),
# - nothing is called unreliable (log Z, the number that turns energies into probabilities, is an
#   estimate, and can fail).
#
# *Undefined* are figures that do not exist here, such as time constants of bins without memory;
# `evaluation.reasons` says of each why.

# %%
scores = evaluation["log_likelihood"]
for fold in ("train", "validation", "test"):
    gained = scores[fold]["nats_per_bin"] - scores["independent"][fold]
    print(f"{fold:<11} {gained:+.2f} nats per bin over independent neurons")

gain = evaluation.gain
print(f"error of the last: {gain.stderr:.2f}; unreliable: {evaluation.unreliable or 'nothing'}")

# %% [markdown]
# How much was there to gain? Of a simulation that is known: the process that made the spikes can be
# asked for its own log-likelihood, and no model can be expected to have a higher one.

# %%
ceiling, _ = planted_gain(truth, activity)
print(f"{gain.value / ceiling:.0%} of the {ceiling:.2f} nats per bin that there were to gain")

# %% [markdown]
# ## What the model dreams
#
# A model is a law of all patterns, so one can draw from it. Bins drawn from the model should look
# like bins of the recording that it never saw; here neurons are sorted by their assembly. Do they
# fire alone and together as they should?

# %%
drawn = bb.sample(run, 250, seed=1)
kept = activity.neurons["id"].astype(int).to_numpy() - 1000
member = truth.membership[kept]
order = np.argsort(np.where(member.any(axis=1), member.argmax(axis=1), 6), kind="stable")
test = activity.states_of("test")

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained", width_ratios=(2, 2, 1.3))
both = {"recorded": test[:250], "dreamed": drawn.states}
for ax, (title, states) in zip(axes, both.items(), strict=False):
    ax.imshow(states[:, order].T, aspect="auto", cmap="Greys", interpolation="nearest")
    ax.set(title=title, xlabel="bin", ylabel="neuron")

recorded, dreamed = np.cov(test.T), np.cov(bb.sample(run, 10_000, seed=2, progress=False).states.T)
pairs = np.triu_indices(len(recorded), 1)
axes[2].plot(recorded[pairs], dreamed[pairs], ".", markersize=2, alpha=0.5)
axes[2].axline((0, 0), slope=1, color="grey", linewidth=0.8)
axes[2].set(title="covariances of pairs", xlabel="recorded, test fold", ylabel="dreamed")
plt.show()

# %% [markdown]
# ## Your own recording
#
# - A file: `recording = bb.read("session.nwb")`; which formats, and how units are chosen, is told
#   in [recordings](../recordings.md). On the command line: `boltzbrain info session.nwb`, then
#   `boltzbrain fit session.nwb -o run`, `boltzbrain evaluate run`, `boltzbrain report run`.
# - Spike times in memory: `bb.from_spike_times`, as above, or a list with an array for each neuron.
# - Leave out `hidden` and `updates` at first: the defaults are for hundreds of neurons.
# - `bb.report(run)` writes a page with all of this and what speaks against it. How many hidden
#   units to take, and whether a simpler model would do, is the next question: [which
#   model](which_model.py).
