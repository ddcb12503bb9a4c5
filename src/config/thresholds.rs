//! `--thresholds`: a JSON file with other thresholds than the table's. Must not guess: whatever is wrong in it is an error that says where.

use super::{Error, error};
use crate::cli::ThresholdsArgs;
use crate::metric::{MetricId, Standards};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

/// More than this is some other file.
const FILE_BYTES_MAX: u64 = 64 * 1024;
const HINT: &str =
    r#"write a JSON object such as {"networkRoundTripTime": {"fair": 0.2, "poor": 0.4}}"#;

/// In the metric's unit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    fair: f64,
    poor: f64,
}

/// The thresholds in force.
pub(super) fn standards(args: &ThresholdsArgs) -> Result<Standards, Error> {
    let Some(path) = &args.thresholds else {
        return Ok(Standards::default());
    };
    let shown = path.display().to_string();
    let refused = |cause: String, hint: &str| error("--thresholds", &shown, cause, hint);
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|cause| refused(cause.to_string(), "name a file that this user may read"))?;
    if FILE_BYTES_MAX < text.len() as u64 {
        return Err(refused(format!("longer than {FILE_BYTES_MAX} bytes"), HINT));
    }
    parse(&text).map_err(|cause| refused(cause, HINT))
}

fn parse(text: &str) -> Result<Standards, String> {
    let pairs: BTreeMap<String, Pair> =
        serde_json::from_str(text).map_err(|cause| cause.to_string())?;
    let mut standards = Standards::default();
    for (name, Pair { fair, poor }) in pairs {
        let metric = MetricId::from_wire(&name).ok_or(format!("`{name}` is no metric"))?;
        let set = standards.set(metric, fair, poor);
        set.map_err(|cause| format!("`{name}`: {cause}"))?;
    }
    Ok(standards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_in_force_and_all_else_as_before() {
        let standards = parse(r#"{"networkRoundTripTime": {"fair": 0.2, "poor": 0.4}}"#).unwrap();
        let of = |id| {
            let thresholds = standards.of(MetricId::from_wire(id).unwrap()).unwrap();
            (thresholds.fair, thresholds.poor)
        };
        assert_eq!(of("networkRoundTripTime"), (0.2, 0.4));
        assert_eq!(of("totalSendPacketLoss"), (0.05, 0.10));
        assert_eq!(parse("{}"), Ok(Standards::default()));
    }

    #[test]
    fn whatever_is_wrong_is_said() {
        for (text, says) in [
            ("", "EOF"),
            ("[]", "expected a map"),
            (r#"{"x": {"fair": 1, "poor": 2}}"#, "`x` is no metric"),
            (
                r#"{"networkRoundTripTime": {"fair": 1}}"#,
                "missing field `poor`",
            ),
            (
                r#"{"networkRoundTripTime": {"fair": 1, "poor": 2, "bad": 3}}"#,
                "unknown field `bad`",
            ),
            (
                r#"{"networkRoundTripTime": {"fair": "1", "poor": 2}}"#,
                "invalid type",
            ),
            (
                r#"{"networkRoundTripTime": {"fair": 2, "poor": 1}}"#,
                "`poor` is below",
            ),
            (
                r#"{"networkRoundTripTime": {"fair": -1, "poor": 1}}"#,
                "above 0",
            ),
            (
                r#"{"sendBitsPerSecond": {"fair": 1, "poor": 2}}"#,
                "judges nothing",
            ),
        ] {
            let cause = parse(text).unwrap_err();
            assert!(cause.contains(says), "{text}: {cause}");
        }
    }
}
