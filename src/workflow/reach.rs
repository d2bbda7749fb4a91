//! Which templates a Workflow may run: from its entrypoint through steps, tasks, hooks and exit handlers, into other WorkflowTemplates.
//!
//! Beside that it is followed which inputs may hold the trial's output folder, because it is passed on under other names.

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry};

use serde_json::Value;

use super::{TemplateKey, at, list, text};
use crate::api::FieldErrors;

/// The kinds of objects that hold templates: in a namespace, and for the whole cluster.
pub(super) const KINDS: [&str; 2] = ["WorkflowTemplate", "ClusterWorkflowTemplate"];

/// Everything that a Workflow may run.
#[derive(Debug, Default)]
pub(super) struct Reach<'a> {
    /// Each template by its place: the object that it stands in, and the path there.
    pub templates: BTreeMap<Place, Reached<'a>>,
    /// The objects that are referred to and are not there.
    pub missing: BTreeSet<TemplateKey>,
    /// References to what is not there.
    pub errors: FieldErrors,
}

/// An object by kind and name, and a path in it.
pub(super) type Place = (TemplateKey, String);

/// A template that a Workflow may run.
#[derive(Debug)]
pub(super) struct Reached<'a> {
    /// The template.
    pub template: &'a Value,
    /// Those of its inputs that may hold the trial's output folder.
    pub carriers: BTreeSet<String>,
}

/// The objects that templates stand in.
pub(super) struct Objects<'a> {
    /// The study's own.
    pub own: (TemplateKey, &'a Value),
    /// Those that are referred to.
    pub others: &'a BTreeMap<TemplateKey, Value>,
}

struct Walk<'a, 'o> {
    objects: &'o Objects<'a>,
    /// The workflow's arguments that hold the trial's output folder.
    carriers: &'o BTreeSet<String>,
    /// Of each object, where a template of that name stands.
    indices: BTreeMap<TemplateKey, BTreeMap<&'a str, usize>>,
    queue: VecDeque<(Place, &'a Value, BTreeSet<String>)>,
    reach: Reach<'a>,
}

/// Where a template is referred to.
#[derive(Clone, Copy)]
struct From<'p> {
    object: &'p TemplateKey,
    path: &'p str,
}

/// Follows all references from the template `entrypoint` of the study's own object on. `carriers` are the workflow's arguments that
/// hold the trial's output folder.
pub(super) fn reach<'a>(objects: &Objects<'a>, entrypoint: &str, carriers: &BTreeSet<String>) -> Reach<'a> {
    let mut walk = Walk {
        objects,
        carriers,
        indices: BTreeMap::new(),
        queue: VecDeque::new(),
        reach: Reach::default(),
    };
    let (own, object) = &objects.own;
    let spec = object.get("spec").unwrap_or(&Value::Null);
    walk.named(
        From {
            object: own,
            path: "spec.entrypoint",
        },
        own,
        entrypoint,
        carriers,
    );
    let exit = text(spec, "onExit");
    if !exit.is_empty() {
        let from = From {
            object: own,
            path: "spec.onExit",
        };
        walk.named(from, own, exit, carriers);
    }
    walk.hooks(own, "spec", spec, &BTreeSet::new());
    while let Some((place, template, carriers)) = walk.queue.pop_front() {
        walk.visit(place, template, carriers);
    }
    walk.reach
}

