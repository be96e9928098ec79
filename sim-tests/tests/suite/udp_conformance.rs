//! Calls of datagram sockets give in the simulation what they give on Linux: one program, run on
//! the real kernel's loopback and on a simulated node.

#[expect(clippy::duplicate_mod, reason = "compares two networks")]
mod ours;
mod tokios;

use stormglass::sim::Builder;

#[test]
fn udp_conformance() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let real = runtime.block_on(tokios::program::run()).unwrap();
    let simulated = Builder::new().run(|_| ours::program::run());
    let simulated = simulated.unwrap().unwrap();
    assert_eq!(real.len(), simulated.len());
    assert!(real.len() >= 25);
    let different: Vec<_> = real
        .iter()
        .zip(&simulated)
        .filter(|(real, simulated)| real != simulated)
        .collect();
    assert!(different.is_empty(), "real, then simulated: {different:#?}");
}
