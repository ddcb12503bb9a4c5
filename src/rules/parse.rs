//! Text to a rule. What is wrong is told with its column and with what may have been meant.

use super::{Aggregate, Comparison, Rule, Value, Whole};
use crate::metric::{METRICS, MetricId};

const GRAMMAR: &str = "write `AGGREGATE(METRIC) COMPARISON NUMBER`, such as `p95(videoRecvPacketLoss) < 0.05` or `score >= 60`";
const AGGREGATES: &str = "aggregates are p1 to p99, min, max, mean, median and count";
const COMPARISONS: &str = "comparisons are <, <=, >, >=, == and !=";
/// Names that an unknown one is likened to.
const N_NEAREST: usize = 3;

/// Why a text is no rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {cause}")]
pub struct Wrong {
    /// Where, in characters from 1.
    pub column: usize,
    cause: String,
    /// What to do about it, in one line.
    pub hint: String,
}

/// What is left to read of a rule.
struct Rest<'a> {
    whole: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn text(&self) -> &'a str {
        self.whole.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        self.at = self.whole.len() - self.text().trim_start().len();
    }

    /// The word that begins here, maybe empty, and where it does.
    fn word(&mut self) -> (usize, &'a str) {
        self.skip_space();
        let (start, text) = (self.at, self.text());
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
        self.at += end;
        (start, text.get(..end).unwrap_or_default())
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.skip_space();
        let is_there = self.text().starts_with(sign);
        if is_there {
            self.at += sign.len();
        }
        is_there
    }

    fn wrong(&self, at: usize, cause: impl Into<String>, hint: impl Into<String>) -> Wrong {
        let before = self.whole.get(..at).unwrap_or_default();
        Wrong {
            column: before.chars().count() + 1,
            cause: cause.into(),
            hint: hint.into(),
        }
    }

    /// Something else is here than there should be.
    fn expected(&mut self, what: &str, hint: &str) -> Wrong {
        self.skip_space();
        let found = self.text().split_whitespace().next();
        let cause = match found {
            Some(found) => format!("{what} expected, found `{found}`"),
            None => format!("{what} expected, but the rule ends"),
        };
        self.wrong(self.at, cause, hint)
    }
}

pub(super) fn rule(text: &str) -> Result<Rule, Wrong> {
    let mut rest = Rest { whole: text, at: 0 };
    let value = value(&mut rest)?;
    let comparison = Comparison::ALL.iter().find(|(sign, _)| rest.eat(sign));
    let Some(&(_, comparison)) = comparison else {
        return Err(rest.expected("a comparison", COMPARISONS));
    };
    let limit = number(&mut rest)?;
    rest.skip_space();
    if !rest.text().is_empty() {
        return Err(rest.expected(
            "nothing more",
            "one rule is one comparison: repeat `--rule` for more",
        ));
    }
    Ok(Rule {
        text: text.trim().to_owned(),
        value,
        comparison,
        limit,
    })
}

fn value(rest: &mut Rest<'_>) -> Result<Value, Wrong> {
    let (at, word) = rest.word();
    if word.is_empty() {
        return Err(rest.expected("an aggregate", GRAMMAR));
    }
    let whole = Whole::ALL.iter().find(|(name, _)| *name == word);
    if !rest.eat("(") {
        return match (whole, MetricId::from_wire(word)) {
            (Some((_, whole)), _) => Ok(Value::Whole(*whole)),
            (None, Some(metric)) => {
                let name = metric.def().id;
                let hint = format!("say which of its values, such as `p95({name})`; {AGGREGATES}");
                Err(rest.wrong(at, format!("`{name}` has many values in a call"), hint))
            }
            (None, None) if aggregate(word).is_some() => {
                Err(rest.expected("`(` and a metric", GRAMMAR))
            }
            (None, None) => Err(rest.wrong(at, format!("unknown value `{word}`"), nearest(word))),
        };
    }
    if whole.is_some() {
        let cause = format!("`{word}` is one number of a call and takes no metric");
        return Err(rest.wrong(at, cause, format!("write `{word} < …`")));
    }
    let Some(aggregate) = aggregate(word) else {
        return Err(rest.wrong(at, format!("unknown aggregate `{word}`"), AGGREGATES));
    };
    let (at, name) = rest.word();
    if name.is_empty() {
        return Err(rest.expected("a metric", GRAMMAR));
    }
    let Some(metric) = MetricId::from_wire(name) else {
        if Whole::ALL.iter().any(|(whole, _)| *whole == name) {
            let cause = format!("`{name}` is one number of a call and takes no aggregate");
            return Err(rest.wrong(at, cause, format!("write `{name} < …`")));
        }
        return Err(rest.wrong(at, format!("unknown metric `{name}`"), nearest(name)));
    };
    if !rest.eat(")") {
        return Err(rest.expected("`)`", GRAMMAR));
    }
    Ok(Value::Of(aggregate, metric))
}

