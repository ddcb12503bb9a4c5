//! Checked settings: what the rest of the program may rely on. Raw arguments come in, no clap type goes out.

use crate::cli::{BuildReportArgs, DurabilityArg, SampleLogArgs, ServeArgs};
use crate::daily;
use crate::log::writer::Durability;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("invalid value `{value}` for `{setting}`: {cause}")]
pub struct Error {
    setting: &'static str,
    value: String,
    cause: String,
    /// What to do about it, in one line.
    pub hint: String,
}

fn error(
    setting: &'static str,
    value: &str,
    cause: impl ToString,
    hint: impl Into<String>,
) -> Error {
    Error {
        setting,
        value: value.to_owned(),
        cause: cause.to_string(),
        hint: hint.into(),
    }
}

/// Variables of the environment that are honoured because people have them set already.
#[derive(Debug, Default)]
pub struct Environment {
    /// `DAILY_TOKEN`: the API key of the Daily account. There is no flag for it: arguments are seen by every user of a machine.
    pub daily_token: Option<String>,
    /// `DAILY_API_URL`.
    pub daily_api_url: Option<String>,
    /// `BEACON_URL`.
    pub beacon_url: Option<String>,
    /// `PORT`.
    pub port: Option<String>,
}

impl Environment {
    /// Reads them with `variable`; an empty value is an absent one.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Environment {
        let get = |name| variable(name).filter(|value| !value.trim().is_empty());
        Environment {
            daily_token: get("DAILY_TOKEN"),
            daily_api_url: get("DAILY_API_URL"),
            beacon_url: get("BEACON_URL"),
            port: get("PORT"),
        }
    }
}

/// Settings of `serve`.
#[derive(Debug)]
pub struct Serve {
    /// Addresses that `--listen` stands for; the first that can be bound is taken. Never empty.
    pub listen: Vec<SocketAddr>,
    /// What the person wrote for it, for messages.
    pub listen_text: String,
    /// File that beacons are appended to.
    pub log: PathBuf,
    /// Document root; the report is in its `report/`.
    pub public: PathBuf,
    /// Keep the report fresh.
    pub watch: bool,
    /// When a beacon is acknowledged.
    pub durability: Durability,
    /// Where the call page sends beacons: `/beacon`, or an `http(s)` URL.
    pub beacon_url: String,
    /// Origins (`scheme://host[:port]`, lower case) besides our own whose pages may send beacons.
    pub allow_origins: Vec<String>,
    /// Origins besides Daily's own whose rooms the call page may show.
    pub frame_origins: Vec<String>,
    /// How to reach Daily. `None`: no token, no rooms.
    pub daily: Option<daily::Settings>,
    /// How often the call page reads the metrics.
    pub sample_interval: Duration,
    /// How often it sends what it read.
    pub beacon_interval: Duration,
    /// Whether names of participants are sent.
    pub participant_names: bool,
    /// Password of the report and the counters. `None`: they are served on loopback alone.
    pub report_password: Option<Password>,
}

/// A password, kept out of every message.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// The text itself, for comparing.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Settings of `build-report`.
#[derive(Debug)]
pub struct BuildReport {
    /// Files and globs, as given.
    pub logs: Vec<String>,
    /// Folder of the site.
    pub out: PathBuf,
    /// Stay and rebuild.
    pub watch: bool,
    /// Write also what would not change.
    pub full: bool,
}

/// Settings of `sample-log`.
#[derive(Debug)]
pub struct SampleLog {
    /// Number of calls.
    pub calls: u32,
    /// Seed of the generator.
    pub seed: u64,
    /// Days over which calls are spread.
    pub days: u32,
    /// Instant by which the last one has ended, ms since the epoch.
    pub until_ms: i64,
}

const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
/// Polling faster than this reads the same values again: Daily refreshes them about every 2 s. Tests go faster.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Slower than this, a call would hardly show.
const INTERVAL_MAX: Duration = Duration::from_secs(600);
/// A room name has at most 64 characters and Daily takes 128 with the prefix.
const ROOM_PREFIX_BYTES_MAX: usize = 64;

