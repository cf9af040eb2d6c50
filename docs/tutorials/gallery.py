# %% [markdown]
# # Gallery: figures with their code
#
# All figures of a run at once, as svg, pdf or png with their data as csv and their captions:
# `boltzbrain figures run -o figures`, or `bb.save_figures("run", "figures")` ([figures for a
# paper](../howto/paper.md)). Each is a function of `bb.figures` as well, that draws on axes of
# yours. Here is a run to draw from.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import boltzbrain as bb
from boltzbrain.evaluation.statistics.agreement import Comparison
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.simulated.animals import simulate_animals

animal = simulate_animals(
    Generator.from_seed(2), neurons=(90,), assemblies=6, bins=5000, radius=0.22, strength=4.5
).animals["a"]
areas = np.array(["CA1", "LP", "VISp"])[np.minimum(animal.xyz_um[:, 1] / 134, 2).astype(int)]
recording = bb.from_states(animal.states, 0.05, region=areas, xyz_um=animal.xyz_um)
activity = recording.binarize().split(seed=0)
run = bb.fit(activity, hidden=12, updates=2000, out="run", progress=False)
evaluation = bb.evaluate(run, baselines=("independent", "ising"), progress=False)
found = bb.interpret(run, progress=False)
areas = found["neurons/region"]
train, test = activity.states_of("train"), activity.states_of("test")
drawn = bb.sample(run, 5000, progress=False).states


def axes_for(count):
    figure = plt.figure(figsize=(3.9 * count, 3.2), layout="constrained")
    return figure.subplots(1, count)


# %% [markdown]
# ## Recorded and generated activity

# %%
ax = axes_for(2)
order = np.lexsort((-test.mean(axis=0), areas))
bb.figures.raster(test[:200][:, order], areas[order], 0.05, ax=ax[0])
bb.figures.raster(drawn[:200][:, order], areas[order], colour="#d55e00", ax=ax[1])
plt.show()

# %%
ax = axes_for(3)
bb.figures.rates(Comparison(test.mean(axis=0), drawn.mean(axis=0)), ax=ax[0])
pairs = np.triu_indices(test.shape[1], 1)
covariances = [np.cov(states.T)[pairs] for states in (test, drawn)]
bb.figures.covariances(Comparison(*covariances), ax=ax[1])
counts = {name: np.bincount(states.sum(axis=1), minlength=40) / len(states)
          for name, states in (("test", test), ("generated", drawn), ("train", train))}
bb.figures.population_count(counts, ax=ax[2])
plt.show()

# %% [markdown]
# ## Training and weights

# %%
ax = axes_for(3)
weights = run.best.weights.numpy().astype(np.float64)
bb.figures.training_curve(run.log(), run.chosen_update, ax=ax[0])
bb.figures.weights(weights, ax=ax[1])
sets = {"train": train, "test": test, "generated": drawn}
energies = {
    name: run.best.free_energy(torch.as_tensor(states)).numpy() for name, states in sets.items()
}
bb.figures.energies(energies, ax=ax[2])
plt.show()

# %% [markdown]
# ## Couplings

# %%
ax = axes_for(3)
some = {name: found.pairs(name)[np.triu_indices(len(areas), 1)] for name in ("uniform", "data")}
bb.figures.coupling_histogram(some, "coupling J of a pair (nats)", ax=ax[0])
norms = {name: found[f"couplings/norms/{name}"]
         for name in ("update", "fields", "pairs", "triplets", "triplets_stderr")}
bb.figures.coupling_norms(norms, run.chosen_update, ax=ax[1])
maps = found.maps()
bb.figures.region_map(maps.names, maps.counts, maps.mean, "mean J (nats)", ax=ax[2])
plt.show()

# %% [markdown]
# ## Assemblies

# %%
ax = axes_for(3)
embedding = [found[f"assemblies/embedding/{name}"]
             for name in ("thresholds", "fraction", "shuffled", "shuffled_deviation")]
bb.figures.embedding_curve(*embedding, chosen=float(found["assemblies/threshold"][0]), ax=ax[0])
strongest = found["neurons/strongest_assembly"]
regions = sorted(set(areas))
share = [(strongest[areas == one][:, None] == np.arange(12)).mean(axis=0) for one in regions]
bb.figures.region_assemblies(regions, np.array(share), ax=ax[1])
bb.figures.neuron_colours(found.positions[:, :2], strongest, ("x", "y"), ax=ax[2])
plt.show()

# %%
hidden = run.best.mean_hidden(torch.as_tensor(test)).numpy()
ax = axes_for(2)
bb.figures.hidden_traces(hidden[:300], hidden.mean(axis=0), 0.05, ax=ax[0])
bb.figures.hidden_correlations(np.corrcoef(hidden.T), found["assemblies/order"], ax=ax[1])
plt.show()

# %% [markdown]
# ## Simpler models

# %%
ax = axes_for(2)
gains = {one["title"]: one["gain"] for one in evaluation["baselines"].values()}
rows = [(name, one["value"], one["stderr"], False) for name, one in gains.items() if one["value"]]
bb.figures.baseline_scores(rows, "gain (nats per test bin)", ax=ax[0])
bb.figures.weight_tails({"RBM": weights}, ax=ax[1])
plt.show()

# %% [markdown]
# Figures of tuning and trials are in [what assemblies do](behaviour.py), of states and time in
# [time and states](in_time.py), of sweeps in [which model](which_model.py). Among the files of
# `save_figures` are two plates besides, with the panels that the main figures of the two papers
# have.
