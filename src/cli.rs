//! The shape of the command line and its environment variables; decides nothing. The door to `clap` and `dotenvy`.

#![expect(
    rustdoc::bare_urls,
    reason = "doc comments are the help texts of flags, which show no Markdown"
)]

mod check;
mod environment;
mod serve;

pub use check::CheckArgs;
pub use environment::{Unknown, unknown_variables};
pub use serve::{
    CallPageArgs, DurabilityArg, LimitArgs, LogArgs, LogFormatArg, LookArgs, OperationArgs,
    PageTokenArg, ReachArgs, RoomArgs, RoomPrivacyArg, SendArgs, ServeArgs,
};

use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line said, unchecked.
#[derive(Debug, Parser)]
#[command(
    name = "call-metrics",
    version,
    about = "Collects network stats of video calls from browsers and writes a static dashboard of them",
    after_help = "Settings are also read from the environment and from `.env` in the working directory; a flag wins over both.\n\
                  A first look without an account: call-metrics sample-log > sample.log && call-metrics build-report --log sample.log"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the call page, collect beacons, serve the report
    Serve(Box<ServeArgs>),
    /// Turn beacon logs into a static site
    BuildReport(BuildReportArgs),
    /// Print a made-up, lifelike beacon log, the same for the same arguments
    SampleLog(SampleLogArgs),
    /// Hold calls to rules: exit code 0 if all keep to them, 1 if not
    Check(CheckArgs),
}

/// Arguments of `build-report`.
#[derive(Debug, Args)]
pub struct BuildReportArgs {
    /// Log to read: a file (with its rotated segments) or a glob; repeat the flag for more
    #[arg(
        long,
        env = "CALL_METRICS_LOG",
        value_name = "FILE",
        default_value = "beacon.log"
    )]
    pub log: Vec<String>,
    /// Folder to write the site into
    #[arg(
        long,
        env = "CALL_METRICS_OUT",
        value_name = "DIR",
        default_value = "public/report"
    )]
    pub out: PathBuf,
    /// Stay, and rebuild whenever a log changes
    #[arg(long, env = "CALL_METRICS_REPORT_WATCH", value_parser = switch)]
    pub watch: bool,
    /// Start over: read all logs from their beginning and write every file, also those that would not change
    #[arg(long, env = "CALL_METRICS_FULL", value_parser = switch)]
    pub full: bool,
    /// Remove calls that no log holds any more; without it they stay in the report
    #[arg(long, env = "CALL_METRICS_PRUNE", value_parser = switch)]
    pub prune: bool,
    /// Folder to remember in what was read, so that the next build reads only what is new [default: LOG.state]
    #[arg(long, env = "CALL_METRICS_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Write this one call as one self-contained HTML file, DIR/single/CALL_ID.html, and nothing else
    #[arg(
        long,
        env = "CALL_METRICS_SINGLE_FILE",
        value_name = "CALL_ID",
        conflicts_with = "watch"
    )]
    pub single_file: Option<String>,
    /// Where days begin.
    #[command(flatten)]
    pub zone: ZoneArgs,
    /// What metrics are held to.
    #[command(flatten)]
    pub standards: ThresholdsArgs,
}

/// Where days begin.
#[derive(Debug, Args)]
pub struct ZoneArgs {
    /// Time zone whose days the numbers per day are of: a name such as Europe/Berlin
    #[arg(
        long,
        env = "CALL_METRICS_TZ",
        value_name = "ZONE",
        default_value = "UTC"
    )]
    pub tz: String,
}

/// What metrics are held to.
#[derive(Debug, Args)]
pub struct ThresholdsArgs {
    /// JSON file with other thresholds than Daily's, such as {"networkRoundTripTime": {"fair": 0.2, "poor": 0.4}}
    #[arg(long, env = "CALL_METRICS_THRESHOLDS", value_name = "FILE")]
    pub thresholds: Option<PathBuf>,
}

/// Arguments of `sample-log`.
#[derive(Debug, Args)]
pub struct SampleLogArgs {
    /// Number of calls
    #[arg(long, env = "CALL_METRICS_CALLS", value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub calls: u32,
    /// Another seed, other calls
    #[arg(long, env = "CALL_METRICS_SEED", value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Days over which the calls are spread
    #[arg(long, env = "CALL_METRICS_DAYS", value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub days: u32,
    /// Instant by which the last call has ended
    #[arg(
        long,
        env = "CALL_METRICS_UNTIL",
        value_name = "TIME",
        default_value = "2026-11-23T17:00:00Z"
    )]
    pub until: String,
    /// One reading a beacon, as other pages than ours send them, instead of a little of every shape
    #[arg(long, env = "CALL_METRICS_ONE_READING", value_parser = switch)]
    pub one_reading: bool,
}

/// A switch as the environment spells it: `true`, `1`, `yes`, `on` and their opposites; empty is off.
fn switch(text: &str) -> Result<bool, String> {
    let parsed = match text.trim() {
        "" => Ok(false),
        text => BoolishValueParser::new().parse_ref(&clap::Command::new(""), None, text.as_ref()),
    };
    parsed.map_err(|_| "write true or false".to_owned())
}

/// Settings in the working directory.
const DOT_ENV: &str = ".env";

/// Why there is nothing to run.
#[derive(Debug)]
pub enum Stop {
    /// The person asked for help or the version: text for stdout, exit 0.
    Say(String),
    /// Wrong usage: what is wrong, and what to do.
    Usage {
        /// In one line.
        message: String,
        /// In one line.
        hint: String,
    },
}

