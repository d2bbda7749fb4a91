//! S3: folders of studies and trials, result files, conditional writes, deletion. The only place that talks to an S3 server.

mod claim;
mod connector;
mod delete;
mod encryption;
mod endpoint;
mod error;
mod listing;
mod location;
mod object;
mod reach;
mod transfer;

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        SharedHttpClient, retry::RetryConfig, timeout::TimeoutConfig,
    },
};

pub use claim::{ClaimError, NAMESAKE, Owner};
pub use connector::{Authorities, AuthoritiesError, Trust, connector, has_system_authorities, plain_http};
pub use delete::{Deletion, Leftover};
pub use encryption::Encryption;
pub use endpoint::{Endpoint, Server};
pub use error::StorageError;
pub use listing::Listed;
pub use location::{Location, LocationError};
pub use object::{Condition, Object, Since};
pub use reach::{Reach, is_near};

use error::Attempt;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait for the first byte of an answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How often a request is tried, and the longest wait in between.
const TRIES: u32 = 5;
const BACKOFF: Duration = Duration::from_secs(5);

/// An S3 server with what studies need of it. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    endpoint: String,
    encryption: Encryption,
}

impl Store {
    /// The address of the server.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A store at `endpoint`, reached through `http`: [`plain_http`], or a [`connector`] for TLS. Connects when first used.
    pub fn new(endpoint: &Endpoint, http: SharedHttpClient) -> Self {
        let credentials = Credentials::new(
            &endpoint.access_key,
            &endpoint.secret_key,
            endpoint.session_token.clone(),
            None,
            "explicit",
        );
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(&endpoint.url)
            .region(Region::new(endpoint.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(endpoint.is_by_path())
            // A bucket's name alone must not lead to another server.
            .disable_s3_express_session_auth(true)
            .http_client(http)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(TRIES)
                    .with_initial_backoff(Duration::from_millis(200))
                    .with_max_backoff(BACKOFF),
            )
            .retry_classifier(reach::NotAgain)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .read_timeout(ANSWER)
                    .build(),
            )
            // Sums cost time, and not every server knows them; TCP has its own.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            client: Client::from_conf(config),
            endpoint: endpoint.url.clone(),
            encryption: endpoint.encryption.clone(),
        }
    }

    fn attempt<'a>(&'a self, what: &'static str, at: &'a Location) -> Attempt<'a> {
        Attempt {
            what,
            at,
            endpoint: &self.endpoint,
        }
    }

    /// Makes the bucket, where it is not there yet.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn create_bucket(&self, bucket: &Location) -> Result<(), StorageError> {
        match self.client.create_bucket().bucket(bucket.bucket()).send().await {
            Ok(_) => Ok(()),
            Err(e)
                if matches!(
                    error::sent(&e),
                    Some(("BucketAlreadyOwnedByYou" | "BucketAlreadyExists", _))
                ) =>
            {
                Ok(())
            }
            Err(e) => Err(self.attempt("create the bucket", bucket).failed(&e)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
