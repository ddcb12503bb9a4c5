//! Checked settings of `check`.

use super::{Error, error, thresholds};
use crate::cli::CheckArgs;
use crate::metric::Standards;
use crate::rules::Rule;
use jiff::{Span, SpanRelativeTo, Timestamp};

/// Settings of `check`.
#[derive(Debug)]
pub struct Check {
    /// Files and globs, as given.
    pub logs: Vec<String>,
    /// What calls are held to. Never empty.
    pub rules: Vec<Rule>,
    /// Which calls; `None`: all.
    pub since: Option<Since>,
    /// One JSON object instead of text.
    pub json: bool,
    /// From where on metrics are an issue.
    pub standards: Standards,
}

/// From when on calls count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So many ms before now.
    AgoMs(i64),
    /// Ms since the epoch.
    InstantMs(i64),
}

impl Since {
    /// The instant, ms since the epoch.
    pub fn instant_ms(self, now_ms: i64) -> i64 {
        match self {
            Since::AgoMs(ago_ms) => now_ms.saturating_sub(ago_ms),
            Since::InstantMs(instant_ms) => instant_ms,
        }
    }
}

impl Check {
    /// Checks the arguments of `check`.
    ///
    /// # Errors
    ///
    /// Where a rule is none, `--since` no time or `--thresholds` no file of thresholds.
    pub fn of(args: CheckArgs) -> Result<Check, Error> {
        let rule = |text: &String| {
            Rule::parse(text).map_err(|wrong| error("--rule", text, &wrong, wrong.hint.clone()))
        };
        // A semicolon at the end is no rule.
        let texts = args.rule.iter().filter(|text| !text.trim().is_empty());
        let rules: Vec<Rule> = texts.map(rule).collect::<Result<_, _>>()?;
        if rules.is_empty() {
            rule(&args.rule.join(";"))?;
        }
        Ok(Check {
            rules,
            since: args.since.as_deref().map(since).transpose()?,
            logs: args.log,
            json: args.json,
            standards: thresholds::standards(&args.standards)?,
        })
    }
}

fn since(text: &str) -> Result<Since, Error> {
    let text = text.trim();
    let wrong = |cause: String| {
        let hint = "write an age such as 24h or 7d, or an instant such as 2026-11-23T17:00:00Z";
        error("--since", text, cause, hint)
    };
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(Since::InstantMs(instant.as_millisecond()));
    }
    let span: Span = text
        .parse()
        .map_err(|_| wrong("neither an age nor an instant".to_owned()))?;
    let ago = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong("months and years differ in length".to_owned()))?;
    if ago.is_negative() {
        return Err(wrong("in the future".to_owned()));
    }
    i64::try_from(ago.as_millis())
        .map(Since::AgoMs)
        .map_err(|_| wrong("too long ago".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_an_age_or_an_instant() {
        let hour = 3_600_000;
        for (text, expect) in [
            ("24h", Since::AgoMs(24 * hour)),
            (" 7d ", Since::AgoMs(7 * 24 * hour)),
            ("90m", Since::AgoMs(hour + hour / 2)),
            ("1d 12h", Since::AgoMs(36 * hour)),
            ("2w", Since::AgoMs(14 * 24 * hour)),
            ("1970-01-02T00:00:00Z", Since::InstantMs(24 * hour)),
            ("1970-01-02T01:00:00+01:00", Since::InstantMs(24 * hour)),
        ] {
            assert_eq!(since(text).unwrap(), expect, "{text}");
        }
        for wrong in [
            "",
            "24",
            "yesterday",
            "1mo",
            "1y",
            "-3h",
            "3h ago",
            "2026-11-23",
        ] {
            assert!(since(wrong).is_err(), "{wrong}: {:?}", since(wrong));
        }
        assert_eq!(Since::AgoMs(5).instant_ms(12), 7);
        assert_eq!(Since::InstantMs(5).instant_ms(12), 5);
    }
}
