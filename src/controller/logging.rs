//! What the controller says while it runs: lines on standard error, as text or as JSON.

mod json;

use std::{
    env,
    io::{self, IsTerminal},
};

use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// The variable that says what is logged where the flag does not.
const VARIABLE: &str = "RUST_LOG";

/// The flags of the log.
#[derive(clap::Args, Clone, Debug)]
pub struct LogArgs {
    /// How lines are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What is logged: off, error, warn, info, debug or trace, or by module as in `hyperstudy=debug,kube=info`. Default: $RUST_LOG, else info.
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line: `time`, `level`, `target`, `message`, and the fields of the message and of what it belongs to, e.g.
    /// `namespace`, `study` and `trial`.
    Json,
}

/// Begins to log to standard error.
///
/// # Errors
/// The level cannot be understood, or something logs already.
pub fn init(args: &LogArgs) -> Result<(), String> {
    let surroundings = env::var(VARIABLE).ok();
    let filter = filter(args.log_level.as_deref(), surroundings.as_deref())?;
    let layer = layer(args.log_format, io::stderr().is_terminal(), io::stderr);
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter_fn(is_harmless)).with_filter(filter));
    subscriber.try_init().map_err(|e| format!("cannot log: {e}"))
}

/// The lines' layer; coloured where a person reads them.
fn layer<S, W>(format: LogFormat, coloured: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    match format {
        LogFormat::Text => fmt::layer().with_ansi(coloured).with_writer(writer).boxed(),
        LogFormat::Json => fmt::layer()
            .fmt_fields(fmt::format::JsonFields::new())
            .event_format(json::Lines)
            .with_writer(writer)
            .boxed(),
    }
}

/// What is logged, by the flag, else by the variable, else `info`.
fn filter(flag: Option<&str>, variable: Option<&str>) -> Result<EnvFilter, String> {
    let variable = variable.filter(|v| !v.trim().is_empty());
    let (origin, text) = match (flag, variable) {
        (Some(flag), _) => ("--log-level", flag),
        (None, Some(variable)) => (VARIABLE, variable),
        (None, None) => (VARIABLE, "info"),
    };
    // A bare word that is no level would be taken for a module's name, and everything else be silent.
    let is_level = |word: &str| !word.trim().is_empty() && word.trim().parse::<LevelFilter>().is_ok();
    let wrong = || {
        format!(
            "{origin} `{text}`: write off, error, warn, info, debug or trace, or by module as in hyperstudy=debug,kube=info"
        )
    };
    let bare = text.split(',').find(|part| !part.contains('=') && !is_level(part));
    if bare.is_some() {
        return Err(wrong());
    }
    let directives = match text.trim().parse::<LevelFilter>() {
        // One level is meant for the program; what is below it says little at `info` and very much further down.
        Ok(level) if level > LevelFilter::INFO => format!("info,hyperstudy={level}"),
        _ => text.to_owned(),
    };
    EnvFilter::try_new(directives).map_err(|_| wrong())
}

/// Whether a line cannot hold secrets, whatever level is asked for: the Kubernetes client logs answers that it cannot read, which may be Secrets, and
/// the S3 client its requests in full.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let is_of = |name: &str| {
        let rest = target.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '_']))
    };
    if target == "kube_client::client" {
        return false;
    }
    let talks = ["aws", "hyper", "hyper_util", "h2", "rustls", "tower", "kube_client"];
    !talks.into_iter().any(is_of) || *metadata.level() <= Level::INFO || target == "kube_client::client::builder"
}

#[cfg(test)]
mod tests;
