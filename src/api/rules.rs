//! Rules that several types share, and shapes that schemars cannot derive.
//!
//! A rule is CEL that the API server evaluates (`self` is the value it stands at) and a message that says what to do.
//! [`check`](super::check) evaluates the same text, so it keeps to what Kubernetes' CEL and the `cel` crate have in common.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A rule and its message.
pub(super) type Text = (&'static str, &'static str);

/// A parameter's name.
pub(super) const PARAMETER_NAME: Text = (
    r"self.matches(r'^[A-Za-z_][A-Za-z0-9_]{0,62}$')",
    "a parameter's name has letters, digits and `_`, does not start with a digit, and is at most 63 characters long",
);

/// Names that CEL keeps for itself.
pub(super) const NOT_RESERVED: Text = (
    "!(self in ['true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', 'else', 'for', 'function', 'if', 'import', \
     'let', 'loop', 'package', 'namespace', 'return', 'var', 'void', 'while'])",
    "this name is reserved in CEL expressions: choose another, for example with `_` at its end",
);

/// A path in S3.
pub(super) const S3_PATH: Text = (
    r"self.matches(r'^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\x00-\x1f\x7f]+)*/?$')",
    "write it as `s3://bucket/path`: a bucket name has 3 to 63 lower-case letters, digits, `.` and `-`, and no segment of the path is empty",
);

/// An S3 server.
pub(super) const S3_ENDPOINT: Text = (
    r"self.matches(r'^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$')",
    "write the server as `host` or `host:port`, without a scheme: whether it speaks TLS is said by `insecure`",
);

/// No way up in a path in S3.
pub(super) const S3_NO_DOTS: Text = (
    r"!self.matches(r'/[.]{1,2}(/|$)') && !self.matches(r'^s3://[^/]*[.][.]')",
    "a segment of the path may not be `.` or `..`, nor may the bucket's name have `..`: write the path out",
);

/// The name of a Kubernetes object that is no label.
pub(super) const OBJECT_NAME: Text = (
    r"self.matches(r'^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
    "a name of a Kubernetes object has lower-case letters, digits, `-` and `.`, and starts and ends with a letter or digit",
);

/// The name of a study: short enough for `<study>-<number>-<attempt>` to be a Workflow's.
pub(super) const STUDY_NAME: Text = (
    r"self.matches(r'^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$')",
    "a study's name has lower-case letters, digits and `-`, starts and ends with a letter or digit, and is at most 52 characters long",
);

/// A length of time.
pub(super) const DURATION: Text = (
    r"self.matches(r'^([0-9]{1,6}([.][0-9]{1,9})?h|[0-9]{1,9}([.][0-9]{1,9})?(ns|us|ms|s|m))+$')",
    "write a duration with its unit, like 90s, 30m or 1h30m",
);

/// A length of time that is not nothing.
pub(super) const POSITIVE_DURATION: Text = (
    "self.matches('[1-9]')",
    "a duration of 0 makes no sense here: give a longer one, like 30m, or leave the field out",
);

/// A number whose differences are finite. Not `minimum` and `maximum`: the API server takes a number that is written without a
/// fraction, like `1`, for an int64, and bounds beyond int64 for its least value.
pub(super) const NUMBER: Text = (
    "self >= -1e300 && self <= 1e300",
    "a number here lies between -1e300 and 1e300",
);

/// A part of a range that is not nothing. No `minimum`: the API server compares `0` with the whole part of it.
pub(super) const PART: Text = (
    "self >= 0.0001 && self <= 1.0",
    "a part of a range lies between 0.0001 and 1",
);

/// Keys of labels and annotations.
pub(super) const METADATA_KEYS: Text = (
    r"self.all(k, k.matches(r'^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",
    "a key is a name of at most 63 letters, digits, `-`, `_` and `.`, where needed with a domain and `/` before it",
);

/// Keys that the program sets itself.
pub(super) const METADATA_NOT_OURS: Text = (
    "self.all(k, !k.startsWith('hyperstudy.dev/'))",
    "keys that start with `hyperstudy.dev/` are set by the program itself: choose another key",
);

/// Values of labels.
pub(super) const LABEL_VALUES: Text = (
    r"self.all(k, self[k].matches(r'^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))",
    "a label's value has at most 63 letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit",
);

/// Any JSON but null.
pub(super) fn any_json(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// The values of an `ordinal` or `categorical`: any JSON.
pub(super) fn choices(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 1000,
        "x-kubernetes-list-type": "atomic",
        "items": {"x-kubernetes-preserve-unknown-fields": true, "nullable": true}
    })
}

/// A configuration: any JSON by the parameter's name.
pub(super) fn configuration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 200,
        "additionalProperties": {"x-kubernetes-preserve-unknown-fields": true, "nullable": true}
    })
}

/// A list of configurations.
pub(super) fn configurations(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 10000,
        "x-kubernetes-list-type": "atomic",
        "items": configuration(generator)
    })
}

/// Where earlier results stand: text, or an object. No type fits both, so that rules do not see them.
pub(super) fn sources(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "x-kubernetes-list-type": "atomic",
        "items": {"x-kubernetes-preserve-unknown-fields": true}
    })
}

/// Numbers by their names, as many as a status holds.
pub(super) fn metrics(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "number", "format": "double"}
    })
}

/// The conditions of a status, bounded as Kubernetes bounds them.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "What the condition is about, e.g. Ready."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds."},
                "reason": {"type": "string", "maxLength": 1024, "description": "Why, one word."},
                "message": {"type": "string", "maxLength": 32768, "description": "Why, for people."},
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When `status` last changed."
                },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "The generation of the spec that the condition speaks of."
                }
            }
        }
    })
}
