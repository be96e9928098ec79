//! Ways out of the simulation: each ends the run and is named, and each can be allowed.

use std::io::Write as _;
use std::task::Waker;
use std::time::Duration;

use stormglass::run::run_seed;
use stormglass::time::sleep;
use stormglass::{Config, EscapeKind, Failure};

use super::child;

/// Runs `attempt` on a node and gives how the run failed.
fn escape(attempt: fn()) -> (EscapeKind, String, Option<String>, Option<String>) {
    let outcome = run_seed(&Config::default(), 0, move |sim| async move {
        sim.node("runaway").run(move |_| async move { attempt() });
        sleep(Duration::from_secs(1)).await;
    });
    let failed = outcome.failed.expect("the run fails");
    assert_eq!(failed.moment.name, "runaway");
    match failed.failure {
        Failure::Escape {
            kind,
            call,
            detail,
            place,
        } => (kind, call, detail, place),
        _ => panic!("{failed}"),
    }
}

#[test]
fn a_thread_is_an_escape_with_its_place() {
    let (kind, call, _, place) = escape(|| {
        let _ = std::thread::Builder::new().spawn(|| {});
    });
    assert_eq!((kind, &*call), (EscapeKind::Thread, "pthread_create"));
    assert!(place.expect("debug information").contains("escapes.rs:"));
}

#[test]
fn a_refused_thread_that_panics_is_still_told_as_an_escape() {
    let (kind, ..) = escape(|| drop(std::thread::spawn(|| {})));
    assert_eq!(kind, EscapeKind::Thread);
}

#[test]
fn a_blocking_sleep_is_an_escape_and_takes_no_time() {
    let begin = std::time::Instant::now();
    let (kind, ..) = escape(|| std::thread::sleep(Duration::from_secs(1_000)));
    assert_eq!(kind, EscapeKind::Sleep);
    assert!(begin.elapsed() < Duration::from_secs(100));
}

#[test]
fn a_real_socket_is_an_escape() {
    let (kind, ..) = escape(|| drop(std::net::UdpSocket::bind("127.0.0.1:0")));
    assert_eq!(kind, EscapeKind::Socket);
    let (kind, ..) = escape(|| drop(std::net::TcpStream::connect("127.0.0.1:1")));
    assert_eq!(kind, EscapeKind::Socket);
}

#[test]
fn a_real_file_is_an_escape_with_its_path() {
    let (kind, _, detail, place) = escape(|| drop(std::fs::read("/etc/hostname")));
    assert_eq!(kind, EscapeKind::File);
    assert_eq!(detail.as_deref(), Some("/etc/hostname"));
    assert!(place.expect("debug information").contains("escapes.rs:"));
    let (kind, ..) = escape(|| drop(std::fs::write("/tmp/stormglass-escape", "x")));
    assert_eq!(kind, EscapeKind::File);
    assert!(!std::path::Path::new("/tmp/stormglass-escape").exists());
}

#[test]
fn a_child_process_is_an_escape() {
    let (kind, ..) = escape(|| drop(std::process::Command::new("/bin/true").status()));
    assert_eq!(kind, EscapeKind::ChildProcess);
}

#[test]
fn standard_input_is_an_escape() {
    let (kind, ..) = escape(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
    });
    assert_eq!(kind, EscapeKind::Stdin);
}

#[test]
fn a_backtrace_is_no_escape() {
    let outcome = run_seed(&Config::default(), 0, |_| async {
        std::backtrace::Backtrace::force_capture().to_string().len()
    });
    assert!(outcome.unwrap() > 100);
}

/// Runs `attempt` on a node that may leave in this way, and gives what it gave.
fn allowed<R: Send + 'static>(kind: EscapeKind, attempt: fn() -> R) -> R {
    let config = Config {
        allow: vec![kind],
        ..Config::default()
    };
    let outcome = run_seed(&config, 0, move |sim| async move {
        let node = sim.node("traveller").idle();
        node.spawn(async move { attempt() }).await
    });
    assert_eq!(outcome.escaped, [kind], "the run is marked");
    outcome.unwrap().expect("the attempt is not refused")
}

#[test]
fn an_allowed_file_is_read() {
    assert!(allowed(EscapeKind::File, || std::fs::read(
        "/proc/self/stat"
    )
    .is_ok()));
}

#[test]
fn an_allowed_sleep_sleeps() {
    let begin = std::time::Instant::now();
    allowed(EscapeKind::Sleep, || {
        std::thread::sleep(Duration::from_millis(20));
    });
    assert!(begin.elapsed() >= Duration::from_millis(20));
}

#[test]
fn an_allowed_socket_is_on_the_real_network() {
    let address = allowed(EscapeKind::Socket, || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        socket.send_to(b"real", address).unwrap();
        let mut word = [0; 4];
        let (length, from) = socket.recv_from(&mut word).unwrap();
        assert_eq!((&word, length, from), (b"real", 4, address));
        address
    });
    assert_ne!(address.port(), 0, "the system chose a port");
}

