"""One scenario's own objects, folder in the bucket, and words to wait and look with."""

import copy
import csv
import io
import json
import subprocess
import time

LABEL = "hyperstudy-e2e"

# Learns nothing: `loss` is how far x is from 0.3. `mode` says how it behaves.
SCRIPT = """
case "{{inputs.parameters.mode}}" in
fail) echo 'told to fail' >&2; exit 3 ;;
flaky) if [ "{{inputs.parameters.attempt}}" = 1 ]; then exit 3; fi ;;
slow) sleep 600 ;;
short) sleep 8 ;;
esac
awk -v x='{{inputs.parameters.x}}' 'BEGIN { printf "{\\"loss\\": %.9f, \\"x\\": %s}", (x - 0.3) * (x - 0.3), x }' >/tmp/metrics.json
case "{{inputs.parameters.mode}}" in
nan) echo '{"loss": NaN}' >/tmp/metrics.json ;;
text) echo 'loss 0.1' >/tmp/metrics.json ;;
other) echo '{"accuracy": 0.1}' >/tmp/metrics.json ;;
none) rm /tmp/metrics.json ;;
esac
echo 'weights of {{inputs.parameters.x}}' >/tmp/model.txt
"""


class Failed(Exception):
    """The scenario did not go as it should."""


def condition(study, kind):
    """The condition of that type, {} where there is none."""
    conditions = (study or {}).get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})


def phase(thing):
    return (thing or {}).get("status", {}).get("phase", "none yet")


