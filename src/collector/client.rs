//! Whose request it is, for limits: the address of the client, seen through proxies that are trusted and no others.
//! Must not store or log an address: it is a key of bounded tables in memory, and nothing else.

use super::gate::{PEER_HEADER, PEER_UNIX};
use crate::config::TrustedProxies;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Of an IPv6 address, the part that a subscriber cannot choose.
const IPV6_PREFIX_BITS: u32 = 64;
/// Stands for everybody whose address is not known.
const UNKNOWN: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// What limits count by: an address, or the /64 of one. `None`: this machine itself, which no limit holds for.
    pub(crate) key: Option<IpAddr>,
    /// It came through a proxy that is trusted.
    pub(crate) is_proxied: bool,
    /// It says that it came through a proxy, and the peer is none that is trusted.
    pub(crate) is_masked: bool,
}

impl Client {
    /// Whether it is this machine itself, and says of nobody that it asks for them.
    pub(crate) fn is_here(self) -> bool {
        self.key.is_none() && !self.is_masked
    }

    /// What wrong passwords count by: whoever comes through a proxy on this machine is not this machine, named or not.
    pub(crate) fn guess_key(self) -> Option<IpAddr> {
        self.key.or(self.is_masked.then_some(UNKNOWN))
    }

    /// From the headers of a request.
    pub(crate) fn of<'a>(
        trusted: &TrustedProxies,
        header: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Client {
        Client::from_headers(trusted, header(PEER_HEADER), header("x-forwarded-for"))
    }

    /// From what the gate says of the peer, and what the peer says of the client.
    fn from_headers(
        trusted: &TrustedProxies,
        peer: Option<&str>,
        forwarded: Option<&str>,
    ) -> Client {
        let is_unix = peer == Some(PEER_UNIX);
        let peer = peer.and_then(|peer| peer.parse::<SocketAddr>().ok());
        let peer = peer.map(|peer| peer.ip().to_canonical());
        let is_proxied = match peer {
            Some(peer) => trusted.has(peer),
            None => is_unix && trusted.has_unix(),
        };
        let is_here = is_unix || peer.is_some_and(|peer| peer.is_loopback());
        let here = |address: Option<IpAddr>| match address {
            _ if is_here => None,
            Some(peer) => Some(key(peer)),
            None => Some(UNKNOWN),
        };
        let key = match forwarded {
            Some(list) if is_proxied => match origin(trusted, list) {
                Ok(Hop::Client(address)) => Some(key(address)),
                // Nobody but proxies: one of them asks on its own behalf, or for a client beside it.
                Ok(Hop::Proxy(address)) if address.is_loopback() => None,
                Ok(Hop::Proxy(address)) => Some(key(address)),
                // A list that cannot be read is counted, and by the peer even where that is this machine.
                Err(Unreadable) => Some(peer.map_or(UNKNOWN, key)),
            },
            _ => here(peer),
        };
        Client {
            key,
            is_proxied,
            is_masked: forwarded.is_some() && !is_proxied,
        }
    }
}

enum Hop {
    Client(IpAddr),
    Proxy(IpAddr),
}

struct Unreadable;

/// The right-most address that is no trusted proxy: what stands left of it, the client may have written itself.
fn origin(trusted: &TrustedProxies, list: &str) -> Result<Hop, Unreadable> {
    let mut last = Err(Unreadable);
    for text in list.rsplit(',') {
        let address = address(text.trim()).ok_or(Unreadable)?;
        if !trusted.has(address) {
            return Ok(Hop::Client(address));
        }
        last = Ok(Hop::Proxy(address));
    }
    last
}

/// An address as proxies write it: bare, in brackets, with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let address: Option<IpAddr> = text.parse().ok().or_else(with_port).or_else(bare);
    address.map(|address| address.to_canonical())
}

