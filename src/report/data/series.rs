//! The readings of a participant as JSON: `{"timestamp":[…],"<metric>":[…],…}`. Most of a report's bytes are these, so they are
//! spelled here and not by serde.

use super::rounded;
use crate::call::Series;

/// Significant digits of the values.
const DIGITS: usize = 6;

/// Appends them.
pub(super) fn put(json: &mut Vec<u8>, series: &Series) {
    json.extend_from_slice(b"{\"timestamp\":");
    serde_json::to_writer(&mut *json, series.timestamps_ms()).expect("numbers, into memory");
    for (metric, column) in series.metrics() {
        json.extend_from_slice(b",\"");
        // Names of metrics are ours: nothing in them has to be escaped.
        json.extend_from_slice(metric.def().id.as_bytes());
        json.extend_from_slice(b"\":");
        let mut before = b'[';
        for value in column.iter() {
            json.push(before);
            before = b',';
            match value {
                Some(value) => rounded::put(json, value, DIGITS),
                None => json.extend_from_slice(b"null"),
            }
        }
        json.push(b']');
    }
    json.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::{Reading, Values};
    use crate::metric::MetricId;

    #[test]
    fn a_reading_has_its_place_in_every_column() {
        let (a, b) = (
            MetricId::named("recvBitsPerSecond"),
            MetricId::named("audioRecvJitter"),
        );
        let mut series = Series::default();
        for (timestamp_ms, of_a, of_b) in [
            (1_795_449_870_000, Some(1_234_567.8), None),
            (1_795_449_872_000, None, Some(-0.5)),
        ] {
            let mut values = Values::default();
            values.set(a, of_a);
            values.set(b, of_b);
            series.push(&Reading {
                timestamp_ms,
                values,
            });
        }
        let text = |series: &Series| {
            let mut json = Vec::new();
            put(&mut json, series);
            String::from_utf8(json).unwrap()
        };
        assert_eq!(
            text(&series),
            r#"{"timestamp":[1795449870000,1795449872000],"recvBitsPerSecond":[1234570,null],"audioRecvJitter":[null,-0.5]}"#
        );
        assert_eq!(text(&Series::default()), r#"{"timestamp":[]}"#);
    }
}
