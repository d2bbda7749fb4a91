//! Where files are, and which stay.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{one, rules};

/// Where the trials' files and the results are, and which files stay.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["outputPath"]))]
#[x_kube(validation = Rule::new("self.strategy == 'Best' || self.keepTop == 1")
    .message("`keepTop` goes with `strategy: Best` only: set that strategy, or leave `keepTop` out")
    .field_path(".keepTop"),
    validation = ("!(has(self.artifactRepositoryRef) && has(self.s3))", "give either `artifactRepositoryRef` or `s3`: files are in one place"))]
pub struct Storage {
    /// The artifact repository of Argo whose endpoint and credentials are used. Default: the one that the WorkflowTemplate would use, or `s3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_repository_ref: Option<ArtifactRepositoryRef>,

    /// The S3 server and its credentials, in place of an artifact repository of Argo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,

    /// The folder that trials read from, `s3://bucket/path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 640))]
    #[x_kube(validation = rules::S3_PATH, validation = rules::S3_NO_DOTS)]
    pub input_path: Option<String>,

    /// The folder, `s3://bucket/path`, below which the study has its own: trial N writes to `<outputPath>/<study>/N/`, the results stand in `<outputPath>/<study>/`.
    /// May be left out only without a cluster, where it is `s3://studies`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 640))]
    #[x_kube(validation = rules::S3_PATH, validation = rules::S3_NO_DOTS)]
    pub output_path: Option<String>,

    /// Which trials' folders stay: all (`Keep`), none once its metrics are recorded (`Delete`), or those of the best (`Best`). A failed trial's
    /// folder stays with `Keep` only. Default Keep.
    #[serde(default)]
    pub strategy: Strategy,

    /// With `Best`, how many of the best trials' folders stay, 1 to 1000. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub keep_top: u32,

    /// What to do when the study's folder is not empty and not its own: `Fail`, or `Overwrite`, which first removes the numbered folders and result files there. Default Fail.
    #[serde(default)]
    pub on_conflict: OnConflict,

    /// Whether the study's folder goes when the study is deleted. Default Retain.
    #[serde(default)]
    pub on_delete: OnDelete,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            artifact_repository_ref: None,
            s3: None,
            input_path: None,
            output_path: None,
            strategy: Strategy::default(),
            keep_top: one(),
            on_conflict: OnConflict::default(),
            on_delete: OnDelete::default(),
        }
    }
}

/// Which trials' folders stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// All.
    #[default]
    Keep,
    /// None, once its metrics are recorded.
    Delete,
    /// Those of the best `keepTop` trials.
    Best,
}

/// What to do when the study's folder is not empty and not its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnConflict {
    /// The study does not start.
    #[default]
    Fail,
    /// Remove the numbered folders and the result files there, then start.
    Overwrite,
}

/// Whether the study's folder goes when the study is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDelete {
    /// It stays.
    #[default]
    Retain,
    /// It goes.
    Delete,
}

/// An artifact repository of Argo: a key of a ConfigMap in the study's namespace, or in Argo's. Left empty, `{}`, it is the one that Argo itself
/// would use: the default of the ConfigMap `artifact-repositories` in the study's namespace, else the Argo controller's own.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRepositoryRef {
    /// The ConfigMap. Default `artifact-repositories`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::OBJECT_NAME)]
    pub config_map: Option<String>,

    /// The key in it. Default: the one that its annotation `workflows.argoproj.io/default-artifact-repository` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

/// An S3 server and its credentials; the fields are named as in Argo.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct S3 {
    /// The server, `host` or `host:port` without a scheme, e.g. `s3.amazonaws.com` or `minio.storage:9000`.
    #[schemars(length(max = 260))]
    #[x_kube(validation = rules::S3_ENDPOINT)]
    pub endpoint: String,

    /// The region that requests are signed for. Default `us-east-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,

    /// Whether to speak without TLS. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub insecure: bool,

    /// How the bucket stands in a request's address: `Auto` (by the path, but for Amazon's own servers), `Path`, or `VirtualHost`. Default Auto.
    #[serde(default)]
    pub addressing_style: AddressingStyle,

    /// The access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_secret: Option<SecretKey>,

    /// The secret key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_secret: Option<SecretKey>,

    /// Of temporary credentials, their token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token_secret: Option<SecretKey>,

    /// Whether to use the credentials of the controller's own surroundings, which serve a study only where the controller was told so.
    #[serde(default, rename = "useSDKCreds", skip_serializing_if = "std::ops::Not::not")]
    #[schemars(rename = "useSDKCreds", extend("default" = false))]
    pub use_sdk_creds: bool,

    /// The certificates of the authorities to trust, in PEM, in place of the well-known ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret: Option<SecretKey>,

    /// How the server encrypts what it is given. Default: as the bucket says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_options: Option<EncryptionOptions>,
}

/// How the bucket stands in a request's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AddressingStyle {
    /// By the path, but for Amazon's own servers.
    #[default]
    Auto,
    /// `https://server/bucket/key`.
    Path,
    /// `https://bucket.server/key`.
    VirtualHost,
}

/// A key of a Secret in the study's namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// The Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::OBJECT_NAME)]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// How the server encrypts what it is given.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!(has(self.kmsKeyId) && has(self.serverSideCustomerKeySecret))",
    "give either `kmsKeyId` or `serverSideCustomerKeySecret`: a file is encrypted with one key"
))]
pub struct EncryptionOptions {
    /// Whether to encrypt. With nothing else, the server uses keys of its own (SSE-S3).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub enable_encryption: bool,

    /// The key of the key management service to encrypt with (SSE-KMS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub kms_key_id: Option<String>,

    /// A JSON object that goes with `kmsKeyId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub kms_encryption_context: Option<String>,

    /// The password that the key of each file is made from (SSE-C), as Argo makes it: Argon2id, salted with bucket and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_customer_key_secret: Option<SecretKey>,
}
