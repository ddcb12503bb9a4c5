//! Checked settings of `serve`, in the groups of its flags.

use super::access::{Look, Send, look, send};
use super::reach::{Reach, reach};
use super::rooms::{Rooms, rooms};
use super::values::{interval, listen, origin_of, size};
use super::{Environment, Error, error, thresholds, zone};
use crate::cli::{CallPageArgs, DurabilityArg, LimitArgs, LogArgs, ServeArgs};
use crate::log::writer::{Durability, Keep, Rotation};
use crate::metric::Standards;
use jiff::tz::TimeZone;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

/// A log of less would be a segment for each beacon.
const ROTATE_SIZE_MIN: u64 = 64 << 10;

/// Settings of `serve`.
#[derive(Debug)]
pub struct Serve {
    /// Where clients come in, unless sockets are inherited.
    pub listen: Listen,
    /// Document root; the report is in its `report/`.
    pub public: PathBuf,
    /// Keep the report fresh.
    pub watch: bool,
    /// Where the report's days begin.
    pub zone: TimeZone,
    /// From where on metrics are an issue, in the report.
    pub standards: Standards,
    /// How requests reach us.
    pub reach: Reach,
    /// The beacon log.
    pub log: Log,
    /// Who may send beacons.
    pub send: Send,
    /// Who may see what was collected.
    pub look: Look,
    /// Rooms at Daily.
    pub rooms: Rooms,
    /// The call page.
    pub page: CallPage,
    /// Limits.
    pub limits: Limits,
    /// What whoever starts it should know.
    pub warnings: Vec<String>,
}

/// Where clients come in.
#[derive(Debug, PartialEq, Eq)]
pub enum Listen {
    /// Addresses that the name stands for; the first that can be bound is taken. Never empty.
    Tcp(Vec<SocketAddr>),
    /// The file of a Unix socket.
    Unix(PathBuf),
}

/// What one client may have.
#[derive(Debug)]
pub struct Limits {
    /// Connections at once from one address, 0: any number.
    pub connections_per_address: usize,
}

/// The beacon log.
#[derive(Debug)]
pub struct Log {
    /// File that beacons are appended to.
    pub file: PathBuf,
    /// When a beacon is acknowledged.
    pub durability: Durability,
    /// Free space below which beacons are refused; 0 is no limit.
    pub min_free_bytes: u64,
    /// When the log becomes a segment.
    pub rotation: Rotation,
    /// What becomes of segments.
    pub keep: Keep,
}

/// The call page.
#[derive(Clone, Debug)]
pub struct CallPage {
    /// Where it sends beacons: `/beacon`, or an `http(s)` URL.
    pub beacon_url: String,
    /// How often it reads the metrics.
    pub sample_interval: Duration,
    /// How often it sends what it read.
    pub beacon_interval: Duration,
    /// Whether names of participants are sent.
    pub participant_names: bool,
}

impl Serve {
    /// Checks the arguments of `serve`.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot be used.
    pub fn check(args: ServeArgs, environment: Environment) -> Result<Serve, Error> {
        let address = match (given(args.listen), &environment.port) {
            (Some(listen), _) => listen,
            (None, Some(port)) => format!("0.0.0.0:{}", port.trim()),
            (None, None) => LISTEN_DEFAULT.to_owned(),
        };
        let mut warnings = Vec::new();
        Ok(Serve {
            listen: listen(&address)?,
            public: args.public,
            watch: args.watch,
            zone: zone(&args.zone)?,
            standards: thresholds::standards(&args.standards)?,
            reach: reach(&args.reach)?,
            log: log(args.log)?,
            send: send(&args.send, &environment, &mut warnings)?,
            look: look(args.look, &mut warnings)?,
            rooms: rooms(args.rooms, &environment)?,
            page: page(args.page, &environment)?,
            limits: limits(&args.limits),
            warnings,
        })
    }
}

/// An empty value is an absent one.
pub(super) fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.trim().is_empty())
}

fn log(args: LogArgs) -> Result<Log, Error> {
    let rotate_size = size("--rotate-size", &args.rotate_size)?;
    if (1..ROTATE_SIZE_MIN).contains(&rotate_size) {
        return Err(error(
            "--rotate-size",
            &args.rotate_size,
            "less than 64KiB, the size of a single beacon",
            "write a size such as 256MiB, or 0 for never",
        ));
    }
    Ok(Log {
        file: args.file,
        durability: match args.durability {
            DurabilityArg::Synced => Durability::Synced,
            DurabilityArg::Written => Durability::Written,
        },
        min_free_bytes: size("--min-free", &args.min_free)?,
        rotation: Rotation {
            size_bytes: (0 < rotate_size).then_some(rotate_size),
            daily: args.rotate_daily,
        },
        keep: Keep {
            gzip: args.rotate_gzip,
            retain_days: (0 < args.retain_days).then_some(args.retain_days),
        },
    })
}

fn page(args: CallPageArgs, environment: &Environment) -> Result<CallPage, Error> {
    let beacon_url = given(args.beacon_url)
        .or_else(|| environment.beacon_url.clone())
        .unwrap_or_else(|| "/beacon".to_owned());
    if !beacon_url.starts_with('/') || beacon_url.starts_with("//") {
        origin_of("--beacon-url", &beacon_url)?;
    }
    if beacon_url.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(error(
            "--beacon-url",
            &beacon_url,
            "spaces or control characters",
            "percent-encode them",
        ));
    }
    Ok(CallPage {
        beacon_url,
        sample_interval: interval("--sample-interval", &args.sample_interval)?,
        beacon_interval: interval("--beacon-interval", &args.beacon_interval)?,
        participant_names: args.participant_names,
    })
}

