# %% [markdown]
# # Couplings and regions
#
# Which neurons, and which regions, depend on each other? A trained model answers in effective
# couplings: what is left between two neurons when all others that were recorded are known. Here
# four regions are simulated, and which of them belong together is known.

# %%
import matplotlib.pyplot as plt
import numpy as np

import boltzbrain as bb
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_silico.perturb import perturb, silence
from boltzbrain.interpretation.regions.significance import shifted_activity

generator = np.random.default_rng(2)
names = np.repeat(["CA1", "DG", "LP", "VISp"], 20)
bins = 9000
on = generator.random((bins, 6)) < 0.06
members = np.zeros((80, 6), dtype=bool)
for unit, first in enumerate((0, 20, 40, 60)):
    members[first : first + 10, unit] = True  # one in each region

members[[*range(12, 20), *range(32, 40)], 4] = True  # one across CA1 and DG
members[[*range(52, 60), *range(72, 80)], 5] = True  # one across LP and VISp
chance = 1 - 0.97 * 0.4 ** (on @ members.T.astype(int))
states = generator.random((bins, 80)) < chance

# %% [markdown]
# Six assemblies: one in each region, one across CA1 and DG, one across LP and VISp. Nothing joins
# CA1 and LP. Region names may come with the file; here they are given.

# %%
activity = bb.from_states(states, bin_width_s=0.02, region=names).binarize().split(seed=0)
run = bb.fit(activity, hidden=8, updates=2000, weights_from="data", out="run")
bb.evaluate(run)
found = bb.interpret(run)
found

# %% [markdown]
# ## Couplings of pairs

# %%
found.to_dataframe("couplings").head(5).round(3)

# %% [markdown]
# A coupling is positive where two neurons are active together more often than the others explain.
# Two things must be said of every number: what the others do meanwhile (`reference`: each active
# with probability 1/2, or as in the data), and that it is in spins of −1 and +1, in nats. Where the
# two references disagree in sign, do not read the sign. And what it is not: a coupling is no
# synapse. Neurons that were not recorded couple those that they drive.

# %%
uniform, data = found.pairs("uniform"), found.pairs("data")
pairs = np.triu_indices(80, 1)
same = members.astype(int) @ members.T.astype(int) > 0
print(f"mean coupling within assemblies  {data[pairs][same[pairs]].mean():+.4f}")
print(f"between neurons that share none  {data[pairs][~same[pairs]].mean():+.4f}")
print(f"the two references correlate     {np.corrcoef(uniform[pairs], data[pairs])[0, 1]:.2f}")

# %% [markdown]
# ## Regions
#
# A map averages over pairs of neurons of two regions. Whether couplings within regions are stronger
# than between them is tested against shuffled labels of the neurons: pairs are not independent,
# labels are what may be exchanged.

# %%
test = found.summary["regions"]["label_tests"]["uniform"]["l1"]
print(f"|J| within regions {test['within']:.4f}, between {test['between']:.4f}")
print(f"as far apart by chance: p = {test['p_value']:.2g}")

# %% [markdown]
# ## A control, and an experiment
#
# Would the map look the same if nothing were coupled? Move each neuron in time by itself: rates and
# memory stay, coincidences go. What a model of that finds is what this recording, and this
# training, give by chance.

# %%
moved = shifted_activity(activity, Generator.from_seed(0))
control = bb.fit(moved, hidden=8, updates=2000, out="control", progress=False)
chance_map = bb.interpret(control, progress=False).maps("data")

# %% [markdown]
# Then an experiment in the model: hold CA1 silent. What becomes of the others? It says what would
# go with a silent CA1, by what the recording held; not what a silencer would do to the brain.

# %%
silent = perturb(
    run.best, silence(np.flatnonzero(names == "CA1")), Generator.from_seed(0),
    regions=activity.regions["region"], chains=100, sweeps=200,
)
for name, change, error in zip(
    activity.regions["region"].names, silent.region_change, silent.region_stderr, strict=True
):
    print(f"{name:<5} P(active) changes by {change:+.4f} ± {error:.4f}")

# %%
maps = found.maps("data")
order = np.lexsort((members.argmax(axis=1), names))
figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.6), layout="constrained")
top = np.quantile(np.abs(data), 0.99)
image = axes[0].imshow(data[np.ix_(order, order)], cmap="RdBu_r", vmin=-top, vmax=top)
figure.colorbar(image, ax=axes[0], shrink=0.7, label="J (nats)")
axes[0].set_xticks(np.arange(10, 80, 20), sorted(set(names)))
axes[0].set_yticks(np.arange(10, 80, 20), sorted(set(names)))
axes[0].set_title("couplings, by region and assembly")
for ax, one, title in (
    (axes[1], maps, "between regions"),
    (axes[2], chance_map, "neurons shifted in time"),
):
    image = ax.imshow(one.mean, cmap="RdBu_r", vmin=-maps.mean.max(), vmax=maps.mean.max())
    ax.set_xticks(range(4), one.names)
    ax.set_yticks(range(4), one.names)
    ax.set_title(title)

figure.colorbar(image, ax=axes[1:], shrink=0.7, label="mean J (nats)")
plt.show()

# %% [markdown]
# CA1 goes with DG (which loses most with CA1 silent), LP with VISp, and the control is empty: the
# map is of the recording. If your control looks like your map, it is not.
#
# ## Your own recording
#
# - `boltzbrain interpret run --min-neurons 10`, then `boltzbrain report run`: maps, histograms
#   within regions, and the verdicts on them. `found.to_dataframe("regions")` is the map as a table.
# - A strong coupling of two neurons of one probe is suspect first: one neuron sorted twice, or two
#   merged. `boltzbrain info session.nwb --check` looks for them.
# - With anatomy: `boltzbrain compare RUN RUN ... --structure FILE.csv -o FOLDER`
#   ([interpretation](../interpretation.md)).
