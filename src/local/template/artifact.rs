//! The artifacts that a template declares, and those of one invocation.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::{has, paths::Paths, read, substitute::Scope};
use crate::api::FieldErrors;

/// An artifact to fetch before the process starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its name in the template.
    pub name: String,
    /// Where the process looks for it: a file or a folder.
    pub path: PathBuf,
    /// What it is.
    pub source: InputSource,
    /// Whether the process starts without it where it is not there.
    pub optional: bool,
    /// Whether an archive is unpacked, as Argo does unless told otherwise.
    pub unpack: bool,
}

/// What an input artifact is.
#[derive(Clone, Debug, PartialEq)]
pub enum InputSource {
    /// An object in S3, or all objects below a folder.
    S3 {
        /// The bucket; `None` is the study's.
        bucket: Option<String>,
        /// The path in it.
        key: String,
    },
    /// A file with this text.
    Raw(String),
}

/// An artifact to keep after the process has succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name in the template.
    pub name: String,
    /// What the process writes: a file or a folder.
    pub path: PathBuf,
    /// The bucket; `None` is the study's.
    pub bucket: Option<String>,
    /// The path in it; a folder's files go below it.
    pub key: String,
    /// How it is packed.
    pub archive: Archive,
    /// Whether it may be missing.
    pub optional: bool,
}

/// How an output artifact is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Archive {
    /// As it is.
    None,
    /// Tar and gzip, which is Argo's default.
    #[default]
    Tar,
}

/// Everything that a template says about files.
#[derive(Clone, Debug)]
pub(super) struct Artifacts {
    inputs: Vec<Declared>,
    outputs: Vec<Declared>,
    /// Name, field and path of output parameters that the process writes to a file. They are not read here, but their files are the trial's own.
    parameter_files: Vec<(String, String, String)>,
}

#[derive(Clone, Debug)]
struct Declared {
    /// Where it stands.
    field: String,
    name: String,
    path: String,
    optional: bool,
    archive: Option<Archive>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    S3 {
        bucket: Option<String>,
        key: String,
    },
    Raw(String),
    /// Of an output, none: it is not kept. Of an input that is optional, none: it is not there.
    Nowhere,
}

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    name: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    optional: bool,
    archive: Option<Value>,
}

#[derive(Default, Deserialize)]
struct S3 {
    bucket: Option<String>,
    key: Option<String>,
}

/// Where artifacts may be that are not in S3.
const ELSEWHERE: [&str; 10] = [
    "git",
    "http",
    "hdfs",
    "gcs",
    "oss",
    "azure",
    "artifactory",
    "plugin",
    "from",
    "fromExpression",
];

impl Artifacts {
    /// Reads what `template`, which stands at `path`, and the workflow's arguments in `spec` say.
    pub fn read(
        spec: &Value,
        template: &Value,
        path: &str,
        errors: &mut FieldErrors,
        warnings: &mut Vec<String>,
    ) -> Self {
        let list = |value: &Value, level: &str, key: &str| value.get(level).and_then(|level| level.get(key)).cloned();
        let arguments: Vec<Value> = read(
            list(spec, "arguments", "artifacts").as_ref(),
            "spec.arguments.artifacts",
            errors,
        );
        let of = |level: &str, key: &str, errors: &mut FieldErrors| -> Vec<(String, Value)> {
            let field = format!("{path}.{level}.{key}");
            let values: Vec<Value> = read(list(template, level, key).as_ref(), &field, errors);
            let numbered = values.into_iter().enumerate();
            numbered.map(|(i, value)| (format!("{field}[{i}]"), value)).collect()
        };
        let inputs = of("inputs", "artifacts", errors)
            .into_iter()
            .filter_map(|(field, value)| {
                // The workflow's argument of the same name says where it is, and what it says counts more.
                let argument = arguments.iter().find(|a| a.get("name") == value.get("name"));
                let place = argument.filter(|a| is_somewhere(a)).unwrap_or(&value);
                let declared = Declared::read(&value, place, field, errors)?;
                if matches!(declared.place, Place::Nowhere) && !declared.optional {
                    errors.push(
                        &declared.field,
                        format!("`{}` is nowhere: give it `s3` or `raw`", declared.name),
                    );
                }
                Some(declared)
            })
            .collect();
        let outputs = of("outputs", "artifacts", errors)
            .into_iter()
            .filter_map(|(field, value)| {
                let declared = Declared::read(&value, &value, field, errors)?;
                match declared.place {
                    Place::Nowhere => warnings.push(format!(
                        "{}: `{}` has no `s3.key`, so that it is not kept on this machine",
                        declared.field, declared.name
                    )),
                    Place::Raw(_) => errors.push(format!("{}.raw", declared.field), "is for inputs only: give it `s3`"),
                    Place::S3 { .. } => {}
                }
                Some(declared)
            })
            .collect();
        let parameter_files = of("outputs", "parameters", errors)
            .into_iter()
            .filter_map(|(field, value)| {
                let file = value.get("valueFrom")?.get("path")?.as_str()?.to_owned();
                let name = value.get("name")?.as_str()?.to_owned();
                Some((name, format!("{field}.valueFrom.path"), file))
            })
            .collect();
        Self {
            inputs,
            outputs,
            parameter_files,
        }
    }

