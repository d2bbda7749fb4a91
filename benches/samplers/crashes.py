#!/usr/bin/env python3
"""How many trials still fail once a sampler has seen where they do: failures from trial 30 on, of 70, where regions crash.

    python3 benches/samplers/crashes.py --engine 'ours=target/release/hyperstudy suggest' --algorithm '{"sampler":{"tpe":{}}}' --out ours.json

Options are those of runs.py; runs that are missing are made, all engines in the file are printed. Of random search's trials 26 % fail
in crash3, 48 % in oblique4, 20 % in ball3.
"""
import numpy as np

from runs import competitors, missing, options
from shared import harness

PROBLEMS = ("crash3", "oblique4", "ball3")
LEARNT = 30


def late(runs):
    """The mean number of late failures by problem, of an engine's runs; nothing for runs without a record of them."""
    found = {}
    for problem in PROBLEMS:
        counts = [sum(index >= LEARNT for index in run["failed"]) for run in runs.get(problem, {}).values() if "failed" in run]
        if counts:
            found[problem] = round(float(np.mean(counts)), 1)
    return found


def main():
    arguments = options(__doc__).parse_args()
    arguments.problems = ",".join(PROBLEMS)
    for name, spec in competitors(arguments).items():
        missing(name, spec, arguments)
    for name, runs in harness.load(arguments.out)["runs"].items():
        found = late(runs)
        if found:
            print(f"{name:24s} " + "  ".join(f"{problem} {count:4.1f}" for problem, count in found.items()))


if __name__ == "__main__":
    main()
