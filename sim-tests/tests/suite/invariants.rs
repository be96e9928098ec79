//! The project's invariants, over whole runs.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stormglass::kernel::{Entry, Record, read};
use stormglass::net::UdpSocket;
use stormglass::sim::{Builder, Outcome};
use stormglass::time::sleep;
use tracing::level_filters::LevelFilter;

/// Three nodes that chat by datagrams, one of them crashed on the way.
fn chat(builder: Builder) -> Outcome<()> {
    builder.seed(11).run(|sim| async move {
        let group = sim.group("chat", 3..=3).run(|node| async move {
            let socket = UdpSocket::bind("0.0.0.0:1").await?;
            loop {
                sleep(Duration::from_micros(stormglass::rand::below(500))).await;
                for peer in node.peers() {
                    tracing::info!(peer, "says hello");
                    socket.send_to(b"hello", (peer.as_str(), 1)).await?;
                }
                let mut buffer = [0; 5];
                socket.recv_from(&mut buffer).await?;
            }
            #[expect(unreachable_code, reason = "names the error")]
            std::io::Result::Ok(())
        });
        sleep(Duration::from_millis(20)).await;
        group[1].crash();
        sleep(Duration::from_millis(20)).await;
    })
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn records(bytes: &[u8]) -> Vec<Record> {
    let mut reader = bytes;
    let mut records = Vec::new();
    while let Some(entry) = read(&mut reader).expect("the trace is well formed") {
        if let Entry::Record(record) = entry {
            records.push(record);
        }
    }
    records
}

#[test]
fn watching_is_free() {
    let plain = chat(Builder::new());
    let written = Memory::default();
    let watched = [
        chat(Builder::new().keep_last(10)),
        chat(Builder::new().write_trace(written.clone())),
        chat(Builder::new().keep_last(10).log(LevelFilter::TRACE, false)),
    ];
    assert!(plain.failed.is_none(), "{plain:?}");
    for outcome in watched {
        assert_eq!(outcome.digest.to_string(), plain.digest.to_string());
        assert_eq!((outcome.steps, outcome.end), (plain.steps, plain.end));
    }
    assert!(!written.0.lock().unwrap().is_empty());
}

#[test]
fn total_order() {
    let written = Memory::default();
    let outcome = chat(Builder::new().write_trace(written.clone()));
    let records = records(&written.0.lock().unwrap());
    assert_eq!(records.len() as u64, outcome.steps);
    for (step, record) in (0..).zip(&records) {
        assert_eq!(record.step.number(), step, "steps count up by one");
        assert!(
            record.cause <= record.step,
            "a cause comes before what it causes: {record:?}"
        );
    }
    assert!(
        records.windows(2).all(|pair| pair[0].at <= pair[1].at),
        "time never goes back"
    );
    let kinds: BTreeSet<_> = records.iter().map(|record| record.kind).collect();
    assert!(kinds.len() >= 10, "the run is a rich one: {kinds:?}");
}

#[test]
fn every_record_but_the_first_has_a_cause() {
    let written = Memory::default();
    chat(Builder::new().write_trace(written.clone()));
    let records = records(&written.0.lock().unwrap());
    for record in &records[1..] {
        assert!(record.cause < record.step, "{record:?}");
        let cause = &records[usize::try_from(record.cause.number()).unwrap()];
        assert!(cause.at <= record.at, "{cause:?} comes after {record:?}");
    }
}
