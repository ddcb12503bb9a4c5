//! What lists and tiles tell of a connection in one number each, and by which metrics.

use crate::call::IssueType;
use crate::metric::{MetricId, Standards, Thresholds, Unit};

/// What issues of these types go by. The first metrics of all of them tell it together, where nobody measured those the second ones, and
/// so on: loss is that of video where nobody says how much was lost in all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure(&'static [IssueType]);

/// Packet loss, in either direction.
pub(super) const LOSS: Measure = Measure(&[IssueType::SendPacketLoss, IssueType::RecvPacketLoss]);
pub(super) const ROUND_TRIP: Measure = Measure(&[IssueType::RoundTripTime]);

impl Measure {
    /// What `told` says of the first metrics of which it says something.
    pub(super) fn by<T>(self, mut told: impl FnMut(&[MetricId]) -> Option<T>) -> Option<T> {
        let of_each = |nth: usize| {
            let metrics = self.0.iter().filter_map(|one| one.metrics().get(nth));
            metrics.copied().collect::<Vec<MetricId>>()
        };
        let mut groups = (0..).map(of_each).take_while(|group| !group.is_empty());
        groups.find_map(|group| told(&group))
    }

    fn first(self) -> Option<MetricId> {
        self.0.first()?.metric()
    }

    pub(super) fn unit(self) -> Unit {
        self.first().map_or(Unit::Ratio, |metric| metric.def().unit)
    }

    pub(super) fn thresholds(self, standards: &Standards) -> Option<&Thresholds> {
        standards.of(self.first()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::brief::worst_p95;
    use super::super::days::Sums;
    use super::super::periods::Figures;
    use super::*;
    use crate::call::{CallSummary, Sketch};

    #[test]
    fn loss_is_that_of_video_where_nobody_says_how_much_was_lost_in_all() {
        let measured = |values: &[(&str, f64)]| -> Vec<(MetricId, f64)> {
            let known = |(name, value): &(&str, f64)| (MetricId::named(name), *value);
            values.iter().map(known).collect()
        };
        let video = [("videoRecvPacketLoss", 0.3)];
        let all = [("totalRecvPacketLoss", 0.2), video[0]];
        for (values, expected) in [
            (&video[..], Some(("videoRecvPacketLoss", 0.3))),
            (&all[..], Some(("totalRecvPacketLoss", 0.2))),
            (&[("networkRoundTripTime", 0.5)], None),
        ] {
            let values = measured(values);
            let expected = expected.map(|(name, value)| (MetricId::named(name), value));
            let sketch = |&(metric, value)| Some((metric, Sketch::of(&[value])?));
            let sums = Sums {
                metrics: values.iter().filter_map(sketch).collect(),
                ..Sums::default()
            };
            // A sketch is right to within a percent.
            let found = Figures::over([&sums].into_iter()).loss_p95;
            let near = |found: f64| (found / expected.map_or(f64::NAN, |(_, p95)| p95) - 1.0).abs();
            assert_eq!(found.is_some(), expected.is_some());
            assert!(found.is_none_or(|found| near(found) < 0.01), "{found:?}");
            let call = CallSummary {
                worst_p95: values,
                ..CallSummary::default()
            };
            assert_eq!(worst_p95(&call, LOSS), expected);
        }
    }
}