/// Reads `.env` in the working directory, if there is one, into the environment; what is set already stays.
///
/// # Errors
///
/// A message that names the file and the line, never its content: it may hold the token.
pub fn read_dot_env() -> Result<(), Stop> {
    let refused = |cause: &str, hint: &str| {
        Err(Stop::Usage {
            message: format!("cannot read settings `{DOT_ENV}`: {cause}"),
            hint: hint.to_owned(),
        })
    };
    let text = match std::fs::read_to_string(DOT_ENV) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => {
            return refused(
                &cause.to_string(),
                "make it a text file that you may read, or move it away",
            );
        }
    };
    // dotenvy puts variables in for `$name`, and nothing for those that are not set: a password would lose its end unseen.
    let cut = text.lines().position(|line| {
        line.contains('$') && !line.trim_start().starts_with('#') && !line.contains('\'')
    });
    if let Some(at) = cut {
        return refused(
            &format!("line {} has a `$` outside of single quotes", at + 1),
            "write KEY='value' there",
        );
    }
    match dotenvy::from_path(DOT_ENV) {
        Ok(()) => Ok(()),
        // The error holds the line, and the line may hold the token.
        Err(_) => refused(
            "not KEY=VALUE in every line",
            "put values with spaces into quotes, as in `.env.example`",
        ),
    }
}

/// Reads the command line.
///
/// # Errors
///
/// Where it is wrong, or where it only asks for help or the version.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Stop> {
    Cli::try_parse_from(args).map_err(|error| {
        use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
        let text = error.render().to_string();
        match error.kind() {
            DisplayHelp | DisplayVersion => Stop::Say(text),
            DisplayHelpOnMissingArgumentOrSubcommand => Stop::Usage {
                message: "no command given".to_owned(),
                hint: "run `call-metrics serve`, `build-report`, `sample-log` or `check`; `call-metrics --help` tells more".to_owned(),
            },
            _ => usage(&text),
        }
    })
}

/// How lines on stderr shall look, as far as that can be told of a command line that may be wrong elsewhere.
pub fn log_format(args: impl IntoIterator<Item = OsString>) -> LogFormatArg {
    let lenient = Cli::command().ignore_errors(true);
    let matches = lenient.try_get_matches_from(args).ok();
    let serve = matches.as_ref().and_then(|m| m.subcommand_matches("serve"));
    serve
        .and_then(|serve| serve.try_get_one("log_format").ok().flatten().copied())
        .unwrap_or(LogFormatArg::Text)
}

/// clap's message, of several lines and in its own words, as one line of ours and a hint.
fn usage(text: &str) -> Stop {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or("wrong usage");
    let what = what
        .strip_prefix("error: ")
        .unwrap_or(what)
        .replace('\'', "`");
    // "the following required arguments were not provided:" goes on in the next line.
    let message = if what.ends_with(':') {
        format!("{what} {}", lines.next().unwrap_or_default())
    } else {
        what
    };
    let tip = lines
        .clone()
        .find_map(|line| line.strip_prefix("tip: "))
        .map(|tip| tip.replace('\'', "`"));
    let hint = tip.unwrap_or_else(|| {
        match lines.find_map(|line| line.strip_prefix("Usage: call-metrics ")) {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
                format!(
                    "see `call-metrics {} --help`",
                    rest.split(' ').next().unwrap_or_default()
                )
            }
            _ => "see `call-metrics --help`".to_owned(),
        }
    });
    Stop::Usage { message, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &str, message: &str, hint: &str) {
        let args = std::iter::once("call-metrics")
            .chain(args.split_whitespace())
            .map(OsString::from);
        match parse(args) {
            Err(Stop::Usage {
                message: m,
                hint: h,
            }) => assert_eq!((m.as_str(), h.as_str()), (message, hint)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn wrong_usage_is_told_in_one_line_with_a_hint() {
        check(
            "",
            "no command given",
            "run `call-metrics serve`, `build-report`, `sample-log` or `check`; `call-metrics --help` tells more",
        );
        check(
            "serve --lissten x",
            "unexpected argument `--lissten` found",
            "a similar argument exists: `--listen`",
        );
        check(
            "sample-log --calls many",
            "invalid value `many` for `--calls <N>`: invalid digit found in string",
            "see `call-metrics --help`",
        );
        check(
            "bild-report",
            "unrecognized subcommand `bild-report`",
            "a similar subcommand exists: `build-report`",
        );
    }

    #[test]
    fn the_format_of_lines_is_known_even_where_the_rest_is_wrong() {
        let format = |args: &str| {
            let args = std::iter::once("call-metrics").chain(args.split_whitespace());
            log_format(args.map(OsString::from))
        };
        for wrong in ["", "--lissten x", "--durability never", "--sample-interval"] {
            assert_eq!(
                format(&format!("serve {wrong}")),
                LogFormatArg::Text,
                "{wrong}"
            );
            let json = format(&format!("serve --log-format json {wrong}"));
            assert_eq!(json, LogFormatArg::Json, "{wrong}");
        }
        for text in [
            "",
            "build",
            "sample-log --calls x",
            "serve --log-format yaml",
            "--help",
        ] {
            assert_eq!(format(text), LogFormatArg::Text, "{text}");
        }
    }

    #[test]
    fn help_is_not_an_error() {
        assert!(
            matches!(parse(["call-metrics", "--help"].map(OsString::from)), Err(Stop::Say(text)) if text.contains("build-report"))
        );
    }
}
