//! From a study's `storage` to a client of its S3 server: artifact repositories of Argo, secrets, and what the controller may do for whom.

mod credentials;
mod lookup;
mod objects;
mod repository;
mod server;
mod settings;
mod tokens;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_s3::config::SharedHttpClient;
use kube::Client;
use serde_json::Value;

pub(super) use objects::is_name;
pub use settings::{AllowedEndpoint, AmbientRule, Settings};

use self::{
    credentials::{Ambient, Use},
    lookup::{Found, Reference},
    objects::Reader,
    repository::Repository,
};
use super::Obstacle;
use crate::{
    api::{S3, SecretKey, Storage},
    storage::{Authorities, Endpoint, Location, Reach, Store, Trust, connector, has_system_authorities},
    study::UNASKED,
};

/// A study's way to its files.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The S3 server, asked with the study's credentials. Nothing has been asked yet.
    pub store: Store,
    /// `storage.outputPath`.
    pub output: Location,
    /// Whether the artifact repository wants its bucket to be made where it is missing.
    pub create_bucket: bool,
    /// Whether it is asked with credentials of the controller's own surroundings, which serve only what a flag allows.
    pub is_own: bool,
}

/// What a WorkflowTemplate has to do with artifact repositories.
#[derive(Clone, Copy, Debug, Default)]
pub struct TemplateRepository<'a> {
    /// Its `artifactRepositoryRef`, where it has one.
    pub reference: Option<&'a Value>,
    /// Whether an output artifact of it goes there, having no bucket of its own: then the repository's bucket has to be that of
    /// `storage.outputPath` even where the study gets its credentials from elsewhere.
    pub is_written: bool,
}

/// Connects studies to their S3 servers. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Connector {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    ambient: Ambient,
    reach: Reach,
    /// For servers without TLS and those with certificates that this system trusts.
    system: SharedHttpClient,
    /// For servers with certificates of other authorities.
    others: Mutex<HashMap<Authorities, SharedHttpClient>>,
}

/// How many lists of authorities have connectors of their own at a time.
const MAX_AUTHORITIES: usize = 64;

impl Connector {
    /// Connects as `settings` say. `variable` gives variables of the controller's own environment; it is asked only where the settings
    /// allow its credentials to be used.
    pub fn new(settings: Settings, variable: impl Fn(&str) -> Option<String>) -> Self {
        // A server that a flag names may be anywhere.
        let reach = match settings.allowed_endpoints.is_empty() {
            true => Reach::NotNear,
            false => Reach::Everywhere,
        };
        Self {
            shared: Arc::new(Shared {
                ambient: Ambient::of(&settings, variable),
                system: connector(&Trust::System, reach),
                others: Mutex::default(),
                settings,
                reach,
            }),
        }
    }

    /// Connects through `http` alone, whatever certificates the servers have: for worlds that are not real.
    pub fn through(settings: Settings, http: SharedHttpClient) -> Self {
        let connector = Self::new(settings, |_| None);
        match Arc::try_unwrap(connector.shared) {
            Ok(shared) => Self {
                shared: Arc::new(Shared { system: http, ..shared }),
            },
            Err(shared) => Self { shared },
        }
    }

    /// The way to the files of a study in `namespace`. Reads ConfigMaps and Secrets, up to eight of them; the S3 server is not asked.
    ///
    /// # Errors
    /// Whatever keeps the study from its storage, each with a reason of its own. What is wrong with the API server for now has the
    /// reason `ApiServerUnavailable`.
    pub async fn connect(
        &self,
        client: &Client,
        namespace: &str,
        storage: &Storage,
        template: TemplateRepository<'_>,
    ) -> Result<Connection, Obstacle> {
        let reader = Reader { client };
        let output = output(storage)?;
        let (Found { repository, origin }, is_templates) =
            self.place(&reader, namespace, storage, template, &output).await?;
        if repository.bucket != output.bucket() {
            return Err(other_bucket(&origin, &repository.bucket, &output));
        }
        if template.is_written && !is_templates {
            self.check_template(&reader, namespace, template, &output).await?;
        }
        let settings = &self.shared.settings;
        let s3 = &repository.s3;
        let server = server::find(settings, s3, &origin)?;
        let http = self.http(&reader, namespace, s3, &server.to_string()).await?;
        let to = Use {
            namespace,
            output: &output,
            server: &server,
            origin: &origin,
        };
        let ambient = &self.shared.ambient;
        let found = credentials::find(&reader, settings, ambient, s3, repository.role.as_deref(), &to).await?;
        let endpoint = Endpoint {
            url: server.url(!s3.insecure),
            region: server::region(s3, &server),
            access_key: found.access_key,
            secret_key: found.secret_key,
            session_token: found.session_token,
            addressing: s3.addressing_style,
            encryption: server::encryption(&reader, namespace, s3, &origin).await?,
        };
        Ok(Connection {
            store: Store::new(&endpoint, http),
            output,
            create_bucket: repository.create_bucket,
            is_own: s3.access_key_secret.is_none(),
        })
    }