#[test]
fn an_allowed_child_process_runs() {
    let codes = allowed(EscapeKind::ChildProcess, || {
        ["/bin/true", "/bin/false"].map(exit_code)
    });
    assert_eq!(codes, [Some(0), Some(1)]);
}

/// Runs a program to its end.
fn exit_code(program: &str) -> Option<i32> {
    std::process::Command::new(program).status().unwrap().code()
}

#[test]
fn the_report_of_a_run_that_left_says_so() {
    let config = Config {
        allow: vec![EscapeKind::File],
        ..Config::default()
    };
    let result = std::panic::catch_unwind(|| {
        stormglass::run(config, |_| async {
            std::fs::read("/proc/self/stat").map_err(|_| "refused")?;
            Err::<(), _>("a failure")
        });
    });
    let report = *result.unwrap_err().downcast::<String>().unwrap();
    let told = "beware  it may not replay, having used: real file";
    assert!(report.contains(told), "{report}");
}

#[test]
fn a_waker_on_another_thread_is_an_escape() {
    let (send, receive) = std::sync::mpsc::channel::<Waker>();
    let (done, is_done) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        receive.recv().map(Waker::wake).unwrap();
        done.send(()).unwrap();
    });
    let outcome = run_seed(&Config::default(), 0, move |sim| async move {
        let (waits, waiting) = futures::channel::oneshot::channel();
        let node = sim.node("waiter").idle();
        let mut waits = Some(waits);
        node.spawn(std::future::poll_fn(move |cx| {
            if let Some(waits) = waits.take() {
                waits.send(cx.waker().clone()).unwrap();
            }
            std::task::Poll::<()>::Pending
        }));
        // The thread wakes the waiting task while this one runs.
        send.send(waiting.await.unwrap()).unwrap();
        is_done.recv().unwrap();
        sleep(Duration::from_secs(1)).await;
    });
    thread.join().unwrap();
    let failed = outcome.failed.expect("the run fails");
    assert!(
        matches!(
            &failed.failure,
            Failure::Escape {
                kind: EscapeKind::Thread,
                ..
            }
        ),
        "{failed}"
    );
    assert_eq!(failed.moment.name, "waiter");
}

#[test]
fn allowed_threads_can_wake_tasks() {
    let config = Config {
        allow: vec![EscapeKind::Thread],
        ..Config::default()
    };
    let outcome = run_seed(&config, 0, |_| async {
        let (send, receive) = futures::channel::oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            send.send(7)
        });
        receive.await.unwrap()
    });
    assert_eq!(outcome.escaped, [EscapeKind::Thread]);
    assert_eq!(outcome.unwrap(), 7);
}

/// Set in the child processes of the tests below.
const CHILD: &str = "STORMGLASS_TEST_CHILD";

#[test]
fn an_allowed_look_at_standard_input_reads_it() {
    let read_line = || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        line
    };
    if std::env::var_os(CHILD).is_some() {
        assert_eq!(allowed(EscapeKind::Stdin, read_line), "from outside\n");
        return;
    }
    let (input, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"from outside\n").unwrap();
    drop(writer);
    let child = child::test("suite::escapes::an_allowed_look_at_standard_input_reads_it")
        .env(CHILD, "1")
        .stdin(input)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
}

#[test]
fn an_allowed_end_of_the_process_ends_it() {
    if std::env::var_os(CHILD).is_some() {
        allowed(EscapeKind::Exit, || std::process::exit(3));
    }
    let child = child::test("suite::escapes::an_allowed_end_of_the_process_ends_it")
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert_eq!(child.status.code(), Some(3), "{child:?}");
}

#[test]
fn ending_the_process_is_told() {
    if std::env::var_os(CHILD).is_some() {
        let outcome = run_seed(&Config::default(), 7, |sim| async move {
            sim.node("quitter").run(|_| async { std::process::exit(3) });
            sleep(Duration::from_secs(1)).await;
        });
        panic!("the process goes on after {outcome:?}");
    }
    let child = child::test("suite::escapes::ending_the_process_is_told")
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8(child.stderr).unwrap();
    assert_eq!(child.status.code(), Some(101), "{text}");
    for part in [
        "process exit by `exit`",
        "on quitter (n1",
        "replay  STORMGLASS_SEED=7",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn a_program_that_spins_after_a_refusal_has_escaped() {
    let config = Config {
        hang_after: Duration::from_millis(200),
        ..Config::default()
    };
    let outcome = run_seed(&config, 0, |sim| async move {
        sim.node("stubborn").run(|_| async {
            while std::fs::read("/etc/hostname").is_err() {
                std::hint::spin_loop();
            }
        });
        sleep(Duration::from_secs(1)).await;
    });
    let failed = outcome.failed.expect("the run fails");
    assert!(
        matches!(
            failed.failure,
            Failure::Escape {
                kind: EscapeKind::File,
                ..
            }
        ),
        "{failed}"
    );
    assert_eq!(failed.moment.name, "stubborn");
}
