//! What each fault family of names counts, in the same way as those of the network.

use std::io;
use std::time::Duration;

use stormglass::kernel::{Distribution, Family, FaultCounters, Probability};
use stormglass::net::{DnsConfig, lookup_host};
use stormglass::sim::{Builder, Config};
use stormglass::time::timeout;

use super::net_counters::{count, gives};

const MS: Duration = Duration::from_millis(1);

/// One lookup under these settings, of a name that changed, by who waits for the answer or not.
fn lookup(dns: DnsConfig, patience: Duration) -> (FaultCounters, String) {
    let config = Config {
        dns,
        ..Config::default()
    };
    gives(Builder::new().config(config).run(move |sim| async move {
        let (a, b) = (sim.node("a").idle(), sim.node("b").idle());
        sim.names().set("db", &[a.address()]);
        sim.names().set("db", &[b.address()]);
        drop(timeout(patience, lookup_host("db:7")).await);
        io::Result::Ok(())
    }))
}

#[test]
fn faults_of_names_matter_to_who_gets_the_answer() {
    let late = || DnsConfig {
        delay: Distribution::Constant(20 * MS),
        ..DnsConfig::default()
    };
    let failing = || DnsConfig {
        failure: Probability::ALWAYS,
        ..late()
    };
    let stale = || DnsConfig {
        stale: Probability::ALWAYS,
        ..late()
    };
    let cases = [
        (Family::DnsDelay, late()),
        (Family::DnsFailure, failing()),
        (Family::DnsStale, stale()),
    ];
    let (_, plain) = lookup(DnsConfig::default(), 50 * MS);
    for (family, dns) in cases {
        let counts = |patience| count(&lookup(dns.clone(), patience).0, family);
        assert_eq!(counts(50 * MS), [1, 1, 1], "{family}");
        assert_eq!(counts(10 * MS), [1, 1, 0], "{family}: it is given up");
        let never = DnsConfig {
            failure: Probability::new(0, 9),
            stale: Probability::new(0, 9),
            delay: Distribution::Constant(Duration::ZERO),
            ..DnsConfig::default()
        };
        let (counters, digest) = lookup(never, 50 * MS);
        assert_eq!(count(&counters, family), [0, 0, 0], "{family}");
        assert_eq!(digest, plain, "{family}");
    }
}
