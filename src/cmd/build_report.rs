//! `build-report`: logs to a static site, once or whenever a log changes.

use super::progress::Bar;
use super::{Failure, now_ms, on_stdout};
use crate::collector::gate::raise_open_files;
use crate::config::BuildReport;
use crate::log::segments;
use crate::notice::{Notice, Notices};
use crate::report::{self, Built, Note};
use crate::watch::{Settings, Stop, Wake, Watch};
use anyhow::anyhow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Least time between two builds.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// A log that grows without a pause may keep one core busy for one part in so many.
const REST: u32 = 4;

pub(super) fn run(settings: &BuildReport, notices: &Notices) -> Result<(), Failure> {
    // As many segments of a log as may be are open at the same time, the others in turn.
    raise_open_files();
    if let Some(id) = &settings.single_file {
        let path = report::single_file(
            &settings.logs,
            &settings.out,
            &settings.standards,
            &settings.zone,
            id,
        )
        .map_err(explained)?;
        return on_stdout(&format!("1 call -> {}\n", path.display()));
    }
    if !settings.watch {
        let (built, took) = build(settings, notices, Telling::All)?;
        return summary(&built, &settings.out, took);
    }
    let stop = Stop::new();
    super::on_signal({
        let stop = stop.clone();
        move || stop.stop()
    })?;
    let mut told = Ok(());
    keep_fresh(settings, &stop, notices, |outcome| match outcome {
        Ok((built, took)) => told = summary(&built, &settings.out, took),
        Err(failure) => notices.tell(failure.notice()),
    });
    told
}

/// What to tell while building.
#[derive(Clone, Copy, PartialEq)]
enum Telling {
    All,
    /// What is as it was at the build before is not told again.
    News,
}

/// Builds once.
fn build(
    settings: &BuildReport,
    notices: &Notices,
    telling: Telling,
) -> Result<(Built, Duration), Failure> {
    let begin = Instant::now();
    let plan = report::Settings {
        logs: &settings.logs,
        out: &settings.out,
        state: settings.state.as_deref(),
        full: settings.full,
        prune: settings.prune,
        zone: &settings.zone,
        standards: &settings.standards,
        now_ms: now_ms() as i64,
    };
    let bar = Bar::new(!settings.watch && notices.are_words());
    let tell = |note| {
        if let Note::Progress(progress) = note {
            bar.show(progress);
        } else if (telling == Telling::All || !matches!(note, Note::NotKept { .. }))
            && let Some(notice) = noted(note, &settings.out)
        {
            notices.tell(notice);
        }
    };
    let built = report::build(&plan, &tell).map_err(explained)?;
    drop(bar);
    warn_of_broken(&built.log.broken, notices);
    if 0 < built.log.lines && built.log.beacons == 0 {
        notices.tell(no_beacons(&settings.logs, &built));
    }
    Ok((built, begin.elapsed()))
}

/// Tells of compressed logs that end early.
pub(super) fn warn_of_broken(broken: &[String], notices: &Notices) {
    for broken in broken {
        notices.tell(Notice::warning(
            "log-broken",
            format_args!("a compressed log ends early, what comes before was read: {broken}"),
        ));
    }
}

/// Builds now and after every change of a log, until `stop`. A log that is not there yet is waited for, and a build
/// that fails is told and tried again at the next change: the report of before stays.
pub(super) fn keep_fresh(
    settings: &BuildReport,
    stop: &Stop,
    notices: &Notices,
    mut on_build: impl FnMut(Result<(Built, Duration), Failure>),
) {
    let mut watch = {
        let logs = settings.logs.clone();
        let settings = Settings {
            min_interval: MIN_INTERVAL,
            ..Settings::default()
        };
        Watch::new(move || segments::watched(&logs), settings, stop)
    };
    if let Some(warning) = watch.take_warning() {
        notices.tell(Notice::warning(
            "watch-by-polling",
            format_args!("{:#}", anyhow::Error::new(warning)),
        ));
    }
    // Only the first build starts over.
    let mut settings = settings.clone();
    let mut telling = Telling::All;
    loop {
        let begin = Instant::now();
        // A defect of ours must not end the thread unseen and leave a report that is stale for ever.
        let outcome = catch_unwind(AssertUnwindSafe(|| build(&settings, notices, telling)));
        on_build(outcome.unwrap_or_else(|_| {
            let hint = "this is a defect of call-metrics: please report it, with the line that tells of the panic";
            Err(Failure::new(anyhow!("cannot build the report: it panicked"), hint))
        }));
        (settings.full, settings.prune) = (false, false);
        telling = Telling::News;
        watch.set_min_interval(MIN_INTERVAL.max(begin.elapsed() * REST));
        if watch.wait() == Wake::Stopped {
            return;
        }
    }
}

