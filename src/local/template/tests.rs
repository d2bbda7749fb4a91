#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value
)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Archive, Input, InputSource, Invocation, Output, Template, WorkflowFacts, environment, paths::Paths};
use crate::api::{FieldErrors, WorkflowTemplateRef};

/// A file of several YAML documents, as the command line reads it.
fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

fn reference(name: &str, cluster_scope: bool) -> WorkflowTemplateRef {
    WorkflowTemplateRef {
        name: name.to_owned(),
        cluster_scope,
    }
}

const FFNN: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: ffnn}
spec:
  entrypoint: fit
  arguments:
    parameters:
    - {name: units, value: 16}
    - {name: optimizer, value: adam, enum: [adam, sgd]}
    - {name: output_key}
    - {name: note, value: "{{workflow.name}} $(date)"}
  templates:
  - name: all
    dag: {tasks: []}
  - name: fit
    inputs:
      parameters: [{name: units}, {name: output_key}, {name: epochs, default: 30}]
      artifacts:
      - {name: data, path: /tmp/data/, s3: {key: ml/data.tgz}}
      - {name: settings, path: /etc/settings.json, raw: {data: '{"units": {{inputs.parameters.units}}}'}, optional: true}
    outputs:
      parameters: [{name: loss, valueFrom: {path: /tmp/loss}}]
      artifacts:
      - {name: metrics, path: /tmp/out/metrics.json, archive: {none: {}}, s3: {key: '{{inputs.parameters.output_key}}/metrics.json'}}
      - {name: model, path: /tmp/out, s3: {bucket: models, key: '{{inputs.parameters.output_key}}/model.tgz'}, optional: true}
    container:
      image: python:3.13
      resources: {limits: {cpu: 1}}
      env:
      - {name: OUT, value: /tmp/out}
      - {name: LABEL, value: 'team={{workflow.labels.team}}'}
      - {name: AWS_ACCESS_KEY_ID, valueFrom: {secretKeyRef: {name: s3, key: user}}}
      - {name: TOKEN, valueFrom: {secretKeyRef: {name: wandb, key: token, optional: true}}}
      command: [python3, fit.py]
      args: ['--units={{ inputs.parameters.units }}', '--data', '{{inputs.artifacts.data.path}}', '--out=$(OUT)', '--log', /tmp/output, '{{workflow.parameters.note}}', '{{workflow.parameters.optimizer}}']
"#;

fn ffnn() -> Template {
    Template::from_documents(&documents(FFNN), Some(&reference("ffnn", false)), None).unwrap()
}

