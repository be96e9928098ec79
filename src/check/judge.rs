//! A file judged from its text: what `cargo stormglass check` prints, and with which status it
//! ends.

use core::fmt::Write as _;

use super::history::{History, Malformed};
use super::linear::{
    Budget, Counter, Explanation, Kv, Lock, Model, MultiRegister, OnFail, Queue, Reason, Register,
    Set, Verdict, check_linearizable, explain_violation,
};
use super::txn::{Isolated, Level, Transactions, Workload, check_transactions};

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// EDN maps, as Jepsen writes them; also Porcupine's key-value histories.
    Edn,
    /// The log of Jepsen's etcd test.
    EtcdLog,
}

impl Format {
    /// The format of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "jsonl" | "json" => Some(Self::JsonLines),
            "edn" | "jepsen" | "kv" => Some(Self::Edn),
            "etcd" | "etcd-log" => Some(Self::EtcdLog),
            _ => None,
        }
    }

    /// The format that a text looks like: JSON objects have quoted names, EDN maps have keywords.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let is_log = |line: &&str| line.contains("jepsen.util");
        if text.lines().take(1000).any(|line| is_log(&line)) {
            return Self::EtcdLog;
        }
        let mut lines = text
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.is_empty());
        let is_json = lines.next().is_some_and(|first| {
            let inside = first.strip_prefix('{').map(str::trim_start);
            inside.is_some_and(|inside| inside.starts_with('"') || inside.starts_with('}'))
        });
        if is_json { Self::JsonLines } else { Self::Edn }
    }
}

/// The names that [`judge_file`] knows, in the order in which they are told.
pub const MODELS: &[&str] = &[
    "register",
    "cas-register",
    "multi-register",
    "kv",
    "set",
    "queue",
    "counter",
    "lock",
    "list-append",
    "rw-register",
];

/// How a file is judged.
pub struct Question<'a> {
    /// One of [`MODELS`]. A model of transactions may be followed by a colon and the level that is
    /// promised, such as `list-append:snapshot-isolation`; it is `strong-serializable` otherwise.
    pub model: &'a str,
    /// The form of the text; as it looks, if none is given.
    pub format: Option<Format>,
    /// What it may cost.
    pub budget: Budget<'a>,
}

/// What is known of a file.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// For a terminal; the last line begins with `linearizable`, `violation` or `unknown`, for
    /// transactions with `valid` or `invalid`, or with `malformed`.
    pub text: String,
    /// 0 if the promise is kept, 100 if not, 5 if nobody knows, 96 for a malformed file or
    /// question.
    pub status: u8,
    /// The history and why it is none that the model allows, to be drawn.
    pub drawing: Option<(History, Explanation)>,
}

