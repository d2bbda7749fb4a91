//! The kinds that the cluster serves.

/// One kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The API group, empty for the core one.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The name in paths.
    pub plural: &'static str,
    /// The name in objects.
    pub kind: &'static str,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// Whether it has a status subresource.
    pub status: bool,
    /// Whether it comes from a CustomResourceDefinition: such objects have a generation.
    pub custom: bool,
    /// Whether it may be replaced without saying which version is replaced.
    pub unconditional: bool,
}

const fn custom(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Kind {
    Kind {
        group,
        version,
        plural,
        kind,
        namespaced: true,
        status: false,
        custom: true,
        unconditional: false,
    }
}

const fn builtin(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Kind {
    Kind {
        group,
        version,
        plural,
        kind,
        namespaced: true,
        status: false,
        custom: false,
        unconditional: true,
    }
}

/// All of them. Pods, like the others that are built in, are plain objects here.
pub static KINDS: [Kind; 12] = [
    Kind {
        status: true,
        ..custom(
            "hyperstudy.dev",
            "v1alpha1",
            "hyperparameterstudies",
            "HyperparameterStudy",
        )
    },
    Kind {
        status: true,
        ..custom(
            "hyperstudy.dev",
            "v1alpha1",
            "hyperparametertrials",
            "HyperparameterTrial",
        )
    },
    custom("argoproj.io", "v1alpha1", "workflows", "Workflow"),
    custom("argoproj.io", "v1alpha1", "workflowtemplates", "WorkflowTemplate"),
    Kind {
        namespaced: false,
        ..custom(
            "argoproj.io",
            "v1alpha1",
            "clusterworkflowtemplates",
            "ClusterWorkflowTemplate",
        )
    },
    builtin("", "v1", "secrets", "Secret"),
    builtin("", "v1", "configmaps", "ConfigMap"),
    builtin("", "v1", "events", "Event"),
    builtin("", "v1", "pods", "Pod"),
    builtin("events.k8s.io", "v1", "events", "Event"),
    Kind {
        unconditional: false,
        ..builtin("coordination.k8s.io", "v1", "leases", "Lease")
    },
    Kind {
        namespaced: false,
        ..builtin("", "v1", "namespaces", "Namespace")
    },
];

impl Kind {
    /// The kind at a place in the paths.
    pub fn at(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        KINDS
            .iter()
            .find(|k| k.group == group && k.version == version && k.plural == plural)
    }

    /// The kind that an object or a reference to one names.
    pub fn named(api_version: &str, kind: &str) -> Option<&'static Self> {
        KINDS.iter().find(|k| k.kind == kind && k.api_version() == api_version)
    }

    /// The first kind with this plural, which suffices for tests.
    pub fn plural(plural: &str) -> &'static Self {
        KINDS
            .iter()
            .find(|k| k.plural == plural)
            .unwrap_or_else(|| panic!("no kind `{plural}` here"))
    }

    /// What stands in `apiVersion`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The resource as messages name it.
    pub fn resource(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }
}
