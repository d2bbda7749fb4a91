"""The Kubernetes API through `kubectl proxy`, which knows how to log in wherever kubectl does."""

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

GROUPS = {
    "study": ("apis/hyperstudy.dev/v1alpha1", "hyperparameterstudies"),
    "trial": ("apis/hyperstudy.dev/v1alpha1", "hyperparametertrials"),
    "workflow": ("apis/argoproj.io/v1alpha1", "workflows"),
    "template": ("apis/argoproj.io/v1alpha1", "workflowtemplates"),
    "pod": ("api/v1", "pods"),
    "secret": ("api/v1", "secrets"),
    "configmap": ("api/v1", "configmaps"),
    "event": ("api/v1", "events"),
}


class Refused(Exception):
    """The API server said no: `code` is the HTTP status, the text its message."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Api:
    """Objects of one namespace, each a dict as the API server has it."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.proxy = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True, start_new_session=True)
        line = self.proxy.stdout.readline()
        port = re.search(r":(\d+)", line)
        if not port:
            raise SystemExit("kubectl proxy did not start: does KUBECONFIG name a cluster that is there?")
        self.base = f"http://127.0.0.1:{port[1]}"

    def close(self):
        self.proxy.terminate()
        self.proxy.wait()

    def call(self, method, path, body=None, kind="application/json", query=""):
        data = None if body is None else json.dumps(body).encode()
        address = f"{self.base}/{path}" + (f"?{query}" if query else "")
        request = urllib.request.Request(address, data=data, headers={"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            try:
                text = json.loads(text)["message"]
            except (ValueError, KeyError):
                pass
            raise Refused(error.code, text) from None

    def path(self, kind, name=""):
        group, plural = GROUPS[kind]
        return f"{group}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def get(self, kind, name):
        """The object, None where there is none."""
        try:
            return self.call("GET", self.path(kind, name))
        except Refused as refused:
            if refused.code == 404:
                return None
            raise

    def list(self, kind, labels="", fields=""):
        query = urllib.parse.urlencode({"labelSelector": labels, "fieldSelector": fields})
        return self.call("GET", self.path(kind), query=query)["items"]

    def create(self, kind, body):
        return self.call("POST", self.path(kind), body, query="fieldValidation=Strict")

    def merge(self, kind, name, patch):
        """A merge patch."""
        return self.call("PATCH", self.path(kind, name), patch, "application/merge-patch+json")

    def delete(self, kind, name):
        """Deletes the object where it is there; what it owns goes after it."""
        try:
            self.call("DELETE", self.path(kind, name), {"propagationPolicy": "Background"})
        except Refused as refused:
            if refused.code != 404:
                raise

    def evict(self, pod):
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace}}
        self.call("POST", self.path("pod", pod) + "/eviction", body)
