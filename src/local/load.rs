//! Reading and checking what a person wrote: the study, requests beside it, and what its trials run. Everything that is wrong is
//! said at once, and nothing is written.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::attempt::Program;
use crate::{
    api::{
        self, FieldError, FieldErrors, ParameterMap, RequestRef, StudySpec,
        check::{self as schema, Requirements},
        sentence,
    },
    study::{Identity, Request, Study},
};

/// The kinds that may stand in a study's file.
const STUDY: &str = "HyperparameterStudy";
const TRIAL: &str = "HyperparameterTrial";

/// The largest file that is read as a study, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// A study's file, read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The study as it was written.
    pub object: Value,
    /// Its name.
    pub name: String,
    /// Its namespace, `default` where none is given.
    pub namespace: String,
    /// Its spec.
    pub spec: StudySpec,
    /// The requests beside it, in their order.
    pub requests: Vec<Request>,
}

/// What a person asked for, checked.
#[derive(Debug)]
pub struct Checked {
    /// The study's file.
    pub loaded: Loaded,
    /// The study as it would be if it were created now.
    pub study: Study,
    /// What its trials run.
    pub program: Program,
}

/// Reads and checks the study's file at `path` and what its trials are to run.
///
/// # Errors
/// Everything that is wrong, one line each; a YAML error has its line and column.
pub fn check(path: &Path, choice: &Choice) -> Result<Checked, Vec<String>> {
    let (read, mut errors) = read(path);
    let Some((loaded, study)) = read else {
        // Without the study, what can be said of its program is whether its file can be read.
        if let Choice::Template(file) = choice {
            errors.extend(read_documents(file).err());
        }
        return Err(errors);
    };
    match Program::compile(choice, &study) {
        Ok(program) if errors.is_empty() => Ok(Checked { loaded, study, program }),
        program => {
            errors.extend(program.err().into_iter().flatten());
            Err(errors)
        }
    }
}

/// Reads and checks the study's file at `path` alone.
///
/// # Errors
/// As [`check`].
pub fn check_study(path: &Path) -> Result<(Loaded, Study), Vec<String>> {
    check_text(&read_text(path).map_err(|error| vec![error])?, path)
}

/// Checks `text` as the study's file at `path`, which errors name and nobody reads.
///
/// # Errors
/// As [`check`].
pub fn check_text(text: &str, path: &Path) -> Result<(Loaded, Study), Vec<String>> {
    match compile(text, path) {
        (Some(read), errors) if errors.is_empty() => Ok(read),
        (_, errors) => Err(errors),
    }
}

/// The study's file, as far as it can be read and compiled, and everything that is wrong with it.
fn read(path: &Path) -> (Option<(Loaded, Study)>, Vec<String>) {
    match read_text(path) {
        Ok(text) => compile(&text, path),
        Err(error) => (None, vec![error]),
    }
}

/// The same of the file's text.
fn compile(text: &str, path: &Path) -> (Option<(Loaded, Study)>, Vec<String>) {
    let mut errors = Vec::new();
    let Some((loaded, wrong)) = load(text, path, &mut errors) else {
        return (None, errors);
    };
    let compiled = loaded.compile("", 1, Timestamp::now());
    match compiled {
        Ok(study) => (Some((loaded, study)), errors),
        Err(e) => {
            // What the schema has complained about is not said twice.
            let new = e.0.iter().filter(|e| !wrong.covers(e));
            errors.extend(new.map(FieldError::to_string));
            (None, errors)
        }
    }
}

/// Holds the text of the study's file at `path` against the schema. `None` where not even its types are right.
fn load(text: &str, path: &Path, errors: &mut Vec<String>) -> Option<(Loaded, FieldErrors)> {
    let documents = documents(text, path).map_err(|e| errors.push(e)).ok()?;
    let kind_of = |document: &Value| {
        document
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    for (index, document) in documents.iter().enumerate() {
        let kind = kind_of(document);
        if kind != STUDY && kind != TRIAL {
            let place = index.saturating_add(1);
            let what = if kind.is_empty() {
                "has no `kind`".to_owned()
            } else {
                format!("is of kind `{kind}`")
            };
            errors.push(format!(
                "{}: document {place} {}: only {STUDY} and {TRIAL} are used here",
                path.display(),
                sentence(&what)
            ));
        }
    }
    let studies: Vec<&Value> = documents.iter().filter(|d| kind_of(d) == STUDY).collect();
    let [object] = *studies else {
        let count = studies.len();
        // A study whose kind is misspelt has been complained about.
        if count > 0 || errors.is_empty() {
            errors.push(format!(
                "{} holds {count} documents of kind {STUDY}: give exactly one",
                path.display()
            ));
        }
        return None;
    };
    let text_of = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let name = text_of("/metadata/name").unwrap_or_default().to_owned();
    let namespace = text_of("/metadata/namespace").unwrap_or("default").to_owned();
    let mut requests = Vec::new();
    for (index, trial) in documents.iter().filter(|d| kind_of(d) == TRIAL).enumerate() {
        match request(trial, &name, index) {
            Ok(request) => requests.push(request),
            Err(wrong) => {
                let mut all = FieldErrors::default();
                all.extend_below(&format!("{TRIAL} {}", index.saturating_add(1)), wrong);
                errors.extend(lines(&all));
            }
        }
    }
    let wrong = schema::check_study(object, Requirements::Local);
    errors.extend(lines(&wrong));
    let spec = object.get("spec").cloned().unwrap_or_default();
    let spec = serde_json::from_value(spec).map_err(|e| {
        if wrong.0.is_empty() {
            errors.push(FieldError::new("spec", e.to_string()).to_string());
        }
    });
    let loaded = Loaded {
        object: object.clone(),
        name,
        namespace,
        spec: spec.ok()?,
        requests,
    };
    Some((loaded, wrong))
}

impl Loaded {
    /// The compiled study.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn compile(&self, uid: &str, generation: i64, created: Timestamp) -> Result<Study, FieldErrors> {
        let identity = Identity {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            uid: uid.to_owned(),
            generation,
            created,
            deleting: false,
        };
        Study::compile(identity, self.spec.clone(), LOCAL_FIELDS)
    }
}

