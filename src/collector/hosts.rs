//! Under which names this server may be asked. A page elsewhere can have its own name lead here (DNS rebinding) and then
//! is of the same origin; by name alone can it be told from ours. Must not resolve anything.

use super::reply::Reply;
use crate::config::PublicHost;
use std::net::IpAddr;

/// What is said to who asks under another name.
pub(crate) const REASON: &str = "host-refused";
pub(crate) const WORDS: &str = "this server is not known by this name; whoever runs it can add the name with `--public-host` \
                                (or CALL_METRICS_PUBLIC_HOST)";

/// The names.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// Empty: any.
    pub(crate) public: Vec<PublicHost>,
    /// Our own addresses.
    pub(crate) listen: Vec<IpAddr>,
    /// Only this machine reaches us, and its browsers do.
    pub(crate) is_loopback: bool,
}

impl Hosts {
    /// Whether a request may be answered. Names of this machine and its own addresses may always ask: no page elsewhere
    /// can take those. HTTP/1.0 may leave the name out, which no browser does.
    pub(crate) fn admit(&self, host: Option<&str>) -> bool {
        let Some(host) = host.filter(|_| !self.public.is_empty()) else {
            return true;
        };
        is_local(Some(host)) || self.is_own_address(host) || {
            let (name, port) = split(host);
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let is_it = |public: &PublicHost| {
                public.name == name && public.port.is_none_or(|wanted| port == Some(wanted))
            };
            self.public.iter().any(is_it)
        }
    }

    /// Whether a room may be opened, for a request that [`Hosts::admit`] lets pass. Without a list of names, a server that
    /// listens on loopback takes none but those of this machine, unless a proxy that is trusted passes them on. One that
    /// others reach takes any, since it cannot know its own; whoever can send it a page could ask it directly.
    pub(crate) fn admit_minting(&self, host: Option<&str>, is_proxied: bool) -> bool {
        let is_literal = host.is_some_and(|host| literal(host).is_some());
        !self.public.is_empty() || !self.is_loopback || is_proxied || is_literal || is_local(host)
    }

    fn is_own_address(&self, host: &str) -> bool {
        literal(host).is_some_and(|address| {
            self.listen
                .iter()
                .any(|own| own.is_unspecified() || *own == address)
        })
    }
}

/// The answer to who asks under another name.
pub(crate) fn refusal() -> Reply {
    Reply::text(421, WORDS).because(REASON)
}

/// Whether a request was addressed to this machine by a name that can mean no other. HTTP/1.0 may leave the name out.
pub(crate) fn is_local(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    split(host).0.eq_ignore_ascii_case("localhost")
        || literal(host).is_some_and(|address| address.is_loopback())
}

/// Name and port.
fn split(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, port.parse().ok())
        }
        _ => (host, None),
    }
}

/// The address, where it is one.
fn literal(host: &str) -> Option<IpAddr> {
    let name = split(host).0;
    let bare = match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None => name,
    };
    bare.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(public: &[(&str, Option<u16>)], listen: &str) -> Hosts {
        let public = public.iter().map(|(name, port)| PublicHost {
            name: (*name).to_owned(),
            port: *port,
        });
        let listen: IpAddr = listen.parse().unwrap();
        Hosts {
            public: public.collect(),
            listen: vec![listen],
            is_loopback: listen.is_loopback(),
        }
    }

    const LOCAL: [&str; 7] = [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1",
        "127.0.0.1:8080",
        "127.9.9.9:1",
        "[::1]",
        "[::1]:8080",
    ];
    const FOREIGN: [&str; 6] = [
        "evil.example",
        "localhost.evil.example:80",
        "127.0.0.1.evil.example",
        "10.0.0.1.evil.example:80",
        "",
        ":80",
    ];

    #[test]
    fn only_names_that_mean_this_machine_are_local() {
        for host in LOCAL {
            assert!(is_local(Some(host)), "{host}");
        }
        assert!(is_local(None));
        for host in FOREIGN.iter().chain(&["0.0.0.0", "10.0.0.1:80"]) {
            assert!(!is_local(Some(host)), "{host}");
        }
    }

    #[test]
    fn a_server_with_names_answers_to_them_and_to_its_addresses() {
        let named = hosts(
            &[("calls.example", None), ("b.example", Some(8443))],
            "0.0.0.0",
        );
        let own = [
            "calls.example",
            "Calls.Example:443",
            "calls.example.",
            "b.example:8443",
        ];
        for host in LOCAL.iter().chain(&own).chain(&["10.0.0.1:80"]) {
            assert!(named.admit(Some(host)), "{host}");
            assert!(named.admit_minting(Some(host), false), "{host}");
        }
        let others = [
            "b.example",
            "b.example:443",
            "x.calls.example",
            "calls.example.evil",
        ];
        for host in FOREIGN.iter().chain(&others) {
            assert!(!named.admit(Some(host)), "{host}");
        }
        assert!(named.admit(None));
        let on_one = hosts(&[("calls.example", None)], "10.0.0.1");
        assert!(on_one.admit(Some("10.0.0.1:80")) && !on_one.admit(Some("10.0.0.2:80")));
    }

    #[test]
    fn without_names_rooms_on_loopback_are_for_this_machine_and_its_proxies() {
        let here = hosts(&[], "127.0.0.1");
        for host in LOCAL.iter().chain(&["10.0.0.1:80", "[2001:db8::1]"]) {
            assert!(here.admit_minting(Some(host), false), "{host}");
        }
        assert!(here.admit_minting(None, false));
        for host in FOREIGN {
            assert!(
                here.admit(Some(host)) && !here.admit_minting(Some(host), false),
                "{host}"
            );
            assert!(here.admit_minting(Some(host), true), "{host}");
            assert!(
                hosts(&[], "0.0.0.0").admit_minting(Some(host), false),
                "{host}"
            );
        }
    }
}
