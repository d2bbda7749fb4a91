#!/usr/bin/env python3
"""Makes references.json: per problem the optimum, and what 100 random evaluations reach, of 400 runs.

    HYPERSTUDY_SHARED=../shared python3 benches/samplers/references.py          # needs numpy and scipy; a few minutes

The runs are the harness's own (so that with noise the incumbent is the one that looked best, and its true value counts), with
seeds that no measured run has. The optima are written by hand (or enumerated), and a search of some minutes has to find each of
them and nothing better; otherwise this fails.
"""
import json
import os
import sys

import numpy as np
from scipy.optimize import differential_evolution

from shared import HERE, harness, problems
import problems_extra


def at(parameters, unit):
    """The configuration at a point of the unit cube."""
    x = {}
    for p, u in zip(parameters, unit):
        if p["type"] in ("float", "int"):
            low, high = p["min"], p["max"]
            whole = p["type"] == "int"
            if p.get("step"):
                steps = round((high - low) / p["step"])
                value = low + p["step"] * min(int(u * (steps + 1)), steps)
            elif p.get("log"):
                value = float(np.exp(np.log(low) + u * (np.log(high) - np.log(low))))
            else:
                value = low + u * (high - low + (0.999 if whole else 0))
            x[p["name"]] = min(max(int(value) if whole else value, low), high)
        else:
            x[p["name"]] = p["choices"][min(int(u * len(p["choices"])), len(p["choices"]) - 1)]
    return x


def found(problem):
    """The best that three runs of differential evolution find, and where in the unit cube."""
    def value(unit):
        try:
            return problem.f(at(problem.params, unit))
        except problems.Failed:
            return 1e6
    runs = [differential_evolution(value, [(0, 1)] * len(problem.params), seed=seed, maxiter=600, popsize=30, tol=1e-12, atol=1e-12)
            for seed in range(3)]
    best = min(runs, key=lambda run: run.fun)
    return float(best.fun), best.x


def main():
    out = {}
    for problem in problems_extra.problems():
        reached, where = found(problem)
        if abs(reached - problem.opt) > 1e-6:
            sys.exit(f"{problem.name}: found {reached}, but the optimum is said to be {problem.opt}")
        random = np.array([harness.run_one(harness.PEERS["random"], problem, 10_000 + seed, 100)["final"] for seed in range(400)])
        quarters = np.quantile(random, [0.25, 0.5, 0.75])
        out[problem.name] = dict(opt=problem.opt, random_median=quarters[1], random_q25=quarters[0], random_q75=quarters[2],
                                 opt_kind="analytic")
        print(f"{problem.name:16s} opt {problem.opt:.6g} found {reached:.6g} at {np.round(where, 2)} random {quarters[1]:.4g}"
              f" noise {problem.noise / (quarters[1] - problem.opt):.1%}", flush=True)
    with open(os.path.join(HERE, "references.json"), "w") as handle:
        json.dump(out, handle, indent=1)
        handle.write("\n")


if __name__ == "__main__":
    main()