fn aggregate(word: &str) -> Option<Aggregate> {
    match word {
        "min" => Some(Aggregate::Min),
        "max" => Some(Aggregate::Max),
        "mean" => Some(Aggregate::Mean),
        "median" => Some(Aggregate::Percentile(50)),
        "count" => Some(Aggregate::Count),
        _ => {
            let digits = word.strip_prefix('p')?;
            let percent: u8 = digits
                .parse()
                .ok()
                .filter(|percent| (1..100).contains(percent))?;
            // No sign, no leading zero.
            (percent.to_string() == digits).then_some(Aggregate::Percentile(percent))
        }
    }
}

fn number(rest: &mut Rest<'_>) -> Result<f64, Wrong> {
    rest.skip_space();
    let (at, text) = (rest.at, rest.text());
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() => {
            rest.at += end;
            Ok(number)
        }
        _ if word.ends_with('%') => {
            let hint = "shares are from 0 to 1: write 0.05 for 5 %";
            Err(rest.wrong(at, format!("a number expected, found `{word}`"), hint))
        }
        _ => Err(rest.expected(
            "a number",
            "write it in the unit of the data files: a share from 0 to 1, seconds, bit/s; without a unit",
        )),
    }
}

/// The names most like `name`.
fn nearest(name: &str) -> String {
    let name = name.to_lowercase();
    let metrics = METRICS.iter().map(|metric| metric.id);
    let mut names: Vec<&str> = metrics.chain(Whole::ALL.map(|(name, _)| name)).collect();
    let likeness = |other: &str| strsim::jaro_winkler(&name, &other.to_lowercase());
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    names.truncate(N_NEAREST);
    format!("the nearest are `{}`", names.join("`, `"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> MetricId {
        MetricId::from_wire(name).unwrap()
    }

    #[test]
    fn what_a_rule_says_is_understood() {
        let check = |text: &str, value: Value, comparison: Comparison, limit: f64| {
            let rule = rule(text).unwrap();
            assert_eq!(
                (rule.value, rule.comparison, rule.limit),
                (value, comparison, limit),
                "{text}"
            );
        };
        let of = |aggregate, name| Value::Of(aggregate, metric(name));
        let p = Aggregate::Percentile;
        let loss = "videoRecvPacketLoss";
        check(
            "p95(videoRecvPacketLoss) < 0.05",
            of(p(95), loss),
            Comparison::Less,
            0.05,
        );
        check(
            " p1 ( videoRecvPacketLoss )<=5e-2 ",
            of(p(1), loss),
            Comparison::LessOrEqual,
            0.05,
        );
        check(
            "median(videoRecvPacketLoss)!=-1",
            of(p(50), loss),
            Comparison::NotEqual,
            -1.0,
        );
        check(
            "min(receiveBitsPerSecond)>1e5",
            of(Aggregate::Min, "recvBitsPerSecond"),
            Comparison::Greater,
            1e5,
        );
        check(
            "max(networkRoundTripTime) < .6",
            of(Aggregate::Max, "networkRoundTripTime"),
            Comparison::Less,
            0.6,
        );
        check(
            "mean(videoRecvPacketLoss) == 0",
            of(Aggregate::Mean, loss),
            Comparison::Equal,
            0.0,
        );
        check(
            "count(videoRecvPacketLoss) >= 3",
            of(Aggregate::Count, loss),
            Comparison::GreaterOrEqual,
            3.0,
        );
        for (name, whole) in Whole::ALL {
            check(
                &format!("{name}>=60"),
                Value::Whole(whole),
                Comparison::GreaterOrEqual,
                60.0,
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_column() {
        let check = |text: &str, message: &str, hint: &str| {
            let wrong = rule(text).unwrap_err();
            assert_eq!(wrong.to_string(), message, "{text}");
            assert!(wrong.hint.contains(hint), "{text}: {}", wrong.hint);
        };
        check(
            "",
            "column 1: an aggregate expected, but the rule ends",
            "AGGREGATE(METRIC)",
        );
        check(
            "< 3",
            "column 1: an aggregate expected, found `<`",
            "AGGREGATE(METRIC)",
        );
        check(
            "p95(videoRecvLoss) < 1",
            "column 5: unknown metric `videoRecvLoss`",
            "the nearest are `videoRecvPacketLoss`, `",
        );
        check(
            "p95(score) < 1",
            "column 5: `score` is one number of a call and takes no aggregate",
            "write `score < …`",
        );
        check(
            "scor >= 60",
            "column 1: unknown value `scor`",
            "the nearest are `score`",
        );
        check(
            "score(videoRecvPacketLoss) < 1",
            "column 1: `score` is one number of a call and takes no metric",
            "score <",
        );
        check(
            "videoRecvPacketLoss < 1",
            "column 1: `videoRecvPacketLoss` has many values in a call",
            "p95(videoRecvPacketLoss)",
        );
        for aggregate in ["p0", "p100", "p+5", "p05", "p", "avg", "P95", "p9x"] {
            let text = format!("  {aggregate}(videoRecvPacketLoss) < 1");
            let aggregate = aggregate.split('+').next().unwrap();
            let expect = format!("column 3: unknown aggregate `{aggregate}`");
            if text.contains('+') {
                assert!(rule(&text).is_err());
            } else {
                check(&text, &expect, "p1 to p99");
            }
        }
        check(
            "p95 < 1",
            "column 5: `(` and a metric expected, found `<`",
            "AGGREGATE(METRIC)",
        );
        check(
            "p95() < 1",
            "column 5: a metric expected, found `)`",
            "AGGREGATE(METRIC)",
        );
        check(
            "p95(videoRecvPacketLoss < 1",
            "column 25: `)` expected, found `<`",
            "AGGREGATE",
        );
        check(
            "score 60",
            "column 7: a comparison expected, found `60`",
            "<, <=",
        );
        check(
            "score = 60",
            "column 7: a comparison expected, found `=`",
            "==",
        );
        check(
            "score >= ",
            "column 10: a number expected, but the rule ends",
            "unit",
        );
        check(
            "score >= NaN",
            "column 10: a number expected, found `NaN`",
            "unit",
        );
        check(
            "score >= inf",
            "column 10: a number expected, found `inf`",
            "unit",
        );
        check(
            "score >= 1e999",
            "column 10: a number expected, found `1e999`",
            "unit",
        );
        check(
            "max(videoRecvPacketLoss) < 5%",
            "column 28: a number expected, found `5%`",
            "0.05 for 5 %",
        );
        check(
            "score >= 60 and issues < 1",
            "column 13: nothing more expected, found `and`",
            "repeat `--rule`",
        );
        check("übel > 1", "column 1: unknown value `übel`", "nearest");
        check(
            "score ≥ 60",
            "column 7: a comparison expected, found `≥`",
            "comparisons",
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ -~äß\u{202e}\u{0}]{0,30}", cut in "(p95|score|max)?[(]?[a-zA-Z]{0,8}[)]?[<>=! ]{0,3}[0-9.eE%-]{0,5}") {
            for text in [text, cut] {
                if let Err(wrong) = rule(&text) {
                    proptest::prop_assert!(wrong.column <= text.chars().count() + 1);
                }
            }
        }
    }
}
