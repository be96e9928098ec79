//! The nemesis on a cluster: its storms end with everybody well, and what was decided for a run
//! can be given to another.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stormglass::fault::{Attack, Decisions, FaultKind, FaultPlan, Nemesis, Quorum};
use stormglass::net::UdpSocket;
use stormglass::sim::{Builder, Outcome, State};
use stormglass::time::{sleep, timeout};
use stormglass::{Config, OnPanic, Sim, fs, rand};

const MS: Duration = Duration::from_millis(1);

/// Answers every datagram, after a write to its disk, whatever the disk says to that.
async fn serve() -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:1").await?;
    let mut bytes = [0; 100];
    loop {
        let (count, from) = socket.recv_from(&mut bytes).await?;
        let _ = fs::write("/last", &bytes[..count]).await;
        stormglass::crash_point!("written");
        let _ = socket.send_to(&bytes[..count], from).await;
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Op {
    server: usize,
    after_ms: u64,
}

/// Sends to the servers what a workload says, through a storm, and all of them once more after it.
/// Gives how often there was an answer.
async fn storm(sim: Sim, attacks: Vec<Attack>) -> usize {
    let servers = sim.group("s", 3..=5).run(|_| serve());
    let client = sim.node("client").idle();
    let storm = sim.unleash(&Nemesis {
        lasts: Duration::from_secs(3),
        attacks,
        bystanders: vec!["client".to_owned()],
        points: vec!["written".to_owned()],
        ..Nemesis::of(servers.names(), Quorum::Majority)
    });
    let (count, names) = (servers.len(), servers.names());
    let op = || Op {
        server: rand::index(count),
        after_ms: rand::below(100),
    };
    let ops = sim.workload("client", || (0..60).map(|_| op()).collect());
    let asking = client.spawn(async move {
        let mut answers = 0;
        for Op { server, after_ms } in ops {
            sleep(u32::try_from(after_ms).unwrap() * MS).await;
            answers += usize::from(ask(&names[server]).await);
        }
        answers
    });
    storm.over().await;
    let answers = asking.await.unwrap();
    sleep(100 * MS).await;
    for server in servers.iter() {
        assert_eq!(server.state(), State::Running);
        let name = server.name();
        let last = client.spawn(async move { ask(&name).await });
        assert!(
            last.await.unwrap(),
            "{} does not answer after the storm",
            server.name()
        );
    }
    answers
}

async fn ask(server: &str) -> bool {
    let Ok(socket) = UdpSocket::bind("0.0.0.0:0").await else {
        return false;
    };
    let mut bytes = [0; 100];
    if socket.send_to(b"question", (server, 1)).await.is_err() {
        return false;
    }
    matches!(
        timeout(50 * MS, socket.recv_from(&mut bytes)).await,
        Ok(Ok(_))
    )
}

fn run(seed: u64, attacks: Vec<Attack>, decisions: Decisions) -> Outcome<usize> {
    let config = Config {
        on_panic: OnPanic::KillNode,
        ..Config::default()
    };
    let builder = Builder::new()
        .config(config)
        .seed(seed)
        .decisions(decisions);
    builder.run(move |sim| storm(sim, attacks))
}

#[test]
fn storms_end_with_everybody_well() {
    let (mut answers, mut faults) = (0, 0);
    for seed in 0..60 {
        let outcome = run(seed, Attack::usual(), Decisions::default());
        faults += outcome.decisions.plans[0].faults.len();
        answers += outcome.unwrap();
    }
    assert!(faults > 60 * 20, "{faults} faults");
    // A quiet run has 60 answers of 60; storms cost some and leave some.
    assert!((60 * 15..60 * 55).contains(&answers), "{answers} answers");
}

#[test]
fn the_decisions_of_a_run_give_the_same_run_again() {
    let first = run(3, Attack::usual(), Decisions::default());
    let text = serde_json::to_string(&first.decisions).unwrap();
    let decisions: Decisions = serde_json::from_str(&text).unwrap();
    assert_eq!(decisions, first.decisions);
    // Which attacks there are is of no account to a run whose plan is given.
    let again = run(3, vec![Attack::Crash], decisions);
    assert_eq!(first.digest, again.digest);
    assert_eq!(first.decisions, again.decisions);
}

#[test]
fn a_run_takes_over_what_was_cut_down() {
    let first = run(3, Attack::usual(), Decisions::default());
    let mut fewer = first.decisions.clone();
    fewer.plans[0] = FaultPlan::new();
    fewer.groups.insert("s".to_owned(), 1);
    let ops = fewer.workloads.get_mut("client").unwrap();
    ops.truncate(10);
    ops.iter_mut().for_each(|op| op["server"] = 0.into());
    let calm = run(3, Attack::usual(), fewer.clone());
    assert_eq!(calm.decisions, fewer);
    assert_eq!(calm.unwrap(), 10);
}

#[test]
fn a_workload_of_another_version_is_told() {
    let mut decisions = run(3, Attack::usual(), Decisions::default()).decisions;
    decisions.workloads.get_mut("client").unwrap()[0] = "put".into();
    let outcome = run(3, Attack::usual(), decisions);
    let failed = outcome.failed.unwrap().to_string();
    let expected = "the scenario's workload `client` is of another version of the test";
    assert!(failed.contains(expected), "{failed}");
}

#[test]
fn a_nemesis_without_its_nodes_is_refused() {
    let outcome = Builder::new().run(|sim| async move {
        let nemesis = Nemesis::of(vec!["nobody".to_owned()], Quorum::Majority);
        sim.unleash(&nemesis);
    });
    let failed = outcome.failed.unwrap().to_string();
    assert!(failed.contains("there is no node `nobody`"), "{failed}");
}

#[test]
fn a_crash_at_a_point_comes_at_that_pass() {
    let mut plan = FaultPlan::new();
    let (point, pass) = ("written".to_owned(), 3);
    let crash = plan.add(
        Duration::ZERO,
        FaultKind::CrashAt { point, pass },
        stormglass::fault::Target::node("s"),
    );
    crash.duration = Some(Duration::from_secs(1));
    let outcome = Builder::new().run(move |sim| async move {
        let server = sim.node("s").run(|_| serve());
        let storm = sim.apply(&plan);
        let answers = [ask("s").await, ask("s").await, ask("s").await];
        assert_eq!(answers, [true, true, false]);
        assert_eq!(server.state(), State::Crashed);
        storm.over().await;
        assert!(ask("s").await && ask("s").await && ask("s").await && ask("s").await);
    });
    outcome.unwrap();
}

#[test]
fn a_role_that_a_node_comes_to_is_a_target() {
    let attacks = vec![Attack::LeaderAlone];
    let alone = |labels: bool| {
        let attacks = attacks.clone();
        let outcome = Builder::new().run(move |sim| async move {
            let group = sim.group("n", 3..=3).run(|_| std::future::pending::<()>());
            let storm = sim.unleash(&Nemesis {
                attacks,
                has_leader: true,
                ..Nemesis::of(group.names(), Quorum::Majority)
            });
            let mut seen = [false; 3];
            for step in 0..1_000 {
                // Each leads for a while.
                if labels {
                    for (number, node) in group.iter().enumerate() {
                        let leads = step / 100 % 3 == number;
                        node.set_label("role", if leads { "leader" } else { "follower" });
                    }
                }
                sleep(10 * MS).await;
                for number in 0..3 {
                    let (node, other) = (group[number], group[(number + 1) % 3]);
                    let third = group[(number + 2) % 3];
                    let network = sim.network();
                    let cut_off = network.is_cut(node, other) && network.is_cut(third, node);
                    seen[number] |= cut_off && !network.is_cut(other, third);
                }
            }
            storm.over().await;
            seen.iter().filter(|seen| **seen).count()
        });
        outcome.unwrap()
    };
    assert!(alone(true) > 0, "some leader was alone");
    assert_eq!(alone(false), 0, "nobody leads");
}
