//! `serve`: the collector, the call page and the room proxy, and with `--watch` a report that stays fresh.

use super::supervisor::{Health, Supervisor};
use super::{Failure, build_report, on_stdout};
use crate::collector::gate::{Address, raise_open_files};
use crate::collector::{self, Collector, Parts, ReportStatus};
use crate::config::{BuildReport, Serve};
use crate::daily::Daily;
use crate::log::writer::{
    Durability, Listener, OpenError, Settings as WriterSettings, Unfinished, Writer,
};
use crate::notice::{Notice, Notices};
use crate::watch::Stop;
use anyhow::anyhow;
use listenfd::ListenFd;
use signal_hook::consts::{SIGHUP, SIGXFSZ};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime};

/// From the first signal until the last client is let go; the promise is 10 s for everything.
const DRAIN: Duration = Duration::from_secs(8);
/// From the first signal until nobody waits for the disk any more.
const LAST_SYNC: Duration = Duration::from_secs(9);

/// Why serving ends.
enum End {
    Signal,
    Failed(String),
}

pub(super) fn run(settings: Serve, notices: &Notices) -> Result<(), Failure> {
    // Neither shall end the process. Where a limit on file sizes is reached a write shall fail, and be answered so; a hang-up
    // is heeded from when there is a log to open anew.
    for signal in [SIGXFSZ, SIGHUP] {
        signal_hook::flag::register(signal, Arc::default()).map_err(super::deaf)?;
    }
    raise_open_files();
    let inherited = inherited()?;
    let writer = WriterSettings {
        durability: settings.log.durability,
        min_free_bytes: settings.log.min_free_bytes,
        rotation: settings.log.rotation.clone(),
        keep: settings.log.keep.clone(),
        listener: {
            let notices = notices.clone();
            Listener::new(move |event| notices.say(event.kind(), event))
        },
        ..WriterSettings::new(&settings.log.file)
    };
    let writer =
        Arc::new(Writer::open(writer).map_err(|error| unopened(error, &settings.log.file))?);
    let report_status = Arc::new(ReportStatus::default());
    let (tell, ended) = mpsc::channel();
    let on_failure = {
        let tell = tell.clone();
        move |cause| _ = tell.send(End::Failed(cause))
    };
    let collector = Arc::new(Collector::start(
        &settings,
        Parts {
            on_failure: Box::new(on_failure),
            notices: notices.clone(),
            inherited,
            ..Parts::new(
                Arc::clone(&writer),
                settings.rooms.daily.clone().map(Daily::new),
                Arc::clone(&report_status),
            )
        },
    )?);
    super::on_hangup({
        let writer = Arc::clone(&writer);
        move || writer.reopen()
    })?;
    super::on_signal(move || _ = tell.send(End::Signal))?;
    let stop = Stop::new();
    if settings.watch {
        keep_fresh(&settings, &stop, report_status, notices)?;
    }
    on_stdout(&format!("{}\n", listening(&collector)))?;
    for warning in &settings.warnings {
        notices.tell(Notice::warning("exposed", warning));
    }
    tell_what_is_there(&settings, &collector, notices);
    let supervisor = Supervisor::ready(health_of(&collector, &writer))?;

    // The sender inside the signal thread lives as long as the process, so this ends by one of the two.
    let end = ended
        .recv()
        .unwrap_or_else(|_| End::Failed("nobody is left to say why".to_owned()));
    let begin = Instant::now();
    supervisor.stopping();
    notices.tell(Notice::info(
        "stopping",
        "stopping: answering what was accepted",
    ));
    stop.stop();
    let is_drained = collector.stop(DRAIN.saturating_sub(begin.elapsed()));
    let stored = writer.stop_within(LAST_SYNC.saturating_sub(begin.elapsed()));
    tell_that_it_stopped(begin.elapsed(), is_drained, notices);
    match end {
        End::Signal => stored.map_err(|error| unfinished(error, writer.durability())),
        End::Failed(cause) => Err(Failure::new(
            anyhow!("cannot go on serving: {cause}"),
            "have a supervisor restart it, as `deploy/call-metrics.service` does",
        )),
    }
}

/// Builds the report on a thread of its own, which ends with the process: files are replaced as a whole, so it may end anywhere.
fn keep_fresh(
    settings: &Serve,
    stop: &Stop,
    status: Arc<ReportStatus>,
    notices: &Notices,
) -> Result<(), Failure> {
    let plan = BuildReport {
        logs: vec![settings.log.file.display().to_string()],
        out: settings.public.join("report"),
        watch: true,
        full: false,
        prune: false,
        state: None,
        single_file: None,
        zone: settings.zone.clone(),
        standards: settings.standards.clone(),
    };
    let (stop, notices) = (stop.clone(), notices.clone());
    std::thread::Builder::new()
        .name("report".to_owned())
        .spawn(move || {
            let mut told = None;
            build_report::keep_fresh(&plan, &stop, &notices, |outcome| {
                let took = outcome.as_ref().map_or(Duration::ZERO, |(_, took)| *took);
                status.built(SystemTime::now(), took, outcome.is_ok());
                // The same trouble is told once, however often the log grows meanwhile.
                let trouble = outcome
                    .err()
                    .map(|failure| (format!("{:#}", failure.error), failure.hint));
                match &trouble {
                    Some((error, hint)) if told != trouble => {
                        notices.tell(Notice::error("report-failed", error).hint(hint.as_deref()));
                    }
                    None if told.is_some() => {
                        notices.tell(Notice::info("report-built", "the report is built again"));
                    }
                    _ => {}
                }
                told = trouble;
            });
        })
        .map(drop)
        .map_err(|cause| {
            Failure::without_hint(
                anyhow::Error::new(cause).context("cannot start the thread of the report"),
            )
        })
}