impl Serve {
    /// Checks the arguments of `serve`.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot be used.
    pub fn check(args: ServeArgs, environment: Environment) -> Result<Serve, Error> {
        let given = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
        let listen_text = match (given(args.listen), environment.port) {
            (Some(listen), _) => listen,
            (None, Some(port)) => format!("0.0.0.0:{}", port.trim()),
            (None, None) => LISTEN_DEFAULT.to_owned(),
        };
        let beacon_url = given(args.beacon_url)
            .or(environment.beacon_url)
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
        let api_url = given(args.daily_api_url)
            .or(environment.daily_api_url)
            .unwrap_or_else(|| daily::API_URL.to_owned());
        origin_of("--daily-api-url", &api_url)?;
        let room_prefix = args.room_prefix;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !room_prefix.bytes().all(plain) || ROOM_PREFIX_BYTES_MAX < room_prefix.len() {
            return Err(error(
                "--room-prefix",
                &room_prefix,
                "Daily takes letters, digits, `-` and `_`",
                format!("use at most {ROOM_PREFIX_BYTES_MAX} of them, or \"\" for no prefix"),
            ));
        }
        let daily = match environment.daily_token {
            None => None,
            Some(token) => Some(daily::Settings {
                api_url: api_url.trim_end_matches('/').to_owned(),
                token: daily::Token::new(token.trim()).map_err(|cause| {
                    error(
                        "DAILY_TOKEN",
                        "***",
                        cause,
                        "copy the API key anew from https://dashboard.daily.co/developers",
                    )
                })?,
                room_prefix,
                timeout: daily::TIMEOUT,
            }),
        };
        Ok(Serve {
            listen: resolve(&listen_text)?,
            listen_text,
            log: args.log,
            public: args.public,
            watch: args.watch,
            durability: match args.durability {
                DurabilityArg::Synced => Durability::Synced,
                DurabilityArg::Written => Durability::Written,
            },
            beacon_url,
            allow_origins: origins("--allow-origin", &args.allow_origin)?,
            frame_origins: origins("--frame-origin", &args.frame_origin)?,
            daily,
            sample_interval: interval("--sample-interval", &args.sample_interval)?,
            beacon_interval: interval("--beacon-interval", &args.beacon_interval)?,
            participant_names: args.participant_names,
            report_password: args
                .report_password
                .filter(|password| !password.is_empty())
                .map(Password),
        })
    }
}

impl From<BuildReportArgs> for BuildReport {
    fn from(args: BuildReportArgs) -> BuildReport {
        BuildReport {
            logs: args.log,
            out: args.out,
            watch: args.watch,
            full: args.full,
        }
    }
}

impl SampleLog {
    /// Checks the arguments of `sample-log`.
    ///
    /// # Errors
    ///
    /// Where `--until` is no instant.
    pub fn check(args: &SampleLogArgs) -> Result<SampleLog, Error> {
        let until: jiff::Timestamp = args.until.parse().map_err(|cause| {
            error(
                "--until",
                &args.until,
                cause,
                "write an instant such as 2026-11-23T17:00:00Z",
            )
        })?;
        Ok(SampleLog {
            calls: args.calls,
            seed: args.seed,
            days: args.days,
            until_ms: until.as_millisecond(),
        })
    }
}

fn resolve(listen: &str) -> Result<Vec<SocketAddr>, Error> {
    let hint = "write an address and a port, such as 127.0.0.1:8080, or [::1]:8080 for IPv6";
    let found = listen
        .to_socket_addrs()
        .map_err(|cause| error("--listen", listen, cause, hint))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(error("--listen", listen, "the name has no address", hint));
    }
    Ok(found)
}

