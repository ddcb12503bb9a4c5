//! Arguments of `check`.

use super::{ThresholdsArgs, switch};
use clap::Args;

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "A rule is AGGREGATE(METRIC) COMPARISON NUMBER, judged call by call on the readings of all people in it.\n\
                  Aggregates: p1 to p99, min, max, mean, median, count. Comparisons: <, <=, >, >=, ==, !=.\n\
                  Of a call as a whole: score, participants, issues, duration (in seconds), as in 'score >= 60'.\n\
                  Exit codes: 0 all rules hold, 1 a rule is broken, 2 wrong usage or a log that cannot be read."
)]
pub struct CheckArgs {
    /// Log to read: a file (with its rotated segments) or a glob; repeat the flag for more
    #[arg(
        long,
        env = "CALL_METRICS_LOG",
        value_name = "FILE",
        default_value = "beacon.log"
    )]
    pub log: Vec<String>,
    /// What every call has to keep to, such as 'p95(videoRecvPacketLoss) < 0.05'; repeat, or separate by semicolons
    #[arg(
        long,
        env = "CALL_METRICS_RULE",
        value_name = "RULE",
        value_delimiter = ';',
        required = true
    )]
    pub rule: Vec<String>,
    /// Only calls that went on after this: an age such as 24h or 7d, or an instant such as 2026-11-23T17:00:00Z
    #[arg(long, env = "CALL_METRICS_SINCE", value_name = "TIME")]
    pub since: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long, env = "CALL_METRICS_JSON", value_parser = switch)]
    pub json: bool,
    /// What metrics are held to.
    #[command(flatten)]
    pub standards: ThresholdsArgs,
}
