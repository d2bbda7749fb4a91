"""A study's life: suspended, shut down, reopened, asked for more, and cleaned away in time."""

from case import condition, phase


def suspend(case):
    """Suspended, what runs finishes and nothing new starts; then it goes on."""
    case.template()
    study = case.study([0.5, 0.4, 0.3], mode='"short"', parallelism=1)
    case.running(study)
    case.api.merge("study", study, {"spec": {"suspend": True}})
    case.ended(study, 1)
    case.until("the study is suspended", lambda: condition(case.api.get("study", study), "Suspended").get("status") == "True", 30)
    case.equal("trials of the suspended study", list(case.trials(study)), [1])
    case.api.merge("study", study, {"spec": {"suspend": False}})
    case.finished(study)
    case.equal("trials", list(case.trials(study)), [1, 2, 3])


def shutdown_stop(case):
    case.template()
    study = case.study([0.5, 0.4], mode='"short"', parallelism=1)
    case.running(study)
    case.api.merge("study", study, {"spec": {"shutdown": "Stop"}})
    found = case.finished(study)
    case.equal("why it ended", condition(found, "Complete")["reason"], "Stopped")
    case.equal("succeeded, total", [found["status"]["trials"][k] for k in ("succeeded", "total")], [1, 1])


def shutdown_terminate(case):
    case.template()
    study = case.study([0.5, 3, 0.4], mode='parameters.x > 2.0 ? "slow" : "ok"', parallelism=1)
    case.running(study, 2)
    case.api.merge("study", study, {"spec": {"shutdown": "Terminate"}})
    found = case.finished(study)
    case.equal("why it ended", condition(found, "Complete")["reason"], "Terminated")
    case.equal("succeeded, stopped", [found["status"]["trials"][k] for k in ("succeeded", "stopped")], [1, 1])


def target(case):
    """A trial that reaches the target ends the study, and what runs."""
    case.template()
    goal = [{"metric": "loss", "goal": "Minimize", "target": 0.01}]
    study = case.study([3, 0.3, 0.5], mode='parameters.x > 2.0 ? "slow" : "ok"', parallelism=2, objectives=goal)
    found = case.finished(study)
    case.equal("why it ended", condition(found, "Complete")["reason"], "TargetReached")
    case.equal("the best", found["status"]["best"]["number"], 2)


def request(case):
    """A person's configuration goes before the sampler's; one outside the space is rejected."""
    case.template()
    study = case.study([0.5, 0.4], mode='"ok"', parallelism=1, suspend=True)
    def ask(x):
        return case.create("trial", {
            "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial",
            "metadata": {"generateName": f"{study}-try-"}, "spec": {"studyRef": {"name": study}, "parameters": {"x": x}},
        })["metadata"]["name"]

    good, bad = ask(0.3), ask(1000)
    case.api.merge("study", study, {"spec": {"suspend": False}})
    found = case.finished(study)
    case.equal("trials", found["status"]["trials"]["total"], 3)
    case.equal("the good request", phase(case.api.get("trial", good)), "Admitted")
    refused = case.until("the bad request is rejected", lambda: case.api.get("trial", bad).get("status"), 30)
    case.equal("the bad request", refused["phase"], "Rejected")
    number = case.api.get("trial", good)["status"]["number"]
    case.equal("the request's trial", (number, case.trial(study, number)["spec"]["parameters"]), (1, {"x": 0.3}))


def reopened(case):
    """A raised budget goes on with a study that ended by it."""
    case.template()
    study = case.study([0.5, 0.4, 0.3], budget={"trials": 2})
    found = case.finished(study)
    case.equal("why it ended", condition(found, "Complete")["reason"], "TrialsUsed")
    case.api.merge("study", study, {"spec": {"budget": {"trials": 3}}})
    case.until("the third trial is there", lambda: case.trial(study, 3), 60)
    found = case.finished(study)
    case.equal("the best", found["status"]["best"]["number"], 3)
    case.equal("rows", len(case.rows(study)), 3)


def workflow_ttl(case):
    """Argo deletes a finished trial's Workflow; the trial's result stays."""
    case.template()
    study = case.study([0.5, 0.4], trial={"workflowTTL": "5s"})
    case.finished(study)
    case.until("the Workflows are gone", lambda: not case.workflows(study), 120)
    case.equal("trials", [phase(t) for t in case.trials(study).values()], ["Succeeded", "Succeeded"])


