"""Trials that fail, vanish, run too long, are stopped or preempted, or write no good metrics."""

from case import phase


def failing(case):
    """A failed trial is tried again as often as `retries` says, and disturbs no other one."""
    case.template()
    study = case.study([0.5, 3, 0.4], mode='parameters.x > 2.0 ? "fail" : "ok"', retries={"limit": 1})
    found = case.finished(study)
    case.equal("succeeded, failed", [found["status"]["trials"][k] for k in ("succeeded", "failed")], [2, 1])
    failed = case.trial(study, 2)["status"]
    case.equal("attempts of the failed trial", (failed["attempt"], failed["reason"]), (2, "Failed"))
    case.expect(failed.get("message"), "the failed trial does not say why")
    case.note(failed["message"])
    case.one_workflow_each(study)


def flaky(case):
    """The second attempt succeeds."""
    case.template()
    study = case.study([0.5], mode='"flaky"', retries={"limit": 2})
    case.finished(study)
    trial = case.trial(study, 1)["status"]
    case.equal("phase and attempt", (trial["phase"], trial["attempt"]), ("Succeeded", 2))


def all_fail(case):
    case.template()
    study = case.study([1, 2, 3, 4, 5, 6], mode='"fail"', parallelism=1, budget={"failedTrials": 2})
    found = case.finished(study, "Failed")
    case.equal("trials", found["status"]["trials"]["total"], 2)
    failed = next(c for c in found["status"]["conditions"] if c["type"] == "Failed")
    case.equal("why the study failed", (failed["status"], failed["reason"]), ("True", "TooManyFailedTrials"))


def vanishing(case):
    """A person deletes a running trial's Workflow: it is lost, and tried again."""
    case.template()
    study = case.study([0.5], mode='trial.attempt == 1 ? "slow" : "ok"', retries={"limit": 1})
    case.api.delete("workflow", case.running(study))
    case.finished(study)
    trial = case.trial(study, 1)["status"]
    case.equal("phase and attempt", (trial["phase"], trial["attempt"]), ("Succeeded", 2))


def lost(case):
    """The same without retries: the trial fails and says so."""
    case.template()
    study = case.study([0.5], mode='"slow"')
    case.api.delete("workflow", case.running(study))
    case.finished(study, "Failed")
    trial = case.trial(study, 1)["status"]
    case.equal("phase and reason", (trial["phase"], trial["reason"]), ("Failed", "Lost"))


def slow(case):
    """A trial that runs too long is ended, and its pods with it."""
    case.template()
    study = case.study([0.5, 3], mode='parameters.x > 2.0 ? "slow" : "ok"', trial={"timeout": "25s"})
    workflow = case.running(study, 2)
    case.finished(study)
    trial = case.trial(study, 2)["status"]
    case.equal("phase and reason", (trial["phase"], trial["reason"]), ("Failed", "TimedOut"))
    no_pod_runs(case, workflow)


def no_pod_runs(case, workflow):
    def idle():
        pods = case.api.list("pod", f"workflows.argoproj.io/workflow={workflow}")
        return not any(phase(pod) in ("Running", "Pending") for pod in pods)

    case.until(f"no pod of {workflow} runs", idle, 90)


def stopped(case):
    """`stop: true` ends one trial, the study goes on."""
    case.template()
    study = case.study([3, 0.5], mode='parameters.x > 2.0 ? "slow" : "ok"', parallelism=1)
    workflow = case.running(study)
    case.api.merge("trial", f"{study}-1", {"spec": {"stop": True}})
    found = case.finished(study)
    case.equal("succeeded, stopped", [found["status"]["trials"][k] for k in ("succeeded", "stopped")], [1, 1])
    case.equal("phase and reason", [case.trial(study, 1)["status"][k] for k in ("phase", "reason")], ["Stopped", "StoppedByUser"])
    no_pod_runs(case, workflow)


def deleted_trial(case):
    """A deleted trial is stopped, and its number stays used."""
    case.template()
    study = case.study([3, 0.5], mode='parameters.x > 2.0 ? "slow" : "ok"', parallelism=1)
    workflow = case.running(study)
    case.api.delete("trial", f"{study}-1")
    case.until("the trial is gone", lambda: case.trial(study, 1) is None, 60)
    case.finished(study)
    case.equal("trials that are there", list(case.trials(study)), [2])
    no_pod_runs(case, workflow)


def terminated(case):
    """A person ends a trial's Workflow as Argo's users do: the trial is stopped."""
    case.template()
    study = case.study([3, 0.5], mode='parameters.x > 2.0 ? "slow" : "ok"', parallelism=1, retries={"limit": 1})
    case.api.merge("workflow", case.running(study), {"spec": {"shutdown": "Terminate"}})
    case.finished(study)
    trial = case.trial(study, 1)["status"]
    case.equal("phase and reason", (trial["phase"], trial["reason"]), ("Stopped", "StoppedOutside"))


