//! Credentials that a token service gives out for a while (Amazon's STS, or a server that speaks like it): for the web identity of the
//! controller's service account, and for the roles that artifact repositories name.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex as Quick, PoisonError},
    time::Duration,
};

use aws_sdk_sts::{
    Client,
    config::{BehaviorVersion, Config, Credentials as Keys, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::Credentials as Given,
};
use jiff::Timestamp;
use tokio::{sync::Mutex, time::Instant};

use super::credentials::Credentials;
use crate::storage::{Reach, Trust, connector};

/// How long one call may take, with all tries.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long before their end credentials are asked for anew; half of their life where that is less.
const MARGIN: Duration = Duration::from_secs(300);
/// How long a refusal is remembered: every study asks every few seconds.
const REFUSED: Duration = Duration::from_secs(3);
/// The longest time for which an answer is believed.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// How many roles are remembered at a time.
const MAX_ROLES: usize = 64;

/// A token in a file, which the kubelet renews, and the role that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebIdentity {
    pub token_file: PathBuf,
    pub role: String,
}

/// What the controller proves to the token service who it is with.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// Keys of its own.
    Keys(Credentials),
    /// A web identity.
    Web(WebIdentity),
}

/// The token service as the controller's environment names it.
pub(super) struct TokenService {
    proof: Proof,
    region: String,
    /// Another server than Amazon's.
    url: Option<String>,
    session: String,
    /// By role; without one, for the web identity itself. Whoever asks for the same waits for the same answer.
    given: Quick<HashMap<Option<String>, Place>>,
}

/// Where the last answer is, held by whoever asks.
type Place = Arc<Mutex<Option<Answer>>>;

/// An answer, and until when it holds.
struct Answer {
    result: Result<Credentials, String>,
    until: Instant,
}

impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService").finish_non_exhaustive()
    }
}

impl TokenService {
    /// The one that an environment's variables name; nothing is asked yet.
    pub fn new(proof: Proof, variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let region = get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION"));
        Self {
            proof,
            region: region.unwrap_or_else(|| super::server::REGION.to_owned()),
            url: get("AWS_ENDPOINT_URL_STS"),
            session: get("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "hyperstudy".to_owned()),
            given: Quick::default(),
        }
    }

    /// The controller's own credentials, or those of a role that it may assume; good for a few minutes at least. An error is a phrase for
    /// people, with nothing in it that a server said but the name of its error.
    pub async fn credentials(&self, role: Option<&str>) -> Result<Credentials, String> {
        match (&self.proof, role) {
            (Proof::Keys(keys), None) => Ok(keys.clone()),
            (Proof::Web(web), None) => self.remembered(None, self.for_identity(web)).await,
            (_, Some(role)) if !is_role(role) => Err("that is no role: write its ARN".to_owned()),
            (_, Some(role)) => self.remembered(Some(role), self.for_role(role)).await,
        }
    }

    async fn remembered(
        &self,
        role: Option<&str>,
        ask: impl Future<Output = Result<Given, String>>,
    ) -> Result<Credentials, String> {
        let place = {
            let role = role.map(ToOwned::to_owned);
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            if given.len() >= MAX_ROLES && !given.contains_key(&role) {
                given.clear();
            }
            given.entry(role).or_default().clone()
        };
        let mut place = place.lock().await;
        if let Some(answer) = place.as_ref().filter(|answer| Instant::now() < answer.until) {
            return answer.result.clone();
        }
        let (result, good_for) = match ask.await {
            Ok(given) => {
                let life = given.expiration().secs().saturating_sub(Timestamp::now().as_second());
                let life = Duration::from_secs(u64::try_from(life).unwrap_or(0)).min(LONGEST);
                let credentials = Credentials {
                    access_key: given.access_key_id,
                    secret_key: given.secret_access_key,
                    session_token: Some(given.session_token),
                };
                (Ok(credentials), life.saturating_sub(MARGIN.min(life / 2)))
            }
            Err(why) => (Err(why), REFUSED),
        };
        *place = Some(Answer {
            result: result.clone(),
            until: Instant::now() + good_for,
        });
        result
    }

    async fn for_identity(&self, web: &WebIdentity) -> Result<Given, String> {
        let file = web.token_file.display();
        let token = tokio::fs::read_to_string(&web.token_file)
            .await
            .map_err(|e| format!("the token in {file} cannot be read: {e}"))?;
        let request = self.client(None).assume_role_with_web_identity();
        let answer = request
            .role_arn(&web.role)
            .role_session_name(&self.session)
            .web_identity_token(token.trim())
            .send()
            .await;
        let answer = answer.map_err(|e| refused(&e, &web.role))?;
        answer.credentials.ok_or_else(|| nothing(&web.role))
    }

    async fn for_role(&self, role: &str) -> Result<Given, String> {
        // Not to be asked for the same by way of itself: it needs no role.
        let own = match &self.proof {
            Proof::Keys(keys) => keys.clone(),
            Proof::Web(web) => Box::pin(self.remembered(None, self.for_identity(web))).await?,
        };
        let request = self.client(Some(own)).assume_role();
        let answer = request.role_arn(role).role_session_name(&self.session).send().await;
        let answer = answer.map_err(|e| refused(&e, role))?;
        answer.credentials.ok_or_else(|| nothing(role))
    }

    fn client(&self, own: Option<Credentials>) -> Client {
        let keys = own.map(|own| Keys::new(own.access_key, own.secret_key, own.session_token, None, "own"));
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region.clone()))
            // Who starts the controller names the server, so that it may be anywhere.
            .http_client(connector(&Trust::System, Reach::Everywhere))
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(200)))
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build());
        let config = match &self.url {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        Client::from_conf(match keys {
            Some(keys) => config.credentials_provider(keys).build(),
            // A web identity signs nothing.
            None => config.build(),
        })
    }
}

/// Whether it may be a role. Authors write them, and they are repeated in statuses and logs.
fn is_role(text: &str) -> bool {
    (1..=2048).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic() && c != b'`')
}

fn refused<E, R>(error: &SdkError<E, R>, role: &str) -> String
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    let (code, message) = (error.code(), error.message());
    tracing::warn!(role, code, message, "the token service gives no credentials");
    match code.filter(|code| code.len() <= 64 && code.bytes().all(|c| c.is_ascii_alphanumeric())) {
        Some(code) => format!("the token service refuses the role `{role}` ({code})"),
        None => format!("the token service cannot be asked for the role `{role}`"),
    }
}

fn nothing(role: &str) -> String {
    format!("the token service answers without credentials for the role `{role}`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_a_role_is_asked_of_nobody() {
        let own = Credentials {
            access_key: "a".to_owned(),
            secret_key: "b".to_owned(),
            session_token: None,
        };
        let service = TokenService::new(Proof::Keys(own.clone()), |_| None);
        for role in ["", "two\nlines", "a b", "ü", &"a".repeat(2049)] {
            let refusal = service.credentials(Some(role)).await.map(|_| ()).unwrap_err();
            assert!(refusal.contains("is no role"), "{refusal}");
        }
        assert!(is_role("arn:aws-cn:iam::123456789012:role/path/hyperstudy+x=@-_.,"));
        assert!(service.credentials(None).await.unwrap() == own);
        assert_eq!(format!("{service:?} {own:?}"), "TokenService { .. } Credentials");
    }
}
