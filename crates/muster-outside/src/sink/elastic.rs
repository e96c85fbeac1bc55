//! Elasticsearch (7.8 and later) and OpenSearch: index templates and `_bulk`, which both speak alike.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use muster_model::Secret;

use super::template::{BASIC, DETAIL, template};
use super::{Document, Sink, SinkError, Trouble, Verdict, bulk};
use crate::transport::Transport;

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The most that `Retry-After` is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// How to sign in.
#[derive(Clone, Debug)]
pub enum Login {
    /// Not at all.
    None,
    /// By an API key, in the encoded form that Elasticsearch hands out.
    ApiKey(Secret),
    /// By user and password.
    Basic {
        /// The user.
        user: String,
        /// Their password.
        password: Secret,
    },
}

/// Where it is and how to sign in.
#[derive(Clone, Debug)]
pub struct ElasticSettings {
    /// The base address, without credentials.
    pub url: String,
    /// How to sign in.
    pub login: Login,
}

/// The real sink.
pub struct ElasticSink {
    transport: Arc<dyn Transport>,
    url: String,
    authorization: Option<HeaderValue>,
    hidden: Vec<Secret>,
}

impl ElasticSink {
    /// Opens no connection yet.
    ///
    /// # Errors
    /// The credentials cannot stand in a header; they are not repeated.
    pub fn new(transport: Arc<dyn Transport>, settings: &ElasticSettings) -> Result<ElasticSink, String> {
        let (line, hidden) = match &settings.login {
            Login::None => (None, Vec::new()),
            Login::ApiKey(key) => (Some(Secret::new(format!("ApiKey {}", key.expose()))), vec![key.clone()]),
            Login::Basic { user, password } => {
                let pair = Secret::new(format!("{user}:{}", password.expose()));
                let encoded = Secret::new(STANDARD.encode(pair.expose()));
                (Some(Secret::new(format!("Basic {}", encoded.expose()))), vec![password.clone(), encoded])
            }
        };
        let authorization = match line {
            None => None,
            Some(line) => {
                let mut value = HeaderValue::from_str(line.expose())
                    .map_err(|_| "the API key has characters that cannot be sent".to_owned())?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let url = settings.url.trim_end_matches('/').to_owned();
        Ok(ElasticSink { transport, url, authorization, hidden })
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: String,
    ) -> Result<Response<Bytes>, SinkError> {
        let later = |message: String| SinkError { message, trouble: Trouble::Later, after: None };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::CONTENT_TYPE, kind)
            .header(header::ACCEPT, "application/json");
        if let Some(value) = &self.authorization {
            request = request.header(header::AUTHORIZATION, value.clone());
        }
        let request = request.body(Bytes::from(body)).map_err(|error| later(format!("{path}: {error}")))?;
        let sent = tokio::time::timeout(ANSWER_MAX, self.transport.send(request)).await;
        let sent = sent.map_err(|_| later(format!("{path}: no answer within {} s", ANSWER_MAX.as_secs())))?;
        let answer = sent.map_err(|broken| later(format!("{path}: {}", self.clean(&broken.message))))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let said = self.clean(&bulk::shortened(&String::from_utf8_lossy(answer.body())));
        let trouble = match status.as_u16() {
            400 | 413 => Trouble::Split,
            _ => Trouble::Later,
        };
        let after = retry_after(answer.headers());
        Err(SinkError { message: format!("{path} answered {status}: {said}"), trouble, after })
    }

    /// A text of the other side without our credentials, should it repeat them.
    fn clean(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, secret| match secret.expose() {
            "" => text,
            shown => text.replace(shown, "••••••"),
        })
    }
}

/// The header in seconds; its other form, a date, is left aside.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[async_trait]
impl Sink for ElasticSink {
    async fn prepare(&self, prefix: &str) -> Result<(), SinkError> {
        for kind in [BASIC, DETAIL] {
            let path = format!("/_index_template/{prefix}-{kind}");
            let body = template(prefix, kind).to_string();
            self.ask(Method::PUT, &path, "application/json", body).await?;
        }
        Ok(())
    }

    async fn send(&self, documents: &[Document]) -> Result<Vec<Verdict>, SinkError> {
        let answer = self.ask(Method::POST, "/_bulk", "application/x-ndjson", bulk::body(documents)).await?;
        let mut verdicts = bulk::verdicts(answer.body(), documents).ok_or_else(|| SinkError {
            message: "/_bulk: the answer does not tell about the documents that were sent".into(),
            trouble: Trouble::Later,
            after: None,
        })?;
        for verdict in &mut verdicts {
            match verdict {
                Verdict::Kept => {}
                Verdict::Again(reason) | Verdict::Blocked(reason) | Verdict::Refused(reason) => {
                    *reason = self.clean(reason);
                }
            }
        }
        Ok(verdicts)
    }
}