fn limits(args: &LimitArgs) -> Limits {
    Limits {
        connections_per_address: args.connections_per_address,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::{Command, parse};
    use std::ffi::OsString;

    pub(in crate::config) fn serve(
        args: &str,
        environment: &[(&str, &str)],
    ) -> Result<Serve, Error> {
        let environment = Environment::read(|name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let args = ["call-metrics", "serve"]
            .into_iter()
            .chain(args.split_whitespace())
            .map(OsString::from);
        match parse(args).unwrap().command {
            Command::Serve(args) => Serve::check(*args, environment),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_port_of_the_host_counts_where_no_address_is_given() {
        let listen = |args, environment: &[_]| match serve(args, environment).unwrap().listen {
            Listen::Tcp(addresses) => addresses[0].to_string(),
            Listen::Unix(path) => panic!("{path:?}"),
        };
        assert_eq!(listen("", &[]), "127.0.0.1:8080");
        assert_eq!(listen("", &[("PORT", "9000")]), "0.0.0.0:9000");
        assert_eq!(listen("", &[("PORT", "")]), "127.0.0.1:8080");
        assert_eq!(listen("--listen [::1]:0", &[("PORT", "9000")]), "[::1]:0");
        assert!(serve("--listen 8080", &[]).is_err());
        assert!(serve("", &[("PORT", "http")]).is_err());
    }

    #[test]
    fn a_unix_socket_is_named_by_its_path() {
        let listen = |args: &str| serve(args, &[]).map(|settings| settings.listen);
        let path = |text: &str| Listen::Unix(PathBuf::from(text));
        assert_eq!(
            listen("--listen unix:/run/c.sock").unwrap(),
            path("/run/c.sock")
        );
        assert_eq!(listen("--listen unix:c.sock").unwrap(), path("c.sock"));
        assert!(listen("--listen unix:").is_err());
        let long = format!("--listen unix:/{}", "x".repeat(200));
        assert!(listen(&long).is_err());
    }

    #[test]
    fn the_token_is_in_no_message() {
        let settings = serve("", &[("DAILY_TOKEN", "sekret-1")]).unwrap();
        assert!(settings.rooms.daily.is_some());
        assert!(!format!("{settings:?}").contains("sekret"));
        let refused = serve("", &[("DAILY_TOKEN", "sek\nret")]).unwrap_err();
        assert!(
            !format!("{refused} {refused:?}").contains("ret\""),
            "{refused}"
        );
        assert!(
            serve("", &[("DAILY_TOKEN", "  ")])
                .unwrap()
                .rooms
                .daily
                .is_none()
        );
    }

    #[test]
    fn origins_are_exact_and_in_the_form_of_browsers() {
        let origin = |text: &str| {
            serve(&format!("--allow-origin {text}"), &[]).map(|s| s.send.allow_origins.join(" "))
        };
        assert_eq!(
            origin("https://App.example.com:443/").unwrap(),
            "https://app.example.com"
        );
        assert_eq!(
            origin("http://a:8080,https://b").unwrap(),
            "http://a:8080 https://b"
        );
        for wrong in [
            "null",
            "app.example.com",
            "https://a/b",
            "https://",
            "https://a\\b",
            "ftp://a",
            "*",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_log_is_rotated_and_removed_only_where_asked_for() {
        let log = |args: &str| serve(args, &[]).map(|settings| settings.log);
        let usual = log("").unwrap();
        assert_eq!(usual.min_free_bytes, 64 << 20);
        assert_eq!(usual.rotation, Rotation::default());
        assert_eq!(usual.keep, Keep::default());
        let off = log("--min-free 0 --rotate-size 0 --retain-days 0").unwrap();
        assert_eq!(off.min_free_bytes, 0);
        assert_eq!((off.rotation, off.keep), (usual.rotation, usual.keep));
        let all = log("--rotate-size 64KiB --rotate-daily --rotate-gzip --retain-days 30").unwrap();
        assert_eq!(
            all.rotation,
            Rotation {
                size_bytes: Some(65_536),
                daily: true
            }
        );
        assert_eq!(
            all.keep,
            Keep {
                gzip: true,
                retain_days: Some(30)
            }
        );
        for wrong in ["--rotate-size 65535", "--rotate-size 1", "--min-free lots"] {
            assert!(log(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn intervals_are_times_within_reason() {
        let interval = |text: &str| {
            serve(&format!("--sample-interval={text}"), &[])
                .map(|s| s.page.sample_interval.as_millis())
        };
        assert_eq!(interval("2s").unwrap(), 2_000);
        assert_eq!(interval("500ms").unwrap(), 500);
        assert_eq!(interval("3").unwrap(), 3_000);
        for wrong in ["0", "-1s", "1h", "soon", "NaN", "99ms"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn where_beacons_go_is_a_path_or_a_url() {
        let url =
            |args: &str, environment: &[_]| serve(args, environment).map(|s| s.page.beacon_url);
        assert_eq!(url("", &[]).unwrap(), "/beacon");
        assert_eq!(
            url("", &[("BEACON_URL", "https://c.example/b")]).unwrap(),
            "https://c.example/b"
        );
        assert_eq!(
            url("--beacon-url /x", &[("BEACON_URL", "https://c.example/b")]).unwrap(),
            "/x"
        );
        for wrong in ["//evil", "javascript:alert(1)", "beacon"] {
            assert!(
                url(&format!("--beacon-url {wrong}"), &[]).is_err(),
                "{wrong}"
            );
        }
    }
}
