//! `check`: whether calls keep to rules, told by the exit code.

use super::build_report::{explained, warn_of_broken};
use super::{EXIT_FAILED, Failure, now_ms, on_stdout};
use crate::collector::gate::raise_open_files;
use crate::config::{Check, Since};
use crate::notice::{Notice, Notices};
use crate::report;
use crate::rules::{self, Found, Told};
use anyhow::anyhow;
use std::process::ExitCode;

pub(super) fn run(settings: &Check, notices: &Notices) -> Result<ExitCode, Failure> {
    raise_open_files();
    // 1 says that a rule is broken: a log that cannot be read must not look like that.
    let since_ms = settings
        .since
        .map(|since: Since| since.instant_ms(now_ms() as i64));
    let found = |call| Found::of(call, since_ms, &settings.rules, &settings.standards);
    let (found, log) =
        report::read(&settings.logs, found).map_err(|error| explained(error).with_usage_code())?;
    warn_of_broken(&log.broken, notices);
    if 0 < log.lines && log.beacons == 0 {
        let error = anyhow!("no line of `{}` is a beacon", settings.logs.join("`, `"));
        let hint = "pass `--log` the log of a collector: one JSON object a line";
        return Err(Failure::usage(error, hint));
    }
    let mut calls = Vec::with_capacity(found.len());
    let mut undated = 0;
    for one in found {
        match one {
            Found::Judged(call) => calls.push(call),
            Found::Undated => undated += 1,
            Found::Before => (),
        }
    }
    let judgements = rules::judge(&settings.rules, &calls);
    let idle = settings.rules.iter().zip(&judgements);
    for (rule, _) in idle.filter(|(_, judgement)| judgement.judged == 0) {
        let message = format!("no call tells whether `{}` holds", rule.text);
        notices.tell(Notice::warning("rule-not-judged", message));
    }
    let told = Told {
        rules: &settings.rules,
        judgements: &judgements,
        calls: &calls,
        since_ms,
        undated,
        lines: log.lines,
        skipped: log.skipped_total(),
    };
    let text = if settings.json {
        rules::json(&told)
    } else {
        rules::text(&told)
    };
    on_stdout(&text).map_err(Failure::with_usage_code)?;
    Ok(if told.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_FAILED)
    })
}
