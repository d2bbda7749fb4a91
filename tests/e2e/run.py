#!/usr/bin/env python3
"""Runs the scenarios against a cluster with Argo Workflows and an S3 server: `make e2e`.

usage: run.py [--list] [--jobs N] [--keep] [SCENARIO ...]

It applies the CRDs, starts the controller as a process of its own (no other controller may serve the namespace, and where the admission policies
of an installation are there, its KUBECONFIG has to be that of the installation's service account: E2E_CONTROLLER may be a script that sets it), runs each scenario with
objects and a folder of its own, prints PASS or FAIL, and cleans up. The exit status is 0 where all passed. From the environment:

  KUBECONFIG           the cluster; what it names may do everything in the namespace
  E2E_NAMESPACE        a namespace whose Workflows Argo runs, with an artifact repository in S3 (default argo)
  E2E_ARGO_NAMESPACE   Argo's own namespace (default argo)
  E2E_BUCKET           the bucket of that repository
  E2E_S3_ENDPOINT      its server as this machine and pods reach it, http://... or https://...
  E2E_S3_ACCESS_KEY, E2E_S3_SECRET_KEY, E2E_S3_REGION (default us-east-1)
  E2E_IMAGE            an image with sh, awk and sleep (default busybox:1.37); the examples need python:3.13-slim
  E2E_CONTROLLER       the program (default target/debug/hyperstudy)
  E2E_CONTROLLER_ARGS  further options of `hyperstudy controller`
  E2E_DATA             the folder with x.csv and y.csv of examples/injection-molding (default ../shared/data/injection-molding)
  E2E_KILLS            how often the controller is killed (default 30)
  E2E_STUDIES          how many studies run at once in `many` (default 50)
  E2E_SEED             of the moments at which it is killed (default 1)
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import scenarios
from api import Api
from case import LABEL, Case, Failed
from controller import Controller
from s3 import S3

ROOT = Path(__file__).resolve().parents[2]
said = threading.Lock()


def setting(name, default=None):
    value = os.environ.get(name, default)
    if not value:
        raise SystemExit(f"{name} has to be set: see {Path(__file__).name} --help")
    return value


def names():
    """Each scenario by its name, the function's, and the part it belongs to: `storage.keep` is `storage-keep`."""
    found = {}
    for function in [*scenarios.TOGETHER, *scenarios.ALONE]:
        part = function.__module__.rpartition(".")[2]
        found[f"{part}-{function.__name__}".replace("_", "-")] = function
    return found


def run(world, name, function, keep):
    """Runs one scenario and says how it went; gives whether it passed."""
    case, begin, fault = Case(world, name), time.monotonic(), None
    if world.stopping.is_set():
        return False
    try:
        function(case)
    except Failed as failed:
        fault = str(failed)
    except Exception:  # noqa: BLE001 - whatever it is, the other scenarios still run
        fault = traceback.format_exc()
    lines = [f"{'FAIL' if fault else 'PASS'}  {name}  ({time.monotonic() - begin:.0f} s)"]
    lines += [f"      {note}" for note in case.notes]
    try:
        if fault:
            lines += [f"      {line}" for line in [*fault.splitlines(), *case.describe()]]
        if not keep:
            case.clean()
    except Exception as error:  # noqa: BLE001 - cleaning up is part of it
        fault = fault or "cleaning up"
        lines.append(f"FAIL  {name}: cleaning up: {error!r}")
    with said:
        print("\n".join(lines), flush=True)
    return not fault


def install(program, folder):
    """Applies the CRDs, as the program has them; gives those that were not there before."""
    fresh = []
    subprocess.run([program, "crd", "--dir", folder], check=True)
    for file in sorted(Path(folder).glob("*.yaml")):
        kind = f"{file.stem}.hyperstudy.dev"
        there = subprocess.run(["kubectl", "get", "crd", kind], capture_output=True, check=False).returncode == 0
        subprocess.run(["kubectl", "apply", "--server-side", "--force-conflicts", "-f", str(file)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["kubectl", "wait", "--for=condition=Established", f"crd/{kind}"], check=True, stdout=subprocess.DEVNULL)
        fresh += [] if there else [kind]
    return fresh


def check_storage(s3):
    """That the server answers, before anything runs."""
    try:
        s3.keys("none-of-these")
    except OSError as error:
        raise SystemExit(f"{s3.endpoint}, bucket {s3.bucket}: {error}") from None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the scenarios' names")
    parser.add_argument("--jobs", type=int, default=3, help="scenarios beside each other (default 3)")
    parser.add_argument("--keep", action="store_true", help="leave objects and files there, to look at")
    parser.add_argument("scenarios", nargs="*", help="names, or parts of names; default all")
    options = parser.parse_args()
    chosen = {n: f for n, f in names().items() if not options.scenarios or any(re.search(w, n) for w in options.scenarios)}
    if options.list:
        print("\n".join(chosen))
        return 0

    bucket, namespace = setting("E2E_BUCKET"), setting("E2E_NAMESPACE", "argo")
    s3 = S3(setting("E2E_S3_ENDPOINT"), bucket, setting("E2E_S3_ACCESS_KEY"), setting("E2E_S3_SECRET_KEY"), setting("E2E_S3_REGION", "us-east-1"))
    check_storage(s3)
    program = setting("E2E_CONTROLLER", str(ROOT / "target/debug/hyperstudy"))
    folder = tempfile.mkdtemp(prefix="hyperstudy-e2e-")
    fresh = install(program, folder)
    controller = Controller(program, namespace, setting("E2E_ARGO_NAMESPACE", "argo"), os.environ.get("E2E_CONTROLLER_ARGS", ""), folder)
    world = SimpleNamespace(
        api=Api(namespace), s3=s3, controller=controller, bucket=bucket, run=f"e2e-{os.getpid()}", image=setting("E2E_IMAGE", "busybox:1.37"),
        stopping=threading.Event(), kills=int(setting("E2E_KILLS", "30")), studies=int(setting("E2E_STUDIES", "50")), seed=int(setting("E2E_SEED", "1")),
    )
    print(f"{len(chosen)} scenarios in namespace {namespace}; the controller's log is {controller.log}", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: world.stopping.set())
    controller.start()
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            together = {n: pool.submit(run, world, n, f, options.keep) for n, f in chosen.items() if f in scenarios.TOGETHER}
        passed = {n: future.result() for n, future in together.items()}
        passed |= {n: run(world, n, f, options.keep) for n, f in chosen.items() if f in scenarios.ALONE}
        if not controller.is_running():
            print("FAIL  the controller has ended by itself")
            passed["the controller goes on"] = False
    finally:
        if not options.keep:
            leftovers = f"{LABEL}={world.run}"
            subprocess.run(["kubectl", "-n", namespace, "delete", "study,workflowtemplate,configmap,secret", "-l", leftovers, "--ignore-not-found"], check=False, stdout=subprocess.DEVNULL)
        # Trials go after their studies, and only while a controller is there to let them go.
        waiting = ["kubectl", "-n", namespace, "wait", "--for=delete", "hpt", "--all", "--timeout=120s"]
        subprocess.run(waiting, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        controller.stop()
        world.api.close()
        if fresh and not options.keep:
            subprocess.run(["kubectl", "delete", "crd", *fresh, "--ignore-not-found"], check=False, stdout=subprocess.DEVNULL)
    failed = [name for name, is_good in passed.items() if not is_good]
    print(f"{len(passed) - len(failed)} passed, {len(failed)} failed" + "".join(f"\n  {name}" for name in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
