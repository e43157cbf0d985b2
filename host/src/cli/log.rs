//! Events: on standard error, as lines for people or one JSON object a line; and as spans to
//! a collector of OpenTelemetry.

use std::io::IsTerminal;
use std::time::Duration;

use chunk_store_host::serve::ACCESS_TARGET;
use chunk_store_host::{OPERATIONS_TARGET, otlp};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::{Args, Command};
use super::failure::Failure;

/// A collector that does not answer is not waited for longer in the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is logged; and sent, until it is shut down.
pub struct Log {
    exporter: Option<otlp::Exporter>,
}

impl Log {
    /// Begins to log what the arguments ask for.
    pub fn start(args: &Args) -> Result<Self, Failure> {
        let (spans, exporter) = match &args.otlp {
            None => (None, None),
            Some(url) => otlp::to(url)
                .map(|(spans, exporter)| (Some(spans), Some(exporter)))
                .map_err(|why| Failure::usage(format!("--otlp: {why}")))?,
        };
        let logged = logged(args);
        let mut wanted = logged.clone();
        if spans.is_some() {
            for target in [OPERATIONS_TARGET, ACCESS_TARGET] {
                wanted = wanted.with_target(target, LevelFilter::INFO);
            }
        }
        // Not by a filter of this layer: such filters may lose events (tokio-rs/tracing#2519).
        let writer = std::io::stderr
            .with_filter(move |event| logged.would_enable(event.target(), event.level()));
        let log = tracing_subscriber::fmt::layer()
            .with_writer(writer)
            .with_ansi(std::io::stderr().is_terminal());
        let log = match args.json {
            true => log.json().flatten_event(true).boxed(),
            false => log.boxed(),
        };
        // Spans first: a request's end is when its event comes.
        tracing_subscriber::registry().with(spans).with(log).with(wanted).init();
        Ok(Self { exporter })
    }

    /// Sends what has not been sent.
    pub async fn shut_down(self) {
        if let Some(exporter) = self.exporter {
            exporter.shut_down(PATIENCE).await;
        }
    }
}

/// What stands in the log: of a server all, of other commands what was asked for.
fn logged(args: &Args) -> Targets {
    let operations = if args.log_operations { LevelFilter::INFO } else { LevelFilter::OFF };
    let targets = match &args.command {
        Command::Serve(serve) => Targets::new().with_default(serve.log_level()),
        _ if args.otlp.is_some() => Targets::new().with_target("chunk_store", LevelFilter::WARN),
        _ => Targets::new(),
    };
    targets.with_target(OPERATIONS_TARGET, operations)
}
