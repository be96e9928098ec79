//! Names: records, static entries, and a name server that is slow, fails or tells the past.

use std::net::IpAddr;

use super::super::dns::{AddressOrder, DnsConfig, Failing, Lookup};
use super::*;

const UNKNOWN: &str = "failed to lookup address information: Name or service not known";
const FAILED: &str = "failed to lookup address information: Temporary failure in name resolution";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn dns(change: impl FnOnce(&mut DnsConfig)) -> DnsConfig {
    let mut config = DnsConfig::default();
    change(&mut config);
    config
}

impl World {
    fn set(&mut self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| ip(text)).collect();
        self.net.set_name(&mut self.fx, name, addresses);
    }

    fn look_up(&mut self, node: NodeId, name: &str) -> io::Result<Lookup> {
        self.net.look_up(&mut self.fx, node, name)
    }

    fn ask(&mut self, node: NodeId, name: &str) -> SocketId {
        match self.look_up(node, name).unwrap() {
            Lookup::Asked(lookup) => lookup,
            Lookup::Answered(addresses) => panic!("{name} is known at once: {addresses:?}"),
        }
    }

    fn reply(&mut self, lookup: SocketId) -> io::Result<Option<Vec<IpAddr>>> {
        Ok(done(self.net.lookup_answer(&mut self.fx, lookup)?))
    }

    /// The whole lookup, and how long it took: the addresses as text, or the error.
    fn resolve(&mut self, node: NodeId, name: &str) -> (String, Duration) {
        let start = self.fx.now;
        let result = match self.look_up(node, name) {
            Ok(Lookup::Answered(addresses)) => Ok(addresses),
            Ok(Lookup::Asked(lookup)) => loop {
                match self.reply(lookup) {
                    Ok(None) => assert!(self.step(), "an answer comes"),
                    Ok(Some(addresses)) => break Ok(addresses),
                    Err(error) => break Err(error),
                }
            },
            Err(error) => Err(error),
        };
        let text = match result {
            Ok(addresses) => {
                let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                texts.join(" ")
            }
            Err(error) => error.to_string(),
        };
        let took = self.fx.now.as_duration() - start.as_duration();
        (text, took)
    }

    #[track_caller]
    fn resolves(&mut self, node: NodeId, name: &str, expected: &str) {
        assert_eq!(self.resolve(node, name).0, expected, "{name} at {node}");
    }

    fn fired(&self, family: Family) -> [u64; 3] {
        let counter = self.counter(family);
        [counter.offered, counter.fired, counter.effective]
    }
}

#[test]
fn a_name_is_found_whatever_its_case() {
    let mut world = World::new();
    world.set("Db-1.example", &["10.0.0.7", "fd00::7"]);
    world.resolves(A, "dB-1.EXAMPLE.", "10.0.0.7 fd00::7");
    world.resolves(A, "b", "10.0.0.2");
    world.resolves(A, "10.1.2.3", "10.1.2.3");
    world.resolves(A, "::1", "::1");
    world.resolves(A, "LocalHost", "127.0.0.1 ::1");
    world.resolves(A, "db-2", UNKNOWN);
    world.resolves(A, "", UNKNOWN);
    world.set("db-1.example", &[]);
    world.resolves(A, "db-1.example", UNKNOWN);
    assert!(world.fx.queue.next_at().is_none(), "all at once");
}

