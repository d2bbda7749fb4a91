"""Storage strategies, whose folder it is, and that nothing else in the bucket is touched."""

RESULTS = [".owner", "best_result.json", "report.html", "study_config.json", "study_results.csv"]


def neighbours(case, study):
    """Objects that belong to somebody else: beside the study's folder, and under names that begin like it."""
    keys = [f"{study}.txt", f"{study}-old/1/metrics.json", "1/metrics.json", "model.txt"]
    for key in keys:
        case.s3.put(f"{case.prefix}/{key}", b"not yours")
    return keys


def trial_files(*numbers):
    return sorted(f"{number}/{file}" for number in numbers for file in ("metrics.json", "model.txt"))


def check(case, values, left, storage, mode='"ok"', rows=None, **changes):
    """Runs the values of x; afterwards exactly the folders `left` are there, and the neighbours are as they were."""
    study = case.name
    others = neighbours(case, study)
    before = case.files()
    case.template()
    case.study(values, storage=storage, mode=mode, **changes)
    case.finished(study)
    after = case.files()
    expected = sorted(others + [f"{study}/{key}" for key in RESULTS + trial_files(*left)])
    case.equal("the bucket before", before, sorted(others))
    case.equal("the bucket after", after, expected)
    for key in others:
        case.equal(key, case.s3.get(f"{case.prefix}/{key}"), b"not yours")
    table = case.rows(study)
    case.equal("rows of the results", len(table), len(values) if rows is None else rows)
    best = case.best(study)
    if best["Trial-ID"] in left:
        case.equal("the best trial's folder", best["output_path"], f"{case.path}/{study}/{best['Trial-ID']}")
    else:
        case.equal("the best trial's folder", best["output_path"], None)
    case.one_workflow_each(study)
    return table


def keep(case):
    """All folders stay, a failed trial's too, as far as it wrote anything."""
    table = check(case, [0.5, 0.3, 2.5, 0.9], [1, 2, 4], {"strategy": "Keep"}, 'parameters.x > 2.0 ? "fail" : "ok"')
    case.equal("states", [row["Status"] for row in table], ["COMPLETED", "COMPLETED", "FAILED", "COMPLETED"])


def delete(case):
    check(case, [0.5, 0.3, 0.9], [], {"strategy": "Delete"})


def best(case):
    """One at a time, getting better, then worse: each better one replaces the one before."""
    check(case, [0.9, 0.5, 0.3, 0.6], [3], {"strategy": "Best"}, parallelism=1)


def keep_top(case):
    check(case, [0.9, 0.5, 0.3, 0.6], [2, 3], {"strategy": "Best", "keepTop": 2})


def ten_goes(case):
    """Folder 1 stays where folders 10 and 11 go."""
    check(case, [0.3, *(1 + n / 10 for n in range(10))], [1], {"strategy": "Best"}, parallelism=6)


def one_goes(case):
    """Folder 1 goes where folders 10 and 11 stay."""
    values = [*(1 + n / 10 for n in range(9)), 0.4, 0.3]
    check(case, values, [10, 11], {"strategy": "Best", "keepTop": 2}, parallelism=6)


def conflict(case):
    """A folder with somebody's files is refused; with Overwrite only numbered folders and result files go."""
    study = case.name
    foreign = {"1/old.txt": False, "10/deep/er.txt": False, "study_results.csv": False, "notes.txt": True, "images/1.png": True}
    for key in foreign:
        case.s3.put(f"{case.prefix}/{study}/{key}", b"earlier")
    case.template()
    case.study([0.3], storage={"strategy": "Keep"})
    case.not_ready(study)
    case.equal("the folder of a refused study", case.files(study), sorted(foreign))
    case.api.merge("study", study, {"spec": {"storage": {"onConflict": "Overwrite"}}})
    case.finished(study)
    stays = [key for key, is_kept in foreign.items() if is_kept]
    case.equal("the folder afterwards", case.files(study), sorted(RESULTS + trial_files(1) + stays))
    case.expect(case.s3.get(f"{case.prefix}/{study}/study_results.csv") != b"earlier", "the old table is still there")


def stale(case):
    """A metrics file that lay in the trial's folder before is not taken for the trial's own."""
    study = case.name
    case.template()
    case.study([0.3], suspend=True, mode='"fail"', storage={"strategy": "Keep"})
    case.until("the study is suspended", lambda: (case.api.get("study", study) or {}).get("status", {}).get("phase") == "Suspended", 30)
    case.s3.put(f"{case.prefix}/{study}/1/metrics.json", b'{"loss": 0.0}')
    case.api.merge("study", study, {"spec": {"suspend": False, "storage": {"onConflict": "Overwrite"}}})
    case.finished(study, "Failed")
    case.equal("the trial", case.trial(study, 1)["status"]["phase"], "Failed")


SCENARIOS = [keep, delete, best, keep_top, ten_goes, one_goes, conflict, stale]
