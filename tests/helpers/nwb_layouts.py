"""NWB files as the Allen Institute, IBL, Steinmetz et al. and others write them, dirt included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

TEXT = h5py.string_dtype("utf-8")
SESSION_S = 170.0


@dataclass(frozen=True)
class Truth:
    """What a reader must find in a file that was written here."""

    ids: list[str]
    trains: list[NDArray[np.float64]]
    labels: Mapping[str, list[str]]
    xyz_um: NDArray[np.float64]
    not_times: Mapping[str, int] = field(default_factory=dict)
    epochs: list[tuple[float, float, str]] = field(default_factory=list)


def new_file(path: Path) -> h5py.File:
    """Open a new file that says that it is NWB."""
    file = h5py.File(path, "w")
    file.attrs["nwb_version"] = "2.6.0-alpha"
    file.attrs["neurodata_type"] = "NWBFile"
    file["session_description"] = "EPHYS_1_images_H_3uL_reward"
    file.create_group("general/metadata")
    return file


def put(table: h5py.Group, **columns: Any) -> None:
    """Write columns; lists of text become variable-length strings."""
    for name, values in columns.items():
        if isinstance(values, list) and (not values or isinstance(values[0], str)):
            table.create_dataset(name, data=values, dtype=TEXT)
        else:
            table.create_dataset(name, data=values)


def clean_trains(units: int, seed: int) -> list[NDArray[np.float64]]:
    """Return sorted spike times; one unit is silent."""
    generator = np.random.default_rng(seed)
    trains = [np.sort(generator.uniform(0.0, SESSION_S, generator.integers(5, 200)))
              for _ in range(units)]  # fmt: skip
    trains[units // 2] = np.empty(0)
    return trains


def put_spikes(
    units: h5py.Group, trains: list[NDArray[np.float64]], *, index_dtype: str = "uint64"
) -> None:
    """Write spike times as one flat column with its index."""
    flat = np.concatenate(trains)
    ends = np.cumsum([len(train) for train in trains])
    put(units, spike_times=flat, spike_times_index=ends.astype(index_dtype))


def make_dirty(
    trains: list[NDArray[np.float64]], seed: int
) -> tuple[list[NDArray[np.float64]], dict[str, int]]:
    """Return the trains out of order, with -1, NaN and absurd times put in, and their counts."""
    generator = np.random.default_rng(seed)
    dirty = [generator.permutation(train) for train in trains]
    unsorted = sum(bool((np.diff(train) < 0).any()) for train in dirty)
    dirty[0] = np.r_[-1.0, dirty[0], -1.0, np.nan]
    dirty[1] = np.r_[1e12, dirty[1], np.nan, np.inf, -np.inf]
    counts = {
        "below 0, dropped": 3,
        "not a number, dropped": 2,
        "beyond 2.592e+06 s, dropped": 2,
        "not in order of time: sorted": unsorted,
    }
    return dirty, counts


def write_allen(path: Path, *, units: int = 12, seed: int = 0) -> Truth:
    """Visual Behavior Neuropixels: areas through peak_channel_id, epochs in presentation tables."""
    trains = clean_trains(units, seed)
    dirty, counts = make_dirty(trains, seed)
    locations = ["VISp", "CA1", "root", "grey", "", "N/A", "nan", "LGd"] * 2
    electrode = np.arange(units) % 16
    electrode[-1] = -1  # a peak channel that the electrodes table does not know
    electrode_id = 850_126_378 + 2 * np.arange(16)
    with new_file(path) as file:
        table = file.create_group("general/extracellular_ephys/electrodes")
        x = np.where(np.arange(16) < 8, 7000.0 + 10 * np.arange(16), np.nan)
        put(
            table, id=electrode_id, location=locations, x=x[:, None], y=x - 5000, z=x - 1000,
            valid_data=np.where(np.arange(16) == 0, 0.0, 1.0),
            group_name=["probeA"] * 8 + ["probeB"] * 8,
        )  # fmt: skip
        group = file.create_group("units")
        put_spikes(group, dirty, index_dtype="uint16")
        peak = np.where(electrode >= 0, electrode_id[electrode], 1)
        cutoff = np.linspace(0.0, 0.2, units)
        cutoff[3] = np.nan
        put(
            group, id=950_000_000 + np.arange(units), peak_channel_id=peak,
            quality=["good", "good", "noise"] * (units // 3), amplitude_cutoff=cutoff[:, None],
            isi_violations=np.linspace(0.0, 1.0, units), presence_ratio=np.full(units, 0.95),
            snr=np.linspace(0.5, 5.0, units), firing_rate=np.linspace(0.0, 9.0, units),
            waveform_duration=np.linspace(0.2, 0.8, units),
        )  # fmt: skip
        # 300 GB are declared and none is stored: a reader that loads waveforms fails
        group.create_dataset("waveform_mean", shape=(10**9, 82), dtype="f4", chunks=(1000, 82))
        put(group, waveform_mean_index=np.arange(1, units + 1).astype(np.uint32))
        put_allen_intervals(file)
    labels = ["" if name in ("", "N/A", "nan") else name for name in locations]
    unit_labels = [labels[one] if one >= 0 else "" for one in electrode]
    xyz = np.stack([x, x - 5000, x - 1000], axis=1)[electrode]
    xyz[electrode < 0] = np.nan
    return Truth(
        ids=[str(950_000_000 + unit) for unit in range(units)],
        trains=trains, labels={"ccf": unit_labels}, xyz_um=xyz, not_times=counts,
        epochs=ALLEN_EPOCHS,
    )  # fmt: skip


IMAGES = "Natural_Images_Lum_Matched_set_ophys_H_2019"
# what the tables below amount to; seconds 120 to 125 are invalid
ALLEN_EPOCHS = sorted([
    (0.0, 59.5, IMAGES), (0.0, 59.5, "active"),
    (110.0, 120.0, IMAGES), (110.0, 120.0, "passive"),
    (125.0, 169.5, IMAGES), (125.0, 169.5, "passive"),
    (60.0, 70.0, "spontaneous"), (90.0, 100.0, "spontaneous"),
    (70.0, 89.75, "gabor_20_deg_250ms"), (100.0, 109.25, "flash_250ms"),
    (0.5, 5.0, "trials"), (5.0, 5.4, "trials"), (120.0, 125.0, "invalid_times"),
])  # fmt: skip


def put_allen_intervals(file: h5py.File) -> None:
    """Write the interval tables of a Visual Behavior session of 170 s."""
    on = np.r_[np.arange(0.0, 60.0, 0.75), np.arange(110.0, 170.0, 0.75)]
    first = on < 100
    images = file.create_group(f"intervals/{IMAGES}_presentations")
    put(
        images, id=np.arange(len(on)), start_time=on, stop_time=on + 0.25,
        stimulus_block=np.where(first, 0.0, 5.0), active=np.where(first, 1.0, 0.0),
        image_name=["im012_r"] * (len(on) - 1) + ["N/A"],
    )  # fmt: skip
    gabor = file.create_group("intervals/gabor_20_deg_250ms_presentations")
    on = np.arange(70.0, 89.6, 0.25)
    put(gabor, id=np.arange(len(on)), start_time=on, stop_time=on + 0.25,
        stimulus_block=np.full(len(on), 2), active=np.zeros(len(on), dtype=bool))  # fmt: skip
    flash = file.create_group("intervals/flash_250ms_presentations")
    on = np.arange(100.0, 110.0, 1.0)
    put(flash, id=np.arange(10), start_time=on[::-1], stop_time=on[::-1] + 0.25,
        stimulus_block=np.full(10, 4.0))  # fmt: skip
    grey = file.create_group("intervals/spontaneous_presentations")
    put(grey, id=np.arange(3), start_time=np.array([60.0, 70.0, 90.0]),
        stop_time=np.array([70.0, 70.5, 100.0]),
        stimulus_block=np.array([1.0, np.nan, 3.0]))  # fmt: skip
    trials = file.create_group("intervals/trials")
    put(trials, id=np.arange(3), start_time=np.array([0.5, 5.0, 9.0]),
        stop_time=np.array([5.0, 5.4, np.nan]))  # fmt: skip
    invalid = file.create_group("intervals/invalid_times")
    put(invalid, id=np.arange(1), start_time=np.array([120.0]), stop_time=np.array([125.0]))


def write_visual_coding(path: Path, *, units: int = 6, seed: int = 1) -> Truth:
    """Visual Coding: no `active`, blocks that are missing (all NaN columns are not written)."""
    trains = clean_trains(units, seed)
    with new_file(path) as file:
        table = file.create_group("general/extracellular_ephys/electrodes")
        put(table, id=np.arange(units) * 10, location=["VISl"] * units)
        group = file.create_group("units")
        put_spikes(group, trains, index_dtype="int32")
        put(group, id=np.arange(units), peak_channel_id=(np.arange(units) * 10)[:, None])
        gratings = file.create_group("intervals/drifting_gratings_presentations")
        on = np.r_[np.arange(0.0, 30.0, 3.0), np.arange(100.0, 130.0, 3.0)]
        put(gratings, id=np.arange(20), start_time=on, stop_time=on + 2.0)
        laser = file.create_group("processing/optotagging/optogenetic_stimulation")
        put(laser, id=np.arange(2), start_time=np.array([10.0, 150.0]),
            stop_time=np.array([10.01, 150.01]))  # fmt: skip
    return Truth(
        ids=[str(unit) for unit in range(units)], trains=trains, labels={"ccf": ["VISl"] * units},
        xyz_um=np.full((units, 3), np.nan),
        epochs=[
            (0.0, 10.0, "drifting_gratings"), (10.0, 10.01, "optogenetic_stimulation"),
            (10.01, 29.0, "drifting_gratings"), (100.0, 129.0, "drifting_gratings"),
            (150.0, 150.01, "optogenetic_stimulation"),
        ],
    )  # fmt: skip


def write_ibl(path: Path, *, units: int = 8, seed: int = 2) -> Truth:
    """IBL: rows of the electrodes table in max_electrode, three atlases, units with names."""
    trains = clean_trains(units, seed)
    ccf = ["VISp5", "root", "void", "CA1", "fiber tracts", "DG-mo", "LP", ""][:units]
    with new_file(path) as file:
        table = file.create_group("general/extracellular_ephys/electrodes")
        ml, ap, dv = (offset + np.arange(units) * 20.0 for offset in (-2000.0, -3000.0, -1500.0))
        put(table, id=np.arange(units), location=ccf,
            beryl_location=["VISp", "root", "void", "CA1", "root", "DG", "LP", ""][:units],
            cosmos_location=["Isocortex", "root", "void", "HPF", "root", "HPF", "TH", ""][:units],
            ibl_x=ml, ibl_y=ap, ibl_z=dv, group_name=["probe00"] * units)  # fmt: skip
        group = file.create_group("units")
        put_spikes(group, trains)
        put(group, id=np.arange(units), unit_name=[f"probe00_{unit}" for unit in range(units)],
            max_electrode=np.arange(units)[::-1].astype(np.float64),
            ibl_quality_score=np.array([1, 0.67, 0.33, 1, 1, 0, 0.67, 1.0])[:units],
            firing_rate_hz=np.linspace(0.1, 5, units))  # fmt: skip
        epochs = file.create_group("intervals/epochs")
        put(epochs, id=np.arange(2), start_time=np.array([0.0, 100.0]),
            stop_time=np.array([100.0, 170.0]), protocol_type=["task", "passive"])  # fmt: skip
    turned = list(range(units))[::-1]
    cosmos = ["Isocortex", "root", "void", "HPF", "root", "HPF", "TH", ""]
    beryl = ["VISp", "root", "void", "CA1", "root", "DG", "LP", ""]
    return Truth(
        ids=[f"probe00_{unit}" for unit in range(units)], trains=trains,
        labels={"ccf": [ccf[one] for one in turned], "beryl": [beryl[one] for one in turned],
                "cosmos": [cosmos[one] for one in turned]},
        xyz_um=np.stack([ap, dv, ml], axis=1)[turned],
        epochs=[(0.0, 100.0, "task"), (100.0, 170.0, "passive")],
    )  # fmt: skip


def write_steinmetz(path: Path, *, units: int = 6, seed: int = 3) -> Truth:
    """Steinmetz et al. (DANDI 000017): columns of (n, 1), ragged electrodes, CCF positions."""
    trains = clean_trains(units, seed)
    with new_file(path) as file:
        table = file.create_group("general/extracellular_ephys/electrodes")
        ap = 100.0 * np.arange(10)[:, None] + 3000
        put(table, id=np.arange(10), location=[f"area{row}" for row in range(10)],
            ccf_ap=ap, ccf_dv=ap + 1, ccf_lr=ap + 2)  # fmt: skip
        probe = file.create_group("general/extracellular_ephys/Probe1")
        probe.attrs["location"] = "brain"
        group = file.create_group("units")
        put_spikes(group, trains, index_dtype="uint16")
        put(group, id=np.arange(units), peak_channel=np.arange(units)[:, None] + 4,
            phy_annotations=np.array([[1], [2], [3], [2], [0], [np.nan]][:units]),
            electrodes=np.repeat(np.arange(units) + 3, 2),
            electrodes_index=2 * np.arange(1, units + 1).astype(np.uint8))  # fmt: skip
        reference = np.array([probe.ref] * units, dtype=object)
        group.create_dataset("electrode_group", data=reference, dtype=h5py.ref_dtype)
        quiet = file.create_group("intervals/spontaneous")
        put(quiet, id=np.arange(2), start_time=np.array([[150.0], [1.0]]),
            stop_time=np.array([[160.0], [2.5]]))  # fmt: skip
        trials = file.create_group("intervals/trials")
        put(trials, id=np.arange(1), start_time=np.array([[3.0]]), stop_time=np.array([[9.0]]))
    rows = np.arange(units) + 3
    return Truth(
        ids=[str(unit) for unit in range(units)], trains=trains,
        labels={"ccf": [f"area{row}" for row in rows]},
        xyz_um=(100.0 * rows + 3000)[:, None] + np.arange(3.0),
        epochs=[(1.0, 2.5, "spontaneous"), (3.0, 9.0, "trials"), (150.0, 160.0, "spontaneous")],
    )  # fmt: skip


def write_plain(path: Path, *, units: int = 4, seed: int = 4) -> Truth:
    """A file with nothing but spikes: empty locations, zero positions, region of the group."""
    trains = clean_trains(units, seed)
    with new_file(path) as file:
        table = file.create_group("general/extracellular_ephys/electrodes")
        put(table, id=np.arange(units), location=[""] * units, x=np.zeros(units),
            y=np.zeros(units), z=np.zeros(units))  # fmt: skip
        places = ["PoS", "unknown"]
        groups = [file.create_group(f"general/extracellular_ephys/shank{n}") for n in range(2)]
        for one, place in zip(groups, places, strict=True):
            one.attrs["location"] = place
        group = file.create_group("units")
        put_spikes(group, trains, index_dtype="uint16")
        put(group, id=np.arange(units), location=[""] * units,
            obs_intervals=np.tile([[0.0, SESSION_S + 1]], (units, 1)),
            obs_intervals_index=np.arange(1, units + 1))  # fmt: skip
        reference = np.array([groups[unit % 2].ref for unit in range(units)], dtype=object)
        group.create_dataset("electrode_group", data=reference, dtype=h5py.ref_dtype)
        epochs = file.create_group("intervals/epochs")
        put(epochs, id=np.arange(3), start_time=np.array([0.0, 50.0, 80.0]),
            stop_time=np.array([50.0, 80.0, 80.0]), tags=["wake", "sleep", "quiet", "none"],
            tags_index=np.array([1, 3, 4], dtype=np.uint8))  # fmt: skip
    return Truth(
        ids=[str(unit) for unit in range(units)], trains=trains,
        labels={"ccf": ["PoS" if unit % 2 == 0 else "" for unit in range(units)]},
        xyz_um=np.full((units, 3), np.nan),
        epochs=[(0.0, 50.0, "wake"), (50.0, 80.0, "quiet"), (50.0, 80.0, "sleep")],
    )  # fmt: skip


def write_zarr(folder: Path) -> Truth:
    """Write the Visual Behavior file as a zarr store, the way hdmf-zarr does."""
    import numcodecs
    import zarr

    path = folder.with_name(f"{folder.name}.h5")
    truth = write_allen(path)
    with h5py.File(path) as file:
        store = zarr.open_group(str(folder), mode="w")
        store.attrs.update(dict(file.attrs))

        def copy(name: str, thing: h5py.Group | h5py.Dataset) -> None:
            if isinstance(thing, h5py.Group):
                store.require_group(name)
            elif name.endswith("waveform_mean"):
                store.create_dataset(name, shape=thing.shape, chunks=thing.chunks, dtype="f4")
            elif h5py.check_string_dtype(thing.dtype):
                words = np.atleast_1d(np.asarray(thing.asstr()[()], dtype=object))
                codec = numcodecs.VLenUTF8()
                store.create_dataset(name, data=words, dtype=object, object_codec=codec)
            else:  # several chunks of spike times, the last of them longer than what is left
                chunks = (100,) if name.endswith("spike_times") else thing.shape
                store.create_dataset(name, data=thing[()], chunks=chunks)

        file.visititems(copy)
        # as references are stored: a pickle, which must not be in the way
        references = np.array([{"path": "/general"}] * len(truth.ids), dtype=object)
        store.create_dataset(
            "units/electrode_group", data=references, dtype=object, object_codec=numcodecs.Pickle()
        )
    path.unlink()
    return truth


def write_zarr3(folder: Path) -> Truth:
    """Write the Visual Behavior file as zarr of version 3, laid out as hdmf-zarr 0.14 has it."""
    import json

    import numcodecs

    path = folder.with_name(f"{folder.name}.h5")
    truth = write_allen(path)
    packed, plain = numcodecs.Zstd(level=0), {"endian": "little"}

    def node(name: str, told: dict[str, Any]) -> None:
        (folder / name).mkdir(parents=True, exist_ok=True)
        whole = {"zarr_format": 3, "attributes": {"description": "x"}, **told}
        (folder / name / "zarr.json").write_text(json.dumps(whole))

    def chunk(name: str, number: int, axes: int, content: bytes) -> None:
        place = folder.joinpath(name, "c", str(number), *["0"] * (axes - 1))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(packed.encode(content))

    def array(name: str, thing: h5py.Dataset) -> None:
        text = h5py.check_string_dtype(thing.dtype)
        each = 100 if name.endswith("spike_times") else thing.size
        grid = {"chunk_shape": [each] if thing.ndim == 1 else list(thing.shape)}
        node(name, {
            "node_type": "array", "shape": list(thing.shape), "fill_value": "" if text else 0,
            "data_type": "string" if text else str(thing.dtype),
            "chunk_grid": {"name": "regular", "configuration": grid},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [
                {"name": "vlen-utf8"} if text else {"name": "bytes", "configuration": plain},
                {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
            ],
        })  # fmt: skip
        if text:
            chunk(name, 0, thing.ndim, packed_texts(thing.asstr()[()]))
            return
        values = np.ravel(thing[()])
        for first in range(0, len(values), each):
            piece = np.zeros(each, values.dtype)
            mine = values[first : first + each]
            piece[: len(mine)] = mine
            if piece.any():  # a chunk that is the fill value is not stored
                chunk(name, first // each, thing.ndim, piece.tobytes())

    with h5py.File(path) as file:
        node(".", {"node_type": "group", "attributes": {"nwb_version": "2.11.0"}})
        file.visititems(
            lambda name, thing: (
                node(name, {"node_type": "group"})
                if isinstance(thing, h5py.Group)
                else array(name, thing)
                if 0 < thing.size < 10**6 and thing.ndim
                else None
            )
        )
    path.unlink()
    return truth


ROIS, FRAMES = 5, 60


def calcium_traces() -> NDArray[np.float32]:
    """Return dF/F, (frame, roi)."""
    return np.random.default_rng(12).gamma(2.0, 0.1, size=(FRAMES, ROIS)).astype(np.float32)


def write_calcium(path: Path) -> None:
    """Two-photon imaging: dF/F by rate, of rows 1 to 5 of six, beside fluorescence and neuropil."""
    with new_file(path) as file:
        plane = file.create_group("general/optophysiology/plane")
        plane.attrs["neurodata_type"] = "ImagingPlane"
        plane.create_dataset("location", data="VISp", dtype=TEXT)
        module = file.create_group("processing/ophys")
        table = module.create_group("ImageSegmentation/PlaneSegmentation")
        table.attrs["neurodata_type"] = "PlaneSegmentation"
        table["imaging_plane"] = h5py.SoftLink("/general/optophysiology/plane")
        masks = np.zeros(2 * (ROIS + 1), dtype=[("x", "u4"), ("y", "u4"), ("weight", "f4")])
        masks["x"], masks["y"], masks["weight"] = np.arange(12), 20, 1.0
        put(table, id=np.arange(ROIS + 1), pixel_mask=masks,
            pixel_mask_index=2 * np.arange(1, ROIS + 2),
            Accepted=np.array([1, 1, 0, 1, 1, 1]))  # fmt: skip
        for container, name, kind in (
            ("DfOverF", "RoiResponseSeries", "DfOverF"),
            ("Fluorescence", "RoiResponseSeries", "Fluorescence"),
            ("Fluorescence", "Neuropil", "Fluorescence"),
        ):
            group = module.require_group(container)
            group.attrs["neurodata_type"] = kind
            series = group.create_group(name)
            series.attrs["neurodata_type"] = "RoiResponseSeries"
            series["data"] = calcium_traces() * (1 if kind == "DfOverF" else 100)
            series["rois"] = np.arange(1, ROIS + 1)
            series["rois"].attrs["table"] = table.ref
            if kind == "DfOverF":
                series["starting_time"] = 2.0
                series["starting_time"].attrs["rate"] = 10.0
            else:
                series["timestamps"] = 2.0 + 0.1 * np.arange(FRAMES)


def write_calcium_zarr(folder: Path, version: int) -> None:
    """Write dF/F by rate with its plane as zarr: numbers and links where hdmf-zarr has them.

    Another link leads to a device, which no reader copies.
    """
    ids = np.arange(1, ROIS + 1)
    links = [
        {"source": ".", "path": "/general/optophysiology/plane", "name": "imaging_plane"},
        {"source": ".", "path": "/general/devices/scope", "name": "device"},
    ]
    series = "processing/ophys/DfOverF/RoiResponseSeries"
    cells = "processing/ophys/ImageSegmentation/PlaneSegmentation"
    groups: dict[str, dict[str, Any]] = {
        "": {},
        "processing": {},
        "processing/ophys": {},
        "processing/ophys/DfOverF": {"neurodata_type": "DfOverF"},
        series: {"neurodata_type": "RoiResponseSeries"},
        "processing/ophys/ImageSegmentation": {},
        cells: {
            "neurodata_type": "PlaneSegmentation",
            "_LINKS" if version == 3 else "zarr_link": links,
        },
        "general": {},
        "general/optophysiology": {},
        "general/optophysiology/plane": {"neurodata_type": "ImagingPlane"},
    }
    arrays: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
        f"{series}/data": (calcium_traces(), {}),
        f"{series}/rois": (np.arange(ROIS), {"table": cells}),
        f"{series}/starting_time": (np.array(2.0), {"rate": 10.0, "unit": "seconds"}),
        f"{cells}/id": (ids, {}),
        f"{cells}/Accepted": (np.ones(ROIS, dtype=np.int64), {}),
        f"{cells}/pixel_mask_index": (ids, {"neurodata_type": "VectorIndex"}),
        "general/optophysiology/plane/location": (np.array(["VISp"]), {}),
    }
    for name, attributes in groups.items():
        _zarr_node(folder / name, version, {"node_type": "group"}, attributes)
    for name, (values, attributes) in arrays.items():
        _zarr_array(folder / name, version, values, attributes)


def _zarr_node(folder: Path, version: int, told: dict[str, Any], attributes: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"zarr_format": version, **told}
    if version == 3:
        (folder / "zarr.json").write_text(json.dumps({**whole, "attributes": attributes}))
        return
    kind = whole.pop("node_type")
    (folder / f".z{kind}").write_text(json.dumps(whole))
    (folder / ".zattrs").write_text(json.dumps(attributes))


def _zarr_array(folder: Path, version: int, values: NDArray[Any], attributes: Any) -> None:
    shape, content = list(values.shape), values.tobytes()
    if version == 2:
        told = {"node_type": "array", "shape": shape, "chunks": shape, "dtype": values.dtype.str,
                "compressor": None, "fill_value": None, "filters": None, "order": "C"}  # fmt: skip
        chunk = folder / (".".join("0" for _ in shape) or "0")
    else:
        text = values.dtype.kind == "U"
        plain = {"name": "bytes", "configuration": {"endian": "little"}}
        told = {
            "node_type": "array", "shape": shape, "fill_value": "" if text else 0,
            "data_type": "string" if text else str(values.dtype),
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "vlen-utf8"} if text else plain],
        }  # fmt: skip
        content = packed_texts(values) if text else content
        chunk = folder.joinpath("c", *["0"] * len(shape))
    _zarr_node(folder, version, told, attributes)
    chunk.parent.mkdir(parents=True, exist_ok=True)
    chunk.write_bytes(content)


def packed_texts(values: NDArray[Any]) -> bytes:
    """Return texts as the codec vlen-utf8 packs them."""
    words = [str(one).encode() for one in np.ravel(values)]
    parts = [len(one).to_bytes(4, "little") + one for one in words]
    return len(words).to_bytes(4, "little") + b"".join(parts)


NWB_LAYOUTS = {
    "allen": write_allen,
    "visual_coding": write_visual_coding,
    "ibl": write_ibl,
    "steinmetz": write_steinmetz,
    "plain": write_plain,
}