class Case:
    """`world` has `api`, `s3`, `controller`, `bucket`, `image`, `run` (an id of this run), `stopping` (an Event)."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.api, self.s3, self.controller = world.api, world.s3, world.controller
        self.prefix = f"{world.run}/{name}"
        self.path = f"s3://{world.bucket}/{self.prefix}"
        self.made, self.notes, self.studies = [], [], set()

    # What is made.

    def create(self, kind, body):
        body.setdefault("metadata", {}).setdefault("labels", {})[LABEL] = self.world.run
        made = self.api.create(kind, body)
        self.made.append((kind, made["metadata"]["name"]))
        return made

    def template(self, suffix="", **changes):
        """A WorkflowTemplate of one step; `changes` go over its spec. Gives its name."""
        parameters = [{"name": "x"}, {"name": "mode", "value": "ok"}, {"name": "attempt", "value": "1"}, {"name": "output_key"}]
        outputs = [
            {"name": name, "path": f"/tmp/{name}", "archive": {"none": {}}, "s3": {"key": "{{inputs.parameters.output_key}}/" + name}}
            for name in ("metrics.json", "model.txt")
        ]
        for output in outputs:
            output["name"] = output["name"].partition(".")[0]
        step = {
            "name": "train",
            "inputs": {"parameters": copy.deepcopy(parameters)},
            "outputs": {"artifacts": outputs},
            "script": {"image": self.world.image, "command": ["sh"], "source": SCRIPT},
        }
        spec = {"entrypoint": "train", "arguments": {"parameters": parameters}, "templates": [step], **changes}
        name = f"{self.name}{suffix}"
        self.create("template", {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": name}, "spec": spec,
        })
        return name

    def study(self, values, suffix="", mode='"ok"', template=None, storage=None, trial=None, arguments=(), **changes):
        """Creates a study that runs its list of `values` of x. `mode` is CEL; the rest goes over its spec. Gives its name."""
        name = f"{self.name}{suffix}"
        spec = {
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "parameters": [{"name": "x", "double": {"min": 0, "max": 100}}],
            "algorithm": {"sampler": {"list": [{"x": x} for x in values]}},
            "parallelism": 4,
            "trial": {
                "workflowTemplateRef": {"name": template or self.name},
                "arguments": {"parameters": [
                    {"name": "mode", "value": "${" + mode + "}"}, {"name": "attempt", "value": "${trial.attempt}"}, *arguments,
                ]},
                **(trial or {}),
            },
            "storage": {"outputPath": self.path, **(storage or {})},
            **changes,
        }
        self.create("study", {
            "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "metadata": {"name": name}, "spec": spec,
        })
        return name

    # What is seen.

    def trial(self, study, number):
        return self.api.get("trial", f"{study}-{number}")

    def trials(self, study):
        """The numbered trials by their numbers."""
        trials = [t for t in self.api.list("trial") if t["spec"]["studyRef"]["name"] == study]
        return {t["spec"]["number"]: t for t in trials if "number" in t["spec"]}

    def workflows(self, study):
        """The study's Workflows by their names."""
        return {w["metadata"]["name"]: w for w in self.api.list("workflow", f"hyperstudy.dev/study={study}")}

    def files(self, study=None):
        """What is in the scenario's folder, or in a study's, relative to it."""
        prefix = self.prefix + "/" + (f"{study}/" if study else "")
        return [key[len(prefix):] for key in self.s3.keys(prefix)]

    def folders(self, study):
        """The numbered folders that have files, as numbers."""
        firsts = {key.partition("/")[0] for key in self.files(study) if "/" in key}
        return sorted(int(first) for first in firsts if first.isdecimal())

    def rows(self, study):
        """The table of results, each row a dict."""
        data = self.s3.get(f"{self.prefix}/{study}/study_results.csv")
        self.expect(data is not None, f"there is no study_results.csv of {study}")
        return list(csv.DictReader(io.StringIO(data.decode())))

    def best(self, study):
        data = self.s3.get(f"{self.prefix}/{study}/best_result.json")
        self.expect(data is not None, f"there is no best_result.json of {study}")
        return json.loads(data)

    # What is expected.

    def expect(self, holds, otherwise):
        if not holds:
            raise Failed(otherwise)

    def equal(self, what, seen, expected):
        self.expect(seen == expected, f"{what}: {seen!r} was seen, {expected!r} is expected")

    def until(self, what, look, seconds=120):
        """Looks until something is seen, and gives it."""
        end = time.monotonic() + seconds
        while True:
            seen = look()
            if seen:
                return seen
            if time.monotonic() > end:
                raise Failed(f"after {seconds} s still not: {what}")
            if self.world.stopping.wait(0.25):
                raise Failed("interrupted")

    def finished(self, study, expected="Succeeded", seconds=300):
        """Waits until the study has ended, in that phase; gives it."""
        self.studies.add(study)

        def look():
            found = self.api.get("study", study)
            seen = (found or {}).get("status", {}).get("observedGeneration")
            is_current = found and seen == found["metadata"]["generation"]
            return found if is_current and phase(found) in ("Succeeded", "Failed") else None

        found = self.until(f"study {study} has ended", look, seconds)
        reasons = [f"{c['type']}: {c['reason']}: {c['message']}" for c in found["status"]["conditions"] if c["status"] == "True"]
        self.expect(phase(found) == expected, f"study {study} is {phase(found)}, not {expected} ({'; '.join(reasons)})")
        return found

    def not_ready(self, study, reason=None, seconds=60):
        """Waits until the study says why it cannot start; nothing may have been created for it. Gives the condition."""
        def look():
            ready = condition(self.api.get("study", study), "Ready")
            return ready if ready.get("status") == "False" else None

        ready = self.until(f"study {study} has Ready=False", look, seconds)
        self.note(f"{ready['reason']}: {ready['message']}")
        if reason:
            self.equal(f"the reason why study {study} does not start", ready["reason"], reason)
        self.expect(ready["message"], f"study {study} does not say why it does not start")
        self.equal(f"trials of study {study}", list(self.trials(study)), [])
        self.equal(f"Workflows of study {study}", list(self.workflows(study)), [])
        return ready

    def running(self, study, number=1, seconds=120):
        """Waits until a pod of the trial runs; gives the Workflow's name."""
        def look():
            workflow = (self.trial(study, number) or {}).get("status", {}).get("workflow")
            pods = self.api.list("pod", f"workflows.argoproj.io/workflow={workflow}") if workflow else []
            return workflow if any(phase(pod) == "Running" for pod in pods) else None

        return self.until(f"a pod of trial {study}-{number} runs", look, seconds)

    def ended(self, study, number, seconds=180):
        """Waits until the trial has ended; gives its status."""
        def look():
            trial = self.trial(study, number)
            return trial["status"] if phase(trial) in ("Succeeded", "Failed", "Stopped") else None

        return self.until(f"trial {study}-{number} has ended", look, seconds)

    def one_workflow_each(self, study):
        """Every Workflow is that of an attempt that is recorded, and no attempt has two."""
        workflows, trials = self.workflows(study), self.trials(study)
        for name, workflow in workflows.items():
            labels = workflow["metadata"]["labels"]
            number, attempt = int(labels["hyperstudy.dev/trial"]), int(labels["hyperstudy.dev/attempt"])
            self.equal("a Workflow's name", name, f"{study}-{number}-{attempt}")
            self.expect(number in trials, f"Workflow {name} has no trial")
            last = trials[number]["status"]["attempt"]
            self.expect(attempt <= last, f"Workflow {name}, but trial {number} has had {last} attempts")

    def note(self, text):
        """Something worth reading below the scenario's line."""
        self.notes.append(text)

    def kubectl(self, *words, check=True):
        command = ["kubectl", "-n", self.api.namespace, *words]
        result = subprocess.run(command, capture_output=True, text=True)
        if check and result.returncode:
            raise Failed(f"{' '.join(command)}: {result.stderr.strip()}")
        return result.stdout

    # Afterwards.

    def describe(self):
        """How this scenario's studies stand, for somebody who looks for the fault."""
        lines = []
        for name in sorted(self.studies | {name for kind, name in self.made if kind == "study"}):
            study = self.api.get("study", name)
            if study is None:
                continue
            lines.append(f"study {name}: {json.dumps(study.get('status', {}))}")
            lines += [f"  trial {n}: {json.dumps(t.get('status', {}))}" for n, t in self.trials(name).items()]
            lines += [f"  workflow {n}: {phase(w)} {w.get('status', {}).get('message', '')}" for n, w in self.workflows(name).items()]
        return lines + [f"  file {key}" for key in self.files()]

    def clean(self):
        """Deletes everything that was made, studies first, so that nothing starts any more."""
        for kind, name in sorted(self.made, key=lambda made: made[0] != "study"):
            self.api.delete(kind, name)
        gone = [name for kind, name in self.made if kind == "study"]
        end = time.monotonic() + 60
        while any(self.api.get("study", name) for name in gone):
            if time.monotonic() > end:
                raise Failed("the studies are not gone after 60 s")
            time.sleep(0.25)
        self.s3.clear(self.prefix + "/")
