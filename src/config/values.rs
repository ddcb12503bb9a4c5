//! Values as people write them: addresses, times, origins.

use super::{Error, Listen, error};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// Polling faster than this reads the same values again: Daily refreshes them about every 2 s. Tests go faster.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Slower than this, a call would hardly show.
const INTERVAL_MAX: Duration = Duration::from_secs(600);

/// Bytes of the path of a Unix socket, in every system's reckoning.
const SOCKET_PATH_BYTES_MAX: usize = 100;

pub(super) fn listen(text: &str) -> Result<Listen, Error> {
    let Some(path) = text.trim().strip_prefix("unix:") else {
        return resolve(text).map(Listen::Tcp);
    };
    if path.is_empty() || SOCKET_PATH_BYTES_MAX < path.len() {
        let cause = format!("the path of a socket has 1 to {SOCKET_PATH_BYTES_MAX} bytes");
        let hint = "write a shorter one, such as unix:/run/call-metrics/http";
        return Err(error("--listen", text, cause, hint));
    }
    Ok(Listen::Unix(PathBuf::from(path)))
}

fn resolve(listen: &str) -> Result<Vec<SocketAddr>, Error> {
    let hint =
        "write an address and a port, such as 127.0.0.1:8080, or [::1]:8080 for IPv6, or unix:PATH";
    let found = listen
        .to_socket_addrs()
        .map_err(|cause| error("--listen", listen, cause, hint))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(error("--listen", listen, "the name has no address", hint));
    }
    Ok(found)
}

pub(super) fn interval(setting: &'static str, text: &str) -> Result<Duration, Error> {
    let hint = "write a time such as 2s, 500ms or 1m";
    let duration = duration(setting, text, hint)?;
    if duration < INTERVAL_MIN || INTERVAL_MAX < duration {
        return Err(error(setting, text, "not between 100ms and 10m", hint));
    }
    Ok(duration)
}

/// A time with its unit; without one, seconds.
pub(super) fn duration(setting: &'static str, text: &str, hint: &str) -> Result<Duration, Error> {
    let trimmed = text.trim();
    if let Ok(seconds) = trimmed.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds)
            .map_err(|cause| error(setting, text, cause, hint));
    }
    let signed: jiff::SignedDuration = trimmed
        .parse()
        .map_err(|cause| error(setting, text, cause, hint))?;
    Duration::try_from(signed).map_err(|cause| error(setting, text, cause, hint))
}

/// Bytes: `500k` and `1GB` count in thousands, `64MiB` in 1,024s.
pub(super) fn size(setting: &'static str, text: &str) -> Result<u64, Error> {
    let hint = "write a size such as 64MiB, 1GB or 500k, or 0";
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.len() - lower.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = lower.split_at(digits);
    let factor: u64 = match unit.trim_start() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(error(setting, text, "not a size", hint)),
    };
    let number: u64 = number
        .parse()
        .map_err(|cause| error(setting, text, cause, hint))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| error(setting, text, "too large", hint))
}

pub(super) fn origins(setting: &'static str, texts: &[String]) -> Result<Vec<String>, Error> {
    texts
        .iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| exact_origin(setting, text))
        .collect()
}

/// An origin and nothing more, in the form in which browsers send it.
pub(super) fn exact_origin(setting: &'static str, text: &str) -> Result<String, Error> {
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
pub(super) fn origin_of<'a>(setting: &'static str, url: &'a str) -> Result<&'a str, Error> {
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

    #[test]
    fn sizes_are_written_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("17b", 17),
            ("500k", 500_000),
            ("1GB", 1_000_000_000),
            ("1 gb", 1_000_000_000),
            ("64MiB", 64 << 20),
            ("3Ki", 3 << 10),
            (" 2TiB ", 2 << 40),
        ] {
            assert_eq!(size("--min-free", text).unwrap(), bytes, "{text}");
        }
        for wrong in [
            "",
            "MiB",
            "-1",
            "1.5G",
            "1e3",
            "64 Mi B",
            "64MiBs",
            "99999999999999999999",
            "99999999TB",
            "٣k",
        ] {
            assert!(size("--min-free", wrong).is_err(), "{wrong}");
        }
    }
}
