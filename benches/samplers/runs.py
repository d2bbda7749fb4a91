#!/usr/bin/env python3
"""Runs samplers as `harness.py run` does, and keeps of each run the way to its incumbent and which trials failed.

    python3 benches/samplers/runs.py --engine 'ours=target/release/hyperstudy suggest' --algorithm '{"sampler":{"tpe":{}}}' --out ours.json
    python3 benches/samplers/runs.py --peers optuna-tpe,random --problems noisy,crash3 --seeds 3 --out ours.json

Options are the harness's. Problems are names, kinds (see problems_extra.py), `twelve` for the shared ones, `extra` for ours, all unless
given. The file is the harness's too: `harness.py report --out ours.json` reads it. What it has already is not run again. A run has, more
than the harness's, `trace`, the [index, true value] of each new incumbent, and `failed`, the indexes of trials that failed, both counted
in the order of the trials' start or end: the trace as they end, failures as they start.
"""
import argparse
import json
import time

from shared import harness, problems


class Recorder:
    """A peer or an engine, and beside it what `harness.run_one` only keeps for itself."""

    def __init__(self, spec, problem):
        self.spec, self.problem = spec, problem
        self.true, self.asked, self.ended, self.best, self.trace, self.failed = {}, 0, 0, float("inf"), [], []

    def __call__(self, *args, **keywords):
        """Stands for the class that `run_one` makes its sampler of; one of our engines stays one, for the clock that `run_one` asks."""
        real, recorder = self.spec[0], self

        class Recorded(real):
            def ask(self, k):
                trials = super().ask(k)
                for number, x in trials:
                    try:
                        recorder.true[number] = (recorder.asked, recorder.problem.f(x))
                    except problems.Failed:
                        recorder.failed.append(recorder.asked)
                    recorder.asked += 1
                return trials

            def tell(self, number, value):
                super().tell(number, value)
                if value is not None and value < recorder.best:
                    recorder.best = value
                    recorder.trace.append([recorder.ended, float(f"{recorder.true[number][1]:.6g}")])
                recorder.ended += 1

        return Recorded(*args, **keywords)


def run(spec, problem, seed, budget):
    recorder = Recorder(spec, problem)
    result = harness.run_one((recorder, *spec[1:]), problem, seed, budget)
    return {**result, "trace": recorder.trace, "failed": recorder.failed}


def choose(names):
    """The problems of these names and kinds."""
    suite = problems.suite()
    shared = {p.name for p in problems.synthetic()} | set(problems.ml_specs())
    wanted = set(names.split(",")) if names else {"twelve", "extra"}
    return [p for p in suite if wanted & {p.name, p.kind, "twelve" if p.name in shared else "extra"}]


def competitors(arguments):
    """The specs of --peers, --engine and --engine-parallel by name, as the harness makes them."""
    chosen = {name: harness.PEERS[name] for name in (arguments.peers or "").split(",") if name}
    for parallel, engines in ((1, arguments.engine), (10, arguments.engine_parallel)):
        for name, command in (engine.split("=", 1) for engine in engines):
            chosen[name] = (harness.Engine, {"cmd": command, "algorithm": json.loads(arguments.algorithm)}, parallel, 10)
    return chosen


def options(doc):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers")
    parser.add_argument("--engine", action="append", default=[], help="name=command, one trial at a time")
    parser.add_argument("--engine-parallel", action="append", default=[], help="name=command, ten in flight")
    parser.add_argument("--algorithm", default="{}")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--problems")
    parser.add_argument("--fresh", action="store_true", help="run again what the file has of these")
    parser.add_argument("--out", required=True)
    return parser


def missing(name, spec, arguments, budget=100):
    """Runs what the file has not, seed by seed, and stores it after each seed."""
    chosen, begin = choose(arguments.problems), time.perf_counter()
    if arguments.fresh:
        stored = harness.load(arguments.out)
        for problem in chosen:
            stored["runs"].get(name, {}).pop(problem.name, None)
        harness.save(arguments.out, stored)
    for seed in range(arguments.seeds):
        stored = harness.load(arguments.out)["runs"].get(name, {})
        new = {p.name: run(spec, p, seed, budget) for p in chosen if "trace" not in stored.get(p.name, {}).get(str(seed), {})}
        stored = harness.load(arguments.out)
        for problem, result in new.items():
            stored["runs"].setdefault(name, {}).setdefault(problem, {})[str(seed)] = result
        harness.save(arguments.out, stored)
        print(f"{name} seed {seed}: {len(new)} runs, {time.perf_counter() - begin:.0f} s", flush=True)


def main():
    arguments = options(__doc__).parse_args()
    for name, spec in competitors(arguments).items():
        missing(name, spec, arguments)


if __name__ == "__main__":
    main()