fn interval(setting: &'static str, text: &str) -> Result<Duration, Error> {
    let hint = "write a time such as 2s, 500ms or 1m";
    let duration = match text.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds)
            .map_err(|cause| error(setting, text, cause, hint))?,
        Err(_) => {
            let signed: jiff::SignedDuration = text
                .trim()
                .parse()
                .map_err(|cause| error(setting, text, cause, hint))?;
            Duration::try_from(signed).map_err(|cause| error(setting, text, cause, hint))?
        }
    };
    if duration < INTERVAL_MIN || INTERVAL_MAX < duration {
        return Err(error(setting, text, "not between 100ms and 10m", hint));
    }
    Ok(duration)
}

fn origins(setting: &'static str, texts: &[String]) -> Result<Vec<String>, Error> {
    texts
        .iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| exact_origin(setting, text))
        .collect()
}

/// An origin and nothing more, in the form in which browsers send it.
fn exact_origin(setting: &'static str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    let origin = origin_of(setting, text)?;
    if origin.len() < text.trim_end_matches('/').len() {
        let hint = format!("write `{origin}`");
        return Err(error(setting, text, "an origin has no path", hint));
    }
    let origin = origin.to_ascii_lowercase();
    // Browsers leave the scheme's own port out.
    let shown = match origin.split_once("://") {
        Some(("http", rest)) => rest
            .strip_suffix(":80")
            .map(|host| format!("http://{host}")),
        Some(("https", rest)) => rest
            .strip_suffix(":443")
            .map(|host| format!("https://{host}")),
        _ => None,
    };
    Ok(shown.unwrap_or(origin))
}

/// `scheme://host[:port]` of an `http` or `https` URL, as written.
fn origin_of<'a>(setting: &'static str, url: &'a str) -> Result<&'a str, Error> {
    let hint = "write it with its scheme, such as https://app.example.com";
    let after_scheme = ["http://", "https://"].iter().find(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let Some(scheme) = after_scheme else {
        return Err(error(setting, url, "not an http or https URL", hint));
    };
    let rest = &url[scheme.len()..];
    let host = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if host.is_empty() || host.starts_with(':') || !host.bytes().all(allowed) {
        return Err(error(setting, url, "no valid host in it", hint));
    }
    Ok(&url[..scheme.len() + host.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, parse};
    use std::ffi::OsString;

    fn serve(args: &str, environment: &[(&str, &str)]) -> Result<Serve, Error> {
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
        let listen =
            |args, environment: &[_]| serve(args, environment).unwrap().listen[0].to_string();
        assert_eq!(listen("", &[]), "127.0.0.1:8080");
        assert_eq!(listen("", &[("PORT", "9000")]), "0.0.0.0:9000");
        assert_eq!(listen("", &[("PORT", "")]), "127.0.0.1:8080");
        assert_eq!(listen("--listen [::1]:0", &[("PORT", "9000")]), "[::1]:0");
        assert!(serve("--listen 8080", &[]).is_err());
        assert!(serve("", &[("PORT", "http")]).is_err());
    }

    #[test]
    fn the_token_is_in_no_message() {
        let settings = serve("", &[("DAILY_TOKEN", "sekret-1")]).unwrap();
        assert!(settings.daily.is_some());
        assert!(!format!("{settings:?}").contains("sekret"));
        let refused = serve("", &[("DAILY_TOKEN", "sek\nret")]).unwrap_err();
        assert!(
            !format!("{refused} {refused:?}").contains("ret\""),
            "{refused}"
        );
        assert!(serve("", &[("DAILY_TOKEN", "  ")]).unwrap().daily.is_none());
    }

    #[test]
    fn origins_are_exact_and_in_the_form_of_browsers() {
        let origin = |text: &str| {
            serve(&format!("--allow-origin {text}"), &[]).map(|s| s.allow_origins.join(" "))
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
    fn intervals_are_times_within_reason() {
        let interval = |text: &str| {
            serve(&format!("--sample-interval={text}"), &[]).map(|s| s.sample_interval.as_millis())
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
        let url = |args: &str, environment: &[_]| serve(args, environment).map(|s| s.beacon_url);
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
