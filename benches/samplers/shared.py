"""The shared benchmark (harness.py, problems.py), which is not part of this project: found by HYPERSTUDY_SHARED, imported from there.

Import them as `from shared import harness, problems`. The harness then has the problems of this folder, too.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.path.join(ROOT, os.environ.get("HYPERSTUDY_SHARED", "../shared"), "bench")
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, SHARED]
os.environ["BENCH_EXTRA"] = HERE

import harness
import problems