/// The templates of an object.
pub(super) fn templates(object: &Value) -> &[Value] {
    object.get("spec").map_or(&[], |spec| list(spec, "templates"))
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, place: Place, template: &'a Value, mut carriers: BTreeSet<String>) {
        for parameter in template
            .get("inputs")
            .map_or(&[][..], |inputs| list(inputs, "parameters"))
        {
            let own = [text(parameter, "value"), text(parameter, "default")];
            if own.iter().any(|own| mentions(own, self.carriers, &BTreeSet::new())) {
                carriers.insert(text(parameter, "name").to_owned());
            }
        }
        match self.reach.templates.entry(place.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(Reached {
                    template,
                    carriers: carriers.clone(),
                });
            }
            Entry::Occupied(mut entry) => {
                let known = &mut entry.get_mut().carriers;
                if known.is_superset(&carriers) {
                    return;
                }
                known.append(&mut carriers);
                carriers.clone_from(known);
            }
        }
        let (object, path) = place;
        for (i, group) in list(template, "steps").iter().enumerate() {
            let path = format!("{path}.steps[{i}]");
            match group {
                Value::Array(steps) => {
                    for (j, step) in steps.iter().enumerate() {
                        self.call(&object, &format!("{path}[{j}]"), step, &carriers);
                    }
                }
                step => self.call(&object, &path, step, &carriers),
            }
        }
        let tasks = template.get("dag").map_or(&[][..], |dag| list(dag, "tasks"));
        for (i, task) in tasks.iter().enumerate() {
            self.call(&object, &format!("{path}.dag.tasks[{i}]"), task, &carriers);
        }
    }

    /// A step or a task, with its hooks.
    fn call(&mut self, object: &TemplateKey, path: &str, call: &'a Value, carriers: &BTreeSet<String>) {
        self.target(object, path, call, carriers);
        if let Some(inline) = call.get("inline").filter(|inline| inline.is_object()) {
            let passed = self.passed(call, carriers);
            let place = (object.clone(), format!("{path}.inline"));
            self.queue.push_back((place, inline, passed));
        }
        let exit = text(call, "onExit");
        if !exit.is_empty() {
            let path = format!("{path}.onExit");
            let passed = self.passed(call, carriers);
            self.named(From { object, path: &path }, object, exit, &passed);
        }
        self.hooks(object, path, call, carriers);
    }

    fn hooks(&mut self, object: &TemplateKey, path: &str, holder: &'a Value, carriers: &BTreeSet<String>) {
        let hooks = holder.get("hooks").and_then(Value::as_object);
        for (name, hook) in hooks.into_iter().flatten() {
            self.target(object, &format!("{path}.hooks.{name}"), hook, carriers);
        }
    }

    /// What `template` or `templateRef` of `call` name.
    fn target(&mut self, object: &TemplateKey, path: &str, call: &'a Value, carriers: &BTreeSet<String>) {
        let passed = self.passed(call, carriers);
        if let Some(reference) = at(call, "templateRef") {
            let path = format!("{path}.templateRef");
            let kind = KINDS[usize::from(reference.get("clusterScope") == Some(&Value::Bool(true)))];
            let name = text(reference, "name");
            if name.is_empty() {
                self.error(object, &path, "names no object: `name` is missing");
            } else if !is_dynamic(name) {
                let target = TemplateKey::new(kind, name);
                self.named(
                    From { object, path: &path },
                    &target,
                    text(reference, "template"),
                    &passed,
                );
            }
        } else {
            let name = text(call, "template");
            if !name.is_empty() {
                let path = format!("{path}.template");
                self.named(From { object, path: &path }, object, name, &passed);
            }
        }
    }

    /// Those of the arguments that `call` passes which may hold the trial's output folder.
    fn passed(&self, call: &'a Value, carriers: &BTreeSet<String>) -> BTreeSet<String> {
        let parameters = call.get("arguments").map_or(&[][..], |a| list(a, "parameters"));
        let carry = |p: &&Value| mentions(text(p, "value"), self.carriers, carriers);
        parameters
            .iter()
            .filter(carry)
            .map(|p| text(p, "name").to_owned())
            .collect()
    }

    /// The template `name` of the object `target`; all of them where the name is known only when the Workflow runs.
    fn named(&mut self, from: From<'_>, target: &TemplateKey, name: &str, passed: &BTreeSet<String>) {
        let (own, own_object) = &self.objects.own;
        let found = if target == own {
            Some(*own_object)
        } else {
            self.objects.others.get(target)
        };
        let Some(object) = found else {
            if self.reach.missing.insert(target.clone()) {
                self.error(
                    from.object,
                    from.path,
                    &format!("refers to the {target}, which is not there"),
                );
            }
            return;
        };
        let templates = templates(object);
        let indices = if is_dynamic(name) {
            0..templates.len()
        } else {
            let index = self.indices.entry(target.clone()).or_insert_with(|| {
                // Of several templates of one name the first one counts.
                let named = templates.iter().enumerate().rev();
                named.map(|(i, template)| (text(template, "name"), i)).collect()
            });
            let Some(&index) = index.get(name) else {
                let place = if target == from.object {
                    String::new()
                } else {
                    format!(" in the {target}")
                };
                self.error(from.object, from.path, &format!("there is no template `{name}`{place}"));
                return;
            };
            index..index + 1
        };
        for index in indices {
            if let Some(template) = templates.get(index) {
                let place = (target.clone(), format!("spec.templates[{index}]"));
                self.queue.push_back((place, template, passed.clone()));
            }
        }
    }

    fn error(&mut self, object: &TemplateKey, path: &str, message: &str) {
        self.reach.errors.push(format!("{object}: {path}"), message);
    }
}

/// Whether a name is known only when the Workflow runs.
fn is_dynamic(name: &str) -> bool {
    name.contains("{{")
}

/// Whether `text` uses one of the parameters of the workflow, or one of the inputs, with these names.
pub(super) fn mentions(text: &str, workflow: &BTreeSet<String>, inputs: &BTreeSet<String>) -> bool {
    let uses = |prefix: &str, names: &BTreeSet<String>| {
        text.match_indices(prefix).any(|(at, _)| {
            let rest = &text[at + prefix.len()..];
            // `parameters.name`, or in an expression `parameters['name']`.
            let rest = rest.strip_prefix('.').or_else(|| rest.strip_prefix(['[']));
            let rest = rest.unwrap_or_default().trim_start_matches(['\'', '"']);
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            end > 0 && names.contains(&rest[..end])
        })
    };
    uses("workflow.parameters", workflow) || uses("inputs.parameters", inputs)
}
