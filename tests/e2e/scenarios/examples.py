"""The examples, applied as their README files say, with the bucket's name put in."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from case import Failed, phase

ROOT = Path(__file__).resolve().parents[3]


class Example:
    """A copy of an example's folder with the bucket in it, applied and deleted again."""

    def __init__(self, case, folder):
        self.case, self.folder = case, tempfile.mkdtemp()
        for file in (ROOT / "examples" / folder).glob("*.yaml"):
            text = file.read_text().replace("s3://studies/", f"s3://{case.world.bucket}/")
            (Path(self.folder) / file.name).write_text(text)

    def __enter__(self):
        self.case.kubectl("apply", "-f", self.folder)
        return self

    def __exit__(self, fault, *_):
        if fault:
            self.case.notes += self.case.describe()
        self.case.kubectl("delete", "--ignore-not-found", "-f", self.folder, check=False)
        shutil.rmtree(self.folder)


def results(case, study):
    """The best result of an example's study, whose files are in `studies/`."""
    return json.loads(case.s3.get(f"studies/{study}/best_result.json"))


def folders(case, study):
    keys = (key.split("/")[2] for key in case.s3.keys(f"studies/{study}/"))
    return {int(name) for name in keys if name.isdecimal()}


def fresh(case, *prefixes):
    """What an earlier run left would be refused."""
    for prefix in prefixes:
        case.s3.clear(prefix)


def minimal(case):
    fresh(case, "studies/minimal/")
    with Example(case, "minimal"):
        case.kubectl("wait", "--for=condition=Complete", "--timeout=5m", "study/minimal")
        study = case.finished("minimal")
        case.equal("succeeded trials", study["status"]["trials"]["succeeded"], 8)
        best = results(case, "minimal")
        case.equal("the best trial", best["Trial-ID"], study["status"]["best"]["number"])
        case.equal("folders that are left", folders(case, "minimal"), {best["Trial-ID"]})
        for name in ("study_results.csv", "study_config.json", "report.html"):
            case.expect(case.s3.get(f"studies/minimal/{name}"), f"there is no {name}")
        table = case.kubectl("get", "study", "minimal").split()
        for word in ("PHASE", "SUCCEEDED", "BEST-TRIAL", "Succeeded", f"minimal-{best['Trial-ID']}"):
            case.expect(word in table, f"kubectl get study does not show {word}: {table}")
        case.expect("WORKFLOW" in case.kubectl("get", "hpt").split(), "kubectl get hpt does not show WORKFLOW")
        case.expect("PARAMETERS" in case.kubectl("get", "hpt", "-o", "wide").split(), "and not PARAMETERS when wide")
    case.until("the trials are gone", lambda: not case.trials("minimal"), 60)
    fresh(case, "studies/minimal/")


def injection_molding(case):
    shared = Path(os.environ.get("HYPERSTUDY_SHARED", ROOT / "../shared"))
    data = Path(os.environ.get("E2E_DATA", shared / "data/injection-molding"))
    if not (data / "x.csv").is_file():
        case.note(f"left out: x.csv and y.csv are not in {data}; E2E_DATA names their folder")
        return
    fresh(case, "studies/molding/")
    for name in ("x.csv", "y.csv"):
        case.s3.put(f"molding/{name}", (data / name).read_bytes())
    with Example(case, "injection-molding/cluster"):
        study = case.finished("molding", seconds=900)
        best = results(case, "molding")
        case.equal("succeeded trials", study["status"]["trials"]["succeeded"], 10)
        reached, of_mean = best["mean_squared_error"], best["mean_squared_error_of_mean"]
        case.note(f"mean squared error {reached:.6f}, of the mean {of_mean:.6f}")
        case.expect(reached < of_mean / 10, f"{reached} is not a tenth of {of_mean}")
        number = best["Trial-ID"]
        kept = [f"studies/molding/{number}/{name}.json" for name in ("metrics", "model", "prepared")]
        case.equal("what is left of the trials", [k for k in case.s3.keys("studies/molding/") if k.split("/")[2].isdecimal()], kept)
        model = json.loads(case.s3.get(kept[1]))
        case.equal("units of the model", [len(w) for w in model["layers"]], [best["units_1"], best["units_2"], 1])
    fresh(case, "studies/molding/", "molding/")


def chained(case):
    fresh(case, "studies/tune-and-train-hpo/", "models/tune-and-train/")
    case.studies.add("tune-and-train-hpo")
    with Example(case, "chained"):
        def over():
            workflow = case.api.get("workflow", "tune-and-train")
            return workflow if phase(workflow) in ("Succeeded", "Failed", "Error") else None

        workflow = case.until("the Workflow is over", over, 600)
        if phase(workflow) != "Succeeded":
            status = workflow["status"]
            nodes = [f"{n['displayName']} {n['phase']} {n.get('message', '')}" for n in status.get("nodes", {}).values()]
            raise Failed("; ".join([f"the Workflow: {status.get('message', '')}", *nodes]))
        study = case.api.get("study", "tune-and-train-hpo")
        case.equal("the study's owner", study["metadata"]["ownerReferences"][0]["name"], "tune-and-train")
        best = study["status"]["best"]["parameters"]
        steps = {node["displayName"]: node for node in workflow["status"]["nodes"].values()}
        passed = {p["name"]: p["value"] for p in steps["train"]["inputs"]["parameters"]}
        case.equal("what the last step was given", (float(passed["lr"]), int(passed["degree"])), (best["lr"], best["degree"]))
        model = json.loads(case.s3.get("models/tune-and-train/model.json"))
        case.equal("weights of the final model", len(model["weights"]), best["degree"] + 1)
        case.equal("folders that are left", folders(case, "tune-and-train-hpo"), set())
    case.until("the study is gone with its Workflow", lambda: case.api.get("study", "tune-and-train-hpo") is None, 60)
    fresh(case, "studies/tune-and-train-hpo/", "models/tune-and-train/")


SCENARIOS = [minimal, chained, injection_molding]