/// Judges the text of a file.
///
/// ```
/// use stormglass::check::{Budget, Question, judge_file};
///
/// let text = "INFO  jepsen.util - 0 :invoke :write 1\n\
///             INFO  jepsen.util - 0 :ok :write 1\n\
///             INFO  jepsen.util - 1 :invoke :read nil\n\
///             INFO  jepsen.util - 1 :ok :read 1\n";
/// let judgement = judge_file(text, Question {
///     model: "cas-register",
///     format: None,
///     budget: Budget::default(),
/// });
/// assert!(judgement.text.lines().last().unwrap().starts_with("linearizable"));
/// assert_eq!(judgement.status, 0);
/// ```
#[must_use]
pub fn judge_file(text: &str, question: Question<'_>) -> Judgement {
    let Question {
        model,
        format,
        mut budget,
    } = question;
    let format = format.unwrap_or_else(|| Format::of(text));
    let budget = &mut budget;
    let (name, promised) = match model.split_once(':') {
        Some((name, promised)) => (name, Some(promised)),
        None => (model, None),
    };
    let refused = match format {
        // A comparison that failed was made.
        Format::EtcdLog => OnFail::Refused,
        Format::JsonLines | Format::Edn => OnFail::DidNotHappen,
    };
    let register = Register::new().with_failed_cas(refused);
    let judgement = match name {
        "list-append" => transactions(text, format, Workload::ListAppend, promised),
        "rw-register" => transactions(text, format, Workload::RwRegister, promised),
        _ if promised.is_some() => Err(Malformed::new(
            format!("`{name}` is no model of transactions"),
            "only list-append and rw-register are followed by a level",
        )),
        "register" | "cas-register" => linearizable(&register, text, format, budget),
        "multi-register" => linearizable(&MultiRegister, text, format, budget),
        "kv" => linearizable(&Kv::new(), text, format, budget),
        "set" => linearizable(&Set, text, format, budget),
        "queue" => linearizable(&Queue, text, format, budget),
        "counter" => linearizable(&Counter, text, format, budget),
        "lock" => linearizable(&Lock, text, format, budget),
        _ => Err(Malformed::new(
            format!(
                "there is no model `{name}`; there are {}",
                MODELS.join(", ")
            ),
            "choose one of them",
        )),
    };
    judgement.unwrap_or_else(|malformed| Judgement {
        text: format!("malformed: {malformed}\n"),
        status: STATUS_MALFORMED,
        drawing: None,
    })
}

const STATUS_KEPT: u8 = 0;
const STATUS_BROKEN: u8 = 100;
const STATUS_UNKNOWN: u8 = 5;
const STATUS_MALFORMED: u8 = 96;

fn read(text: &str, format: Format) -> Result<History, Malformed> {
    let history = match format {
        Format::JsonLines => History::from_json_lines(text),
        Format::Edn => History::from_edn(text),
        Format::EtcdLog => History::from_etcd_log(text),
    }?;
    if history.operations().is_empty() {
        return Err(Malformed::new(
            "the file has no operations",
            "name its format by `--format`",
        ));
    }
    Ok(history)
}

fn linearizable<M: Model>(
    model: &M,
    text: &str,
    format: Format,
    budget: &mut Budget<'_>,
) -> Result<Judgement, Malformed> {
    let history = read(text, format)?.with_keys_apart();
    let count = history.operations().len();
    let mut text = String::new();
    let mut drawing = None;
    let status = match check_linearizable(model, &history, budget)? {
        Verdict::Linearizable { orders } => {
            let objects = orders.len();
            line(
                &mut text,
                format_args!("linearizable: {count} operations, {objects} objects"),
            );
            STATUS_KEPT
        }
        Verdict::Violation(violation) => {
            if let Some(explanation) = explain_violation(model, &history, &violation, budget) {
                text += &explanation.to_string();
                drawing = Some((history, explanation));
            }
            match violation.key {
                Some(key) => line(
                    &mut text,
                    format_args!("violation: key {key}, {count} operations"),
                ),
                None => line(&mut text, format_args!("violation: {count} operations")),
            }
            STATUS_BROKEN
        }
        Verdict::Unknown { reason, reached } => {
            let why = match reason {
                Reason::Configurations => "the budget of configurations was spent",
                Reason::Time => "the time was over",
            };
            line(
                &mut text,
                format_args!("unknown: {why} at operation {reached} of {count}"),
            );
            STATUS_UNKNOWN
        }
    };
    Ok(Judgement {
        text,
        status,
        drawing,
    })
}

