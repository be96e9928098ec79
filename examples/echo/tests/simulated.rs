//! The echo service in the simulation.

use std::io;
use std::time::Duration;

use stormglass::Sim;
use stormglass::net::TcpListener;
use stormglass::sim::Node;
use stormglass::time::sleep;

fn start_server(sim: Sim) -> Node {
    sim.node("server")
        .run(|_| async { echo_service::serve(TcpListener::bind("0.0.0.0:7").await?).await })
}

#[stormglass::test(seeds = 20)]
async fn what_is_sent_comes_back(sim: Sim) -> io::Result<()> {
    start_server(sim);
    assert_eq!(echo_service::call("server:7", b"hello").await?, b"hello");
    let long = vec![7; 300_000];
    assert_eq!(echo_service::call("server:7", &long).await?, long);
    Ok(())
}

#[stormglass::test(seeds = 20)]
async fn a_call_survives_a_crash_of_the_server(sim: Sim) -> io::Result<()> {
    let server = start_server(sim);
    let client = sim.node("client").idle();
    let call = client.spawn(async { echo_service::call("server:7", b"hello").await });
    sleep(Duration::from_millis(1)).await;
    server.crash();
    sleep(Duration::from_secs(1)).await;
    server.restart();
    assert_eq!(call.await.expect("the client is left alone")?, b"hello");
    Ok(())
}

#[stormglass::test(seeds = 20)]
async fn a_server_that_is_cut_off_is_silent(sim: Sim) {
    let server = start_server(sim);
    let client = sim.node("client").idle();
    sim.network().isolate(server);
    let call = client.spawn(async { echo_service::call("server:7", b"hello").await });
    let error = call.await.expect("the client is left alone").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