/// Sockets that a supervisor has opened for us, as systemd does for a `.socket` unit (LISTEN_FDS).
fn inherited() -> Result<Vec<OwnedFd>, Failure> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for i in 0..passed.len() {
        let socket = match passed.take_tcp_listener(i) {
            Ok(tcp) => tcp.map(OwnedFd::from),
            Err(_) => passed
                .take_unix_listener(i)
                .map_err(|source| collector::Error::Inherited { source })?
                .map(OwnedFd::from),
        };
        sockets.extend(socket);
    }
    Ok(sockets)
}

fn listening(collector: &Collector) -> String {
    let addresses = collector.addresses().iter().map(ToString::to_string);
    let addresses: Vec<String> = addresses.collect();
    format!("listening on {}", addresses.join(", "))
}

fn tell_what_is_there(settings: &Serve, collector: &Collector, notices: &Notices) {
    let Some(address) = collector.addresses().first() else {
        return;
    };
    let tell = |event, message: String| notices.tell(Notice::info(event, message));
    let is_public = !collector.addresses().iter().all(Address::is_loopback);
    tell("listening", format!("call page   {address}/"));
    let has_password = settings.look.report_password.is_some();
    let report = match (is_public, has_password) {
        (true, false) => {
            "not served: on an address or a socket that others reach it needs `--report-password`"
                .to_owned()
        }
        (_, has_password) => format!(
            "{address}/report/ {}{}",
            if has_password {
                "for who has the password"
            } else {
                "for this machine alone"
            },
            if settings.watch {
                ""
            } else {
                " (without `--watch` nobody rebuilds it)"
            }
        ),
    };
    tell("report-address", format!("report      {report}"));
    tell(
        "log-file",
        format!("beacon log  {}", settings.log.file.display()),
    );
    if settings.rooms.daily.is_none() {
        let hint = match settings.rooms.daily_token_misnamed {
            Some(name) => format!("`{name}` is set: give its value to DAILY_TOKEN, and restart"),
            None => "everything else works without; `make demo` shows a full dashboard".to_owned(),
        };
        let message = "calls need a Daily API key: set DAILY_TOKEN in the environment or in `.env` (https://dashboard.daily.co/developers) and restart";
        notices.tell(Notice::info("no-daily-token", message).hint(Some(&hint)));
    }
}

fn tell_that_it_stopped(took: Duration, is_drained: bool, notices: &Notices) {
    let seconds = (took.as_secs_f64() * 1e3).round() / 1e3;
    let how = if is_drained {
        "every client was answered"
    } else {
        "clients that were still busy were let go"
    };
    let message = format!("stopped after {seconds} s: {how}");
    let notice = Notice::info("stopped", message);
    notices.tell(notice.with("seconds", seconds).with("drained", is_drained));
}

/// What a supervisor may know. Holds no part of the collector, which goes when it is stopped.
fn health_of(
    collector: &Arc<Collector>,
    writer: &Arc<Writer>,
) -> impl Fn() -> Health + Send + 'static {
    let (collector, writer) = (Arc::downgrade(collector), Arc::downgrade(writer));
    move || match (collector.upgrade(), writer.upgrade()) {
        (Some(collector), Some(writer)) => match (collector.check(), writer.health()) {
            (Err(cause), _) => Health::Dead(cause),
            // A restart would not mend a disk, and would end the calls' pages: so it lives.
            (Ok(()), Err(cause)) => Health::Alive(format!("cannot store beacons: {cause}")),
            (Ok(()), Ok(())) => Health::Alive(listening(&collector)),
        },
        _ => Health::Dead("stopped".to_owned()),
    }
}

/// Senders keep what was not answered, so what matters is what was.
fn unfinished(error: Unfinished, durability: Durability) -> Failure {
    let lost = match durability {
        Durability::Synced => {
            "what was answered 204 had been synced, what was not answered may be lost"
        }
        Durability::Written => "what was answered 204 is lost should the machine go down now",
    };
    let hint = match error {
        Unfinished::Late { .. } => "look after the disk, which does not answer",
        Unfinished::Failed { .. } => "look after the disk: what it holds of the log may be wrong",
    };
    Failure::new(anyhow!("{error}: {lost}"), hint)
}

fn unopened(error: OpenError, log: &Path) -> Failure {
    match error {
        OpenError::Locked { .. } => Failure::usage(
            error,
            "stop the other one, or pass `--log PATH` with a log of its own",
        ),
        OpenError::Directory { .. } => {
            Failure::new(error, "pass a file, such as `--log beacon.log`")
        }
        _ => {
            let hint = format!(
                "run as a user who may write `{}`, or pass `--log PATH`",
                log.display()
            );
            Failure::new(error, hint)
        }
    }
}

impl From<collector::Error> for Failure {
    fn from(error: collector::Error) -> Failure {
        Failure {
            hint: error.hint().map(str::to_owned),
            ..Failure::without_hint(error)
        }
    }
}