#[test]
fn errors_are_those_of_std() {
    let mut world = World::new();
    let error = world.look_up(A, "nobody").unwrap_err();
    let expected = format!("Custom {{ kind: Uncategorized, error: {UNKNOWN:?} }}");
    assert_eq!(format!("{error:?}"), expected);
    let error = world.look_up(A, "a\0b").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn an_answer_takes_its_time() {
    let mut world = World::new();
    let delay = Distribution::Constant(20 * MS);
    world.net.set_dns(dns(|dns| dns.delay = delay));
    let lookup = world.ask(A, "b");
    assert_eq!(world.reply(lookup).unwrap(), None);
    world.run(19 * MS);
    assert_eq!(world.reply(lookup).unwrap(), None);
    assert!(world.fx.woken.is_empty());
    world.run(MS);
    assert_eq!(world.fx.woken.len(), 1);
    assert_eq!(world.reply(lookup).unwrap(), Some(vec![ip("10.0.0.2")]));
    assert_eq!(code(world.reply(lookup)), libc::EBADF, "it is given once");
    assert_eq!(world.resolve(A, "nobody"), (UNKNOWN.to_owned(), 20 * MS));
    assert_eq!(world.resolve(A, "localhost").1, Duration::ZERO);
    assert_eq!(world.resolve(A, "10.0.0.9").1, Duration::ZERO);
    assert_eq!(world.times(Kind::NameAsked), [0, 20]);
    assert_eq!(world.times(Kind::NameAnswered), [20]);
    assert_eq!(world.times(Kind::NameFailed), [40]);
    assert_eq!(world.fired(Family::DnsDelay), [2, 2, 2]);
    world.assert_clean();
}

#[test]
fn a_lookup_that_is_given_up_leaves_nothing() {
    let mut world = World::new();
    let delay = Distribution::Constant(S);
    world.net.set_dns(dns(|dns| dns.delay = delay));
    let (early, late) = (world.ask(A, "b"), world.ask(A, "b"));
    world.net.give_up_lookup(&mut world.fx, early);
    world.run(2 * S);
    world.net.give_up_lookup(&mut world.fx, late);
    world.net.give_up_lookup(&mut world.fx, late);
    assert_eq!(
        world.fired(Family::DnsDelay),
        [2, 2, 0],
        "nobody saw an answer"
    );
    for how in [Death::Kill, Death::Crash] {
        world.ask(A, "b");
        world.die(A, how);
        world.restart(A);
    }
    assert_eq!(world.count(Kind::NameAnswered), 1);
    assert!(world.fx.queue.next_at().is_none());
    world.assert_clean();
}

#[test]
fn lookups_fail_as_often_as_they_should() {
    let mut world = World::new();
    let failure = Probability::percent(25);
    world.net.set_dns(dns(|dns| dns.failure = failure));
    let failed = (0..400)
        .filter(|_| world.resolve(A, "b").0 == FAILED)
        .count();
    assert!((60..140).contains(&failed), "{failed}");
    let failed = failed as u64;
    assert_eq!(world.fired(Family::DnsFailure), [400, failed, failed]);
    assert_eq!(world.fired(Family::DnsDelay), [0, 0, 0]);
    assert_eq!(world.fired(Family::DnsStale), [0, 0, 0]);
}

#[test]
fn a_stale_answer_is_what_was_true_before() {
    let mut world = World::new();
    world
        .net
        .set_dns(dns(|dns| dns.stale = Probability::ALWAYS));
    world.resolves(A, "b", "10.0.0.2");
    world.set("db", &["10.0.0.1"]);
    world.resolves(A, "db", UNKNOWN);
    world.set("db", &["10.0.0.2", "10.0.0.3"]);
    world.set("db", &["10.0.0.2", "10.0.0.3"]);
    world.resolves(A, "db", "10.0.0.1");
    world.set("db", &[]);
    world.resolves(A, "db", "10.0.0.2 10.0.0.3");
    // The first was asked of a name that never changed.
    assert_eq!(world.fired(Family::DnsStale), [4, 3, 3]);
    world.net.set_dns(dns(|dns| {
        dns.stale = Probability::ALWAYS;
        dns.failure = Probability::ALWAYS;
    }));
    world.resolves(A, "db", FAILED);
    assert_eq!(world.fired(Family::DnsStale), [5, 3, 3], "it failed");
    world.net.set_dns(DnsConfig::default());
    world.resolves(A, "db", UNKNOWN);
    assert_eq!(world.fired(Family::DnsStale), [5, 3, 3]);
}

#[test]
fn an_answer_is_what_was_true_when_it_was_asked_for() {
    let mut world = World::new();
    let delay = Distribution::Constant(S);
    world.net.set_dns(dns(|dns| dns.delay = delay));
    let lookup = world.ask(A, "b");
    world.set("b", &["10.0.0.3"]);
    world.run(S);
    assert_eq!(world.reply(lookup).unwrap(), Some(vec![ip("10.0.0.2")]));
}

#[test]
fn addresses_go_round_if_they_shall() {
    let mut world = World::new();
    world.set("db", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let all = |world: &mut World| -> BTreeSet<String> {
        (0..50).map(|_| world.resolve(A, "db").0).collect()
    };
    assert_eq!(all(&mut world).len(), 1);
    world
        .net
        .set_dns(dns(|dns| dns.order = AddressOrder::Rotated));
    let rotations = [
        "10.0.0.1 10.0.0.2 10.0.0.3",
        "10.0.0.2 10.0.0.3 10.0.0.1",
        "10.0.0.3 10.0.0.1 10.0.0.2",
    ];
    assert_eq!(
        all(&mut world),
        rotations.map(str::to_owned).into_iter().collect()
    );
    world.resolves(A, "nobody", UNKNOWN);
}

#[test]
fn static_entries_come_first_and_never_fail() {
    let mut world = World::new();
    world.net.set_dns(dns(|dns| {
        dns.failure = Probability::ALWAYS;
        dns.delay = Distribution::Constant(S);
    }));
    let entry = |text| vec![ip(text)];
    world.net.set_hosts_entry(None, "db", entry("10.9.9.1"));
    world.net.set_hosts_entry(Some(A), "DB.", entry("10.9.9.2"));
    world.net.set_hosts_entry(Some(A), "b", entry("10.9.9.3"));
    let at_once = |text: &str| (text.to_owned(), Duration::ZERO);
    assert_eq!(world.resolve(A, "db"), at_once("10.9.9.2"));
    assert_eq!(world.resolve(B, "db"), at_once("10.9.9.1"));
    assert_eq!(world.resolve(A, "b"), at_once("10.9.9.3"));
    assert_eq!(world.resolve(B, "b"), (FAILED.to_owned(), S));
    world.net.set_hosts_entry(Some(A), "db", entry("10.9.9.4"));
    assert_eq!(world.resolve(A, "db"), at_once("10.9.9.4"));
    assert_eq!(
        world.fired(Family::DnsFailure),
        [1, 1, 1],
        "only one was asked"
    );
}

#[test]
fn lookups_of_a_name_or_a_node_fail_while_they_shall() {
    let mut world = World::new();
    let name = world
        .net
        .fail_lookups(&mut world.fx, Failing::Name("B.".to_owned()));
    let again = world
        .net
        .fail_lookups(&mut world.fx, Failing::Name("b".to_owned()));
    world.resolves(A, "b", FAILED);
    world.resolves(A, "c", "10.0.0.3");
    world.net.end_failing_lookups(&mut world.fx, name);
    world.resolves(A, "b", FAILED);
    world.net.end_failing_lookups(&mut world.fx, again);
    world.net.end_failing_lookups(&mut world.fx, again);
    world.resolves(A, "b", "10.0.0.2");
    let node = world.net.fail_lookups(&mut world.fx, Failing::Node(A));
    world.resolves(A, "c", FAILED);
    world.resolves(B, "c", "10.0.0.3");
    world.net.end_failing_lookups(&mut world.fx, node);
    world.resolves(A, "c", "10.0.0.3");
    assert_eq!(world.fired(Family::DnsFailure), [5, 3, 3]);
    assert_eq!(world.count(Kind::LookupsFailing), 6);
}

#[test]
fn a_fault_shifts_no_other_draw() {
    let delays = |failure: Probability, others: bool| -> Vec<Duration> {
        let mut world = World::new();
        world.net.set_dns(dns(|dns| {
            dns.failure = failure;
            dns.delay = Distribution::Uniform { min: MS, max: S };
        }));
        let delays = (0..20).map(|_| {
            if others {
                world.resolve(B, "c");
                world.resolve(A, "b");
            }
            world.resolve(A, "c").1
        });
        delays.collect()
    };
    let plain = delays(Probability::NEVER, false);
    assert!(plain.windows(2).any(|pair| pair[0] != pair[1]));
    assert_eq!(plain, delays(Probability::percent(50), false));
    assert_eq!(plain, delays(Probability::ALWAYS, true));
}

#[test]
fn what_draws_nothing_keeps_nothing() {
    let mut world = World::new();
    for n in 0..100 {
        world.resolves(A, &format!("nobody-{n}"), UNKNOWN);
    }
    assert_eq!(world.net.names.known(), 3, "the names of the three hosts");
}

#[test]
fn names_that_cannot_be_looked_up_are_refused() {
    let refused = |name: &str| {
        let name = name.to_owned();
        let set = std::panic::catch_unwind(move || World::new().set(&name, &["10.0.0.1"]));
        set.unwrap_err().downcast_ref::<String>().unwrap().clone()
    };
    for name in ["", ".", "a b", "a:80", "a\0b", &"a".repeat(254)] {
        assert!(
            refused(name).contains("cannot be the name of a host"),
            "{name}"
        );
    }
    for name in ["localhost", "LOCALHOST.", "10.0.0.1"] {
        assert!(refused(name).contains("is never looked up"), "{name}");
    }
}

#[test]
#[should_panic(expected = "the delay of lookups makes no sense")]
fn a_delay_that_makes_no_sense_is_refused() {
    let delay = Distribution::Uniform { min: S, max: MS };
    World::new().net.set_dns(dns(|dns| dns.delay = delay));
}

#[test]
fn settings_read_well_and_refuse_what_they_do_not_know() {
    let text = concat!(
        r#"{"delay":{"constant":"5ns"},"failure":"1/4","#,
        r#""stale":"0/1","order":"rotated"}"#,
    );
    let config: DnsConfig = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&config).unwrap(), text);
    let part: DnsConfig = serde_json::from_str("{}").unwrap();
    assert_eq!(part, DnsConfig::default());
    assert!(serde_json::from_str::<DnsConfig>(r#"{"lost":1}"#).is_err());
}
