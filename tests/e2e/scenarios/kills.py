"""The controller is killed, and many studies at once."""

import threading

from case import phase


def undisturbed(case):
    """The result that a study has by itself, for comparison: what a person reads, without names."""
    return results(case, case.study(VALUES, suffix="-calm", template=case.name, mode=MODE, **SPEC))


def results(case, study):
    case.finished(study, seconds=900)
    best = case.best(study)
    del best["output_path"]
    trials = {n: (t["spec"]["parameters"], phase(t), t["status"]["attempt"]) for n, t in case.trials(study).items()}
    return {"rows": case.rows(study), "best": best, "trials": trials, "folders": case.folders(study)}


VALUES = [0.9, 3, 0.5, 0.7, 0.3, 0.8]
MODE = 'parameters.x > 2.0 ? "flaky" : "ok"'
SPEC = {"parallelism": 1, "retries": {"limit": 2}, "storage": {"strategy": "Best"}}


def killed(case):
    """Killed 30 times at random moments of a study with one trial at a time: the result is that of an undisturbed one."""
    case.template()
    calm = undisturbed(case)
    study = case.study(VALUES, suffix="-shaken", template=case.name, mode=MODE, **SPEC)
    case.controller.kill_often(case.world.kills, (0.3, 2.5), seed=case.world.seed)
    case.equal("the result", results(case, study), calm)
    case.one_workflow_each(study)
    case.equal("Workflows", len(case.workflows(study)), sum(attempt for _, _, attempt in calm["trials"].values()))


def killed_in_parallel(case):
    """The same with four at a time; each trial's result is what it is in any order."""
    case.template()
    values = [0.3 + n / 10 for n in range(16)]
    study = case.study(values, mode='"ok"', parallelism=4, storage={"strategy": "Best"})
    case.controller.kill_often(case.world.kills // 2, (0.3, 2.5), seed=case.world.seed + 1)
    found = case.finished(study, seconds=900)
    case.equal("succeeded trials", found["status"]["trials"]["succeeded"], 16)
    case.equal("attempts", {t["status"]["attempt"] for t in case.trials(study).values()}, {1})
    case.equal("Workflows", len(case.workflows(study)), 16)
    case.equal("x of the rows", [float(r["x"]) for r in case.rows(study)], [float(f"{x:.17g}") for x in values])
    case.equal("folders that are left", case.folders(study), [1])


def ended_unseen(case):
    """The controller is away while a trial ends, and its Workflow is deleted: what it left in the bucket counts."""
    case.template()
    study = case.study([0.5], mode='"short"')
    workflow = case.running(study)
    case.controller.kill()
    case.until("the Workflow is over", lambda: phase(case.api.get("workflow", workflow)) == "Succeeded", 120)
    case.api.delete("workflow", workflow)
    case.until("the Workflow is gone", lambda: case.api.get("workflow", workflow) is None, 30)
    case.controller.start()
    case.finished(study)
    trial = case.trial(study, 1)["status"]
    case.equal("phase and attempt", (trial["phase"], trial["attempt"]), ("Succeeded", 1))


def deleted_unseen(case):
    """A study is deleted while the controller is away, and is gone once it is back."""
    case.template()
    study = case.study([3, 4], mode='"slow"', storage={"onDelete": "Delete"})
    case.running(study)
    case.controller.kill()
    case.api.delete("study", study)
    case.controller.start()
    case.until("the study is gone", lambda: case.api.get("study", study) is None, 120)
    case.until("its Workflows are gone", lambda: not case.workflows(study), 60)
    case.until("its files are gone", lambda: not case.files(study), 30)


def stopped_gracefully(case):
    """Told to stop it ends with status 0, and the next one goes on at once."""
    case.template()
    study = case.study([0.5, 0.4], mode='"short"', parallelism=1)
    case.running(study)
    case.equal("its exit status", case.controller.stop(), 0)
    case.controller.start()
    case.finished(study)


def many(case):
    """Many studies at once, each with its own result."""
    case.template()
    count = case.world.studies
    names = [None] * count
    def make(n):
        names[n] = case.study([0.3 + n / 100, 0.9], suffix=f"-{n}", template=case.name, parallelism=1)

    threads = [threading.Thread(target=make, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, study in enumerate(names):
        found = case.finished(study, seconds=1800)
        wanted = 0.3 + n / 100
        case.expect(abs(found["status"]["best"]["parameters"]["x"] - min(wanted, 0.9, key=lambda x: abs(x - 0.3))) < 1e-9, f"the best of {study}")


SCENARIOS = [killed, killed_in_parallel, ended_unseen, deleted_unseen, stopped_gracefully, many]