def study_ttl(case):
    """A finished study goes with its trials; its files stay."""
    case.template()
    study = case.study([0.5], ttlAfterFinished="10s")
    case.until("the study is gone", lambda: case.api.get("study", study) is None, 180)
    case.until("its trials are gone", lambda: not case.trials(study), 60)
    case.expect(len(case.rows(study)) == 1, "the table of results is gone")


def owner_ends(case):
    """A study stops when the Workflow that owns it is over, though Argo leaves it behind."""
    case.template()
    owner = case.create("workflow", {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": f"{case.name}-owner"},
        "spec": {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {}}]},
    })
    study = case.name
    case.create("study", {
        "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy",
        "metadata": {"name": study, "ownerReferences": [{
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
        }]},
        "spec": {
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "parameters": [{"name": "x", "double": {"min": 0, "max": 100}}],
            "algorithm": {"sampler": {"random": {}}}, "budget": {"trials": 50},
            "trial": {"workflowTemplateRef": {"name": study}, "arguments": {"parameters": [{"name": "mode", "value": "slow"}]}},
            "storage": {"outputPath": case.path},
        },
    })
    workflow = case.running(study)
    case.api.merge("workflow", owner["metadata"]["name"], {"spec": {"shutdown": "Terminate"}})
    case.finished(study, "Failed", 180)
    trial = case.trial(study, 1)["status"]
    case.equal("the trial", trial["phase"], "Stopped")
    case.until("its Workflow has ended", lambda: phase(case.api.get("workflow", workflow)) in ("Failed", "Error", "Succeeded"), 60)


def passed_on(case):
    """What a study says of its trials' Workflows is in them: labels, priority, time to live, entrypoint, every argument."""
    name = case.template()
    spec = case.api.get("template", name)["spec"]
    other = {**spec["templates"][0], "name": "other"}
    case.api.merge("template", name, {"spec": {"entrypoint": "none-such", "templates": [other]}})
    json = '{"config": {"rate": ${parameters.x}, "name": "a b", "list": [1, 2]}}'
    parameters = spec["arguments"]["parameters"] + [{"name": "config"}]
    case.api.merge("template", name, {"spec": {"arguments": {"parameters": parameters}}})
    trial = {"entrypoint": "other", "priority": 7, "workflowTTL": "30m", "metadata": {"labels": {"team": "molding"}, "annotations": {"a": "b"}}}
    given = case.study([0.5], arguments=[{"name": "config", "value": json}])
    case.not_ready(given)
    whole = {**case.api.get("study", given)["spec"]["trial"], **trial}
    case.api.merge("study", given, {"spec": {"trial": whole}})
    case.finished(given)
    workflow = case.workflows(given)[f"{given}-1-1"]
    case.equal("label", workflow["metadata"]["labels"].get("team"), "molding")
    case.equal("annotation", workflow["metadata"]["annotations"].get("a"), "b")
    case.equal("priority", workflow["spec"].get("priority"), 7)
    case.equal("time to live", workflow["spec"]["ttlStrategy"]["secondsAfterCompletion"], 1800)
    passed = {p["name"]: p["value"] for p in workflow["spec"]["arguments"]["parameters"]}
    case.equal("arguments", passed, {
        "x": "0.5", "mode": "ok", "attempt": "1", "output_key": f"{case.prefix}/{given}/1",
        "config": '{"config": {"rate": 0.5, "name": "a b", "list": [1, 2]}}',
    })


def served(case):
    """Probes and metrics, and events that a person sees in `kubectl describe`."""
    case.template()
    study = case.study([0.5])
    case.finished(study)
    for path in ("/healthz", "/readyz"):
        case.expect(case.controller.get(path) is not None, f"{path} does not answer with 200")
    text = case.controller.get("/metrics") or ""
    case.expect("hyperstudy" in text, "/metrics has no metric of ours")
    events = case.api.list("event", fields=f"involvedObject.name={study}")
    case.note("events: " + ", ".join(sorted({e["reason"] for e in events})))
    case.expect(events, "there are no events of the study")


SCENARIOS = [
    suspend, shutdown_stop, shutdown_terminate, target, request, reopened, workflow_ttl, study_ttl, owner_ends, passed_on, served,
]
