//! Formats round trip, and what is wrong is told with its line.

use super::*;

const EDN: &str = r#"; a comment
{:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}
#jepsen.history.Op{:index 1, :time 12, :type :ok, :process 0, :f :append, :key "0",
  :value "\u0041\n",
  :error [:a {:b #{1 2}}]}
{:process :nemesis, :type :info, :f :start-partition, :value {"n1" ["n2"]}, :time 13}
{:type :invoke, :process 1, :f :txn, :value [[:r 1 nil] [:append 2 -7]]} #_{:no 1}
{:type :info, :process 1, :f :txn, :value nil}
"#;

#[test]
fn edn_is_read_and_written() {
    let history = History::from_edn(EDN).unwrap();
    assert_eq!(history.events().len(), 4);
    assert_eq!(history.operations().len(), 2);
    assert_eq!(history.marks()[0].f, "start-partition");
    assert_eq!(history.marks()[0].position, 2);
    assert_eq!(history.events()[1].value, Value::from("A\n"));
    assert_eq!(history.events()[1].time, SimTime::from_nanos(12));
    let again = History::from_edn(&history.to_edn()).unwrap();
    assert_eq!(again.events(), history.events());
    assert_eq!(again.marks(), history.marks());
    let wrapped = format!("[{EDN}]");
    assert_eq!(
        History::from_edn(&wrapped).unwrap().events(),
        history.events()
    );
}

#[test]
fn json_lines_are_read_and_written() {
    let history = History::from_edn(EDN).unwrap();
    let text = history.to_json_lines();
    let again = History::from_json_lines(&text).unwrap();
    assert_eq!(again.events(), history.events());
    assert_eq!(again.marks(), history.marks());
}

const ETCD: &str = "noise\n\
    INFO  jepsen.util - 4\t:invoke\t:read\tnil\n\
    INFO  jepsen.util - 3\t:invoke\t:cas\t[2 4]\n\
    INFO  jepsen.util - 4\t:fail\t:read\t:timed-out\n\
    INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n\
    INFO  jepsen.util - 3\t:info\t:cas\t:timed-out\n\
    INFO  jepsen.util - 4\t:invoke\t:write\t3\n\
    INFO  jepsen.util - 4\t:ok\t:write\t3\n";

#[test]
fn the_etcd_log_is_read_and_written() {
    let history = History::from_etcd_log(ETCD).unwrap();
    let kinds: Vec<Kind> = history.events().iter().map(|e| e.kind).collect();
    use Kind::{Fail, Info, Invoke, Ok};
    assert_eq!(kinds, [Invoke, Invoke, Fail, Info, Invoke, Ok]);
    assert_eq!(history.events()[1].value, Value::from([2, 4]));
    let again = History::from_etcd_log(&history.to_etcd_log()).unwrap();
    assert_eq!(again.operations(), history.operations());
}

#[test]
fn the_recorder_numbers_processes() {
    let mut recorder = Recorder::new();
    let one = recorder.next_process();
    recorder.invoke_key(one, "put", "k", "v", SimTime::ZERO);
    recorder.info(one, SimTime::ZERO);
    let other = recorder.next_process();
    assert_ne!(one, other);
    recorder.invoke(other, "get", (), SimTime::ZERO);
    recorder.fail(other, "no leader", SimTime::ZERO);
    let history = recorder.into_history();
    assert_eq!(history.events()[1].key, Some(Value::from("k")));
    assert_eq!(history.operations().len(), 2);
}

#[track_caller]
fn bad(read: fn(&str) -> Result<History, Malformed>, text: &str, line: u64, reason: &str) {
    let malformed = read(text).unwrap_err();
    assert_eq!(malformed.line, Some(line), "{malformed}");
    assert!(malformed.reason.contains(reason), "{malformed}");
    assert!(!malformed.help.is_empty());
}

#[test]
fn malformed_files_are_told_by_line() {
    let edn = History::from_edn;
    let invoke = "{:process 0, :type :invoke, :f :read, :value nil}\n";
    let two = format!("{invoke}{invoke}");
    bad(edn, &two, 2, "open operation already");
    let other = format!(
        "{invoke}\n{}",
        invoke.replace(":invoke, :f :read", ":ok, :f :write")
    );
    bad(edn, &other, 3, "ends `write` while `read` is open");
    let after = format!("{invoke}{}{invoke}", invoke.replace(":invoke", ":info"));
    bad(edn, &after, 3, "goes on");
    bad(
        edn,
        &invoke.replace(":invoke", ":okay"),
        1,
        "no type of event",
    );
    bad(
        edn,
        &invoke.replace(":invoke", ":ok"),
        1,
        "no open operation",
    );
    bad(edn, &invoke.replace(":process 0, ", ""), 1, "no `process`");
    bad(edn, &invoke.replace('}', ""), 2, "does not end");
    bad(edn, &invoke.replace("nil", "\"a"), 2, "string does not end");
    bad(edn, &invoke.replace("nil", "[1)"), 1, "another kind");
    bad(edn, &format!("{invoke}7"), 2, "no event");
    bad(
        edn,
        &format!("[{invoke}"),
        2,
        "vector of events does not end",
    );
    bad(edn, &invoke.replace("nil", &"[".repeat(100)), 1, "nested");

    let json = History::from_json_lines;
    let invoke = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":null}\n";
    bad(
        json,
        &format!("\n{invoke}{invoke}"),
        3,
        "open operation already",
    );
    bad(json, &format!("{invoke}{{\"process\":0,"), 2, "EOF");
    bad(json, &invoke.replace("invoke", "x"), 1, "no type of event");
    bad(json, &invoke.replace(":0", ":-1"), 1, "out of range");

    let etcd = History::from_etcd_log;
    bad(etcd, &ETCD.replace("[2 4]", "[2 x]"), 3, "no value");
    bad(etcd, &ETCD.replace("4\t:fail", "x\t:fail"), 4, "no process");
    bad(etcd, &ETCD.replace("\t3\n", "\n"), 7, "ends early");
    let malformed = etcd(&ETCD.replace("[2 4]", "[2 x]")).unwrap_err();
    assert_eq!(malformed.column, Some(36), "{malformed}");
    assert!(
        malformed
            .to_string()
            .starts_with("line 3, column 36: `[2 x]` is no value (")
    );
}