def preempted(case):
    """A pod that is evicted, as when its node is drained, costs no retry."""
    case.template()
    study = case.study([0.5], mode='trial.attempt == 1 ? "slow" : "ok"')
    workflow = case.running(study)

    def is_seen():
        nodes = case.workflows(study)[workflow].get("status", {}).get("nodes", {})
        return any(node["phase"] == "Running" for node in nodes.values())

    # Argo makes another pod by itself for one that goes before it has seen it run.
    case.until("Argo has seen the pod run", is_seen)
    for pod in case.api.list("pod", f"workflows.argoproj.io/workflow={workflow}"):
        case.api.evict(pod["metadata"]["name"])
    case.finished(study)
    trial = case.trial(study, 1)["status"]
    case.equal("phase, attempt, preemptions", (trial["phase"], trial["attempt"], trial.get("preemptions")), ("Succeeded", 2, 1))


def metrics(case):
    """Each metrics file that is no good has its own reason, is not tried again, and disturbs no other trial."""
    expected = {1: "MetricNotFinite", 2: "MetricsNotJson", 3: "MetricMissing", 4: None}
    case.template()
    mode = 'parameters.x == 1.0 ? "nan" : parameters.x == 2.0 ? "text" : parameters.x == 3.0 ? "other" : "ok"'
    study = case.study([1, 2, 3, 4], mode=mode, retries={"limit": 3})
    case.finished(study)
    for number, reason in expected.items():
        status = case.trial(study, number)["status"]
        case.equal(f"attempts of trial {number}", status["attempt"], 1)
        if reason:
            case.equal(f"trial {number}", (status["phase"], status["reason"]), ("Failed", reason))
        else:
            case.equal(f"trial {number}", status["phase"], "Succeeded")


def no_file(case):
    """The template promises a metrics file and the step leaves none: Argo calls that a failure, and it is one."""
    case.template()
    study = case.study([0.5, 3], mode='parameters.x > 2.0 ? "none" : "ok"')
    case.finished(study)
    status = case.trial(study, 2)["status"]
    case.equal("the trial without a file", status["phase"], "Failed")
    case.note(f"{status['reason']}: {status.get('message')}")


def outputs(case):
    """Metrics from the Workflow's output parameters, without a file."""
    step = {
        "name": "train",
        "inputs": {"parameters": [{"name": "x"}]},
        "outputs": {"parameters": [{"name": "loss", "valueFrom": {"path": "/tmp/loss"}}, {"name": "note", "valueFrom": {"path": "/tmp/note"}}]},
        "script": {
            "image": case.world.image, "command": ["sh"],
            "source": "awk -v x={{inputs.parameters.x}} 'BEGIN { print (x - 0.3) * (x - 0.3) }' >/tmp/loss; echo fine >/tmp/note",
        },
    }
    case.template(arguments={"parameters": [{"name": "x"}, {"name": "mode"}, {"name": "attempt"}]}, templates=[step])
    study = case.study([0.5, 0.3], trial={"metrics": {"workflowOutputs": {}}}, storage={"strategy": "Delete"})
    found = case.finished(study)
    case.equal("the best", (found["status"]["best"]["number"], found["status"]["best"]["objectives"]), (2, [0]))


def dag(case):
    """A dag of one task: Argo then says why it failed in the step only, not in the Workflow."""
    case.template(suffix="-step")
    passed = ("x", "mode", "attempt", "output_key")
    task = {
        "name": "only", "templateRef": {"name": f"{case.name}-step", "template": "train"},
        "arguments": {"parameters": [{"name": name, "value": "{{workflow.parameters." + name + "}}"} for name in passed]},
    }
    case.template(arguments={"parameters": [{"name": name} for name in passed]}, templates=[{"name": "train", "dag": {"tasks": [task]}}])
    mode = 'parameters.x == 1.0 ? "fail" : parameters.x == 2.0 ? "slow" : "ok"'
    study = case.study([0.5, 1, 2], mode=mode, trial={"timeout": "25s"})
    case.finished(study)
    trials = {number: trial["status"] for number, trial in case.trials(study).items()}
    case.equal("reasons", [trials[n]["reason"] for n in (1, 2, 3)], ["Succeeded", "Failed", "TimedOut"])
    case.expect("exit code 3" in trials[2]["message"], f"why it failed is not in: {trials[2]['message']}")


def waiting(case):
    """A trial whose Workflow waits for a lock can be stopped; Argo's gentler way of stopping would be ignored."""
    case.template(synchronization={"mutexes": [{"name": case.name}]})
    study = case.study([0.5, 0.4], mode='"slow"', parallelism=2)
    case.until("a trial waits", lambda: sorted(map(phase, case.workflows(study).values())) == ["Pending", "Running"], 120)
    waits = next(name for name, workflow in case.workflows(study).items() if phase(workflow) == "Pending")
    number = int(waits.split("-")[-2])
    case.api.merge("trial", f"{study}-{number}", {"spec": {"stop": True}})
    case.equal("the trial that waited", case.ended(study, number)["phase"], "Stopped")
    case.api.merge("study", study, {"spec": {"shutdown": "Terminate"}})
    case.finished(study, "Failed")


SCENARIOS = [
    failing, flaky, all_fail, vanishing, lost, slow, stopped, deleted_trial, terminated, preempted, metrics, no_file, outputs, dag, waiting,
]
