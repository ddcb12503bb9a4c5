//! How requests reach us: proxies in front that may be believed, and the names this server is known by.
//! The door to `ipnet`. Must not look at a request.

use super::{Error, error};
use crate::cli::ReachArgs;
use ipnet::IpNet;
use std::net::IpAddr;

/// How requests reach us.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Proxies whose word on a client's address counts.
    pub trusted_proxies: TrustedProxies,
    /// Names of this server. Empty: any.
    pub public_hosts: Vec<PublicHost>,
}

/// Proxies that may be believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    nets: Vec<IpNet>,
    is_unix_trusted: bool,
}

impl TrustedProxies {
    /// Whether this is the address of one.
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.nets.iter().any(|net| net.contains(&address))
    }

    /// Whether who comes over a Unix socket is one.
    pub fn has_unix(&self) -> bool {
        self.is_unix_trusted
    }
}

/// A name under which this server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHost {
    /// In lower case.
    pub name: String,
    /// `None`: any.
    pub port: Option<u16>,
}

pub(super) fn reach(args: &ReachArgs) -> Result<Reach, Error> {
    let some = |texts: &[String]| -> Vec<String> {
        let texts = texts.iter().map(|text| text.trim().to_owned());
        texts.filter(|text| !text.is_empty()).collect()
    };
    let public_hosts = some(&args.public_host);
    Ok(Reach {
        trusted_proxies: trusted_proxies(&some(&args.trusted_proxy))?,
        public_hosts: public_hosts
            .iter()
            .map(|text| public_host(text))
            .collect::<Result<_, _>>()?,
    })
}

fn trusted_proxies(texts: &[String]) -> Result<TrustedProxies, Error> {
    let hint = "write an address such as 127.0.0.1, a network such as 10.0.0.0/8, or unix";
    let mut trusted = TrustedProxies::default();
    for text in texts {
        if text == "unix" {
            trusted.is_unix_trusted = true;
            continue;
        }
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text
                .parse::<IpNet>()
                .map_err(|cause| error("--trusted-proxy", text, cause, hint))?,
        };
        if net.prefix_len() == 0 {
            let cause = "everybody would be believed, and nobody counted";
            return Err(error("--trusted-proxy", text, cause, hint));
        }
        trusted.nets.push(net);
    }
    Ok(trusted)
}

fn public_host(text: &str) -> Result<PublicHost, Error> {
    let refused = |cause: &str| {
        let hint = "write a name as browsers show it, such as calls.example.com, and a port where it is always there";
        Err(error("--public-host", text, cause, hint))
    };
    if text.contains("://") || text.contains('/') {
        return refused("a name, not a URL");
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => return refused("malformed port"),
        },
        None => (text, None),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(plain) {
        return refused("no valid name");
    }
    Ok(PublicHost { name, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &str) -> Vec<String> {
        list.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn proxies_are_addresses_networks_and_the_unix_socket() {
        let trusted = trusted_proxies(&texts("127.0.0.1 10.0.0.0/8 fd00::/8 ::1 unix")).unwrap();
        for yes in [
            "127.0.0.1",
            "::ffff:127.0.0.1",
            "10.9.8.7",
            "fd00::7",
            "::1",
        ] {
            assert!(trusted.has(yes.parse().unwrap()), "{yes}");
        }
        for no in ["127.0.0.2", "11.0.0.1", "fe80::1", "::2", "::ffff:11.0.0.1"] {
            assert!(!trusted.has(no.parse().unwrap()), "{no}");
        }
        assert!(trusted.has_unix() && !TrustedProxies::default().has_unix());
        for wrong in ["caddy", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0"] {
            assert!(trusted_proxies(&texts(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_is_a_name_and_perhaps_a_port() {
        let check = |text: &str, name: &str, port: Option<u16>| {
            let name = name.to_owned();
            assert_eq!(public_host(text).unwrap(), PublicHost { name, port });
        };
        check("Calls.Example.COM", "calls.example.com", None);
        check("calls.example.com.", "calls.example.com", None);
        check("calls:8443", "calls", Some(8443));
        for wrong in [
            "https://a",
            "a/b",
            "a:x",
            "a:",
            ":80",
            "*.example.com",
            "a b",
        ] {
            assert!(public_host(wrong).is_err(), "{wrong}");
        }
    }
}
