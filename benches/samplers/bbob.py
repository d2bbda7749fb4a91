#!/usr/bin/env python3
"""COCO's bbob: 24 functions, 5 dimensions, 2 instances, 100 trials, 3 seeds. Needs coco-experiment.

    python3 benches/samplers/bbob.py --engine 'ours=target/release/hyperstudy suggest' --algorithm '{"sampler":{"tpe":{}}}' --out ours.json
    python3 benches/samplers/bbob.py --peers optuna-tpe,optuna-cmaes --out ours.json

These functions are what optimizers are commonly compared by, and none of them is among the problems of the other benchmarks. The figure
of a sampler is the median, over all runs, of its regret over random search's (the median of ten seeds on the same function): less is
better, 1 is random search. It goes into the file under `bbob`, as all ratios by function, instance and seed; what is there is not run again.
"""
import os
import tempfile

import cocoex
import numpy as np

from runs import competitors, options
from shared import harness, problems

GROUPS = {"separable": range(1, 6), "moderate": range(6, 10), "ill-conditioned": range(10, 15), "multi-modal": range(15, 20),
          "weak structure": range(20, 25)}


def functions():
    """The 48 as problems of the harness, each with its optimum."""
    suite = cocoex.Suite("bbob", "instances:1,2", "dimensions:5")
    made = []
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)                     # where cocoex writes where the optimum is
        try:
            for function in suite:
                function._best_parameter("print")
                with open("._bbob_problem_best_parameter.txt") as handle:
                    best = np.array(handle.read().split(), float)
                made.append((function.id_function, function.id_instance, best))
        finally:
            os.chdir(before)
    out = []
    for number, instance, best in made:
        function = suite.get_problem_by_function_dimension_instance(number, 5, instance)
        optimum = function(best)
        assert function.final_target_hit, f"{function.id}: not its optimum"
        parameters = [problems.F(f"x{i}", -5, 5) for i in range(5)]
        f = lambda x, function=function: float(function([x[f"x{i}"] for i in range(5)]))
        out.append(problems.Problem(f"f{number:02}i{instance}", parameters, f, optimum))
    return out


def main():
    parser = options(__doc__)
    parser.set_defaults(seeds=3)
    arguments = parser.parse_args()
    suite = functions()
    unit = {}
    for problem in suite:
        found = [harness.run_one(harness.PEERS["random"], problem, 100 + seed, 100)["final"] for seed in range(10)]
        unit[problem.name] = float(np.median(found)) - problem.opt
    for name, spec in competitors(arguments).items():
        done = {} if arguments.fresh else harness.load(arguments.out).get("bbob", {}).get(name, {})
        for seed in range(arguments.seeds):
            for problem in suite:
                key = f"{problem.name}s{seed}"
                if key not in done:
                    regret = harness.run_one(spec, problem, seed, 100)["final"] - problem.opt
                    done[key] = float(f"{max(regret, 0) / unit[problem.name]:.4g}")
        stored = harness.load(arguments.out)
        stored.setdefault("bbob", {})[name] = done
        harness.save(arguments.out, stored)
    for name, ratios in sorted(harness.load(arguments.out).get("bbob", {}).items(), key=lambda of: np.median(list(of[1].values()))):
        of = {group: np.median([v for k, v in ratios.items() if int(k[1:3]) in numbers]) for group, numbers in GROUPS.items()}
        print(f"{name:24s} {np.median(list(ratios.values())):.2f}  ({len(ratios)} runs;", ", ".join(f"{g} {v:.2f}" for g, v in of.items()) + ")")


if __name__ == "__main__":
    main()