/// A log that holds something else, most likely the wrong file: the report would just be empty.
fn no_beacons(logs: &[String], built: &Built) -> Notice {
    let skipped = built.log.skipped.iter();
    let skipped: Vec<String> = skipped.map(|(reason, n)| format!("{reason} {n}")).collect();
    let message = format!(
        "no line of `{}` is a beacon: {} lines skipped ({})",
        logs.join("`, `"),
        built.log.skipped_total(),
        skipped.join(", ")
    );
    Notice::warning("no-beacons", message).hint(Some(
        "pass `--log` the log of a collector: one JSON object a line",
    ))
}

fn summary(built: &Built, out: &Path, took: Duration) -> Result<(), Failure> {
    // For scripts: the nouns stay as they are, also after a 1.
    on_stdout(&format!(
        "{} calls, {} participants, {} samples, {} lines skipped -> {} ({:.2} s)\n",
        built.calls,
        built.participants,
        built.samples,
        built.log.skipped_total(),
        out.display(),
        took.as_secs_f64()
    ))
}

/// What to hear of while a report is built.
fn noted(note: Note, out: &Path) -> Option<Notice> {
    let out = out.display();
    Some(match note {
        Note::Progress(_) => return None,
        Note::Waiting => Notice::info(
            "report-waits",
            format_args!("another build of `{out}` is at work: this one comes after it"),
        ),
        Note::StartOver(reason) => Notice::info(
            "report-starts-over",
            format_args!("`{out}` is built from the whole log: {reason}"),
        ),
        Note::Lost { calls } => Notice::warning(
            "report-lost",
            format_args!(
                "{calls} of the calls whose log is gone cannot be read back, because what was remembered of them is damaged: `{out}` lists them no more, their pages stay"
            ),
        ),
        Note::NotKept { folder, cause } => Notice::warning(
            "report-state",
            format_args!(
                "cannot remember in `{}` what was read, so that each build reads the whole log: {cause}",
                folder.display()
            ),
        )
        .hint(Some("pass `--state DIR` with a folder that you may write to")),
    })
}

/// A report's error with what to do about it.
pub(super) fn explained(error: report::Error) -> Failure {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let hint = match &error {
        report::Error::Find(segments::Error::Missing(_)) => {
            "pass `--log PATH`; `call-metrics serve` makes a log, `call-metrics sample-log > sample.log` a made-up one"
        }
        report::Error::Find(segments::Error::NoMatch(_) | segments::Error::Glob { .. }) => {
            "quote the pattern, and check it with `ls`"
        }
        report::Error::Find(segments::Error::Directory(_)) => {
            "pass a file, or a pattern such as 'DIR/*.log'"
        }
        report::Error::Find(segments::Error::Restless(_)) => {
            "run it again when nothing renames log files any more"
        }
        report::Error::Find(segments::Error::List { .. } | segments::Error::Open { .. })
        | report::Error::Read(_) => "run as a user who may read it, or pass `--log PATH`",
        report::Error::NoCall(_) => {
            "the id is the name of the call's page: the last part of its address, without `.html`"
        }
        report::Error::Write { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded) =>
        {
            "make room on that disk, or pass `--out DIR` on another one; the next build goes on from the one before this"
        }
        report::Error::Write { .. } => "pass `--out DIR` with a folder that you may write to",
        report::Error::Remembered(_) => {
            "see that there is room on the disk of the log and of the temporary folder, or pass `--state DIR`"
        }
        report::Error::Render(_) => "this is a defect of call-metrics: please report it",
    };
    Failure::new(error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_full_disk_asks_for_room_and_a_closed_folder_for_another() {
        let hint = |kind: io::ErrorKind| {
            let path = "site/index.html".into();
            let source = kind.into();
            explained(report::Error::Write { path, source }).hint
        };
        let says = |kind, words: &str| hint(kind).is_some_and(|hint| hint.contains(words));
        assert!(says(io::ErrorKind::StorageFull, "make room"));
        assert!(says(io::ErrorKind::PermissionDenied, "may write to"));
    }
}