fn transactions(
    text: &str,
    format: Format,
    workload: Workload,
    promised: Option<&str>,
) -> Result<Judgement, Malformed> {
    let promised = promised.unwrap_or("strong-serializable");
    let level = Level::named(promised).ok_or_else(|| {
        let reason = format!("there is no level `{promised}`");
        Malformed::new(
            reason,
            "name one such as snapshot-isolation or strong-serializable",
        )
    })?;
    let txns = match format {
        Format::JsonLines => Transactions::from_json_lines(workload, text),
        Format::Edn => Transactions::from_edn(workload, text),
        Format::EtcdLog => Err(Malformed::new(
            "the etcd log has no transactions",
            "name another format",
        )),
    }?;
    if txns.is_empty() {
        return Err(Malformed::new(
            "the file has no transactions",
            "name its format by `--format`",
        ));
    }
    let isolated = check_transactions(&txns)?;
    let mut text = told(&txns, &isolated);
    let count = txns.len();
    let names = |levels: &[Level]| {
        let names: Vec<String> = levels.iter().map(ToString::to_string).collect();
        if names.is_empty() {
            return "none".to_owned();
        }
        names.join(", ")
    };
    let strongest = names(&isolated.satisfied);
    let status = if isolated.satisfies(level) {
        line(
            &mut text,
            format_args!("valid: {level}; {count} transactions, strongest level {strongest}"),
        );
        STATUS_KEPT
    } else {
        let weakest = names(&isolated.violated);
        line(
            &mut text,
            format_args!(
                "invalid: {level}; {count} transactions violate {weakest}; strongest level left: \
                 {strongest}"
            ),
        );
        STATUS_BROKEN
    };
    Ok(Judgement {
        text,
        status,
        drawing: None,
    })
}

/// So many anomalies are told in full.
const ANOMALIES_MAX: usize = 12;

/// Each anomaly with its transactions and a sentence for each edge; one of each name first.
fn told(txns: &Transactions, isolated: &Isolated) -> String {
    let mut text = String::new();
    let mut last = String::new();
    let (mut first, mut others) = (Vec::new(), Vec::new());
    for anomaly in &isolated.anomalies {
        let name = anomaly.name();
        if name == last {
            others.push(anomaly);
        } else {
            first.push(anomaly);
            last = name;
        }
    }
    let all = first.len() + others.len();
    for anomaly in first.into_iter().chain(others).take(ANOMALIES_MAX) {
        line(&mut text, format_args!("{}:", anomaly.name()));
        for txn in &anomaly.transactions {
            line(&mut text, format_args!("  {}", txns.describe(*txn)));
        }
        for sentence in &anomaly.because {
            line(&mut text, format_args!("  - {sentence}"));
        }
    }
    if all > ANOMALIES_MAX {
        line(&mut text, format_args!("and {} more", all - ANOMALIES_MAX));
    }
    text
}

