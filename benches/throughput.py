#!/usr/bin/env python3
"""`hyperstudy run` against a bare loop that spawns the same processes, in one run.

Both run TRIALS shell processes that write one metrics line to a folder of their own, two at a time. Prints trials a second of each,
alternating, and their ratio; the issue asks for a half or more.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

TRIALS = int(os.environ.get("TRIALS", "2000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PROGRAM = os.path.abspath(os.environ.get("HYPERSTUDY", "target/release/hyperstudy"))
SCRIPT = """printf '{"loss": %s}\\n' "$1" > "$2/metrics.json\""""
STUDY = f"""
apiVersion: hyperstudy.dev/v1alpha1
kind: HyperparameterStudy
metadata: {{name: throughput}}
spec:
  objectives: [{{metric: loss, goal: Minimize}}]
  parameters: [{{name: x, double: {{min: 0, max: 1}}}}]
  algorithm: {{sampler: {{random: {{}}}}, seed: 1}}
  parallelism: 2
  budget: {{trials: {TRIALS}}}
"""


def bare(folder):
    """The least that anybody would do: two processes at a time, a folder each, the next one when one has ended."""
    running, started = {}, 0
    begin = time.perf_counter()
    while started < TRIALS or running:
        while started < TRIALS and len(running) < 2:
            started += 1
            out = os.path.join(folder, str(started))
            os.mkdir(out)
            child = subprocess.Popen(["sh", "-c", SCRIPT, "sh", "0.5", out])
            running[child.pid] = child
        pid, _ = os.wait()
        running.pop(pid).returncode = 0
    return TRIALS / (time.perf_counter() - begin)


def ours(folder):
    study = os.path.join(folder, "study.yaml")
    with open(study, "w") as handle:
        handle.write(STUDY)
    command = SCRIPT.replace('"$1"', "${parameters.x}").replace('"$2/metrics.json"', '"$HYPERSTUDY_OUTPUT_DIR/metrics.json"')
    begin = time.perf_counter()
    subprocess.run([PROGRAM, "run", study, "--exec", command, "--data", os.path.join(folder, "data")],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return TRIALS / (time.perf_counter() - begin)


def main():
    ratios = []
    for _ in range(ROUNDS):
        folder = tempfile.mkdtemp()
        try:
            os.mkdir(os.path.join(folder, "bare"))
            a, b = bare(os.path.join(folder, "bare")), ours(folder)
        finally:
            shutil.rmtree(folder)
        ratios.append(b / a)
        print(f"bare loop {a:7.0f}/s   hyperstudy run {b:7.0f}/s   ratio {b / a:.2f}", flush=True)
    print(f"median ratio {sorted(ratios)[len(ratios) // 2]:.2f}")


if __name__ == "__main__":
    sys.exit(main())
