//! Traces over OTLP (http/protobuf): run → step → request to a provider, with the ids of the run and the step, where
//! the usual variable `OTEL_EXPORTER_OTLP_ENDPOINT` says where to. Nothing but those spans leaves: no log line, no
//! argument, no header.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use muster_runs::{HttpTransport, Transport};
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use crate::home::variable;

/// The variable with the base address of the receiver.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The spans that leave.
const SPANS: &[&str] = &["run", "step", "request"];

/// Traces under way.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Begins, if the environment says so. A problem is said and no reason to stop.
    pub fn begin() -> Option<Traces> {
        let endpoint = variable(ENDPOINT)?;
        let made = HttpTransport::new().map_err(|error| error.to_string()).and_then(|transport| {
            let wire = Wire { handle: Handle::current(), transport: Arc::new(transport) };
            SpanExporter::builder()
                .with_http()
                .with_http_client(wire)
                .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
                .build()
                .map_err(|error| error.to_string())
        });
        match made {
            Ok(exporter) => {
                let resource = Resource::builder().with_service_name("muster").build();
                let provider = SdkTracerProvider::builder()
                    .with_batch_exporter(exporter)
                    .with_resource(resource)
                    .build();
                Some(Traces { provider })
            }
            Err(error) => {
                anstream::eprintln!("muster: no traces are sent: {error}");
                None
            }
        }
    }

    /// What turns spans into traces.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("muster"));
        let layer = layer.with_location(false).with_threads(false).with_target(false);
        layer.with_filter(filter_fn(|about| about.is_span() && SPANS.contains(&about.name()))).boxed()
    }

    /// Sends what is left.
    pub async fn end(self) {
        // It waits for the last request, which needs this runtime.
        let _ = tokio::task::spawn_blocking(move || self.provider.shutdown()).await;
    }
}

/// Our own way out, so that there is one TLS set-up. The exporter's thread has no runtime, so requests run on ours.
struct Wire {
    handle: Handle,
    transport: Arc<HttpTransport>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Wire")
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let transport = self.transport.clone();
        let sent = self.handle.spawn(async move { transport.send(request).await });
        Ok(sent.await??)
    }
}
