"""Which files of ALF folders are meant: objects and attributes, probes, revisions, collections."""

from __future__ import annotations

from pathlib import Path

from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.containers.signatures import signature_of

_DEEPEST, _MOST_FOLDERS = 5, 2000
_SPIKES = {("spikes", "times"), ("spikes", "clusters")}


def is_alf(names: tuple[str, ...]) -> bool:
    """Return whether these entries of a folder are those of ALF, or of what holds it.

    Examples
    --------
    >>> is_alf(("spikes.times.npy", "spikes.clusters.npy")), is_alf(("alf",)), is_alf(("probe00",))
    (True, True, True)
    """
    files = {key for key in map(_parts, names) if key is not None}
    inside = any(name == "alf" or (name.startswith("probe") and "." not in name) for name in names)
    return files >= _SPIKES or inside


def _parts(name: str) -> tuple[str, str] | None:
    """Return object and attribute of the name of an array, None of other files."""
    parts = name.split(".")
    if len(parts) < 3 or parts[-1] != "npy":
        return None
    thing = parts[0]
    if thing.startswith("_") and thing.count("_") > 1:  # a namespace, as in _ibl_trials
        thing = thing[1:].partition("_")[2]
    return thing, parts[1]


def files_of(folder: Path) -> dict[tuple[str, str], Path]:
    """Return the arrays of a folder by object and attribute, each of its last revision."""
    found: dict[tuple[str, str], Path] = {}
    revisions = sorted(one for one in folder.glob("#*#") if one.is_dir())
    for place in (folder, *revisions):
        mine: dict[tuple[str, str], Path] = {}
        for entry in sorted(place.iterdir()):
            key = _parts(entry.name)
            if key is not None:
                mine.setdefault(key, entry)
        found |= mine
    return found


def chosen_folders(folder: Path, collection: str | None) -> list[Path]:
    """Return the folders with spikes, one of each probe."""
    if collection is not None:
        wanted = folder / collection
        inside = folder.resolve() in (wanted.resolve(), *wanted.resolve().parents)
        if not inside or not wanted.is_dir() or not files_of(wanted).keys() >= _SPIKES:
            known = ", ".join(str(one.relative_to(folder)) for one in _found(folder)) or "none"
            raise bad_input(
                "collection", f"be a folder with spikes.times.npy: {known}", collection,
                file=folder,
            )  # fmt: skip
        return [wanted]
    found = _found(folder)
    if not found:
        raise bad_input(
            "the folder",
            "hold spikes.times.npy and spikes.clusters.npy, or folders that do",
            signature_of(folder).describe(),
            file=folder,
        )
    by_probe: dict[str, list[Path]] = {}
    for one in found:
        by_probe.setdefault(probe_of(one, folder), []).append(one)
    chosen = []
    for probe, folders in by_probe.items():
        if len(folders) > 1:
            listed = [str(one.relative_to(folder)) for one in folders]
            raise bad_input(
                "collection",
                f"be given, as {probe or 'the folder'} was sorted more than once: "
                f"--read collection={listed[0]}",
                "none; there is " + ", ".join(listed),
                file=folder,
            )
        chosen += folders
    return chosen


def _found(folder: Path) -> list[Path]:
    """Return the folders with spikes at and below one, in order."""
    found, open_, looked = [], [(folder, 0)], 0
    while open_:
        here, depth = open_.pop(0)
        looked += 1
        if looked > _MOST_FOLDERS:
            raise bad_input(
                "the folder", f"be a session, with at most {_MOST_FOLDERS:,} folders", "more",
                file=folder,
            )  # fmt: skip
        if files_of(here).keys() >= _SPIKES:
            found.append(here)
        if depth < _DEEPEST:
            below = (one for one in sorted(here.iterdir()) if one.is_dir())
            # a revision is no folder of its own
            open_ += [(one, depth + 1) for one in below if not one.name.startswith("#")]
    return sorted(found)


def probe_of(folder: Path, top: Path) -> str:
    """Return the name of the probe in whose folder another lies, "" where there is none."""
    parts = folder.relative_to(top).parts or (folder.name,)
    return next((one for one in parts if one.startswith("probe")), "")
