//! What to run for given arguments.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Invocation, Template, WorkflowFacts, environment, paths::Paths, substitute::Scope};
use crate::api::{FieldError, FieldErrors};

/// The name of a script's file in the scratch folder, the same as Argo's.
const SCRIPT: &str = "script";

impl Template {
    /// What to run for these arguments in the Workflow that `facts` tell of. `scratch` is an absolute path of a folder of the attempt's own, and stands for the
    /// container's file system where artifacts are concerned: their paths lie below it, also where `command`, `args`, `env` and `source` name them.
    ///
    /// # Errors
    /// Everything that cannot be resolved, with its path in the template.
    pub fn invocation(
        &self,
        arguments: &BTreeMap<String, String>,
        facts: &WorkflowFacts,
        scratch: &Path,
    ) -> Result<Invocation, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut paths = Paths::new(scratch).map_err(|message| FieldErrors(vec![FieldError::new("", message)]))?;
        let (workflow, inputs) = self.values(arguments, &mut errors);
        let mut scope = Scope {
            facts: Some(facts),
            workflow,
            inputs,
            entrypoint: &self.name,
            paths: BTreeMap::new(),
        };
        let (inputs, outputs) = self.artifacts.place(&mut scope, &mut paths, &mut errors);

        let body_path = format!("{}.{}", self.path, self.body.kind);
        let mut resolve = |field: String, text: &str| {
            let expanded = scope.expand(text).unwrap_or_else(|message| {
                errors.push(format!("{body_path}.{field}"), message);
                String::new()
            });
            paths.rewrite(&expanded)
        };
        let mut env: Vec<(String, String)> = Vec::new();
        for (i, variable) in self.body.env.iter().enumerate() {
            let value = resolve(format!("env[{i}].value"), &variable.value);
            // A variable may use those before it.
            let value = environment::expand(&value, &env);
            env.push((variable.name.clone(), value));
        }
        let mut words = |field: &str, texts: &[String]| -> Vec<String> {
            let each = texts.iter().enumerate();
            each.map(|(i, text)| environment::expand(&resolve(format!("{field}[{i}]"), text), &env))
                .collect()
        };
        let mut argv = words("command", &self.body.command);
        let script: Option<(PathBuf, String)> = if let Some(source) = &self.body.source {
            let file = scratch.join(SCRIPT);
            // `Paths` has looked whether it is UTF-8.
            argv.push(file.to_string_lossy().into_owned());
            Some((file, resolve("source".to_owned(), source)))
        } else {
            argv.extend(words("args", &self.body.args));
            None
        };
        let working_dir = match &self.body.working_dir {
            None => None,
            Some(dir) => match scope.expand(dir) {
                Ok(dir) => paths.place(&dir),
                Err(message) => {
                    errors.push(format!("{body_path}.workingDir"), message);
                    None
                }
            },
        };
        if argv.first().is_some_and(String::is_empty) {
            errors.push(format!("{body_path}.command[0]"), "is empty: it is the program to run");
        }
        if argv
            .iter()
            .chain(env.iter().map(|(_, value)| value))
            .any(|text| text.contains('\0'))
        {
            errors.push(
                &body_path,
                "has a zero byte in its command or environment, which no process can be given",
            );
        }
        errors.or_ok(Invocation {
            argv,
            script,
            env,
            working_dir,
            inputs,
            outputs,
        })
    }
}
