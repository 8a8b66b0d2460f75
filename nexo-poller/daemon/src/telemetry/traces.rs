//! Spans for an OpenTelemetry collector, as the environment says: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

use tracing_subscriber::registry::LookupSpan;

/// Either of them names a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Spans on their way to a collector, if there is one. Those that are left go out when it is dropped.
#[derive(Default)]
pub(crate) struct Traces {
    /// Whether the environment names a collector.
    wanted: bool,
    #[cfg(feature = "otel")]
    provider: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Why no spans can be sent. A build without the feature `otel` sends none, and has no reason.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TracesError {
    /// The exporter cannot be made of what the environment says.
    #[cfg(feature = "otel")]
    #[error("spans cannot be sent ({0}): look at OTEL_EXPORTER_OTLP_ENDPOINT and its like in the environment")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

type Boxed<S> = Box<dyn tracing_subscriber::Layer<S> + Send + Sync>;

impl Traces {
    /// Whether spans are to be sent.
    fn wanted() -> bool {
        let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        said("OTEL_SDK_DISABLED").is_none_or(|value| !value.eq_ignore_ascii_case("true"))
            && ENDPOINTS.into_iter().any(|name| said(name).is_some())
    }

    /// What collects the spans, and what sends them.
    ///
    /// # Errors
    /// [`TracesError`]: the collector's settings are wrong.
    #[cfg(feature = "otel")]
    pub(crate) fn start<S>() -> Result<(Option<Boxed<S>>, Self), TracesError>
    where
        S: tracing::Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
    {
        use opentelemetry::trace::TracerProvider as _;
        use opentelemetry_sdk::Resource;
        use opentelemetry_sdk::trace::SdkTracerProvider;
        use tracing_subscriber::Layer as _;

        if !Self::wanted() {
            return Ok((None, Self::default()));
        }
        nexo_poller::unstable::choose_cryptography();
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("nexo-poller");
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("nexo-poller"));
        Ok((Some(layer.boxed()), Self { wanted: true, provider: Some(provider) }))
    }

    /// Nothing: this build cannot send spans.
    #[cfg(not(feature = "otel"))]
    #[expect(clippy::unnecessary_wraps, reason = "as in a build that can")]
    pub(crate) fn start<S>() -> Result<(Option<Boxed<S>>, Self), TracesError>
    where
        S: tracing::Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
    {
        Ok((None, Self { wanted: Self::wanted() }))
    }

    /// Logs what becomes of spans.
    pub(crate) fn tell(&self) {
        if self.wanted && cfg!(feature = "otel") {
            tracing::info!("spans of ticks are sent to the collector that the environment names");
        } else if self.wanted {
            tracing::warn!(
                "the environment names a collector for OpenTelemetry, and this build sends no spans: \
                 `cargo install nexo-poller-daemon --features otel` makes one that does"
            );
        }
    }
}

/// In every build, so that whoever ends them can do it in the same way.
impl Drop for Traces {
    fn drop(&mut self) {
        #[cfg(feature = "otel")]
        if let Some(Err(error)) = self.provider.as_ref().map(opentelemetry_sdk::trace::SdkTracerProvider::shutdown) {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}
