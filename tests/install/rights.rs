//! Who may do what: everything in these tables, and nothing that is not.

use kube::Client;

use crate::cluster::may;

const VERBS: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// What is asked about: everything that anybody here may do something with, and what would be dangerous.
const RESOURCES: [(&str, &str); 37] = [
    ("hyperstudy.dev", "hyperparameterstudies"),
    ("hyperstudy.dev", "hyperparameterstudies/status"),
    ("hyperstudy.dev", "hyperparameterstudies/finalizers"),
    ("hyperstudy.dev", "hyperparametertrials"),
    ("hyperstudy.dev", "hyperparametertrials/status"),
    ("hyperstudy.dev", "hyperparametertrials/finalizers"),
    ("argoproj.io", "workflows"),
    ("argoproj.io", "workflows/finalizers"),
    ("argoproj.io", "workflowtemplates"),
    ("argoproj.io", "clusterworkflowtemplates"),
    ("argoproj.io", "cronworkflows"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "configmaps:workflow-controller-configmap"),
    ("", "configmaps:artifact-repositories"),
    ("", "pods"),
    ("", "pods/exec"),
    ("", "pods/log"),
    ("", "pods/ephemeralcontainers"),
    ("", "events"),
    ("", "namespaces"),
    ("", "nodes"),
    ("", "serviceaccounts"),
    ("", "serviceaccounts/token"),
    ("", "persistentvolumeclaims"),
    ("events.k8s.io", "events"),
    ("apps", "deployments"),
    ("batch", "jobs"),
    ("coordination.k8s.io", "leases"),
    ("coordination.k8s.io", "leases:hyperstudy"),
    ("coordination.k8s.io", "leases:a-hyperstudy"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
];

/// A resource as in [`RESOURCES`], and the verbs that are allowed.
pub type Rights = &'static [(&'static str, &'static str)];

/// The controller, in a namespace that it serves.
pub const SERVED: Rights = &[
    ("hyperparameterstudies", "get list watch patch delete"),
    ("hyperparameterstudies/status", "patch"),
    ("hyperparameterstudies/finalizers", "update"),
    ("hyperparametertrials", "get list watch create patch"),
    ("hyperparametertrials/status", "patch"),
    ("workflows", "get list watch create patch"),
    ("workflowtemplates", "get"),
    ("secrets", "get"),
    ("configmaps", "get"),
    ("configmaps:workflow-controller-configmap", "get"),
    ("configmaps:artifact-repositories", "get"),
    ("pods", "get list"),
    (" events", "get create patch"),
];

/// The controller of the manifests, in its own namespace, beside what it may do where it serves. What it may create cannot be told by name.
pub const OWN: Rights = &[
    ("leases", "create"),
    ("leases:hyperstudy", "get create update"),
    ("leases:a-hyperstudy", "create"),
];

/// The controller of the release `a`, in its own namespace.
pub const OWN_OF_A: Rights = &[
    ("leases", "create"),
    ("leases:hyperstudy", "create"),
    ("leases:a-hyperstudy", "get create update"),
];

/// The controller of one namespace, in Argo's.
pub const ARGO: Rights = &[
    ("configmaps:workflow-controller-configmap", "get"),
    ("configmaps:artifact-repositories", "get"),
];

/// Where ClusterWorkflowTemplates may be used.
pub const TEMPLATES: Rights = &[("clusterworkflowtemplates", "get")];

/// Who has the role view.
pub const VIEW: Rights = &[
    ("hyperparameterstudies", "get list watch"),
    ("hyperparametertrials", "get list watch"),
];

/// Who has the role edit.
pub const EDIT: Rights = &[
    (
        "hyperparameterstudies",
        "get list watch create update patch delete deletecollection",
    ),
    (
        "hyperparametertrials",
        "get list watch create update patch delete deletecollection",
    ),
];

/// Everything in which the rights of a client's owner in a namespace are not these.
pub async fn differences(client: &Client, namespace: &str, rights: &[Rights]) -> Vec<String> {
    let mut differences = Vec::new();
    for (group, resource) in RESOURCES {
        let mut allowed = Vec::new();
        for verb in VERBS {
            if may(client, namespace, verb, group, resource).await {
                allowed.push(verb);
            }
        }
        let allowed = allowed.join(" ");
        let is_it = |name: &str| name == resource && resource != "events" || name == format!("{group} {resource}");
        let found = rights.iter().copied().flatten().find(|(name, _)| is_it(name));
        let wanted = found.map_or("", |(_, verbs)| *verbs);
        if allowed != wanted {
            differences.push(format!(
                "{namespace}: {resource} of `{group}`: may {allowed:?}, is to {wanted:?}"
            ));
        }
    }
    differences
}
