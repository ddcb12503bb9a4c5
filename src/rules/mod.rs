//! Rules that calls are held to, such as `p95(videoRecvPacketLoss) < 0.05`: what they say, which calls break them, how that is told.
//!
//! Pure. A rule is judged call by call, on the readings of all people in it together, exactly. A call in which nothing tells
//! the value neither holds nor breaks the rule: absent is not zero. Must never decide what follows: that is `cmd`'s.

mod judge;
mod parse;
mod tell;

pub use judge::{Broken, Found, Judgement, Measured, judge};
pub use parse::Wrong;
pub use tell::{Told, json, text};

use crate::metric::MetricId;

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    value: Value,
    comparison: Comparison,
    limit: f64,
}

impl Rule {
    /// Reads `text`: `AGGREGATE(METRIC) COMPARISON NUMBER`, or one of the words for a whole call in place of the first part.
    ///
    /// # Errors
    ///
    /// Where it is no rule, with the column.
    pub fn parse(text: &str) -> Result<Rule, Wrong> {
        parse::rule(text)
    }
}

/// What of a call is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Of(Aggregate, MetricId),
    Whole(Whole),
}

/// Many readings to one number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Aggregate {
    /// 1 to 99.
    Percentile(u8),
    Min,
    Max,
    Mean,
    Count,
}

/// Numbers of a call as a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Whole {
    /// 0 to 100.
    Score,
    Participants,
    Issues,
    /// In seconds.
    Duration,
}

impl Whole {
    const ALL: [(&'static str, Whole); 4] = [
        ("score", Whole::Score),
        ("participants", Whole::Participants),
        ("issues", Whole::Issues),
        ("duration", Whole::Duration),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// As rules spell them; the longer ones first, since they begin with the shorter ones.
    const ALL: [(&'static str, Comparison); 6] = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Comparison::Less => value < limit,
            Comparison::LessOrEqual => value <= limit,
            Comparison::Greater => limit < value,
            Comparison::GreaterOrEqual => limit <= value,
            Comparison::Equal => value == limit,
            Comparison::NotEqual => value != limit,
        }
    }

    /// How bad a value is that breaks it: the more, the worse.
    fn badness(self, value: f64, limit: f64) -> f64 {
        match self {
            Comparison::Less | Comparison::LessOrEqual => value,
            Comparison::Greater | Comparison::GreaterOrEqual => -value,
            Comparison::Equal | Comparison::NotEqual => (value - limit).abs(),
        }
    }
}
