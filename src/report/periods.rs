//! The stretches of days that a page sums up: the last week, the last month, everything; each beside the stretch before it, and
//! cut into steps for charts.
//!
//! They end with the newest day of the log, not with today: a report of an old log says as much as one of a live log.

use super::days::{Scored, Sums, worst};
use super::measure::{LOSS, ROUND_TRIP};
use super::numbers::Day;
use super::totals::Totals;
use crate::call::{Quality, Sketch};
use crate::metric::MetricId;
use jiff::civil::Date;

/// Stretches that are offered, in days, where the log is longer.
const STRETCHES: [(&str, i64); 2] = [("7", 7), ("30", 30)];
/// The id of the stretch that is as long as the log.
pub(super) const ALL: &str = "all";
/// More steps could not be told apart in a chart.
const STEPS_MAX: i64 = 62;
/// Days that a step lasts, where so many suffice.
const STEP_DAYS: [i64; 5] = [1, 7, 28, 91, 364];

/// Calls of some days.
#[derive(Debug)]
pub(super) struct Period<'a> {
    /// `7`, `30` or `all`.
    pub(super) id: &'static str,
    /// Days that it lasts. `None`: as long as the log.
    pub(super) n_days: Option<i64>,
    /// Its first day and its last. `None`: nobody knows when a call was.
    pub(super) dates: Option<(Date, Date)>,
    /// Its days on which a call began, the first one first.
    pub(super) days: &'a [Day<'a>],
    pub(super) figures: Figures,
    /// As [`Sums::worst`].
    pub(super) worst: Vec<Scored>,
    /// Of as many days before. `None`: the log doesn't reach so far back, or had no call then.
    pub(super) before: Option<Figures>,
    /// Without gaps, the first one first.
    pub(super) steps: Vec<Step>,
}

/// A day, or several where there are many.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) first: Date,
    pub(super) last: Date,
    pub(super) figures: Figures,
}

/// Numbers of calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) totals: Totals,
    /// 95th percentile of packet loss, 0–1. `None`: nobody measured it.
    pub(super) loss_p95: Option<f64>,
    /// 95th percentile of the round-trip time, in seconds.
    pub(super) round_trip_p95_s: Option<f64>,
}

impl Figures {
    /// Of all of `sums` together.
    pub(super) fn over<'s>(sums: impl Iterator<Item = &'s Sums> + Clone) -> Figures {
        // All readings of these metrics together.
        let p95 = |ids: &[MetricId]| {
            let metrics = sums.clone().flat_map(|one| &one.metrics);
            let theirs = metrics.filter(|(metric, _): &&(MetricId, Sketch)| ids.contains(metric));
            let all = Sketch::sum(theirs.map(|(_, sketch)| sketch))?;
            Some(all.quantile(0.95))
        };
        Figures {
            totals: Totals::sum(sums.clone().map(|one| &one.totals)),
            loss_p95: LOSS.by(p95),
            round_trip_p95_s: ROUND_TRIP.by(p95),
        }
    }

    /// The good share of the time that was measured, 0–1. `None`: none was.
    pub(super) fn good_share(&self) -> Option<f64> {
        let measured_ms = self.totals.participant_ms() - self.totals.of_ms(Quality::Unknown);
        let good_ms = self.totals.of_ms(Quality::Good);
        (0 < measured_ms).then(|| good_ms as f64 / measured_ms as f64)
    }
}

/// All stretches that the log is long enough for, the shortest first, everything last. `all`: over all calls; `days`: the same by day.
pub(super) fn periods<'a>(all: &Sums, days: &'a [Day<'a>]) -> Vec<Period<'a>> {
    let mut periods = Vec::new();
    if let [first, .., last] = days {
        for (id, n_days) in STRETCHES {
            periods.extend(stretch(id, n_days, (first.date, last.date), days));
        }
    }
    periods.push(everything(all, days));
    periods
}

/// All calls as one stretch.
pub(super) fn everything<'a>(all: &Sums, days: &'a [Day<'a>]) -> Period<'a> {
    let dates = days.first().zip(days.last());
    let dates = dates.map(|(first, last)| (first.date, last.date));
    Period {
        id: ALL,
        n_days: None,
        dates,
        days,
        figures: Figures::over([all].into_iter()),
        worst: all.worst.clone(),
        before: None,
        steps: dates.map_or_else(Vec::new, |dates| steps(dates, days)),
    }
}

/// The last `n_days` days. `None`: the log is no longer than that.
fn stretch<'a>(
    id: &'static str,
    n_days: i64,
    log: (Date, Date),
    days: &'a [Day<'a>],
) -> Option<Period<'a>> {
    let (log_first, last) = log;
    let first = days_later(last, 1 - n_days).filter(|first| log_first < *first)?;
    let at = days.partition_point(|day| day.date < first);
    let before = days_later(first, -n_days).filter(|before| log_first <= *before);
    let before = before.map(|before| {
        let from = days.partition_point(|day| day.date < before);
        figures(&days[from..at])
    });
    let newest_first = days[at..].iter().rev();
    Some(Period {
        id,
        n_days: Some(n_days),
        dates: Some((first, last)),
        days: &days[at..],
        figures: figures(&days[at..]),
        worst: worst(newest_first.flat_map(|day| &day.sums.worst).copied()),
        before: before.filter(|before| 0 < before.totals.calls),
        steps: steps((first, last), &days[at..]),
    })
}

