"""What keeps a study from starting, and that putting it right is enough."""

import base64


def missing_template(case):
    study = case.study([0.5])
    case.not_ready(study, "TemplateNotFound")
    case.template()
    case.finished(study)


def undeclared_argument(case):
    """Argo takes an argument that the template does not declare in silence; here it is refused by its name."""
    name = case.template()
    study = case.study([0.5], arguments=[{"name": "learning_rate", "value": "${parameters.x}"}])
    ready = case.not_ready(study)
    case.expect("learning_rate" in ready["message"], f"the argument is not named: {ready['message']}")
    template = case.api.get("template", name)
    template["spec"]["arguments"]["parameters"].append({"name": "learning_rate"})
    case.api.merge("template", name, {"spec": {"arguments": template["spec"]["arguments"]}})
    case.finished(study)


def enum(case):
    """A value outside a template's `enum` is refused, and mending the study is enough."""
    name = case.template()
    parameters = case.api.get("template", name)["spec"]["arguments"]["parameters"]
    parameters = [{**p, "enum": ["ok", "fail"]} if p["name"] == "mode" else p for p in parameters]
    case.api.merge("template", name, {"spec": {"arguments": {"parameters": parameters}}})
    study = case.study([0.5], mode='"brisk"')
    ready = case.not_ready(study)
    case.expect("mode" in ready["message"] and "brisk" in ready["message"], f"parameter and value are not named: {ready['message']}")
    arguments = case.api.get("study", study)["spec"]["trial"]["arguments"]["parameters"]
    arguments = [{**a, "value": "ok"} if a["name"] == "mode" else a for a in arguments]
    case.api.merge("study", study, {"spec": {"trial": {"arguments": {"parameters": arguments}}}})
    case.finished(study)


def missing_value(case):
    """A parameter that the template declares, without a value anywhere."""
    name = case.template()
    parameters = case.api.get("template", name)["spec"]["arguments"]["parameters"] + [{"name": "dataset"}]
    case.api.merge("template", name, {"spec": {"arguments": {"parameters": parameters}}})
    study = case.study([0.5])
    ready = case.not_ready(study)
    case.expect("dataset" in ready["message"], f"the parameter is not named: {ready['message']}")
    case.api.merge("template", name, {"spec": {"arguments": {"parameters": parameters[:-1] + [{"name": "dataset", "value": "a"}]}}})
    case.finished(study)


def artifact_gc(case):
    """A template whose outputs Argo would delete before they are read."""
    name = case.template()
    template = case.api.get("template", name)["spec"]["templates"]
    template[0]["outputs"]["artifacts"][0]["artifactGC"] = {"strategy": "OnWorkflowCompletion"}
    case.api.merge("template", name, {"spec": {"templates": template}})
    study = case.study([0.5])
    case.not_ready(study)
    del template[0]["outputs"]["artifacts"][0]["artifactGC"]
    case.api.merge("template", name, {"spec": {"templates": template}})
    case.finished(study)


def bad_expression(case):
    """What the schema cannot see of a study is said in its status."""
    case.template()
    study = case.study([0.5], mode='parameters.learning_rate > 1.0 ? "ok" : "fail"')
    ready = case.not_ready(study)
    case.expect("learning_rate" in ready["message"], f"the name is not in: {ready['message']}")
    arguments = case.api.get("study", study)["spec"]["trial"]["arguments"]["parameters"]
    arguments = [{**a, "value": "ok"} if a["name"] == "mode" else a for a in arguments]
    case.api.merge("study", study, {"spec": {"trial": {"arguments": {"parameters": arguments}}}})
    case.finished(study)


