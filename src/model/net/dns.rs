//! Names of hosts and what they resolve to.
//!
//! Owns the table of names. It must never know who asks, or when: lookups are immediate here.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names to addresses. Case does not matter, nor does one dot at the end.
#[derive(Debug, Default)]
pub(super) struct Names {
    addresses: BTreeMap<String, Vec<IpAddr>>,
}

impl Names {
    /// Gives a name its addresses, in the order in which a lookup lists them; replaces earlier
    /// ones.
    pub(super) fn set(&mut self, name: &str, addresses: Vec<IpAddr>) {
        self.addresses.insert(normal(name), addresses);
    }

    /// The addresses of a name, of an address written as text, or of `localhost`.
    ///
    /// # Errors
    /// As `getaddrinfo` puts it, if the name is unknown.
    pub(super) fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let name = normal(name);
        if let Some(addresses) = self.addresses.get(&name) {
            return Ok(addresses.clone());
        }
        if name == "localhost" {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let text = "failed to lookup address information: Name or service not known";
        Err(io::Error::other(text))
    }
}

fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_whatever_their_case() {
        let mut names = Names::default();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        names.set("Db-1.example", vec![ip("10.0.0.7"), ip("fd00::7")]);
        assert_eq!(
            names.resolve("dB-1.EXAMPLE.").unwrap(),
            [ip("10.0.0.7"), ip("fd00::7")]
        );
        assert_eq!(names.resolve("10.1.2.3").unwrap(), [ip("10.1.2.3")]);
        assert_eq!(names.resolve("::1").unwrap(), [ip("::1")]);
        assert_eq!(
            names.resolve("LocalHost").unwrap(),
            [ip("127.0.0.1"), ip("::1")]
        );
        let error = names.resolve("db-2").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("failed to lookup address information")
        );
    }
}
