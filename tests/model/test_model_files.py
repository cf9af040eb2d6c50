"""Model files: round trips bit for bit, refusals by name, and models of other packages."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model import KINDS, RBM, Bernoulli, DReLU, Gaussian, Ising, ReLU
from boltzbrain.model.files import save, write_model
from boltzbrain.model.foreign import from_pgm, read_pgm, read_rbms

ALL_KINDS = sorted(KINDS)
VISIBLE, HIDDEN = 6, 3


def drawn(visible: str, hidden: str, dtype: torch.dtype = torch.float32) -> RBM:
    generator = Generator.from_seed(0, visible, hidden)

    def layer(kind: str, size: int) -> Any:
        return KINDS[kind](
            **{
                name: 0.5 + generator.uniform((1, size), dtype)[0]
                for name in KINDS[kind].parameter_names()
            }
        )

    return RBM(
        layer(visible, VISIBLE), layer(hidden, HIDDEN), generator.normal((VISIBLE, HIDDEN), dtype)
    )


def same(first: RBM, second: RBM) -> bool:
    pairs = [(first.weights, second.weights)]
    for mine, theirs in ((first.visible, second.visible), (first.hidden, second.hidden)):
        if type(mine) is not type(theirs):
            return False
        pairs += [(value, theirs.parameters()[name]) for name, value in mine.parameters().items()]
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("visible", ALL_KINDS)
@pytest.mark.parametrize("hidden", ALL_KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip_is_bit_for_bit(
    visible: str, hidden: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    model = drawn(visible, hidden, dtype)
    model.save(tmp_path / "model.h5")
    loaded = RBM.load(str(tmp_path / "model.h5"))
    assert same(model, loaded)
    # the file is closed and nothing is left beside it
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]
    save(loaded, tmp_path / "model.h5")
    assert same(model, RBM.load(tmp_path / "model.h5"))


def test_layout_is_the_documented_one(tmp_path: Path) -> None:
    save(drawn("bernoulli", "drelu"), tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5") as file:
        names: list[str] = []
        file.visit(names.append)
        assert sorted(names) == sorted(
            ["visible", "visible/field", "hidden", "weights"]
            + [f"hidden/{name}" for name in DReLU.parameter_names()]
        )
        assert dict(file.attrs) == {"model_format": "boltzbrain model", "model_version": 1}
        assert file["visible"].attrs["kind"] == "bernoulli"
        assert file["hidden"].attrs["kind"] == "drelu"
        assert file["weights"].shape == (VISIBLE, HIDDEN)


def test_a_model_may_be_a_part_of_a_larger_file(tmp_path: Path) -> None:
    first, second = drawn("bernoulli", "relu"), drawn("ising", "gaussian")
    with h5py.File(tmp_path / "checkpoint.h5", "w") as file:
        file.attrs["format"] = "a checkpoint"
        write_model(file, first)
        write_model(file.create_group("running_mean"), second)
        file.create_dataset("chains", data=np.zeros((4, 4)))
    with h5py.File(tmp_path / "checkpoint.h5") as file:
        assert same(RBM.read(file["running_mean"]), second)
    assert same(RBM.load(tmp_path / "checkpoint.h5"), first)


def edit(path: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def replace(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return change


def attribute(group: str, name: str, value: Any) -> Callable[[h5py.File], None]:
    return lambda file: file[group].attrs.__setitem__(name, value)


REFUSED: list[tuple[Callable[[h5py.File], None], str]] = [
    (attribute("/", "model_format", "another"), "model_format must be 'boltzbrain model'"),
    (lambda file: file.attrs.__delitem__("model_format"), "got a file without it"),
    (attribute("/", "model_version", 2), "model_version must be at most 1"),
    (attribute("/", "model_version", "x"), "model_version must be at most 1"),
    (attribute("hidden", "kind", "drelv"), "hidden kind must be one of.*did you mean 'drelu'"),
    (lambda file: file.__delitem__("visible"), "visible must be a group"),
    (replace("visible", np.zeros(3)), "visible must be a group"),
    (lambda file: file.__delitem__("weights"), "/weights must be a dataset"),
    (lambda file: file.__delitem__("hidden/field_plus"), "hidden must hold the parameters"),
    (lambda file: file.__setitem__("hidden/extra", np.ones(HIDDEN)), "hidden must hold the param"),
    (replace("weights", np.zeros((HIDDEN, VISIBLE), "f4")), "may be transposed"),
    (replace("weights", np.full((VISIBLE, HIDDEN), np.nan, "f4")), "weights must be finite"),
    (replace("weights", np.zeros((VISIBLE, HIDDEN), "i4")), "/weights must be float32 or float64"),
    (replace("weights", np.zeros((VISIBLE, HIDDEN), "f8")), "be of one floating type"),
    (replace("weights", np.zeros(VISIBLE, "f4")), "with 2 axes"),
    (replace("visible/field", np.full(VISIBLE, np.inf, "f4")), "Bernoulli.field must be finite"),
    (replace("visible/field", np.zeros(VISIBLE + 1, "f4")), "weights must have shape"),
    (replace("hidden/precision_plus", np.zeros(HIDDEN, "f4")), "finite and above 0; got 0 at"),
    (replace("hidden/field_plus", np.zeros(HIDDEN + 1, "f4")), "have shape"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_is_no_whole_model_is_refused(
    change: Callable[[h5py.File], None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.h5"
    save(drawn("bernoulli", "drelu"), path)
    edit(path, change)
    with pytest.raises(InputError, match=message) as caught:
        RBM.load(path)
    assert str(path) in str(caught.value)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must exist"):
        RBM.load(tmp_path / "absent.h5")
    with pytest.raises(InputError, match="must exist"):
        RBM.load(tmp_path)
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="must be whole HDF5"):
        RBM.load(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights"] = np.zeros((2, 2))
    with pytest.raises(InputError, match="model_format"):
        RBM.load(tmp_path / "other.h5")


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    save(drawn("bernoulli", "drelu"), tmp_path / "whole.h5")
    whole = (tmp_path / "whole.h5").read_bytes()
    for part in np.linspace(0, len(whole) - 1, 25).astype(int):
        (tmp_path / "cut.h5").write_bytes(whole[:part])
        with pytest.raises(InputError, match=r"cut\.h5"):
            RBM.load(tmp_path / "cut.h5")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.h5"
    old = drawn("bernoulli", "relu")
    save(old, path)

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("boltzbrain.model.files.write_model", full_disk)
    with pytest.raises(InputError, match="No space left"):
        save(drawn("bernoulli", "gaussian"), path)
    assert same(RBM.load(path), old)
    assert [item.name for item in tmp_path.iterdir()] == ["model.h5"]
    with pytest.raises(InputError, match="no/such"):
        old.save(tmp_path / "no" / "such" / "model.h5")


# models of other packages: what they wrote is made here from the definitions of their energies


def rbms_archive(path: Path, kind: str, *, flat: bool = False) -> dict[str, np.ndarray]:
    """Write updates 1 and 20 of an archive; return the arrays of update 20."""
    random = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path, "w") as file:
        file["model_type"] = kind
        file["parallel_chains"] = np.zeros((4, VISIBLE))
        for update in (1, 20):
            group = file.create_group(f"update_{update}")
            group["time"] = 1.0
            target = group if flat else group.create_group("params")
            arrays = {
                "weight_matrix": random.normal(size=(VISIBLE, HIDDEN)),
                "vbias": random.normal(size=VISIBLE),
                "hbias": random.normal(size=HIDDEN),
            }
            for name, value in arrays.items():
                target[name] = value
    return arrays


@pytest.mark.parametrize("kind", ["BBRBM", "IIRBM", "BGRBM", "IGRBM"])
@pytest.mark.parametrize("flat", [False, True])
def test_rbms_archive_keeps_its_energy(kind: str, flat: bool, tmp_path: Path) -> None:
    arrays = rbms_archive(tmp_path / "rbm.h5", kind, flat=flat)
    model = read_rbms(tmp_path / "rbm.h5", dtype=torch.float64)
    random = np.random.default_rng(1)
    v = random.integers(0, 2, (8, VISIBLE)).astype(float)
    h = random.integers(0, 2, (8, HIDDEN)).astype(float)
    v = 2 * v - 1 if kind.startswith("I") else v
    h = random.normal(size=h.shape) if kind.endswith("GRBM") else h
    h = 2 * h - 1 if kind == "IIRBM" else h
    energy = -v @ arrays["vbias"] - h @ arrays["hbias"]
    energy -= np.einsum("si,ia,sa->s", v, arrays["weight_matrix"], h)
    if kind.endswith("GRBM"):
        energy += 0.5 * VISIBLE * (h**2).sum(axis=1)
    got = model.energy(torch.from_numpy(v), torch.from_numpy(h))
    assert np.allclose(got.numpy(), energy, rtol=1e-12)
    kinds = {"B": "bernoulli", "I": "ising", "G": "gaussian"}
    assert (model.visible.kind, model.hidden.kind) == (kinds[kind[0]], kinds[kind[1]])


def test_rbms_update_is_chosen_and_refused_by_number(tmp_path: Path) -> None:
    rbms_archive(tmp_path / "rbm.h5", "BBRBM")
    last = read_rbms(tmp_path / "rbm.h5")
    assert last.weights.dtype == torch.float32
    assert same(read_rbms(tmp_path / "rbm.h5", update=20), last)
    assert not same(read_rbms(tmp_path / "rbm.h5", update=1), last)
    with pytest.raises(InputError, match="update must be one of: 1, 20; got 3"):
        read_rbms(tmp_path / "rbm.h5", update=3)


def test_rbms_archives_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rbm.h5"
    rbms_archive(path, "PBRBM")
    with pytest.raises(InputError, match=r"model_type must be one of: BBRBM.*got PBRBM"):
        read_rbms(path)
    rbms_archive(path, "BBRBM")
    edit(path, lambda file: file.__delitem__("model_type"))
    with pytest.raises(InputError, match="model_type must be one of"):
        read_rbms(path)
    assert read_rbms(path, model_type="BBRBM").hidden.kind == "bernoulli"
    edit(path, replace("update_20/params/weight_matrix", np.zeros((HIDDEN, VISIBLE))))
    with pytest.raises(InputError, match=r"rbm\.h5.*weight_matrix.*may be transposed"):
        read_rbms(path, model_type="BBRBM")
    edit(path, lambda file: file.__delitem__("update_20/params/vbias"))
    with pytest.raises(InputError, match="/vbias must be a dataset"):
        read_rbms(path, model_type="BBRBM")
    save(drawn("bernoulli", "relu"), path)
    with pytest.raises(InputError, match="update_<number>"):
        read_rbms(path, model_type="BBRBM")


def pgm_arrays(nature: str) -> dict[str, Any]:
    random = np.random.default_rng(2)
    parameters = {
        "dReLU": ("gamma_plus", "gamma_minus", "theta_plus", "theta_minus"),
        "ReLU": ("gamma", "theta_plus", "theta_minus"),
        "ReLU+": ("gamma", "theta"),
        "Gaussian": ("gamma", "theta"),
    }[nature]
    arrays: dict[str, Any] = {
        "weights": random.normal(size=(HIDDEN, VISIBLE)),
        "fields": random.normal(size=VISIBLE),
        # of PGM's training: must change nothing
        "mu_I": random.normal(size=HIDDEN),
        "eta": random.normal(size=HIDDEN),
    }
    for name in parameters:
        spread = random.uniform(0.5, 2.0, HIDDEN)
        arrays[name] = spread if name.startswith("gamma") else random.normal(size=HIDDEN)
    return arrays


def pgm_energy(nature: str, arrays: dict[str, Any], v: np.ndarray, h: np.ndarray) -> Any:
    """Return -fields v + U(h) - h w v with U as PGM defines it, h_minus = max(-h, 0)."""
    plus, minus = np.maximum(h, 0), np.maximum(-h, 0)
    if nature in ("ReLU+", "Gaussian"):
        potential = arrays["gamma"] * h**2 / 2 + arrays["theta"] * h
    else:
        gammas = [arrays.get(f"gamma_{side}", arrays.get("gamma")) for side in ("plus", "minus")]
        potential = gammas[0] * plus**2 / 2 + gammas[1] * minus**2 / 2
        potential = potential + arrays["theta_plus"] * plus + arrays["theta_minus"] * minus
    interaction = np.einsum("sa,ai,si->s", h, arrays["weights"], v)
    return -v @ arrays["fields"] + potential.sum(axis=1) - interaction


@pytest.mark.parametrize(
    ("nature", "kind"), [("dReLU", DReLU), ("ReLU", DReLU), ("ReLU+", ReLU), ("Gaussian", Gaussian)]
)
def test_pgm_arrays_keep_their_energy(nature: str, kind: type, tmp_path: Path) -> None:
    arrays = pgm_arrays(nature)
    np.savez(tmp_path / "pgm.npz", **arrays)
    model = read_pgm(tmp_path / "pgm.npz", hidden_nature=nature, dtype=torch.float64)
    assert type(model.hidden) is kind
    assert type(model.visible) is Bernoulli
    random = np.random.default_rng(3)
    v = random.integers(0, 2, (8, VISIBLE)).astype(float)
    h = random.normal(size=(8, HIDDEN))
    h = np.abs(h) if nature == "ReLU+" else h
    got = model.energy(torch.from_numpy(v), torch.from_numpy(h))
    assert np.allclose(got.numpy(), pgm_energy(nature, arrays, v, h), rtol=1e-12)


def test_pgm_sign_conventions() -> None:
    """Fields are -theta; under the printed h_minus = min(h, 0) theta_minus turns its sign."""
    arrays = pgm_arrays("dReLU")

    def hidden(**options: Any) -> dict[str, Tensor]:
        return from_pgm(arrays, dtype=torch.float64, **options).hidden.parameters()

    magnitude, signed = hidden(), hidden(minus="signed")
    theta = {side: torch.from_numpy(arrays[f"theta_{side}"]) for side in ("plus", "minus")}
    assert torch.equal(magnitude["field_plus"], -theta["plus"])
    assert torch.equal(magnitude["field_minus"], -theta["minus"])
    assert torch.equal(signed["field_plus"], -theta["plus"])
    assert torch.equal(signed["field_minus"], theta["minus"])
    # the swap of signs that PGM applies to a finished model is our sign gauge
    model = from_pgm(arrays, dtype=torch.float64)
    gauged = model.in_sign_gauge()
    v = torch.eye(VISIBLE, dtype=torch.float64)
    assert torch.allclose(gauged.free_energy(v), model.free_energy(v))
    assert (gauged.weights.sum(dim=0) >= 0).all()
    assert (model.weights.sum(dim=0) < 0).any()


def test_pgm_names_natures_and_binary_hidden_units() -> None:
    arrays = pgm_arrays("dReLU")
    named = {"weights": arrays["weights"], "vlayer.fields": arrays["fields"]}
    named |= {f"hlayer_{name}": arrays[name] for name in arrays if name[:2] in ("ga", "th")}
    assert same(from_pgm(named), from_pgm(arrays))
    spin = from_pgm(
        {**named, "hlayer.fields": np.ones(HIDDEN), "hlayer.nature": np.array("Spin")},
        visible_nature="Spin",
    )
    assert type(spin.visible) is type(spin.hidden) is Ising
    with pytest.raises(InputError, match=r"hlayer\.nature must be dReLU"):
        from_pgm({**named, "hlayer.nature": np.array("Spin")}, hidden_nature="dReLU")
    with pytest.raises(InputError, match=r"hidden nature must be one of.*did you mean 'dReLU'"):
        from_pgm(arrays, hidden_nature="drelu")
    with pytest.raises(InputError, match="visible nature must be one of: Bernoulli, Spin"):
        from_pgm(arrays, visible_nature="Potts")


def test_pgm_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    arrays = pgm_arrays("dReLU")
    with pytest.raises(InputError, match=r"weights.*may be transposed"):
        from_pgm({**arrays, "weights": arrays["weights"].T})
    with pytest.raises(InputError, match=r"hold 'hlayer\.gamma_plus'"):
        from_pgm({name: value for name, value in arrays.items() if name != "gamma_plus"})
    with pytest.raises(InputError, match="precision_plus must be finite and above 0"):
        from_pgm({**arrays, "gamma_plus": -arrays["gamma_plus"]})
    with pytest.raises(InputError, match="theta_plus must be an array of finite numbers"):
        from_pgm({**arrays, "theta_plus": np.full(HIDDEN, np.nan)})
    path = tmp_path / "pgm.npz"
    with pytest.raises(InputError, match="must exist"):
        read_pgm(path)
    np.savez(path, **arrays, hidden=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="pickles are never read"):
        read_pgm(path)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue()[:500])
    with pytest.raises(InputError, match=r"pgm\.npz"):
        read_pgm(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="must be npz"):
        read_pgm(tmp_path / "one.npy")


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    """A file that would create another one when it is unpickled creates nothing."""
    import pickle

    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (trap,))

    for name, content in (
        ("bare.npz", pickle.dumps(Trap())),
        ("array.npz", None),
    ):
        path = tmp_path / name
        if content is None:
            np.savez(path, weights=np.array([Trap()], dtype=object))
        else:
            path.write_bytes(content)
        with pytest.raises(InputError):
            read_pgm(path)
    assert not trap.exists()
