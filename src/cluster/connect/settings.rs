//! What the controller is told about S3 when it is started.

use std::{fmt, str::FromStr};

use crate::storage::{Location, Server};

/// What the controller was told about S3 when it was started.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The namespace of Argo's controller, where artifact repositories are looked up that the study's namespace does not have.
    #[arg(long, value_name = "NAMESPACE", default_value = ARGO_NAMESPACE)]
    pub argo_namespace: String,
    /// The ConfigMap of Argo's controller in that namespace, which holds the artifact repository for Workflows that name none.
    #[arg(long, value_name = "NAME", default_value = ARGO_CONFIGMAP)]
    pub argo_configmap: String,
    /// An S3 server that studies may use, `host` or `host:port`; to be repeated. With it only these are allowed, without it all
    /// but loopback and link-local addresses.
    #[arg(long = "allow-endpoint", value_name = "HOST[:PORT]")]
    pub allowed_endpoints: Vec<AllowedEndpoint>,
    /// Lets studies of a namespace (`*`: of any) use the controller's own AWS credentials (keys or a web identity in its environment,
    /// roles that these may assume) for files below a path, e.g. `ml=s3://bucket/prefix`, at Amazon or at a server that
    /// --allow-endpoint names; to be repeated. Without it they serve no study.
    #[arg(long = "allow-ambient-credentials", value_name = "NAMESPACE=s3://BUCKET/PREFIX")]
    pub ambient_credentials: Vec<AmbientRule>,
}

const ARGO_NAMESPACE: &str = "argo";
const ARGO_CONFIGMAP: &str = "workflow-controller-configmap";

impl Default for Settings {
    fn default() -> Self {
        Self {
            argo_namespace: ARGO_NAMESPACE.to_owned(),
            argo_configmap: ARGO_CONFIGMAP.to_owned(),
            allowed_endpoints: Vec::new(),
            ambient_credentials: Vec::new(),
        }
    }
}

/// An S3 server that studies may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedEndpoint(Server);

impl AllowedEndpoint {
    /// Whether it names a server. `port` is the one that is connected to.
    pub fn names(&self, server: &Server, port: u16) -> bool {
        let is_host = match (self.0.ip(), server.ip()) {
            (Some(allowed), Some(ip)) => allowed.to_canonical() == ip.to_canonical(),
            _ => self.0.host == server.host,
        };
        is_host && self.0.port.is_none_or(|allowed| allowed == port)
    }
}

impl FromStr for AllowedEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Server::read(text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no server: write `host` or `host:port`, without a scheme"))
    }
}

/// Whose files the controller's own credentials may serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmbientRule {
    /// `None`: any.
    namespace: Option<String>,
    below: Location,
}

impl AmbientRule {
    /// Whether it lets a study of `namespace` use them for files below `output`.
    pub fn allows(&self, namespace: &str, output: &Location) -> bool {
        self.namespace.as_ref().is_none_or(|allowed| allowed == namespace)
            && self.below.bucket() == output.bucket()
            && (self.below.key() == output.key() || output.key().starts_with(&self.below.prefix()))
    }
}

impl FromStr for AmbientRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, below) = text
            .split_once('=')
            .filter(|(namespace, _)| !namespace.is_empty())
            .ok_or_else(|| {
                format!("`{text}` has no namespace: write NAMESPACE=s3://BUCKET/PREFIX, `*` for any namespace")
            })?;
        if namespace != "*" && !super::objects::is_name(namespace) {
            return Err(format!("`{namespace}` is no name of a namespace; for any, write `*`"));
        }
        Ok(Self {
            namespace: Some(namespace.to_owned()).filter(|namespace| namespace != "*"),
            below: below.parse().map_err(|e| format!("{e}"))?,
        })
    }
}

impl fmt::Display for AmbientRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.namespace.as_deref().unwrap_or("*"), self.below)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn reads_the_command_line() {
        assert_eq!(Line::try_parse_from(["x"]).unwrap().settings, Settings::default());
        let settings = Line::try_parse_from([
            "x",
            "--argo-namespace=workflows",
            "--argo-configmap=own",
            "--allow-endpoint=minio:9000",
            "--allow-endpoint",
            "[::1]",
            "--allow-ambient-credentials=*=s3://bucket/runs/",
        ])
        .unwrap()
        .settings;
        assert_eq!(
            (settings.argo_namespace.as_str(), settings.argo_configmap.as_str()),
            ("workflows", "own")
        );
        assert_eq!(settings.allowed_endpoints.len(), 2);
        assert_eq!(settings.ambient_credentials[0].to_string(), "*=s3://bucket/runs");
        for wrong in [
            "--allow-endpoint=http://minio",
            "--allow-endpoint=",
            "--allow-ambient-credentials=s3://bucket",
            "--allow-ambient-credentials=ml",
            "--allow-ambient-credentials==s3://bucket",
            "--allow-ambient-credentials=ml=bucket/runs",
            "--allow-ambient-credentials=M L=s3://bucket",
        ] {
            assert!(Line::try_parse_from(["x", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn knows_what_is_allowed() {
        for (allowed, server, tls, named) in [
            ("minio", "minio:9000", true, true),
            ("MINIO:9000", "minio:9000", true, true),
            ("minio:443", "minio", true, true),
            ("minio:443", "minio", false, false),
            ("minio:80", "minio", false, true),
            ("minio:9000", "minio:9001", true, false),
            ("minio", "minio.storage", true, false),
            ("minio", "evil-minio", true, false),
            ("[::1]", "[0:0::1]:9000", true, true),
            ("127.0.0.1", "[::ffff:127.0.0.1]", true, true),
            ("127.0.0.1", "127.0.0.2", true, false),
        ] {
            let (rule, server) = (
                allowed.parse::<AllowedEndpoint>().unwrap(),
                Server::read(server).unwrap(),
            );
            let port = server.port.unwrap_or(if tls { 443 } else { 80 });
            assert_eq!(rule.names(&server, port), named, "{allowed} {server}");
        }
        for (rule, namespace, output, allowed) in [
            ("ml=s3://bucket/runs", "ml", "s3://bucket/runs", true),
            ("ml=s3://bucket/runs/", "ml", "s3://bucket/runs/a/b", true),
            ("ml=s3://bucket", "ml", "s3://bucket/x", true),
            ("ml=s3://bucket", "ml", "s3://bucket", true),
            ("*=s3://bucket/runs", "other", "s3://bucket/runs/a", true),
            ("ml=s3://bucket/runs", "other", "s3://bucket/runs/a", false),
            ("ml=s3://bucket/runs", "ml", "s3://bucket/runs2", false),
            ("ml=s3://bucket/runs", "ml", "s3://bucket", false),
            ("ml=s3://bucket/runs", "ml", "s3://bucket2/runs", false),
        ] {
            let rule: AmbientRule = rule.parse().unwrap();
            assert_eq!(
                rule.allows(namespace, &output.parse().unwrap()),
                allowed,
                "{rule} {namespace} {output}"
            );
        }
    }
}
