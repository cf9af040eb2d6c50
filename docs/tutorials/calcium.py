# %% [markdown]
# # From calcium to assemblies
#
# Calcium traces are slow and noisy, and a model of states that are on or off needs events. Here 60
# cells are simulated with five assemblies at five places, so that each step can be held against the
# truth.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import boltzbrain as bb

generator = np.random.default_rng(0)
frames, frame_s, cells, groups = 5000, 0.2, 60, 5
centres = 150 + 130 * np.array([[-1, -1], [1, -1], [0, 0.2], [-1, 1], [1, 1]])
group = np.arange(cells) % groups
xyz_um = np.column_stack([centres[group] + 45 * generator.normal(size=(cells, 2)), np.zeros(cells)])
outside = generator.random(cells) < 0.15  # cells in no assembly, at any place
xyz_um[outside, :2] = 330 * generator.random((outside.sum(), 2)) - 15

on = generator.random((frames, groups)) < 0.03
driven = on[:, group] & ~outside
events = generator.random((frames, cells)) < np.where(driven, 0.7, 0.012)
time_s = np.arange(150) * frame_s
kernel = np.exp(-time_s / 1.2) - np.exp(-time_s / 0.15)
clean = np.stack([np.convolve(one, kernel / kernel.max())[:frames] for one in events.T], axis=1)
traces = 0.6 * clean + 0.2 * generator.normal(size=clean.shape)

# %% [markdown]
# ## Traces
#
# `kind` says what the numbers are: `"dff"`, `"fluorescence"` (dF/F is taken first, over a running
# baseline), or `"deconvolved"` for what suite2p or CaImAn deconvolved already.

# %%
recording = bb.from_traces(traces, frame_s=frame_s, kind="dff", xyz_um=xyz_um)
recording

# %% [markdown]
# ## Events
#
# Blind deconvolution finds the shape of one event from the traces themselves, then the events. An
# event counts if it is larger than 4 times the noise of an event's size in that trace.

# %%
binary = recording.deconvolve()
told = binary.steps[-1].options
print(told["rule"])
print(f"one event rises in {told['rise_s']:.2g} s and decays in {told['decay_s']:.2g} s")

# %% [markdown]
# The threshold is the one number that you choose. The table says what becomes of the rates and of
# the correlations between cells where it is halved or doubled: if your finding lives at one
# threshold only, do not believe it.

# %%
pd.DataFrame(told["sensitivity"]).round(3)

# %% [markdown]
# Of a simulation one can ask more: how many of the events that were planted were found, to the
# frame or one beside it, and how many found ones were planted?

# %%
found = binary.signal.counts > 0


def near(states):
    wide = np.pad(states, ((1, 1), (0, 0)))
    return wide[:-2] | wide[1:-1] | wide[2:]


print(f"found {(near(found) & events).sum() / events.sum():.0%} of the events")
print(f"planted were {(near(events) & found).sum() / found.sum():.0%} of what was found")

# %% [markdown]
# ## A model, and its assemblies
#
# The recipe `compositional` asks for few hidden units that are active in a bin, each with few
# neurons: assemblies that can be read. (It takes longer than the default, which asks for a good
# likelihood alone.)

# %%
activity = binary.binarize().split(seed=0)
run = bb.fit(activity, preset="compositional", hidden=8, updates=1000, out="run")
bb.evaluate(run)

# %% [markdown]
# A gain well above 0: there is something to read. Each hidden unit with the neurons that are
# strongly tied to it is an assembly. `radius_um` is how far its members lie apart, `chance_um` the
# same of as many cells drawn at random, `p_value` how often these are as near.

# %%
reading = bb.interpret(run)
reading.to_dataframe("assemblies").drop(columns="neurons").round(2)

# %% [markdown]
# The model knew nothing of places. That members lie near each other is therefore evidence which the
# model could not have made up. Eight units were asked for, five assemblies are there: two units may
# share one, and some stay empty, which is as it should be. Never count hidden units; count what
# comes back: `bb.fit(..., repeats=5)` trains again with other seeds and on each half of the
# recording.

# %%
planted = np.where(outside, -1, group)
strongest = reading["neurons/strongest_assembly"]
# in the colour of the planted assembly that most members of the unit come from
alike = [np.bincount(group[one & ~outside], minlength=5).argmax() for one in reading.membership.T]
found_in = np.where(strongest < 0, -1, np.array(alike)[strongest])
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", width_ratios=(1.3, 1, 1))
some = np.argsort(planted)[-24::3]
for row, cell in enumerate(some):
    axes[0].plot(frame_s * np.arange(500), traces[:500, cell] / 2.5 - row, "C0", linewidth=0.6)
    at = np.flatnonzero(found[:500, cell])
    axes[0].plot(frame_s * at, np.full(len(at), -row - 0.25), "|", color="C1", markersize=5)

axes[0].set(title="traces and the events in them", xlabel="time (s)", yticks=[])
bb.figures.neuron_colours(xyz_um[:, :2], planted, ("x", "y"), ax=axes[1])
axes[1].set_title("planted")
bb.figures.neuron_colours(xyz_um[:, :2], found_in, ("x", "y"), ax=axes[2])
axes[2].set_title("found")
plt.show()

# %% [markdown]
# ## Your own recording
#
# - suite2p, CaImAn and others: `bb.read("suite2p/plane0")`; the command line does both steps in
#   one, `boltzbrain fit suite2p/plane0 -o run --calcium bsd --preset compositional`.
# - Where positions are not known, leave `xyz_um` out; the same table then has no radius.
# - Fewer than 0.02 events per neuron and frame are flagged: there is then little to learn from.
# - [Calcium](../recordings.md#calcium) tells the methods and how they do against true spikes.
