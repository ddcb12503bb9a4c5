//! One file a subcommand: wires the parts together, and says what to do when something fails.

mod build_report;
mod check;
mod progress;
mod sample_log;
mod serve;
mod supervisor;

use crate::cli::{self, Cli, Command, Stop};
use crate::config;
use crate::notice::{Notice, Notices};
use signal_hook::consts::{SIGHUP, TERM_SIGNALS};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Something failed.
const EXIT_FAILED: u8 = 1;
/// The arguments or the settings are wrong.
const EXIT_USAGE: u8 = 2;

/// At the end: how long stderr may take to take what was said.
const FLUSH: Duration = Duration::from_secs(1);

/// Why a command did not do what it was told.
#[derive(Debug)]
pub struct Failure {
    exit_code: u8,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    fn new(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> Failure {
        Failure {
            exit_code: EXIT_FAILED,
            error: error.into(),
            hint: Some(hint.into()),
        }
    }

    fn usage(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> Failure {
        Failure {
            exit_code: EXIT_USAGE,
            ..Failure::new(error, hint)
        }
    }

    /// The same, for a command to which 1 means something else.
    fn with_usage_code(self) -> Failure {
        Failure {
            exit_code: EXIT_USAGE,
            ..self
        }
    }

    fn without_hint(error: impl Into<anyhow::Error>) -> Failure {
        Failure {
            exit_code: EXIT_FAILED,
            error: error.into(),
            hint: None,
        }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Failure {
        let hint = error.hint.clone();
        Failure::usage(error, hint)
    }
}

impl Failure {
    fn notice(&self) -> Notice {
        let event = if self.exit_code == EXIT_USAGE {
            "wrong-usage"
        } else {
            "failed"
        };
        Notice::error(event, format_args!("{:#}", self.error)).hint(self.hint.as_deref())
    }
}

/// Runs the program with `args`, its own name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let dot_env = cli::read_dot_env();
    let notices = Notices::to_stderr(cli::log_format(args.clone()).into());
    notices.tell_panics();
    let outcome = match dot_env.and_then(|()| cli::parse(args)) {
        Ok(cli) => run(cli, &notices),
        Err(Stop::Say(text)) => on_stdout(&text).map(|()| ExitCode::SUCCESS),
        Err(Stop::Usage { message, hint }) => {
            Err(Failure::usage(anyhow::Error::msg(message), hint))
        }
    };
    let code = match outcome {
        Ok(code) => code,
        Err(failure) => {
            notices.tell(failure.notice());
            ExitCode::from(failure.exit_code)
        }
    };
    notices.flush(FLUSH);
    code
}

fn run(cli: Cli, notices: &Notices) -> Result<ExitCode, Failure> {
    warn_of_unknown_variables(notices);
    match cli.command {
        Command::Serve(args) => {
            let environment = config::Environment::read(|name| std::env::var(name).ok());
            serve::run(config::Serve::check(*args, environment)?, notices)
        }
        Command::BuildReport(args) => build_report::run(&config::BuildReport::of(args)?, notices),
        Command::SampleLog(args) => sample_log::run(&config::SampleLog::check(&args)?),
        Command::Check(args) => return check::run(&config::Check::of(args)?, notices),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn warn_of_unknown_variables(notices: &Notices) {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    for unknown in cli::unknown_variables(names) {
        let message = format!("`{}` is set, but there is no such setting", unknown.name);
        let hint = match &unknown.similar {
            Some(similar) => format!("`{similar}` may be meant"),
            None => "`call-metrics serve --help` tells those that there are".to_owned(),
        };
        let notice = Notice::warning("unknown-setting", message).with("variable", unknown.name);
        notices.tell(notice.hint(Some(&hint)));
    }
}

/// Calls `stop` at the first SIGTERM or SIGINT, on a thread of its own. A second signal ends the process at once.
fn on_signal(stop: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let armed = Arc::new(AtomicBool::new(false));
    for signal in TERM_SIGNALS {
        signal_hook::flag::register_conditional_shutdown(
            *signal,
            i32::from(EXIT_FAILED),
            Arc::clone(&armed),
        )
        .map_err(deaf)?;
        signal_hook::flag::register(*signal, Arc::clone(&armed)).map_err(deaf)?;
    }
    let mut signals = Signals::new(TERM_SIGNALS).map_err(deaf)?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if signals.forever().next().is_some() {
                stop();
            }
        })
        .map_err(deaf)?;
    Ok(())
}

/// Calls `hung_up` at every SIGHUP, on a thread of its own.
fn on_hangup(mut hung_up: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGHUP]).map_err(deaf)?;
    std::thread::Builder::new()
        .name("hang-ups".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                hung_up();
            }
        })
        .map_err(deaf)?;
    Ok(())
}

/// No signal would be heard.
fn deaf(cause: io::Error) -> Failure {
    Failure::without_hint(anyhow::Error::new(cause).context("cannot listen for signals"))
}

/// Now, ms since the epoch. Only this layer asks the system.
fn now_ms() -> u64 {
    // A clock before 1970 is a clock that was never set.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// Text for stdout, as it is.
fn on_stdout(text: &str) -> Result<(), Failure> {
    written(io::stdout().lock().write_all(text.as_bytes()))
}

/// Writes to stdout; a reader that went away (`| head`) has what it wanted.
fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome.and_then(|()| io::stdout().flush()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Failure::without_hint(
            anyhow::Error::new(cause).context("cannot write to stdout"),
        )),
        _ => Ok(()),
    }
}
