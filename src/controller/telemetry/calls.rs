//! A layer below the Kubernetes client that counts its calls.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, Request, Response, StatusCode, Uri};
use prometheus_client::metrics::{counter::Counter, family::Family};
use tower::{Layer, Service};

use super::labels::RequestLabels;

type Requests = Family<RequestLabels, Counter>;

/// A layer that counts the calls that pass through it.
#[derive(Clone, Debug)]
pub struct Calls {
    requests: Requests,
}

impl Calls {
    pub(super) fn new(requests: Requests) -> Self {
        Self { requests }
    }
}

impl<S> Layer<S> for Calls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            requests: self.requests.clone(),
        }
    }
}

/// A service whose calls are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    requests: Requests,
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut call = Call {
            requests: self.requests.clone(),
            labels: labels(request.method(), request.uri()),
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            if let Ok(response) = &answer {
                call.answered(response.status());
            }
            answer
        })
    }
}

/// A call under way, counted when it is over, also when nobody waited for its end.
struct Call {
    requests: Requests,
    labels: RequestLabels,
}

impl Call {
    fn answered(&mut self, status: StatusCode) {
        status.as_str().clone_into(&mut self.labels.code);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.requests.get_or_create(&self.labels).inc();
    }
}

/// What a call is about; its code is `none` until it is answered.
fn labels(method: &Method, uri: &Uri) -> RequestLabels {
    let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
    let is_group = parts.next() == Some("apis");
    // /api/v1/... or /apis/<group>/<version>/...
    let mut parts: Vec<_> = parts.skip(if is_group { 2 } else { 1 }).collect();
    if parts.first() == Some(&"namespaces") && parts.len() > 2 {
        parts.drain(..2);
    }
    let (resource, verb) = match (parts.as_slice(), method) {
        ([], _) => ("other".to_owned(), "get"),
        ([resource, rest @ ..], method) => {
            let resource = match rest {
                [_, part, ..] => format!("{resource}/{part}"),
                _ => (*resource).to_owned(),
            };
            let is_watch = || uri.query().is_some_and(|q| q.split('&').any(|p| p == "watch=true"));
            let verb = match *method {
                Method::GET if is_watch() => "watch",
                Method::GET if rest.is_empty() => "list",
                Method::GET => "get",
                Method::POST => "create",
                Method::PUT => "update",
                Method::PATCH => "patch",
                Method::DELETE => "delete",
                _ => "other",
            };
            (resource, verb)
        }
    };
    RequestLabels {
        resource,
        verb,
        code: "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn what_a_call_is_about() {
        let study = "/apis/hyperstudy.dev/v1alpha1/namespaces/ml/hyperparameterstudies";
        let (one, status) = (
            format!("{study}/s?x=1"),
            format!("{study}/s/status?fieldManager=hyperstudy"),
        );
        let table = [
            (Method::GET, one.as_str(), "hyperparameterstudies", "get"),
            (Method::GET, study, "hyperparameterstudies", "list"),
            (Method::PATCH, status.as_str(), "hyperparameterstudies/status", "patch"),
            (Method::POST, study, "hyperparameterstudies", "create"),
            (Method::DELETE, study, "hyperparameterstudies", "delete"),
            (
                Method::GET,
                "/apis/argoproj.io/v1alpha1/workflows?&watch=true&x=y",
                "workflows",
                "watch",
            ),
            (Method::POST, "/api/v1/namespaces/ml/events?", "events", "create"),
            (Method::GET, "/api/v1/namespaces/ml", "namespaces", "get"),
            (Method::GET, "/api/v1/namespaces", "namespaces", "list"),
            (
                Method::PUT,
                "/apis/coordination.k8s.io/v1/namespaces/x/leases/l",
                "leases",
                "update",
            ),
            (Method::GET, "/version", "other", "get"),
            (Method::GET, "/", "other", "get"),
            (Method::OPTIONS, study, "hyperparameterstudies", "other"),
        ];
        for (method, uri, resource, verb) in table {
            let labels = labels(&method, &uri.parse().unwrap());
            assert_eq!(
                (labels.resource.as_str(), labels.verb),
                (resource, verb),
                "{method} {uri}"
            );
        }
    }
}
