#!/usr/bin/env python3
"""Plants the bugs of this folder, one at a time, in a copy of the sources, and looks whether the simulation catches them.

`make planted-bugs`, or `tests/simulation/bugs/run.py 03 07` for some of them. Each patch is tried with worlds from seeds, then with every fault at
every call, then with more worlds, then with the other cases, until something fails. What also fails without any patch does not count: the sources as
they are run first. Exit status 1 if a bug is not caught, a patch does not apply, or something fails without one.
"""

import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
# One place for all of them: what is built there is built by parts.
COPY = ROOT / "target" / "planted"
BUILD = ["cargo", "test", "--test", "simulation", "--no-run"]
SEEDS = "worlds_from_seeds"
SINGLES = "every_fault_at_every_call"
LONGEST = 1200


def copy():
    """The sources as they are, also what is not committed; all of them new, so that nothing of an earlier patch is taken for built."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, COPY / name)


def apply(patch, back=False):
    """Whether it could be applied, or taken back."""
    where = f"--directory={COPY.relative_to(ROOT)}"
    done = subprocess.run(["git", "apply", where, *(["-R"] if back else []), str(patch)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
    return done.returncode == 0


def build():
    """The test program; `None` where it could not be built."""
    target = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target" / "bugs")
    environment = {**os.environ, "CARGO_TARGET_DIR": target, "CARGO_INCREMENTAL": "1"}
    done = subprocess.run(BUILD, cwd=COPY, env=environment, capture_output=True, text=True)
    found = re.search(r"Executable.*\((.*simulation-[0-9a-f]+(?:\.exe)?)\)", done.stderr)
    if done.returncode != 0 or not found:
        print(done.stderr, file=sys.stderr)
        return None
    return COPY / found[1]


def play(program, test, variables):
    """Runs a test. Gives whether it failed, how many worlds there were, and the worlds with something wrong: by number, what."""
    command = [program, "--nocapture", *test]
    environment = {**os.environ, **variables}
    try:
        done = subprocess.run(
            command, cwd=COPY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LONGEST
        )
        failed, output = done.returncode != 0, done.stdout
    except subprocess.TimeoutExpired as over:
        failed, output = False, (over.stdout or b"").decode(errors="replace")
        print(f"{' '.join(test)}: not over after {LONGEST} s", file=sys.stderr)
    wrong = collections.defaultdict(list)
    world = None
    for line in output.splitlines():
        begins = re.match(r"seed (\d+):$", line)
        if begins:
            world = int(begins[1])
        elif world is not None and line.startswith("  "):
            wrong[world].append(line.strip())
        else:
            world = None
    worlds = re.findall(r"^(\d+) worlds in ", output, re.M)
    return failed or bool(wrong), int(worlds[-1]) if worlds else 0, wrong, output


def attempts(options):
    """What is tried, in this order."""
    yield SEEDS, [SEEDS], {"HYPERSTUDY_WORLDS": str(options.worlds)}
    yield SINGLES, [SINGLES], {"HYPERSTUDY_EVERY": str(options.every)}
    if options.most > options.worlds:
        yield SEEDS, [SEEDS], {"HYPERSTUDY_WORLDS": str(options.most)}
    yield "the other cases", ["--skip", SEEDS, "--skip", SINGLES, "--skip", "a_seed_is_one_sequence_of_calls"], {}


def unpatched(program, options):
    """What is wrong without any patch: by test, the numbers of worlds, or the names of cases."""
    known = {}
    for test, arguments, variables in attempts(options):
        _, worlds, wrong, output = play(program, arguments, variables)
        known.setdefault(test, set()).update(wrong or cases(output))
        print(f"  {test}, {worlds} worlds, wrong: {sorted(known[test])}", flush=True)
    return known


def cases(output):
    """The names of the tests that failed."""
    return set(re.findall(r"^    (cases::\S+)$", output, re.M))


def look(program, options, known):
    """What caught the bug, as a row of the table; `None` where nothing did."""
    for test, arguments, variables in attempts(options):
        began = time.monotonic()
        failed, worlds, wrong, output = play(program, arguments, variables)
        print(f"  {test}, {worlds} worlds, {len(wrong)} with something wrong, {time.monotonic() - began:.0f} s", flush=True)
        names = cases(output) - known.get(test, set())
        wrong = {world: findings for world, findings in wrong.items() if world not in known.get(test, set())}
        if not wrong and test not in (SEEDS, SINGLES) and names:
            return f"{test}: {', '.join(sorted(names))}", "-", "-"
        if not failed or not wrong:
            continue
        first = min(wrong)
        kinds = collections.Counter()
        for findings in wrong.values():
            kinds.update({m[1] for m in (re.match(r"([1-7] \w+)[,:]", f) for f in findings) if m})
        for finding in wrong[first]:
            print(f"    {first}: {finding[:300]}", flush=True)
        by = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
        return test, by, f"world {first + 1}; {len(wrong)} of {worlds}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of patches' names; all where absent")
    parser.add_argument("--worlds", type=int, default=300, help="how many worlds from seeds at first")
    parser.add_argument("--most", type=int, default=3000, help="how many where that was not enough")
    parser.add_argument("--every", type=int, default=1, help="only each so many-th fault and call")
    parser.add_argument("--quick", action="store_true", help="without a look at the sources as they are")
    options = parser.parse_args()
    patches = [p for p in sorted(HERE.glob("*.patch")) if not options.names or p.name.startswith(tuple(options.names))]
    rows, bad = [], []
    copy()
    try:
        known = {}
        if not options.quick:
            print("unpatched", flush=True)
            program = build()
            known = unpatched(program, options) if program else {}
            if program is None or any(known.values()):
                bad.append("unpatched")
        for patch in patches:
            print(patch.stem, flush=True)
            if not apply(patch):
                bad.append(patch.stem)
                continue
            program = build()
            caught = look(program, options, known) if program else None
            if caught is None:
                bad.append(patch.stem)
                caught = ("NOT CAUGHT" if program else "NOT BUILT", "", "")
            rows.append((patch.stem, *caught))
            if not apply(patch, back=True):
                sys.exit(f"{patch.name} cannot be taken back")
    finally:
        shutil.rmtree(COPY, ignore_errors=True)
    print("\n| Patch | Caught by | Invariant (worlds that found it so) | First, how many |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    if bad:
        sys.exit(f"not as it should be: {', '.join(bad)}")


if __name__ == "__main__":
    main()
