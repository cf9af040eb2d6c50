# %% [markdown]
# # In Python only
#
# From an array to a page, and to whatever you want to compute yourself, without the command line.
# Each object says in a few lines what it is.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import boltzbrain as bb

generator = np.random.default_rng(0)
shared = generator.random((6000, 4)) < 0.2
chance = np.where(shared[:, np.arange(40) % 4], generator.uniform(0.3, 0.7, 40), 0.03)
states = generator.random((6000, 40)) < chance
regions = np.array(["CA1", "LP", "VISp", "VISl"])[np.arange(40) % 4]

# %% [markdown]
# ## From what you hold
#
# `states` may be an array of numpy, torch or scipy.sparse, nested lists, a DataFrame whose columns
# name the neurons, or a DataArray of xarray. Counts go to `bb.from_counts`, traces to
# `bb.from_traces`, spike times to `bb.from_spike_times`, files to `bb.read`.

# %%
recording = bb.from_states(states, bin_width_s=0.02, region=regions)
recording

# %% [markdown]
# Values that cannot be meant are refused, with their place:

# %%
try:
    bb.from_states([[0, 1], [2, 0]], bin_width_s=0.02)
except bb.InputError as error:
    print(error)

# %% [markdown]
# ## Fit, and stop
#
# Folds are made by default; `recording.binarize(...).split(...)` makes others. A long training may
# be stopped at any time, by the stop button or Ctrl-C: `bb.resume("run")` goes on, to the same
# numbers, bit for bit. A run is a folder, and can be opened later.

# %%
run = bb.fit(recording, hidden=8, updates=1500, out="run")
bb.TrainingRun.open("run")

# %%
bb.evaluate(run)

# %%
found = bb.interpret(run, min_neurons=5)
found

# %% [markdown]
# ## Everything is an array or a table

# %%
found.to_dataframe("assemblies").round(2)[["members", "mean_activity", "spans"]]

# %%
log = run.log()
print(log.columns.tolist()[:6])
print(found.pairs().shape, run.best.weights.shape, run.activity().states.shape)
print(found["couplings/fields"].shape, "one of", len(list(found)), "arrays by path")

# %% [markdown]
# ## The model itself
#
# `run.best` is an RBM: tensors of torch, (neuron, hidden), and the verbs that the papers have.
# Twelve neurons can be summed over by hand, so that draws can be held against what is exact.

# %%
torch.manual_seed(0)
small = bb.RBM(bb.Bernoulli(torch.zeros(12)), bb.Bernoulli(torch.zeros(3)), torch.randn(12, 3))
every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 12)
log_p = torch.log_softmax(-small.free_energy(every), dim=0)
drawn, exact = small.sample(2000, seed=0).float(), log_p.exp() @ every.double()
print(f"mean activity of 2000 draws {drawn.mean():.3f}, exact {exact.mean():.3f}")

# %% [markdown]
# ## In scikit-learn
#
# Rows that are no recording at all, in pipelines and grid searches:

# %%
machine = bb.BoltzmannMachine(hidden=8, updates=500).fit(states[:4000])
print(f"{machine.score(states[4000:]):.2f} nats per row")
machine.transform(states[4000:]).shape

# %% [markdown]
# ## Figures
#
# Every figure of the page is a function that draws on your axes ([gallery](gallery.py)), and
# `bb.save_figures(run, "figures")` writes them all with their data. `bb.report(run)` writes the
# page.

# %%
print(bb.report(run))
maps = found.maps()
figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained", width_ratios=(1.2, 1, 1))
bb.figures.training_curve(run.log(), run.chosen_update, ax=axes[0])
order = np.argsort(regions, kind="stable")
bb.figures.weights(run.best.weights.numpy()[order].astype(np.float64), ax=axes[1])
bb.figures.region_map(maps.names, maps.counts, maps.l1, "mean |J| (nats)", ax=axes[2])
plt.show()

# %% [markdown]
# ## Your own data
#
# - Everything above begins with one line: `bb.from_states(YOURS, bin_width_s=...)`, or
#   `bb.read("FILE")`.
# - Leave out `updates`, and give `hidden` a number that a [sweep](which_model.py) chose.
# - Objects in memory, tables and stopping are told in [in Python](../python.md), files of a run in
#   [the run folder](../run_folder.md).
