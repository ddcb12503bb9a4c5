//! Checked settings: what the rest of the program may rely on. Raw arguments come in, no clap type goes out.

mod access;
mod check;
mod reach;
mod rooms;
mod secret;
mod serve;
mod thresholds;
mod values;

pub use access::{Look, PageTokens, Send};
pub use check::{Check, Since};
pub use reach::{PublicHost, Reach, TrustedProxies};
pub use rooms::Rooms;
pub use secret::Secret;
pub use serve::{CallPage, Limits, Listen, Log, Serve};

use crate::cli::{BuildReportArgs, LogFormatArg, SampleLogArgs, ZoneArgs};
use crate::metric::Standards;
use crate::notice::Format;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf, absolute};

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("invalid value `{value}` for `{setting}`: {cause}")]
pub struct Error {
    setting: &'static str,
    value: String,
    cause: String,
    /// What to do about it, in one line.
    pub hint: String,
}

fn error(
    setting: &'static str,
    value: &str,
    cause: impl ToString,
    hint: impl Into<String>,
) -> Error {
    Error {
        setting,
        value: value.to_owned(),
        cause: cause.to_string(),
        hint: hint.into(),
    }
}

/// Variables of the environment that are honoured because people have them set already.
#[derive(Debug, Default)]
pub struct Environment {
    /// `DAILY_TOKEN`: the API key of the Daily account. There is no flag for it: arguments are seen by every user of a machine.
    pub daily_token: Option<String>,
    /// Where there is no token: another name of it that is set, and that some would expect to work.
    pub daily_token_misnamed: Option<&'static str>,
    /// `DAILY_API_URL`.
    pub daily_api_url: Option<String>,
    /// `BEACON_URL`.
    pub beacon_url: Option<String>,
    /// `PORT`.
    pub port: Option<String>,
    /// `CALL_METRICS_PAGE_TOKEN_SECRET`. No flag, as for the API key.
    pub page_token_secret: Option<String>,
}

impl Environment {
    /// Reads them with `variable`; an empty value is an absent one.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Environment {
        let get = |name| variable(name).filter(|value| !value.trim().is_empty());
        let daily_token = get("DAILY_TOKEN");
        let misnamed = || {
            let mut names = ["DAILY_API_KEY", "DAILY_KEY"].into_iter();
            names.find(|name| get(name).is_some())
        };
        Environment {
            daily_token_misnamed: if daily_token.is_none() {
                misnamed()
            } else {
                None
            },
            daily_token,
            daily_api_url: get("DAILY_API_URL"),
            beacon_url: get("BEACON_URL"),
            port: get("PORT"),
            page_token_secret: get("CALL_METRICS_PAGE_TOKEN_SECRET"),
        }
    }
}

/// Settings of `build-report`.
#[derive(Debug, Clone)]
pub struct BuildReport {
    /// Files and globs, as given.
    pub logs: Vec<String>,
    /// Folder of the site.
    pub out: PathBuf,
    /// Stay and rebuild.
    pub watch: bool,
    /// Read and write everything.
    pub full: bool,
    /// Remove calls that no log holds any more.
    pub prune: bool,
    /// Folder for what builds remember. `None`: beside the first log.
    pub state: Option<PathBuf>,
    /// Write one call as one file, and nothing else: its id.
    pub single_file: Option<String>,
    /// Where days begin.
    pub zone: TimeZone,
    /// From where on metrics are an issue.
    pub standards: Standards,
}

/// Settings of `sample-log`.
#[derive(Debug)]
pub struct SampleLog {
    /// Number of calls.
    pub calls: u32,
    /// Seed of the generator.
    pub seed: u64,
    /// Days over which calls are spread.
    pub days: u32,
    /// Instant by which the last one has ended, ms since the epoch.
    pub until_ms: i64,
    /// Beacons of one reading alone.
    pub one_reading: bool,
}

impl From<LogFormatArg> for Format {
    fn from(arg: LogFormatArg) -> Format {
        match arg {
            LogFormatArg::Text => Format::Text,
            LogFormatArg::Json => Format::Json,
        }
    }
}

impl BuildReport {
    /// Checks the arguments of `build-report`.
    ///
    /// # Errors
    ///
    /// Where `--tz` is no time zone, `--thresholds` no file of thresholds, or `--state` would be published.
    pub fn of(args: BuildReportArgs) -> Result<BuildReport, Error> {
        if let Some(state) = args.state.as_deref()
            && lies_within(state, &args.out)
        {
            let hint = "what a build remembers is private: name a folder outside of `--out`";
            let cause = "it lies in the folder of the report";
            return Err(error("--state", &state.display().to_string(), cause, hint));
        }
        Ok(BuildReport {
            logs: args.log,
            out: args.out,
            watch: args.watch,
            full: args.full,
            prune: args.prune,
            state: args.state,
            single_file: args.single_file.filter(|id| !id.is_empty()),
            zone: zone(&args.zone)?,
            standards: thresholds::standards(&args.standards)?,
        })
    }
}

/// Whether `inner` is `outer` or lies in it, as far as the names tell, or the disk where both are there.
fn lies_within(inner: &Path, outer: &Path) -> bool {
    let named = |path: &Path| absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| named(path));
    named(inner).starts_with(named(outer)) || real(inner).starts_with(real(outer))
}

fn zone(args: &ZoneArgs) -> Result<TimeZone, Error> {
    TimeZone::get(args.tz.trim()).map_err(|_| {
        let hint = "write a name of the IANA database, such as Europe/Berlin or UTC";
        error("--tz", &args.tz, "no such time zone", hint)
    })
}

impl SampleLog {
    /// Checks the arguments of `sample-log`.
    ///
    /// # Errors
    ///
    /// Where `--until` is no instant.
    pub fn check(args: &SampleLogArgs) -> Result<SampleLog, Error> {
        let until: jiff::Timestamp = args.until.parse().map_err(|cause| {
            error(
                "--until",
                &args.until,
                cause,
                "write an instant such as 2026-11-23T17:00:00Z",
            )
        })?;
        Ok(SampleLog {
            calls: args.calls,
            seed: args.seed,
            days: args.days,
            until_ms: until.as_millisecond(),
            one_reading: args.one_reading,
        })
    }
}