fn line(text: &mut String, what: core::fmt::Arguments<'_>) {
    writeln!(text, "{what}").expect("a string takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str, model: &str) -> Judgement {
        judge_file(
            text,
            Question {
                model,
                format: None,
                budget: Budget::default(),
            },
        )
    }

    #[track_caller]
    fn check(text: &str, model: &str, status: u8, last: &str) {
        let judgement = judge(text, model);
        assert_eq!(
            judgement.text.lines().last(),
            Some(last),
            "{}",
            judgement.text
        );
        assert_eq!(judgement.status, status);
    }

    const ETCD: &str = "INFO  jepsen.util - 0 :invoke :write 1\n\
                        INFO  jepsen.util - 0 :ok :write 1\n\
                        INFO  jepsen.util - 1 :invoke :cas [1 2]\n\
                        INFO  jepsen.util - 1 :fail :cas [1 2]\n";

    #[test]
    fn verdicts_stand_in_the_last_line() {
        check(ETCD, "cas-register", 100, "violation: 2 operations");
        let good = ETCD.replace("[1 2]", "[3 2]");
        check(
            &good,
            "cas-register",
            0,
            "linearizable: 2 operations, 1 objects",
        );
        // Elsewhere a failure means that nothing happened.
        let edn = "{:process 0, :type :invoke, :f :cas, :value [nil 2]}\n\
                   {:process 0, :type :fail, :f :cas, :value [nil 2]}\n";
        check(
            edn,
            "cas-register",
            0,
            "linearizable: 1 operations, 0 objects",
        );
        let bad = judge(
            &ETCD.replace("0 :ok :write 1", "0 :ok :write 5x"),
            "register",
        );
        assert_eq!(bad.status, 96);
        let expected = "malformed: line 2, column 34: `5x` is no value (";
        assert!(bad.text.starts_with(expected), "{}", bad.text);
        assert_eq!(judge("", "register").status, 96);
        assert_eq!(judge(ETCD, "registre").status, 96);
        assert_eq!(judge(ETCD, "register:serializable").status, 96);
    }

    #[test]
    fn what_is_too_hard_is_unknown() {
        let adds = (0..12).map(|n| {
            format!(
                "{{\"process\":{n},\"type\":\"invoke\",\"f\":\"add\",\"value\":{}}}\n",
                2 << n
            )
        });
        let text: String = adds.collect();
        let text = text
            + "{\"process\":12,\"type\":\"invoke\",\"f\":\"read\"}\n\
               {\"process\":12,\"type\":\"ok\",\"f\":\"read\",\"value\":9}\n";
        let question = Question {
            model: "counter",
            format: None,
            budget: Budget::configurations(100),
        };
        let judgement = judge_file(&text, question);
        assert_eq!(judgement.status, 5);
        assert!(
            judgement.text.starts_with("unknown: the budget"),
            "{}",
            judgement.text
        );
    }

    #[test]
    fn transactions_are_judged_by_the_level_promised() {
        let skew = "{:process 0, :type :invoke, :value [[:r x nil] [:append y 1]]}\n\
                    {:process 1, :type :invoke, :value [[:r y nil] [:append x 2]]}\n\
                    {:process 0, :type :ok, :value [[:r x []] [:append y 1]]}\n\
                    {:process 1, :type :ok, :value [[:r y []] [:append x 2]]}\n";
        check(
            skew,
            "list-append:snapshot-isolation",
            0,
            "valid: snapshot-isolation; 2 transactions, strongest level strong-snapshot-isolation",
        );
        check(
            skew,
            "list-append",
            100,
            "invalid: strong-serializable; 2 transactions violate repeatable-read; \
             strongest level left: strong-snapshot-isolation",
        );
        let text = judge(skew, "list-append").text;
        assert!(
            text.starts_with("G2-item:\n  T0 [r \"x\" [], append \"y\" 1]\n"),
            "{text}"
        );
        assert!(
            text.contains("- T0 read key \"x\" without 2, which T1 appended"),
            "{text}"
        );
        assert_eq!(judge(skew, "list-append:none").status, 96);
        assert_eq!(judge(skew, "rw-register").status, 96);
    }

    #[test]
    fn keys_in_values_are_told_apart() {
        // Jepsen's independent keys: each value is a pair of key and value.
        let edn = "{:process 0, :type :invoke, :f :write, :value [1 5]}\n\
                   {:process 0, :type :ok, :f :write, :value [1 5]}\n\
                   {:process 0, :type :invoke, :f :read, :value [2 nil]}\n\
                   {:process 0, :type :ok, :f :read, :value [2 nil]}\n\
                   {:process 0, :type :invoke, :f :cas, :value [1 [5 6]]}\n\
                   {:process 0, :type :ok, :f :cas, :value [1 [5 6]]}\n";
        check(
            edn,
            "cas-register",
            0,
            "linearizable: 3 operations, 2 objects",
        );
        let bad = edn.replace("[2 nil]", "[1 nil]");
        check(&bad, "cas-register", 100, "violation: key 1, 3 operations");
    }

    #[test]
    fn formats_are_told_by_their_content() {
        assert_eq!(Format::of(ETCD), Format::EtcdLog);
        assert_eq!(Format::of("\n { \"process\": 0}"), Format::JsonLines);
        assert_eq!(Format::of("; a\n{:process 0}"), Format::Edn);
        assert_eq!(Format::named("edn"), Some(Format::Edn));
        assert_eq!(Format::named("xml"), None);
    }
}