fn key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => {
            let prefix = u128::MAX << (128 - IPV6_PREFIX_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & prefix))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, parse};
    use crate::config::{Environment, Serve};

    fn trusting(list: &str) -> TrustedProxies {
        let args = ["call-metrics", "serve", "--trusted-proxy", list].map(Into::into);
        match parse(args).unwrap().command {
            Command::Serve(args) => {
                let checked = Serve::check(*args, Environment::default()).unwrap();
                checked.reach.trusted_proxies
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check(trusted: &str, peer: &str, forwarded: &str, expect: Option<&str>) {
        let forwarded = (!forwarded.is_empty()).then_some(forwarded);
        let client = Client::from_headers(&trusting(trusted), Some(peer), forwarded);
        let expect = expect.map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(client.key, expect, "{peer} {forwarded:?} under {trusted:?}");
    }

    #[test]
    fn without_trust_the_peer_counts_whatever_it_says() {
        check("", "1.2.3.4:5", "", Some("1.2.3.4"));
        check("", "1.2.3.4:5", "9.9.9.9", Some("1.2.3.4"));
        check("10.0.0.0/8", "1.2.3.4:5", "9.9.9.9", Some("1.2.3.4"));
        check("", "[::ffff:1.2.3.4]:5", "", Some("1.2.3.4"));
        check("", "[2001:db8:1:2:3:4:5:6]:7", "", Some("2001:db8:1:2::"));
        check("", "nonsense", "", Some("::"));
        let nobody = Client::from_headers(&TrustedProxies::default(), None, None);
        assert_eq!(nobody.key, Some(UNKNOWN));
    }

    #[test]
    fn this_machine_is_not_counted_unless_it_is_a_proxy() {
        for peer in ["127.0.0.1:5", "[::1]:5", "127.8.8.8:5", "unix"] {
            check("", peer, "", None);
            check("", peer, "9.9.9.9", None);
        }
        check("127.0.0.1", "127.0.0.1:5", "9.9.9.9", Some("9.9.9.9"));
        check("127.0.0.1", "127.0.0.1:5", "", None);
        check("unix", "unix", "9.9.9.9", Some("9.9.9.9"));
        check("unix", "unix", "", None);
        check("unix", "unix", "garbage", Some("::"));
        check("127.0.0.1", "unix", "9.9.9.9", None);
    }

    #[test]
    fn of_what_proxies_say_the_rightmost_stranger_counts() {
        let check =
            |list: &str, expect| check("10.0.0.0/8,127.0.0.1,fd00::/8", "10.0.0.1:5", list, expect);
        check("9.9.9.9", Some("9.9.9.9"));
        check("1.1.1.1, 9.9.9.9", Some("9.9.9.9"));
        check("127.0.0.1,9.9.9.9", Some("9.9.9.9"));
        check("1.1.1.1,9.9.9.9 ,  10.0.0.7,10.0.0.8", Some("9.9.9.9"));
        check("9.9.9.9:4711", Some("9.9.9.9"));
        check("::ffff:9.9.9.9", Some("9.9.9.9"));
        check("2001:db8::1:2:3:4", Some("2001:db8::"));
        check("[2001:db8::1:2:3:4]:80", Some("2001:db8::"));
        check("[2001:db8::1]", Some("2001:db8::"));
        check("10.0.0.9, 10.0.0.7", Some("10.0.0.9"));
        check("127.0.0.1", None);
        // Garbage stops the reading: what stands left of it is not believed either.
        for garbage in [
            "unknown",
            "",
            ",",
            "9.9.9.9,",
            "9.9.9.9, _hidden, 10.0.0.7",
            "9.9.9.9, 10.0.0.7;x",
            "1.2.3",
            "[::1",
        ] {
            check(garbage, Some("10.0.0.1"));
        }
    }

    #[test]
    fn a_proxy_that_nobody_named_is_noticed() {
        let client = |trusted: &str, forwarded| {
            Client::from_headers(&trusting(trusted), Some("10.0.0.1:5"), forwarded)
        };
        assert!(client("", Some("1.2.3.4")).is_masked);
        assert!(!client("", None).is_masked);
        assert!(!client("10.0.0.1", Some("1.2.3.4")).is_masked);
        assert!(client("10.0.0.1", None).is_proxied && !client("", None).is_proxied);
    }
}
