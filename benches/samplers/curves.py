#!/usr/bin/env python3
"""The pictures of docs/samplers.md, of real runs: how near the best trial so far is to the optimum, against trials. Needs matplotlib.

    python3 benches/samplers/runs.py --engine 'tpe=target/release/hyperstudy suggest' --algorithm '{"sampler":{"tpe":{}}}' --out ours.json
    python3 benches/samplers/curves.py ours.json...

A curve is the regret, normalised as the harness does (0 the optimum, 1 what random search reaches with 100 trials, at most 2), its median
over seeds, averaged over problems. The curves of every engine that a picture names are kept in curves.json as soon as a file has its runs
on all the picture's problems, so that peers need not run again. Engines with ten trials in flight end in -10 or -p10.
"""
import json
import os
import sys

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np

from runs import choose
from shared import HERE, ROOT, harness

KEPT = os.path.join(HERE, "curves.json")
TRIALS = 100
PICTURES = {
    "samplers-serial": ("twelve", "", "12 problems, one trial at a time"),
    "samplers-parallel": ("twelve", "10", "12 problems, ten trials in flight"),
    "samplers-noisy": ("noisy", "", "3 noisy problems, one trial at a time"),
    "samplers-failing": ("crash,crash3", "", "3 problems with failing regions, one trial at a time"),
}
# Ours are drawn through, peers broken; a family of samplers has one colour.
LINES = {
    "tpe": ("tpe", "C0", "-"), "gaussianProcess": ("gaussianProcess", "C3", "-"), "cmaEs": ("cmaEs", "C2", "-"), "auto": ("auto", "black", "-"),
    "optuna-tpe": ("Optuna TPE", "C0", "--"), "optuna-gp": ("Optuna GP", "C3", "--"), "optuna-cmaes": ("Optuna CMA-ES", "C2", "--"),
    "random": ("random", "C7", ":"),
}


def base(name):
    """The engine's name without what says that ten are in flight, and whether it did."""
    for ending in ("-p10", "-10"):
        if name.endswith(ending):
            return name.removesuffix(ending), "10"
    return name, ""


def curve(problems, runs):
    """The regret after each trial, and the least number of seeds; nothing where a problem has no recorded run."""
    medians, seeds = [], []
    for problem in problems:
        ways = []
        for run in runs.get(problem.name, {}).values():
            way = np.full(TRIALS, 2.0)
            for index, value in run["trace"]:
                way[index:] = harness.regret(problem, value)
            ways.append(way)
        if not ways:
            return None
        medians.append(np.median(ways, axis=0))
        seeds.append(len(ways))
    return {"seeds": min(seeds), "regret": [round(float(r), 4) for r in np.mean(medians, axis=0)]}


def merged(files):
    """The recorded runs of all files: engine, problem, seed."""
    runs = {}
    for stored in map(harness.load, files):
        for name, problems in stored["runs"].items():
            for problem, seeds in problems.items():
                recorded = {seed: run for seed, run in seeds.items() if "trace" in run}
                runs.setdefault(name, {}).setdefault(problem, {}).update(recorded)
    return runs


def collect(files):
    """What was kept, and anew what the files have. Random search is the same however many are in flight."""
    kept, runs = json.load(open(KEPT)) if os.path.exists(KEPT) else {}, merged(files)
    for picture, (kinds, flight, _) in PICTURES.items():
        problems = choose(kinds)
        made = {name: curve(problems, runs[name]) for name in runs
                if base(name)[0] in LINES and (base(name)[1] == flight or name == "random")}
        kept.setdefault(picture, {}).update({name: found for name, found in made.items() if found})
    with open(KEPT, "w") as handle:
        json.dump(kept, handle, sort_keys=True, separators=(",", ":"))
        handle.write("\n")
    return kept


def draw(picture, title, curves, path):
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    order = list(LINES)
    for name in sorted(curves, key=lambda n: order.index(base(n)[0])):
        label, colour, style = LINES[base(name)[0]]
        seeds = curves[name]["seeds"]
        axes.plot(range(1, TRIALS + 1), curves[name]["regret"], style, color=colour, linewidth=1.6 if style == "-" else 1.3,
                  label=label if seeds >= 10 else f"{label} ({seeds} seed{'s' * (seeds > 1)})")
    axes.set(title=title, xlabel="trials", ylabel="regret (random search at 100: 1)", xlim=(1, TRIALS), yscale="log")
    ticks = [2, 1, 0.5, 0.2, 0.1, 0.05, 0.02]
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(0.8 * min(c["regret"][-1] for c in curves.values()), 2.2)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main():
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "hyperstudy", "font.family": "sans-serif", "font.size": 10,
                         "axes.facecolor": "white", "figure.facecolor": "white"})
    kept, images = collect(sys.argv[1:]), os.path.join(ROOT, "docs", "images")
    os.makedirs(images, exist_ok=True)
    for picture, (_, _, title) in PICTURES.items():
        if kept[picture]:
            path = os.path.join(images, picture + ".svg")
            draw(picture, title, kept[picture], path)
            print(f"{path}: {', '.join(sorted(kept[picture]))}; {os.path.getsize(path) // 1024} KiB")


if __name__ == "__main__":
    main()
