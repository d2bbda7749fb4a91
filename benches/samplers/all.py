#!/usr/bin/env python3
"""Everything that is measured of our samplers, beside peers' figures: what `make bench-samplers` runs.

    python3 benches/samplers/all.py                                             # tpe, gaussianProcess, cmaEs and auto
    python3 benches/samplers/all.py --samplers tpe --seeds 3
    python3 benches/samplers/all.py --algorithm '{"sampler":{"tpe":{}}}' --name mine

For each sampler: the twelve shared problems and ours, one trial at a time and ten in flight, the CPU time of a suggestion, and bbob; then
one table. The program is target/release/hyperstudy unless HYPERSTUDY names another, and is measured anew each time; what peers reached
is stored (see peers.py). The figures stay in --out, which curves.py draws from.
"""
import argparse
import json
import os
import subprocess
import sys

from peers import unpack
from shared import HERE, ROOT, SHARED, harness

PROGRAM = os.path.abspath(os.environ.get("HYPERSTUDY", os.path.join(ROOT, "target/release/hyperstudy")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samplers", default="tpe,gaussianProcess,cmaEs,auto")
    parser.add_argument("--algorithm", help="instead of samplers: a study's algorithm, as JSON")
    parser.add_argument("--name", default="ours", help="what --algorithm is called in the table")
    parser.add_argument("--seeds", default="10")
    parser.add_argument("--ns", default="100,1000,10000", help="histories for which a suggestion's time is measured")
    parser.add_argument("--parts", default="runs,overhead,bbob")
    parser.add_argument("--out", default=os.path.join(ROOT, "target/bench/samplers.json"))
    arguments = parser.parse_args()
    out, parts = os.path.abspath(arguments.out), arguments.parts.split(",")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    unpack(out)
    if arguments.algorithm:
        algorithms = {arguments.name: arguments.algorithm}
    else:
        algorithms = {name: json.dumps({"sampler": {name: {}}}) for name in arguments.samplers.split(",")}

    def call(script, *options):
        subprocess.run([sys.executable, "-B", script, *options, "--out", out], check=True, cwd=ROOT)

    command = f"'{PROGRAM}' suggest"
    for name, algorithm in algorithms.items():
        alone = ["--engine", f"{name}={command}", "--algorithm", algorithm]
        if "runs" in parts:
            ten = ["--engine-parallel", f"{name}-10={command}"]
            call(os.path.join(HERE, "runs.py"), *alone, *ten, "--seeds", arguments.seeds, "--fresh")
        if "overhead" in parts:
            call(os.path.join(SHARED, "harness.py"), "overhead", *alone, "--ns", arguments.ns)
        if "bbob" in parts:
            call(os.path.join(HERE, "bbob.py"), *alone, "--fresh")
    shown = [n for n in harness.load(out)["runs"] if not n.startswith(("sherpa", "optuna-random"))]
    subprocess.run([sys.executable, "-B", os.path.join(HERE, "table.py"), out, *shown], check=True)


if __name__ == "__main__":
    main()
