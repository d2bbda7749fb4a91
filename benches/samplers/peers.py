#!/usr/bin/env python3
"""What peers reach on the problems of this folder, kept small in peers_extra.json.

    python3 benches/samplers/peers.py pack run.json...        # makes peers_extra.json of files of runs.py and bbob.py
    python3 benches/samplers/peers.py unpack ours.json        # begins a file: the shared benchmark's peers.json and peers_extra.json

Of a run the file has what the harness has (final, at25, at50, fails), of bbob the ratios, of crashing problems the late failures.
To measure a peer anew: runs.py --peers NAME --problems extra, runs.py --peers NAME --problems crash3, bbob.py --peers NAME; then pack.
"""
import json
import os
import sys

from crashes import late
from runs import choose
from shared import HERE, SHARED, harness

EXTRA = os.path.join(HERE, "peers_extra.json")


def number(value):
    return float(f"{value:.5g}") if isinstance(value, float) else value


def pack(files):
    out = {"runs": {}, "late": {}, "bbob": {}}
    names = {p.name for p in choose("extra")}
    for stored in map(harness.load, files):
        for name, runs in stored["runs"].items():
            if name not in harness.PEERS:
                continue
            out["late"].setdefault(name, {}).update(late(runs))
            for problem in names & set(runs):
                out["runs"].setdefault(name, {})[problem] = {
                    seed: {key: number(run[key]) for key in ("final", "at25", "at50", "fails", "cpu_s")}
                    for seed, run in runs[problem].items()}
        out["bbob"].update({name: ratios for name, ratios in stored.get("bbob", {}).items() if name in harness.PEERS})
    out["late"] = {name: found for name, found in out["late"].items() if found}
    with open(EXTRA, "w") as handle:
        json.dump(out, handle, separators=(",", ":"), sort_keys=True)
        handle.write("\n")


def unpack(path):
    """Adds the peers to what the file has already."""
    stored = harness.load(path)
    for source in (os.path.join(SHARED, "peers.json"), EXTRA):
        with open(source) as handle:
            peers = json.load(handle)
        for name, runs in peers["runs"].items():
            stored["runs"].setdefault(name, {}).update(runs)
        for part in ("overhead", "late", "bbob"):
            stored.setdefault(part, {}).update(peers.get(part, {}))
    harness.save(path, stored)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("pack", "unpack"):
        sys.exit(__doc__)
    pack(sys.argv[2:]) if sys.argv[1] == "pack" else unpack(sys.argv[2])
