"""Studies that are deleted."""

from case import phase


def gone(case, study):
    """Neither the study nor trials, Workflows or running pods of it are left."""
    case.until("the study is gone", lambda: case.api.get("study", study) is None, 120)
    case.until("its trials are gone", lambda: not case.trials(study), 60)
    case.until("its Workflows are gone", lambda: not case.workflows(study), 60)

    def no_pods():
        pods = case.api.list("pod", "workflows.argoproj.io/workflow")
        ours = [p for p in pods if p["metadata"]["labels"]["workflows.argoproj.io/workflow"].startswith(f"{study}-")]
        return not any(phase(pod) in ("Running", "Pending") for pod in ours)

    case.until("its pods are gone", no_pods, 90)


def while_running(case):
    """Deleted while trials run: everything goes, the files stay."""
    case.template()
    study = case.study([0.5, 3, 4], mode='parameters.x > 2.0 ? "slow" : "ok"')
    case.ended(study, 1)
    for number in (2, 3):
        case.running(study, number)
    case.api.delete("study", study)
    gone(case, study)
    case.expect("1/metrics.json" in case.files(study), f"the files of trial 1 are gone: {case.files(study)}")


def with_files(case):
    """onDelete: Delete takes the study's folder along, and nothing beside it."""
    case.template()
    beside = f"{case.name}-2/1/metrics.json"
    case.s3.put(f"{case.prefix}/{beside}", b"not yours")
    study = case.study([0.5, 3], mode='parameters.x > 2.0 ? "slow" : "ok"', storage={"onDelete": "Delete"})
    case.ended(study, 1)
    case.running(study, 2)
    case.api.delete("study", study)
    gone(case, study)
    case.equal("what is left", case.files(), [beside])


def finished(case):
    """A finished study goes at once, though the controller is not asked for anything."""
    case.template()
    study = case.study([0.5])
    case.finished(study)
    case.api.delete("study", study)
    gone(case, study)
    case.expect("study_results.csv" in case.files(study), "the results are gone")


def unable_to_start(case):
    """A study whose template is missing and whose storage cannot be reached can be deleted all the same."""
    study = case.study([0.5], storage={"onDelete": "Delete", "artifactRepositoryRef": {"configMap": "there-is-none", "key": "a"}})
    case.not_ready(study)
    case.api.delete("study", study)
    gone(case, study)


SCENARIOS = [while_running, with_files, finished, unable_to_start]
