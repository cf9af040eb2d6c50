# %% [markdown]
# # Several animals
#
# Do animals share assemblies, and can activity of one be read in another? Three animals are
# simulated as worms are recorded: most neurons have names that all share, the others are their own.
# The same four assemblies drive them, but one of these is missing in the third animal: a study that
# cannot fail tells nothing.
#
# With real worms: set `BOLTZBRAIN_WORMS` to a folder of their npz files, and the same lines run on
# these.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import boltzbrain as bb
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.simulated.animals import simulate_animals

folder = os.environ.get("BOLTZBRAIN_WORMS")
if folder:
    paths = sorted(Path(folder).glob("*.npz"))[:3]
    recordings = {path.stem: bb.read(path).deconvolve(method="bsd") for path in paths}
else:
    truth = simulate_animals(
        Generator.from_seed(4), neurons=(60, 66, 70), assemblies=4, bins=3000, named=0.8,
        radius=0.25, lacking={2: [0]},
    )
    recordings = {name: one.recording(0.05) for name, one in truth.animals.items()}

animals = {name: one.binarize().split(seed=0) for name, one in recordings.items()}
first, *others = animals
animals[first]

# %% [markdown]
# ## A teacher
#
# One animal is fitted as ever. Its hidden units are the assemblies that are looked for in the
# others.

# %%
run = bb.fit(
    animals[first], hidden=5, updates=1500, weights_from="data", ais_rungs=100, out="teacher",
)
run

# %% [markdown]
# ## Students
#
# The model of each other animal starts from the teacher's weights at the neurons of the same name
# (`by` may also be `positions` or `regions:ATLAS`), and is trained so that its hidden units keep
# the teacher's law. Two more are trained for each: one whose names are *shuffled*, and one that was
# told only a random half of the names. (`workers=0` stays in this process; without it, all cores
# are used.)

# %%
study = bb.align(
    run, [animals[name] for name in others], "study", by="names", names=list(animals),
    teacher=first, updates=500, workers=0,
)
study

# %% [markdown]
# **Read the blind half.** A student that was told everything has the teacher's assemblies, whether
# its brain has them or not: its likelihood is as good where the names are shuffled. But neurons
# that were told nothing find their place in an assembly only if the assembly is there. `blind_half`
# is the correlation of what they learnt with what the teacher has at their names; beside it the
# shuffled control, which is at 0.

# %%
pairs = {pair["receiver"]: pair for pair in study.info["pairs"]}
for name, pair in pairs.items():
    blind, shuffled = pair["blind_half"], pair["blind_half_shuffled"]
    print(f"{name}: blind half {blind['value']:.2f} ± {blind['stderr']:.2f},"
          f" shuffled {shuffled['value']:.2f} ± {shuffled['stderr']:.2f},"
          f" not found: units {pair['units_not_found'] or 'none'}")

# %% [markdown]
# A unit that is not found is one that the receiver lacks, or has too few named neurons to show.
# Here it is known: which unit of the teacher is the assembly that the third animal lacks?

# %%
if not folder:
    kept = animals["a"].neurons["id"].isin(truth.animals["a"].names).to_numpy()
    at = [truth.animals["a"].names.index(one) for one in animals["a"].neurons["id"][kept]]
    planted = truth.animals["a"].weights[at]
    alike = np.corrcoef(planted.T, run.best.weights.numpy()[kept].T)[:4, 4:]
    print("planted assembly 0, which c lacks, is unit", int(np.abs(alike[0]).argmax()))

# %% [markdown]
# ## Activity of one, told in the neurons of another
#
# As the hidden units mean the same in both, a bin of one animal has its counterpart in the other:
# the hidden units given the bin, then the rates of the other's neurons.

# %%
told = bb.translate(study, first, others[0])
told.rates.shape, told.bins.shape

# %%
model = {first: run.best} | {name: study.student(first, name).best for name in others}
units = np.argsort(-np.abs(run.best.weights.numpy()).sum(axis=0))[:4]
column = "label" if "label" in animals[first].neurons else "id"
names = {name: one.neurons[column].tolist() for name, one in animals.items()}
common = [one for one in names[first] if one and all(one in every for every in names.values())]
taught = model[first].weights.numpy()[[names[first].index(one) for one in common]][:, units]
order = np.lexsort((-np.abs(taught).max(axis=1), np.abs(taught).argmax(axis=1)))
figure, axes = plt.subplots(1, 4, figsize=(12, 4), layout="constrained",
                            width_ratios=(1, 1, 1, 1.3))
for ax, (name, one) in zip(axes, model.items(), strict=False):
    rows = [names[name].index(common[place]) for place in order]
    values = one.weights.numpy()[rows][:, units]
    image = ax.imshow(values, aspect="auto", cmap="RdBu_r", vmin=-2, vmax=2)
    ax.set_title(f"{'teacher' if name == first else 'student'} {name}")
    ax.set(xticks=range(4), xticklabels=units, xlabel="hidden unit", yticks=[])

axes[0].set_ylabel(f"{len(common)} neurons that all have, by name")
figure.colorbar(image, ax=axes[:3], shrink=0.7, label="weight")
kinds = ("blind_half", "blind_half_shuffled")
for shift, (kind, colour) in enumerate(zip(kinds, ("C0", "0.7"), strict=True)):
    places = np.arange(len(pairs)) + 0.3 * shift
    values, errors = ([pair[kind][key] for pair in pairs.values()] for key in ("value", "stderr"))
    axes[3].bar(places, values, 0.28, yerr=errors, color=colour, label=kind.replace("_", " "))

axes[3].set_xticks(np.arange(len(pairs)) + 0.15, [f"{first}\nto {name}" for name in pairs])
axes[3].set(ylim=(-0.2, 1.2), ylabel="correlation with the teacher",
            title="does it hold where nothing was told?")
axes[3].axhline(0, color="grey", linewidth=0.8)
axes[3].legend(frameon=False)
plt.show()

# %% [markdown]
# An assembly that the student c does not have keeps what it was told, weaker; only the blind half
# gives it away, and its large error: one of its units is not found.
#
# ## Your own recordings
#
# - `boltzbrain fit worm1.npz -o worm --calcium bsd`, then `boltzbrain align worm worm2.npz
#   worm3.npz -o study --by names --calcium bsd` and `boltzbrain report study`. Every animal teaches
#   every other one unless `--teacher NAME` says which.
# - `--by positions` needs one frame for all (micrometres, axes that agree), `--by regions:ATLAS`
#   five neurons or more of a region.
# - Wide, smooth assemblies overlap, and then the blind half is above 0 for the wrong unit, too:
#   compare it with `blind_half_other_units`, and with a pair of animals of which you know the
#   answer.
# - [Animals](../animals.md) explains each score, and what it cannot say.
