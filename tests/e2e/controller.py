"""The controller as a process beside the cluster, which can be killed and started again."""

import os
import random
import shlex
import signal
import socket
import subprocess
import threading
import urllib.request
import uuid
from pathlib import Path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Controller:
    """`program` is the `hyperstudy` to start; its log goes to a file in `folder`."""

    def __init__(self, program, namespace, argo_namespace, extra, folder):
        self.port = free_port()
        self.command = [
            program, "controller", "--namespace", namespace, "--lease-namespace", namespace,
            "--argo-namespace", argo_namespace, "--listen", f"127.0.0.1:{self.port}", *shlex.split(extra),
        ]
        # A container that is started again in its pod keeps the pod's identity, and so does this process.
        self.environment = {**os.environ, "POD_NAME": "hyperstudy-e2e", "POD_UID": uuid.uuid4().hex, "POD_NAMESPACE": namespace}
        self.log = Path(folder) / "controller.log"
        self.process = None
        self.lock = threading.Lock()

    def start(self):
        with self.lock, open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self.environment, start_new_session=True)

    def kill(self):
        """As a power failure would: nothing is finished, nothing said."""
        with self.lock:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self):
        """As a cluster ends a pod; gives the exit status."""
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                return None if self.process is None else self.process.returncode
            self.process.terminate()
            try:
                return self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return "did not stop within 30 s"

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def get(self, path):
        """What it serves there, None where it does not answer or not with 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def kill_often(self, times, seconds, seed):
        """Kills and starts it again `times` times, after `seconds` (from, to) each."""
        moments = random.Random(seed)
        pause = threading.Event()
        for _ in range(times):
            pause.wait(moments.uniform(*seconds))
            self.kill()
            self.start()