fn arguments(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn facts() -> WorkflowFacts {
    WorkflowFacts {
        name: "s-3-1".into(),
        namespace: "ml".into(),
        uid: "u".into(),
        labels: arguments(&[("team", "molding"), ("a.b/c", "d")]),
        ..Default::default()
    }
}

fn invoke(template: &Template, pairs: &[(&str, &str)]) -> Result<Invocation, FieldErrors> {
    template.invocation(&arguments(pairs), &facts(), Path::new("/scratch/3"))
}

/// A WorkflowTemplate with this one template in it.
fn only(template: Value) -> Result<Template, FieldErrors> {
    let spec = json!({"entrypoint": "main", "templates": [template]});
    Template::from_documents(
        &[json!({"kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": spec})],
        None,
        None,
    )
}

#[test]
fn a_container_becomes_a_process() {
    let invocation = invoke(&ffnn(), &[("units", "32"), ("output_key", "runs/s/3")]).unwrap();
    assert_eq!(
        invocation,
        Invocation {
            argv: [
                "python3",
                "fit.py",
                "--units=32",
                "--data",
                "/scratch/3/root/tmp/data/",
                "--out=/scratch/3/root/tmp/out",
                "--log",
                "/tmp/output",
                // A value is not expanded again.
                "{{workflow.name}} $(date)",
                "adam",
            ]
            .map(String::from)
            .into(),
            script: None,
            env: vec![
                ("OUT".into(), "/scratch/3/root/tmp/out".into()),
                ("LABEL".into(), "team=molding".into())
            ],
            working_dir: None,
            inputs: vec![
                Input {
                    name: "data".into(),
                    path: "/scratch/3/root/tmp/data".into(),
                    source: InputSource::S3 {
                        bucket: None,
                        key: "ml/data.tgz".into()
                    },
                    optional: false,
                    unpack: true,
                },
                Input {
                    name: "settings".into(),
                    path: "/scratch/3/root/etc/settings.json".into(),
                    source: InputSource::Raw("{\"units\": 32}".into()),
                    optional: true,
                    unpack: true,
                },
            ],
            outputs: vec![
                Output {
                    name: "metrics".into(),
                    path: "/scratch/3/root/tmp/out/metrics.json".into(),
                    bucket: None,
                    key: "runs/s/3/metrics.json".into(),
                    archive: Archive::None,
                    optional: false,
                },
                Output {
                    name: "model".into(),
                    path: "/scratch/3/root/tmp/out".into(),
                    bucket: Some("models".into()),
                    key: "runs/s/3/model.tgz".into(),
                    archive: Archive::Tar,
                    optional: true,
                },
            ],
        }
    );
    let warnings = ffnn().warnings().join("\n");
    assert!(warnings.contains("spec.templates[1].container.resources"), "{warnings}");
    assert!(
        warnings.contains("`AWS_ACCESS_KEY_ID` is set to reach the S3 server"),
        "{warnings}"
    );
}

#[test]
fn a_script_becomes_a_file_and_a_process() {
    let template = only(json!({
        "name": "main",
        "outputs": {"artifacts": [{"name": "o", "path": "/out", "s3": {"key": "k"}}], "parameters": [{"name": "l", "valueFrom": {"path": "/tmp/l"}}]},
        "script": {
            "image": "x", "command": ["bash", "-e"], "workingDir": "/out/sub", "env": [{"name": "A", "value": "1"}],
            "source": "echo $(A) ${A} $$ > {{outputs.artifacts.o.path}}/{{workflow.labels.a.b/c}} {{outputs.parameters.l.path}} {{retries}} {{pod.name}} {{workflow.namespace}} {{workflow.uid}} {{workflow.priority}}\n"
        }
    }))
    .unwrap();
    let invocation = invoke(&template, &[]).unwrap();
    assert_eq!(invocation.argv, ["bash", "-e", "/scratch/3/script"]);
    assert_eq!(
        invocation.script,
        Some((
            PathBuf::from("/scratch/3/script"),
            "echo $(A) ${A} $$ > /scratch/3/root/out/d /scratch/3/root/tmp/l 0 s-3-1 ml u 0\n".to_owned()
        ))
    );
    assert_eq!(invocation.working_dir, Some("/scratch/3/root/out/sub".into()));
}

#[test]
fn what_is_declared_is_known() {
    let names: Vec<_> = ffnn()
        .parameters()
        .into_iter()
        .map(|d| (d.name, d.value, d.choices.is_some()))
        .collect();
    assert_eq!(
        names,
        [
            ("units".into(), Some("16".into()), false),
            ("optimizer".into(), Some("adam".into()), true),
            ("output_key".into(), None, false),
            ("note".into(), Some("{{workflow.name}} $(date)".into()), false),
            ("epochs".to_owned(), Some("30".to_owned()), false),
        ]
    );
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let check = |given: &[(&str, Option<&str>)]| {
        let given: Vec<_> = given
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.map(str::to_owned)))
            .collect();
        ffnn().check_arguments(&given).to_string()
    };
    assert_eq!(
        check(&[("output_key", None), ("optimizer", Some("sgd")), ("epochs", Some("3"))]),
        ""
    );
    assert_eq!(
        check(&[
            ("output_key", None),
            ("unit", Some("3")),
            ("lr", None),
            ("optimizer", Some("lion"))
        ]),
        "arguments.parameters.unit: template `fit` declares no parameter `unit`; did you mean `units`?\n\
         arguments.parameters.lr: template `fit` declares no parameter `lr`; it declares `units`, `optimizer`, `output_key`, `note`, `epochs`\n\
         arguments.parameters.optimizer: `lion` is none of the values that the template allows: `adam`, `sgd`"
    );
    assert_eq!(
        check(&[]),
        "arguments.parameters.output_key: template `fit` needs a value for `output_key`: it has no default, and nothing passes one"
    );
    assert!(
        invoke(&ffnn(), &[])
            .unwrap_err()
            .to_string()
            .contains("`output_key` has no value")
    );
    let template = only(json!({
        "name": "main", "container": {"command": ["x"]},
        "inputs": {"parameters": [{"name": "p", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}
    }));
    assert_eq!(
        template.unwrap().check_arguments(&[]).to_string(),
        "arguments.parameters.p: its value comes from the cluster (spec.templates[0].inputs.parameters[0].valueFrom): pass one"
    );
}

#[test]
fn the_document_is_chosen_by_kind_and_name() {
    let template = |kind: &str, name: &str| json!({"kind": kind, "metadata": {"name": name}, "spec": {"entrypoint": "m", "templates": [{"name": "m", "container": {"command": [kind]}}]}});
    let docs = [
        json!({"kind": "ConfigMap", "metadata": {"name": "a"}}),
        template("WorkflowTemplate", "a"),
        template("ClusterWorkflowTemplate", "a"),
        template("ClusterWorkflowTemplate", "b"),
        template("Workflow", "c"),
    ];
    let command =
        |name, cluster| Template::from_documents(&docs, Some(&reference(name, cluster)), None).map(|t| t.body.command);
    assert_eq!(command("a", false).unwrap(), ["WorkflowTemplate"]);
    assert_eq!(command("a", true).unwrap(), ["ClusterWorkflowTemplate"]);
    assert_eq!(command("c", false).unwrap(), ["Workflow"]);
    assert_eq!(
        command("b", false).unwrap_err().to_string(),
        "trial.workflowTemplateRef.name: the file has no WorkflowTemplate `b`: it has the WorkflowTemplate `a`, the ClusterWorkflowTemplate `a`, \
         the ClusterWorkflowTemplate `b`, the Workflow `c`; set `clusterScope: true`"
    );
    let message = |docs: &[Value]| Template::from_documents(docs, None, None).unwrap_err().to_string();
    assert!(message(&docs).starts_with("trial.workflowTemplateRef: is needed to choose one"));
    assert_eq!(
        message(&docs[..1]),
        ": the file has no WorkflowTemplate in it, only `ConfigMap`"
    );
    assert_eq!(message(&[]), ": the file has no WorkflowTemplate in it");
    assert_eq!(
        message(&[Value::Null, json!(3), json!({"kind": 3})]),
        ": the file has no WorkflowTemplate in it"
    );
    let entrypoint = |name| {
        Template::from_documents(&documents(FFNN), None, Some(name))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        entrypoint("fits"),
        "trial.entrypoint: there is no template `fits`: there are `all`, `fit`; did you mean `fit`?"
    );
    assert_eq!(
        entrypoint("all"),
        "spec.templates[0]: template `all` is a dag: it needs a cluster; `hyperstudy run` runs container and script templates only"
    );
}

#[test]
fn what_needs_a_cluster_says_so() {
    for (key, what) in [
        ("steps", "a list of steps"),
        ("suspend", "a suspend template"),
        ("resource", "a resource template"),
        ("http", "an http template"),
        ("plugin", "a plugin template"),
        ("containerSet", "a container set"),
        ("data", "a data template"),
    ] {
        let message = only(json!({"name": "main", key: {}})).unwrap_err().to_string();
        assert!(
            message.contains(what) && message.contains("needs a cluster"),
            "{message}"
        );
    }
    let container = |extra: Value| {
        let mut container = json!({"command": ["x"]});
        container
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        only(json!({"name": "main", "container": container}))
            .unwrap_err()
            .to_string()
    };
    for (extra, path, what) in [
        (json!({"command": []}), "container.command", "image's own command"),
        (json!({"command": "x"}), "container.command", "cannot be read"),
        (
            json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
            "container.env[0].valueFrom",
            "the secret `s`",
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
            "container.env[0].valueFrom",
            "its pod",
        ),
        (
            json!({"envFrom": [{"configMapRef": {"name": "c"}}]}),
            "container.envFrom[0]",
            "the config map `c`",
        ),
        (
            json!({"env": [{"name": "A=", "value": "x"}]}),
            "container.env[0].name",
            "no name",
        ),
    ] {
        let message = container(extra);
        assert!(
            message.starts_with(&format!("spec.templates[0].{path}: ")) && message.contains(what),
            "{message}"
        );
    }
    let artifact = |artifact: Value| {
        let template = json!({"name": "main", "container": {"command": ["x"]}, "inputs": {"artifacts": [artifact]}});
        only(template).and_then(|t| invoke(&t, &[])).unwrap_err().to_string()
    };
    for (value, message) in [
        (json!({"name": "a", "path": "/a"}), "`a` is nowhere"),
        (
            json!({"name": "a", "path": "/a", "git": {"repo": "r"}}),
            "artifacts[0].git: needs a cluster",
        ),
        (
            json!({"name": "a", "path": "/a", "s3": {"bucket": "b"}}),
            "s3.key: is missing",
        ),
        (
            json!({"name": "a", "path": "/a", "archive": {"zip": {}}, "s3": {"key": "k"}}),
            "artifacts[0].archive",
        ),
        (json!({"name": "a", "s3": {"key": "k"}}), "path: is missing"),
        (json!({"name": "a", "path": "a", "s3": {"key": "k"}}), "absolute path"),
        (json!({"name": "a", "path": "/", "s3": {"key": "k"}}), "absolute path"),
        (
            json!({"name": "a", "path": "/a/../../etc", "s3": {"key": "k"}}),
            "without `..`",
        ),
        (
            json!({"name": "a", "path": "/a", "s3": {"key": "{{inputs.parameters.x}}"}}),
            "artifacts[0].s3.key: `{{inputs.parameters.x}}` is not declared",
        ),
    ] {
        let found = artifact(value);
        assert!(found.contains(message), "{found}\nhas no {message}");
    }
}

#[test]
fn a_tag_that_cannot_be_resolved_is_named_with_its_place() {
    for (arg, message) in [
        ("{{=1 + 1}}", "`{{=1 + 1}}` is an expression, which needs a cluster"),
        ("{{workflow.serviceAccountName}}", "has no value without a cluster"),
        ("{{steps.a.outputs.result}}", "has no value without a cluster"),
        (
            "{{inputs.parameters.unitz}}",
            "did you mean `{{inputs.parameters.units}}`?",
        ),
        (
            "{{inputs.artifacts.b.path}}",
            "did you mean `{{inputs.artifacts.a.path}}`?",
        ),
        ("{{outputs.artifacts.b.path}}", "is not declared"),
        ("{{workflow.labels.x}}", "is not declared"),
        ("{{x}}", "`{{x}}` is nothing that Argo knows here"),
        ("{{", "without its `}}`"),
    ] {
        let template = only(json!({
            "name": "main", "container": {"command": ["x"], "args": [arg]},
            "inputs": {"parameters": [{"name": "units", "value": "1"}], "artifacts": [{"name": "a", "path": "/a", "s3": {"key": "k"}}]},
        }));
        let found = invoke(&template.unwrap(), &[]).unwrap_err().to_string();
        assert!(
            found.starts_with("spec.templates[0].container.args[0]: ") && found.contains(message),
            "{found}"
        );
    }
}

#[test]
fn a_workflows_artifact_argument_says_where_an_input_is() {
    let template = Template::from_documents(
        &[json!({"kind": "WorkflowTemplate", "spec": {
            "entrypoint": "main",
            "arguments": {"artifacts": [{"name": "data", "s3": {"key": "k"}}]},
            "templates": [{"name": "main", "inputs": {"artifacts": [{"name": "data", "path": "/d", "archive": {"none": {}}}]}, "container": {"command": ["x"]}}],
        }})],
        None,
        None,
    );
    let input = invoke(&template.unwrap(), &[]).unwrap().inputs.remove(0);
    assert_eq!(
        input.source,
        InputSource::S3 {
            bucket: None,
            key: "k".into()
        }
    );
    assert!(!input.unpack);
}

#[test]
fn paths_are_moved_only_as_a_whole() {
    let mut paths = Paths::new(Path::new("/s")).unwrap();
    for path in ["/tmp/out", "/tmp/out/metrics.json", "/data/"] {
        paths.add(path).unwrap();
    }
    for (text, expected) in [
        ("/tmp/out", "/s/root/tmp/out"),
        ("/tmp/out/", "/s/root/tmp/out/"),
        ("/tmp/out/metrics.json", "/s/root/tmp/out/metrics.json"),
        ("/tmp/out/metrics.json.bak", "/s/root/tmp/out/metrics.json.bak"),
        (
            "--out=/tmp/out --in=\"/data\"",
            "--out=/s/root/tmp/out --in=\"/s/root/data\"",
        ),
        ("open('/tmp/out').x", "open('/s/root/tmp/out').x"),
        ("file:///data/x", "file:///s/root/data/x"),
        ("a:/data:/tmp/out\\n", "a:/s/root/data:/s/root/tmp/out\\n"),
        ("/tmp/output", "/tmp/output"),
        (
            "/tmp/out.txt /tmp/out-1 /tmp/out_1 /tmp/out$i /tmp/out{i}",
            "/tmp/out.txt /tmp/out-1 /tmp/out_1 /tmp/out$i /tmp/out{i}",
        ),
        (
            "/mnt/data s3://b/data ${HOME}/data ./data ~/data //data",
            "/mnt/data s3://b/data ${HOME}/data ./data ~/data //data",
        ),
        ("ä/data /dataä", "ä/data /dataä"),
    ] {
        assert_eq!(paths.rewrite(text), expected);
    }
    assert_eq!(paths.place("/data/x"), Some("/s/root/data/x".into()));
    assert_eq!(paths.place("/data/../etc"), None);
    assert_eq!(paths.place("/database"), None);
}

#[test]
fn kubernetes_own_variables_are_expanded() {
    let known = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
    for (text, expected) in [
        ("$(A)-$(B)-$(C)", "1-$(A)-$(C)"),
        ("$$(A) $$ $A $( $(A", "$(A) $ $A $( $(A"),
        ("$", "$"),
    ] {
        assert_eq!(environment::expand(text, &known), expected);
    }
}

#[test]
fn the_example_is_a_process() {
    let yaml = include_str!("../../../examples/injection-molding/workflowtemplate.yaml");
    let template = Template::from_documents(&documents(yaml), Some(&reference("ffnn", false)), None).unwrap();
    assert!(template.warnings().is_empty(), "{:?}", template.warnings());
    let given = [
        ("lr", "0.003"),
        ("units_1", "8"),
        ("units_2", "9"),
        ("output_key", "runs/s/1"),
        ("input_key", "molding"),
    ];
    let known: Vec<_> = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
        .collect();
    assert_eq!(template.check_arguments(&known).to_string(), "");
    let invocation = invoke(&template, &given).unwrap();
    assert_eq!(invocation.argv, ["python3", "/scratch/3/script"]);
    let source = invocation.script.unwrap().1;
    for line in [
        "LR = float(\"0.003\")",
        "UNITS = [int(\"8\"), int(\"9\")]",
        "table(\"/scratch/3/root/tmp/data/x.csv\")",
        "open(\"/scratch/3/root/tmp/out/metrics.json\", \"w\")",
        "os.makedirs(os.path.dirname(\"/scratch/3/root/tmp/out/metrics.json\"), exist_ok=True)",
    ] {
        assert!(source.contains(line), "{line} is not in\n{source}");
    }
    assert!(!source.contains("{{"), "{source}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "[{}$(). /a-c]{0,40}|\\PC*", path in "/[a-c/.]{0,6}|\\PC{0,8}") {
        let template = only(json!({
            "name": "main", "container": {"command": ["x"], "args": [text], "env": [{"name": "A", "value": text}], "workingDir": text},
            "inputs": {"artifacts": [{"name": "a", "path": path, "s3": {"key": text}}]},
        }));
        if let Ok(invocation) = template.and_then(|t| invoke(&t, &[])) {
            for input in invocation.inputs {
                prop_assert!(input.path.starts_with("/scratch/3/root/"));
                prop_assert!(!input.path.components().any(|c| c == std::path::Component::ParentDir));
            }
        }
    }

    #[test]
    fn a_value_arrives_as_it_is(value in "\\PC*") {
        let template = only(json!({
            "name": "main", "script": {"command": ["x"], "source": "<{{inputs.parameters.v}}>"},
            "inputs": {"parameters": [{"name": "v"}]},
        })).unwrap();
        let invocation = invoke(&template, &[("v", &value)]).unwrap();
        prop_assert_eq!(invocation.script.unwrap().1, format!("<{value}>"));
    }

    #[test]
    fn any_document_is_read_or_refused(key in "container|script|inputs|outputs|steps", field in "command|args|env|envFrom|source|artifacts|parameters|x", value in prop_oneof![Just(json!(null)), Just(json!(3)), Just(json!("x")), Just(json!([1])), Just(json!([{"name": 3}])), Just(json!([{"name": "a", "valueFrom": 3}])), Just(json!({"x": 1}))]) {
        let _ = only(json!({"name": "main", "container": {"command": ["x"]}, key: {field: value}})).and_then(|t| invoke(&t, &[]));
    }
}
