//! A bucket on a real S3 server, looked at by other means than the program's own.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region, http::HttpResponse},
    error::SdkError,
};

use super::versitygw::KEYS;

/// A bucket. Whoever looks at it while its server is stopped waits until that is there again.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    /// Its name.
    pub name: String,
}

impl Bucket {
    /// The bucket of that name on the server at this port of 127.0.0.1; it need not be there.
    pub fn at(port: u16, name: &str) -> Self {
        let [access, secret] = KEYS;
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(format!("http://127.0.0.1:{port}"))
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(access, secret, None, None, "test"))
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self {
            client: Client::from_conf(config),
            name: name.to_owned(),
        }
    }

    /// Makes it.
    pub async fn create(&self) {
        self.client.create_bucket().bucket(&self.name).send().await.unwrap();
    }

    /// Every key in it with its size, in alphabetical order.
    pub async fn list(&self) -> BTreeMap<String, i64> {
        let mut all = BTreeMap::new();
        let mut more = None;
        loop {
            let list = || {
                let list = self.client.list_objects_v2().bucket(&self.name);
                list.set_continuation_token(more.clone()).send()
            };
            let page = patiently(list).await.unwrap();
            for object in page.contents() {
                all.insert(object.key().unwrap().to_owned(), object.size().unwrap_or(0));
            }
            more = page.next_continuation_token;
            if more.is_none() {
                return all;
            }
        }
    }

    /// Every key in it that starts so, without that start.
    pub async fn below(&self, prefix: &str) -> Vec<String> {
        let keys = self.list().await.into_keys();
        keys.filter_map(|key| key.strip_prefix(prefix).map(str::to_owned))
            .collect()
    }

    /// The content of an object; `None` where there is none.
    pub async fn read(&self, key: &str) -> Option<Vec<u8>> {
        let get = || self.client.get_object().bucket(&self.name).key(key).send();
        match patiently(get).await {
            Ok(object) => Some(object.body.collect().await.unwrap().to_vec()),
            Err(e) if e.as_service_error().is_some_and(|e| e.is_no_such_key()) => None,
            Err(e) => panic!("{key}: {e:?}"),
        }
    }

    /// The same as text.
    pub async fn text(&self, key: &str) -> String {
        let bytes = self.read(key).await.unwrap_or_else(|| panic!("there is no {key}"));
        String::from_utf8(bytes).unwrap()
    }

    /// Writes an object.
    ///
    /// # Errors
    /// Whatever the server or the way to it has against it, in words.
    pub async fn write(&self, key: &str, content: &[u8]) -> Result<(), String> {
        let put = || {
            let put = self.client.put_object().bucket(&self.name).key(key);
            put.body(content.to_vec().into()).send()
        };
        patiently(put).await.map(|_| ()).map_err(|e| format!("{key}: {e:?}"))
    }

    /// Takes an object away.
    pub async fn delete(&self, key: &str) {
        let delete = self.client.delete_object().bucket(&self.name).key(key);
        delete.send().await.unwrap();
    }
}

/// Makes a call again for as long as the server cannot be reached.
async fn patiently<T, E, F>(call: impl Fn() -> F) -> Result<T, SdkError<E, HttpResponse>>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    loop {
        match call().await {
            Err(SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_)) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            answered => return answered,
        }
    }
}