    /// Whether the controller's own credentials may serve what is at `at` for a study of `namespace`.
    pub fn may_serve(&self, namespace: &str, at: &Location) -> bool {
        let rules = &self.shared.settings.ambient_credentials;
        rules.iter().any(|rule| rule.allows(namespace, at))
    }

    /// What says where the files are, and whether that is the template's own artifact repository.
    async fn place(
        &self,
        reader: &Reader<'_>,
        namespace: &str,
        storage: &Storage,
        template: TemplateRepository<'_>,
        output: &Location,
    ) -> Result<(Found, bool), Obstacle> {
        if let Some(s3) = &storage.s3 {
            let repository = Repository {
                s3: s3.clone(),
                bucket: output.bucket().to_owned(),
                role: None,
                create_bucket: false,
            };
            let origin = "`storage.s3`".to_owned();
            return Ok((Found { repository, origin }, false));
        }
        let own = storage.artifact_repository_ref.as_ref();
        let own = own.filter(|own| own.config_map.is_some() || own.key.is_some());
        let reference = match own {
            Some(own) => Reference::To {
                config_map: own.config_map.clone(),
                key: own.key.clone(),
            },
            None => Reference::of_template(template.reference)?,
        };
        let found = lookup::find(reader, &self.shared.settings, namespace, &reference).await?;
        Ok((found, own.is_none()))
    }

    /// That what the template writes to its artifact repository arrives where the study looks for it. A repository that is none, or that
    /// may not be read, says nothing against the study: it has its credentials from elsewhere.
    async fn check_template(
        &self,
        reader: &Reader<'_>,
        namespace: &str,
        template: TemplateRepository<'_>,
        output: &Location,
    ) -> Result<(), Obstacle> {
        let reference = Reference::of_template(template.reference)?;
        match lookup::find(reader, &self.shared.settings, namespace, &reference).await {
            Ok(found) if found.repository.bucket != output.bucket() => {
                let origin = format!("the template writes to {}, which", found.origin);
                Err(other_bucket(&origin, &found.repository.bucket, output))
            }
            Err(e) if e.reason == UNASKED => Err(e),
            _ => Ok(()),
        }
    }

    /// The connections to use.
    async fn http(
        &self,
        reader: &Reader<'_>,
        namespace: &str,
        s3: &S3,
        server: &str,
    ) -> Result<SharedHttpClient, Obstacle> {
        let ca = match &s3.ca_secret {
            Some(ca) if !s3.insecure => ca,
            _ if s3.insecure || has_system_authorities() => return Ok(self.shared.system.clone()),
            _ => {
                let message = format!(
                    "hyperstudy's container has no certificates of authorities, so that it cannot trust the S3 server `{server}`: give the \
                     authority's certificate as `caSecret`"
                );
                return Err(obstacle("CertificateMissing", message));
            }
        };
        let pem = reader.secret(namespace, ca).await?;
        let authorities = Authorities::read(&pem).map_err(|e| {
            let SecretKey { name, key } = ca;
            let message =
                format!("the key `{key}` of the Secret `{name}` in the namespace `{namespace}` is no `caSecret`: {e}");
            obstacle("CertificateInvalid", message)
        })?;
        let mut others = self.shared.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.len() >= MAX_AUTHORITIES && !others.contains_key(&authorities) {
            // Whoever uses one of them keeps it.
            others.clear();
        }
        let reach = self.shared.reach;
        let http = others
            .entry(authorities)
            .or_insert_with_key(|authorities| connector(&Trust::Only(authorities.clone()), reach));
        Ok(http.clone())
    }
}

fn obstacle(reason: &str, message: String) -> Obstacle {
    Obstacle {
        reason: reason.to_owned(),
        message,
    }
}

fn output(storage: &Storage) -> Result<Location, Obstacle> {
    let path = storage.output_path.as_deref();
    let path = path.ok_or_else(|| {
        obstacle(
            "OutputPathMissing",
            "`storage.outputPath` is missing: give the folder for the study's files, `s3://bucket/path`".to_owned(),
        )
    })?;
    path.parse()
        .map_err(|e| obstacle("OutputPathInvalid", format!("`storage.outputPath`: {e}")))
}

fn other_bucket(origin: &str, bucket: &str, output: &Location) -> Obstacle {
    let message = format!(
        "{origin} has the bucket `{bucket}`, but `storage.outputPath` is in the bucket `{}`: write an `outputPath` in `{bucket}`, or refer to \
         an artifact repository with the other bucket",
        output.bucket()
    );
    obstacle("BucketMismatch", message)
}