fn figures(days: &[Day<'_>]) -> Figures {
    Figures::over(days.iter().map(|day| day.sums))
}

fn steps((first, last): (Date, Date), days: &[Day<'_>]) -> Vec<Step> {
    let n_days = days_between(first, last) + 1;
    let fits = |width: &i64| div_ceil(n_days, *width) <= STEPS_MAX;
    let width = STEP_DAYS.into_iter().find(fits);
    let width = width.unwrap_or_else(|| div_ceil(n_days, STEPS_MAX));
    let mut rest = days;
    let mut steps = Vec::new();
    for nth in 0..div_ceil(n_days, width) {
        let Some(from) = days_later(first, nth * width) else {
            break;
        };
        let to = days_later(from, width - 1).map_or(last, |to| to.min(last));
        let (own, later) = rest.split_at(rest.partition_point(|day| day.date <= to));
        rest = later;
        steps.push(Step {
            first: from,
            last: to,
            figures: figures(own),
        });
    }
    steps
}

pub(super) fn div_ceil(days: i64, width: i64) -> i64 {
    (days + width - 1) / width
}

pub(super) fn days_between(first: Date, last: Date) -> i64 {
    last.duration_since(first).as_hours() / 24
}

pub(super) fn days_later(date: Date, days: i64) -> Option<Date> {
    date.checked_add(jiff::Span::new().try_days(days).ok()?)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::super::brief::Brief;
    use super::super::days::Days;
    use super::super::numbers::dated;
    use super::*;
    use jiff::tz::TimeZone;

    /// Days with so many calls, with a good minute on each day, and a minute of each call of which nothing is known.
    fn log(days: &[(&str, usize)]) -> Days {
        let brief = |(date, nth): (&str, usize)| {
            let date: Date = date.parse().unwrap();
            let start = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
            let start_ms = start.unwrap().as_millisecond();
            Brief {
                span_ms: Some((start_ms, start_ms)),
                day: Some(start_ms),
                quality_ms: [if nth == 0 { 60_000 } else { 0 }, 60_000, 0, 0],
                ..Brief::default()
            }
        };
        let days = days.iter().rev();
        let calls = days.flat_map(|(date, calls)| (0..*calls).map(move |nth| (*date, nth)));
        let calls: Vec<Brief> = calls.map(brief).collect();
        Days::over(&calls.iter().collect::<Vec<_>>())
    }

    fn all(log: &Days) -> Sums {
        Sums::of(log.newest_first().map(|(_, of_day)| &of_day.sums))
    }

    #[test]
    fn a_week_stands_beside_the_week_before_it() {
        let log = log(&[
            ("2026-11-10", 7),
            ("2026-11-16", 2),
            ("2026-11-17", 4),
            ("2026-11-23", 8),
        ]);
        let days = dated(&log, &TimeZone::UTC);
        let periods = periods(&all(&log), &days);
        let [week, everything] = &periods[..] else {
            panic!("{periods:?}");
        };
        assert_eq!((week.id, week.figures.totals.calls), ("7", 12));
        assert_eq!(
            week.before.as_ref().map(|before| before.totals.calls),
            Some(9)
        );
        let steps: Vec<usize> = week
            .steps
            .iter()
            .map(|step| step.figures.totals.calls)
            .collect();
        assert_eq!(steps, [4, 0, 0, 0, 0, 0, 8]);
        assert_eq!(week.figures.good_share(), Some(1.0), "of what was measured");
        assert_eq!((everything.id, everything.figures.totals.calls), (ALL, 21));
        assert_eq!(everything.before, None);
    }

    #[test]
    fn nothing_is_compared_with_days_before_the_log() {
        let log_12 = log(&[("2026-11-12", 1), ("2026-11-23", 1)]);
        let days = dated(&log_12, &TimeZone::UTC);
        let stretches = periods(&all(&log_12), &days);
        assert_eq!(
            (stretches[0].id, stretches[0].before.is_none()),
            ("7", true)
        );
        let log_7 = log(&[("2026-11-17", 1), ("2026-11-23", 1)]);
        let days = dated(&log_7, &TimeZone::UTC);
        let stretches = periods(&all(&log_7), &days);
        assert_eq!(stretches.len(), 1, "no longer than a week");
    }

    #[test]
    fn steps_are_few_however_far_apart_calls_are() {
        for (first, last) in [
            ("2026-11-23", "2026-11-23"),
            ("2026-09-01", "2026-11-23"),
            ("1970-01-01", "2026-11-23"),
            ("-009998-01-01", "9999-12-01"),
        ] {
            let log = log(&[(first, 1), (last, 1)]);
            let days = dated(&log, &TimeZone::UTC);
            let steps = steps((days[0].date, days[days.len() - 1].date), &days);
            assert!((1..=STEPS_MAX).contains(&(steps.len() as i64)), "{first}");
            let calls: usize = steps.iter().map(|step| step.figures.totals.calls).sum();
            assert_eq!(calls, 2);
            assert!(steps.windows(2).all(|two| two[0].last < two[1].first));
        }
    }

    #[test]
    fn of_no_calls_there_is_one_empty_stretch() {
        let periods = periods(&Sums::default(), &[]);
        assert_eq!(periods.len(), 1);
        assert!(periods[0].steps.is_empty() && periods[0].dates.is_none());
        assert_eq!(periods[0].figures.good_share(), None);
    }
}
