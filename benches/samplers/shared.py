"""The shared benchmark (harness.py, problems.py), which is not part of this project: found by HYPERSTUDY_SHARED, imported from there.

`import shared` makes both importable, `problems_extra` beside it too: `from shared import harness, problems`.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.path.join(ROOT, os.environ.get("HYPERSTUDY_SHARED", "../shared"), "bench")
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, SHARED]

import harness
import problems