/// The fields of `trial` that expressions may name here beside those of the cluster.
pub const LOCAL_FIELDS: &[&str] = &["outputDir"];

/// One line for each error.
pub fn lines(errors: &FieldErrors) -> Vec<String> {
    errors.0.iter().map(FieldError::to_string).collect()
}

/// The text of a file that is not larger than a person's file can be.
///
/// # Errors
/// A sentence that names the file.
pub fn read_text(path: &Path) -> Result<String, String> {
    let problem = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let bytes = read_start(path, MAX_FILE).map_err(problem)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!(
            "{} is too large: at most {MAX_FILE} bytes are read",
            path.display()
        ));
    }
    String::from_utf8(bytes).map_err(|_| problem(io::Error::other("it is no UTF-8 text")))
}

/// What is in a file, and of what has more than `most` bytes one byte more than that: a device or a pipe does not say how much there is.
///
/// # Errors
/// What the system refuses.
pub fn read_start(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The documents of a YAML file; empty ones are left out.
///
/// # Errors
/// A sentence that names the file, with line and column where it is no YAML.
pub fn read_documents(path: &Path) -> Result<Vec<Value>, String> {
    documents(&read_text(path)?, path)
}

/// The documents of a YAML text; empty ones are left out.
///
/// # Errors
/// What is wrong, with line and column.
pub fn documents(text: &str, path: &Path) -> Result<Vec<Value>, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let place = match error.location() {
            Some(at) => format!("{}:{}:{}", path.display(), at.line(), at.column()),
            None => path.display().to_string(),
        };
        let message = error.without_snippet().to_string();
        format!("{place}: this is no valid YAML: {}", sentence(yaml_problem(&message)))
    })?;
    Ok(documents.into_iter().filter(|d| !d.is_null()).collect())
}

/// What the parser says, without the place, which stands before it, and without advice for programmers.
fn yaml_problem(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    let line = line.rsplit_once(" at line ").map_or(line, |(what, _)| what);
    line.split_once(", set ").map_or(line, |(what, _)| what)
}

/// A person's wish for a configuration, the `index`-th from 0 in the file.
fn request(trial: &Value, study: &str, index: usize) -> Result<Request, FieldErrors> {
    let spec = trial.get("spec").cloned().unwrap_or_default();
    let mut errors = FieldErrors::default();
    schema::check_trial(trial).or_ok(())?;
    let spec: api::TrialSpec =
        serde_json::from_value(spec).map_err(|e| FieldErrors(vec![FieldError::new("spec", e.to_string())]))?;
    if spec.study_ref.name != study {
        let message = format!("`{}` is not the study of this file, `{study}`", spec.study_ref.name);
        errors.push("spec.studyRef.name", message);
    }
    if spec.number.is_some() {
        errors.push(
            "spec.number",
            "leave it out: a trial gets its number when it is created",
        );
    }
    let text_of = |pointer: &str| trial.pointer(pointer).and_then(Value::as_str);
    let name = match (text_of("/metadata/name"), text_of("/metadata/generateName")) {
        (Some(name), _) => name.to_owned(),
        (None, Some(prefix)) => format!("{prefix}{}", index.saturating_add(1)),
        (None, None) => {
            errors.push("metadata", "give it a `name` or a `generateName`");
            String::new()
        }
    };
    let uid = request_uid(&name, index, &spec.parameters);
    let request = RequestRef { name, uid };
    errors.or_ok(Request {
        request,
        parameters: spec.parameters,
    })
}

/// What a request is known by: the same text at the same place is the same request.
fn request_uid(name: &str, index: usize, parameters: &ParameterMap) -> String {
    let content = serde_json::to_vec(&(name, index, parameters)).unwrap_or_default();
    let hash = Sha256::digest(&content);
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What a trial is to run, as a person chose it on the command line.
#[derive(Clone, Debug)]
pub enum Choice {
    /// The template in this file.
    Template(PathBuf),
    /// This command.
    Exec(String),
    /// Nothing was chosen.
    None,
}
