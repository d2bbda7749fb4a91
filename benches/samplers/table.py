#!/usr/bin/env python3
"""The table of docs/benchmarks.md, in Markdown, from a file that runs.py, bbob.py and the harness have filled.

    python3 benches/samplers/table.py ours.json [engine...]

Score, @25, @50 (100 is the optimum, 0 random search after 100 trials) and mean rank are of the twelve shared problems, `own` of those in
problems_extra.py, `noisy` of the noisy ones among these; late failures are of 70 in crash3, oblique4 and ball3 (see crashes.py), the
milliseconds CPU time of one suggestion and its answer after so many trials, bbob is the regret over random search's (see bbob.py).

An engine's figures with ten trials in flight are those of its name with -10 or -p10 behind it. Mean ranks are among the engines, one
trial at a time, that ran all twelve problems. Behind a name is with how few seeds it ran the twelve and ours, if fewer than ten.
Without names of engines all that ran them are shown.
"""
import sys

import numpy as np

from crashes import PROBLEMS, late
from runs import choose
from shared import harness

COLUMNS = ("sampler", "score", "@25", "@50", "ten in flight", "mean rank", "own", "own, ten", "noisy", "late failures", "ms at 100",
           "1,000", "10,000", "bbob")


def show(value, digits=1):
    return "" if value is None else f"{value:.{digits}f}"


def main():
    stored, chosen = harness.load(sys.argv[1]), sys.argv[2:]
    runs = stored["runs"]
    flight = {name: next((n for n in (name + "-10", name + "-p10") if n in runs), None) for name in runs}
    alone = [name for name in runs if name not in flight.values() and not name.endswith(("-10", "-p10", "-noliar"))]

    def scores(names, kinds):
        """The harness's figures, of the engines that ran all problems of these kinds."""
        problems = [p.name for p in choose(kinds)]
        found = harness.score(stored, [n for n in names if n], problems)
        return {name: of for name, of in found.items() if of["n_problems"] == len(problems)}

    twelve, extra, noisy = scores(alone, "twelve"), scores(alone, "extra"), scores(alone, "noisy")
    ten, extra_ten = scores(flight.values(), "twelve"), scores(flight.values(), "extra")
    value = lambda table, name, key="score": table.get(name, {}).get(key)
    rows = []
    for name in sorted(set(twelve) | set(extra), key=lambda n: -(value(twelve, n) or -100)):
        if chosen and name not in chosen:
            continue
        failures = stored.get("late", {}).get(name) or late(runs[name])
        cost = stored.get("overhead", {}).get(name, {})
        bbob = stored.get("bbob", {}).get(name)
        seeds = [str(table[name]["seeds"]) for table in (twelve, extra) if name in table and table[name]["seeds"] < 10]
        rows.append([name + (f" ({', '.join(seeds)} seeds)" if seeds else ""),
                     show(value(twelve, name)), show(value(twelve, name, "at25")), show(value(twelve, name, "at50")),
                     show(value(ten, flight[name])), show(value(twelve, name, "mean_rank")), show(value(extra, name)),
                     show(value(extra_ten, flight[name])), show(value(noisy, name)),
                     " / ".join(show(failures.get(p)) or "?" for p in PROBLEMS) if failures else "",
                     *(show(cost.get(n), 2) for n in ("100", "1000", "10000")),
                     show(float(np.median(list(bbob.values()))), 2) if bbob else ""])
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows)]
    for row in (COLUMNS, ["-" * w for w in widths], *rows):
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths)) + " |")


if __name__ == "__main__":
    main()