def repository(case, bucket=None, secret=None):
    """A ConfigMap of artifact repositories with one key, `own`: the bucket of this run, or another, and a secret of its own."""
    world = case.world
    secret = secret or {"accesskey": world.s3.access_key, "secretkey": world.s3.secret_key}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in secret.items()}
    case.create("secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": case.name}, "data": encoded})
    insecure = world.s3.endpoint.startswith("http://")
    text = f"""s3:
  endpoint: {world.s3.endpoint.partition("//")[2]}
  bucket: {bucket or world.bucket}
  region: {world.s3.region}
  insecure: {str(insecure).lower()}
  accessKeySecret: {{name: {case.name}, key: accesskey}}
  secretKeySecret: {{name: {case.name}, key: secretkey}}
"""
    case.create("configmap", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": case.name}, "data": {"own": text}})
    return {"configMap": case.name, "key": "own"}


def right_secret(case):
    right = {"accesskey": case.world.s3.access_key, "secretkey": case.world.s3.secret_key}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in right.items()}
    case.api.merge("secret", case.name, {"data": encoded})


def wrong_secret(case):
    """Keys that the server refuses; nothing of them may be in the status."""
    where = repository(case, secret={"accesskey": "nobody", "secretkey": "not-the-secret"})
    case.template(artifactRepositoryRef=where)
    study = case.study([0.5], storage={"artifactRepositoryRef": where})
    case.not_ready(study)
    case.expect("not-the-secret" not in str(case.api.get("study", study)["status"]), "the secret is in the status")
    right_secret(case)
    case.finished(study)


def missing_secret(case):
    where = repository(case)
    case.api.delete("secret", case.name)
    case.template(artifactRepositoryRef=where)
    study = case.study([0.5], storage={"artifactRepositoryRef": where})
    ready = case.not_ready(study)
    case.expect(case.name in ready["message"], f"the secret is not named: {ready['message']}")
    right = {"accesskey": case.world.s3.access_key, "secretkey": case.world.s3.secret_key}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in right.items()}
    case.create("secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": case.name}, "data": encoded})
    case.finished(study)


def missing_bucket(case):
    """The bucket is created later."""
    bucket = f"{case.world.run}-later"
    where = repository(case, bucket=bucket)
    case.template(artifactRepositoryRef=where)
    study = case.study([0.5], storage={"artifactRepositoryRef": where, "outputPath": f"s3://{bucket}/runs"})
    ready = case.not_ready(study)
    case.expect(bucket in ready["message"], f"the bucket is not named: {ready['message']}")
    other = case.s3.other(bucket)
    other.create_bucket()
    try:
        case.finished(study)
        case.expect(f"runs/{study}/1/metrics.json" in other.keys(), f"no metrics file in {other.keys()}")
    finally:
        case.api.delete("study", study)
        case.until("the study is gone", lambda: case.api.get("study", study) is None, 60)
        other.clear("")
        other.delete_bucket()


def explicit_s3(case):
    """A study with an S3 server of its own, which is the template's too."""
    where = repository(case)
    case.template(artifactRepositoryRef=where)
    s3 = {
        "endpoint": case.s3.endpoint.partition("//")[2], "region": case.s3.region, "insecure": case.s3.endpoint.startswith("http://"),
        "accessKeySecret": {"name": case.name, "key": "accesskey"}, "secretKeySecret": {"name": case.name, "key": "secretkey"},
    }
    case.finished(case.study([0.5], storage={"s3": s3}))


def other_bucket(case):
    """A template that writes into another bucket than the study reads from."""
    case.template()
    study = case.study([0.5], storage={"outputPath": f"s3://{case.world.run}-elsewhere/runs"})
    case.not_ready(study)
    case.api.merge("study", study, {"spec": {"storage": {"outputPath": case.path}}})
    case.finished(study)


def start_deadline(case):
    """A study that cannot start in time fails, so that a workflow that waits for it ends."""
    study = case.study([0.5], startDeadline="10s")
    found = case.finished(study, "Failed", 60)
    failed = next(c for c in found["status"]["conditions"] if c["type"] == "Failed")
    case.equal("why", failed["reason"], "StartDeadlineExceeded")


SCENARIOS = [
    missing_template, undeclared_argument, enum, missing_value, artifact_gc, bad_expression, wrong_secret, missing_secret,
    missing_bucket, explicit_s3, other_bucket, start_deadline,
]