    /// Moves all paths to where they lie on this machine, and notes them in `scope`.
    pub fn place(
        &self,
        scope: &mut Scope<'_>,
        paths: &mut Paths,
        errors: &mut FieldErrors,
    ) -> (Vec<Input>, Vec<Output>) {
        let mut add = |tag: String, field: &str, path: &str| -> PathBuf {
            let moved = scope.expand(path).and_then(|path| {
                let moved = paths.add(&path)?;
                scope.paths.insert(tag, path);
                Ok(moved)
            });
            moved.unwrap_or_else(|message| {
                errors.push(field, message);
                PathBuf::new()
            })
        };
        let mut placed = |of: &str, all: &[Declared]| -> Vec<PathBuf> {
            let each = all.iter();
            each.map(|d| {
                add(
                    format!("{of}.artifacts.{}.path", d.name),
                    &format!("{}.path", d.field),
                    &d.path,
                )
            })
            .collect()
        };
        let input_paths = placed("inputs", &self.inputs);
        let output_paths = placed("outputs", &self.outputs);
        for (name, field, path) in &self.parameter_files {
            add(format!("outputs.parameters.{name}.path"), field, path);
        }
        let mut expand = |field: String, text: &str| {
            scope.expand(text).unwrap_or_else(|message| {
                errors.push(field, message);
                String::new()
            })
        };
        let inputs = self.inputs.iter().zip(input_paths).filter_map(|(declared, path)| {
            let source = match &declared.place {
                Place::S3 { bucket, key } => InputSource::S3 {
                    bucket: bucket
                        .as_ref()
                        .map(|b| expand(format!("{}.s3.bucket", declared.field), b)),
                    key: expand(format!("{}.s3.key", declared.field), key),
                },
                Place::Raw(data) => InputSource::Raw(expand(format!("{}.raw.data", declared.field), data)),
                Place::Nowhere => return None,
            };
            Some(Input {
                name: declared.name.clone(),
                path,
                source,
                optional: declared.optional,
                unpack: declared.archive != Some(Archive::None),
            })
        });
        let inputs = inputs.collect();
        let outputs = self.outputs.iter().zip(output_paths).filter_map(|(declared, path)| {
            let Place::S3 { bucket, key } = &declared.place else {
                return None;
            };
            Some(Output {
                name: declared.name.clone(),
                path,
                bucket: bucket
                    .as_ref()
                    .map(|b| expand(format!("{}.s3.bucket", declared.field), b)),
                key: expand(format!("{}.s3.key", declared.field), key),
                archive: declared.archive.unwrap_or_default(),
                optional: declared.optional,
            })
        });
        (inputs, outputs.collect())
    }
}

fn is_somewhere(artifact: &Value) -> bool {
    ["s3", "raw"].iter().chain(&ELSEWHERE).any(|key| has(artifact, key))
}

impl Declared {
    /// Reads `value`, which stands at `field`; `place` says where its content is.
    fn read(value: &Value, place: &Value, field: String, errors: &mut FieldErrors) -> Option<Self> {
        let entry: Entry = read(Some(value), &field, errors);
        if entry.name.is_empty() {
            errors.push(format!("{field}.name"), "is missing");
            return None;
        }
        if entry.path.is_empty() {
            errors.push(
                format!("{field}.path"),
                "is missing: it is where the process finds the artifact, or leaves it",
            );
        }
        let archive = match &entry.archive {
            None => None,
            Some(archive) if archive.get("none").is_some() => Some(Archive::None),
            Some(archive) if archive.get("tar").is_some() => Some(Archive::Tar),
            Some(_) => {
                errors.push(
                    format!("{field}.archive"),
                    "is known as `none: {}` and `tar: {}` only on this machine",
                );
                None
            }
        };
        Some(Self {
            place: Self::place(place, &field, errors),
            field,
            name: entry.name,
            path: entry.path,
            optional: entry.optional,
            archive,
        })
    }

    fn place(value: &Value, field: &str, errors: &mut FieldErrors) -> Place {
        for key in ELSEWHERE {
            if has(value, key) {
                errors.push(
                    format!("{field}.{key}"),
                    "needs a cluster: on this machine artifacts are `s3` or `raw`",
                );
                return Place::Nowhere;
            }
        }
        if let Some(raw) = value.get("raw") {
            return Place::Raw(raw.get("data").and_then(Value::as_str).unwrap_or_default().to_owned());
        }
        let S3 { bucket, key } = read(value.get("s3"), &format!("{field}.s3"), errors);
        match key.filter(|key| !key.is_empty()) {
            Some(key) => Place::S3 { bucket, key },
            None if has(value, "s3") => {
                errors.push(format!("{field}.s3.key"), "is missing");
                Place::Nowhere
            }
            None => Place::Nowhere,
        }
    }
}
