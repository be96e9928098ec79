//! The names of hosts, for the test that changes them or lets lookups fail.

use std::net::IpAddr;

use super::Node;
use super::owner::Owner;
use crate::exec::{World, context};
use crate::model::net::{DnsConfig, Failing};

/// The names of hosts in a simulation, and the name server that knows them.
///
/// Every node's name is there from the beginning, with the node's addresses. A lookup looks first
/// at the static entries, of the asking node and then of all, and asks the name server if there is
/// none. Case does not matter, nor does one dot at the end.
///
/// ```
/// use std::time::Duration;
/// use stormglass::kernel::Distribution;
/// use stormglass::net::{DnsConfig, lookup_host};
/// use stormglass::sim::Builder;
/// use stormglass::time::Instant;
///
/// let outcome = Builder::new().run(|sim| async move {
///     let (a, b) = (sim.node("a").idle(), sim.node("b").idle());
///     sim.names().set_config(DnsConfig {
///         delay: Distribution::Constant(Duration::from_millis(20)),
///         ..DnsConfig::default()
///     });
///     sim.names().set("db.internal", &[a.address(), b.address()]);
///     let start = Instant::now();
///     let found = lookup_host("db.internal:80").await?;
///     assert_eq!((found.count(), start.elapsed()), (2, Duration::from_millis(20)));
///
///     let failing = sim.names().fail("db.internal");
///     let error = lookup_host("db.internal:80").await.map(|_| ()).unwrap_err();
///     assert!(error.to_string().contains("Temporary failure in name resolution"));
///     failing.end();
///     lookup_host("db.internal:80").await.map(|_| ())
/// });
/// outcome.unwrap().unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Names {
    owner: Owner,
}

impl Names {
    pub(super) const fn new(owner: Owner) -> Self {
        Self { owner }
    }

    /// Gives a name its addresses, in the order in which an answer lists them. A stale answer has
    /// those from before the last change.
    ///
    /// # Panics
    /// If there are no addresses, or the name cannot be looked up: it is empty, longer than 253
    /// bytes, an address or `localhost`, or contains a space or a colon.
    #[track_caller]
    pub fn set(&self, name: &str, addresses: &[IpAddr]) {
        assert!(
            !addresses.is_empty(),
            "`{name}` was given no addresses: give it at least one, or `remove` it"
        );
        self.act(|world| {
            world
                .net
                .set_name(&mut world.base, name, addresses.to_vec());
        });
    }

    /// Takes a name away: it is not known any more.
    ///
    /// # Panics
    /// If the name cannot be looked up, as for [`set`](Self::set).
    #[track_caller]
    pub fn remove(&self, name: &str) {
        self.act(|world| world.net.set_name(&mut world.base, name, Vec::new()));
    }

    /// The addresses that the name server knows of a name, none if it does not know it.
    #[must_use]
    #[track_caller]
    pub fn get(&self, name: &str) -> Vec<IpAddr> {
        self.owner.check();
        context::world(|world, _| world.net.name(name).to_vec())
    }

    /// Gives all nodes a static entry, as in `/etc/hosts`: it is looked at first, takes no time
    /// and never fails. It replaces an earlier one of that name.
    ///
    /// # Panics
    /// As [`set`](Self::set).
    #[track_caller]
    pub fn add_hosts_entry(&self, name: &str, addresses: &[IpAddr]) {
        self.act(|world| world.net.set_hosts_entry(None, name, addresses.to_vec()));
    }

    /// As [`add_hosts_entry`](Self::add_hosts_entry) for one node. It comes before an entry of all
    /// nodes.
    ///
    /// # Panics
    /// As [`set`](Self::set).
    #[track_caller]
    pub fn add_hosts_entry_on(&self, node: Node, name: &str, addresses: &[IpAddr]) {
        self.act(|world| {
            let entry = addresses.to_vec();
            world.net.set_hosts_entry(Some(node.id()), name, entry);
        });
    }

    /// Changes how the name server behaves, for lookups that begin from now on.
    ///
    /// # Panics
    /// If the delay makes no sense.
    #[track_caller]
    pub fn set_config(&self, config: DnsConfig) {
        self.act(|world| world.net.set_dns(config));
    }

    /// Lets lookups of a name fail, by every node, until the guard is ended or dropped. Static
    /// entries do not fail.
    ///
    /// # Panics
    /// If the name cannot be looked up, as for [`set`](Self::set).
    #[track_caller]
    pub fn fail(&self, name: &str) -> NamesGuard {
        self.begin(Failing::Name(name.to_owned()))
    }

    /// Lets a node's lookups fail, of every name, until the guard is ended or dropped. Static
    /// entries do not fail.
    #[track_caller]
    pub fn fail_on(&self, node: Node) -> NamesGuard {
        self.begin(Failing::Node(node.id()))
    }

    #[track_caller]
    fn begin(&self, failing: Failing) -> NamesGuard {
        let mut fault = None;
        self.act(|world| fault = Some(world.net.fail_lookups(&mut world.base, failing)));
        NamesGuard {
            names: *self,
            fault,
        }
    }

    /// Does something to the names, unless the calling code belongs to an incarnation that has
    /// ended.
    #[track_caller]
    fn act(&self, f: impl FnOnce(&mut World)) {
        self.owner.check();
        context::alive(|context| context.world(f));
    }
}

/// Lets lookups fail until it is [ended](Self::end), or dropped by a node that has not ended.
#[must_use = "dropping the guard ends the fault at once"]
#[derive(Debug)]
pub struct NamesGuard {
    names: Names,
    fault: Option<u64>,
}

impl NamesGuard {
    /// Ends the fault.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for NamesGuard {
    fn drop(&mut self) {
        let Some(fault) = self.fault else { return };
        // After the simulation there is nothing to end.
        if self.names.owner.is_running() {
            self.names
                .act(|world| world.net.end_failing_lookups(&mut world.base, fault));
        }
    }
}
