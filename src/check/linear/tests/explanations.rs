//! Violations are told in few operations, and budgets end a search.

use super::*;

/// A history in JSON Lines, by lines `process kind f value`.
fn lines(text: &str) -> History {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let mut next = || words.next().unwrap();
        let (process, kind, f) = (next(), next(), next());
        let value = words.collect::<String>();
        format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n")
    };
    let text: String = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(line)
        .collect();
    History::from_json_lines(&text).unwrap()
}

#[test]
fn violations_are_explained_in_few_operations() {
    let history = lines(
        "0 invoke write 1
         0 ok write 1
         1 invoke write 2
         2 invoke read null
         2 ok read 2
         3 invoke read null
         3 ok read 1
         1 ok write 2
         0 invoke read null
         0 ok read 2",
    );
    let model = Register::new();
    let verdict = check_linearizable(&model, &history, &mut Budget::default()).unwrap();
    let Verdict::Violation(violation) = verdict else {
        panic!("{verdict:?}");
    };
    let explanation =
        explain_violation(&model, &history, &violation, &mut Budget::default()).unwrap();
    assert_eq!(explanation.position, 6);
    let firm = explanation
        .operations
        .iter()
        .filter(|shown| shown.returns.is_some());
    let firm: Vec<u32> = firm.map(|shown| shown.operation).collect();
    assert_eq!(firm, [0, 2, 3]);
    let expected = "\
no order of these operations is possible:
  #0      process 0    write 1   ||
  #1      process 1    write 2     |---->
  #2      process 2    read -> 2    ||
  #3      process 3    read -> 1      ||
order 1 of 1:
  #0      write 1: the value is 1
  #1      write 2: the value is 2
  #2      read -> 2: the value is 2
  #3      `read -> 1` is impossible when the value is 2
";
    assert_eq!(explanation.to_string(), expected);
}

#[test]
fn explanations_are_minimal() {
    // Of random violations: with the end of any operation forgotten there is an order.
    let model = Register::new().with_initial(0);
    let mut numbers = Numbers::new(12);
    let mut explained = 0;
    while explained < 300 {
        let history = random_history(&mut numbers, (12, 10), |n| match n.below(5) {
            0..=2 => ("read", Value::Nil, small(n, 3)),
            3 => ("write", small(n, 3), Value::Nil),
            _ => (
                "cas",
                Value::from(vec![small(n, 3), small(n, 3)]),
                Value::Nil,
            ),
        });
        let mut budget = Budget::default();
        let verdict = check_linearizable(&model, &history, &mut budget).unwrap();
        let Verdict::Violation(violation) = verdict else {
            continue;
        };
        explained += 1;
        let explanation = explain_violation(&model, &history, &violation, &mut budget).unwrap();
        assert!(!explanation.ends.is_empty());
        let firm = explanation
            .operations
            .iter()
            .filter(|shown| shown.returns.is_some());
        let firm: Vec<u32> = firm.map(|shown| shown.operation).collect();
        let judge = |firm: &[u32], before: u32| {
            let view = View {
                only: Some(&violation.operations),
                firm: Some(firm),
                before,
            };
            let parts = parts(&model, &history, view).unwrap();
            matches!(
                check_parts(&model, &parts, &mut Budget::default()),
                Verdict::Violation(_)
            )
        };
        let before = explanation.position + 1;
        assert!(judge(&firm, before), "{explanation}");
        assert!(
            !judge(&violation.operations, explanation.position),
            "{explanation}"
        );
        for n in 0..firm.len() {
            let mut rest = firm.clone();
            rest.remove(n);
            assert!(!judge(&rest, before), "{explanation}");
        }
    }
}

#[test]
fn budgets_end_a_search() {
    // Even numbers added at once, and one odd sum after all of them: 2^n sums to try.
    let even = |n: u32| {
        let adds = (0..n).map(|process| format!("{process} invoke add {}\n", 2 << process));
        let adds: String = adds.collect();
        lines(&format!("{adds}{n} invoke read null\n{n} ok read 9\n"))
    };
    let history = even(10);
    let spent = check_linearizable(&Counter, &history, &mut Budget::configurations(3)).unwrap();
    let unknown = Verdict::Unknown {
        reason: Reason::Configurations,
        reached: 10,
    };
    assert_eq!(spent, unknown);
    let again = check_linearizable(&Counter, &history, &mut Budget::configurations(3)).unwrap();
    assert_eq!(spent, again);
    let enough = check_linearizable(&Counter, &history, &mut Budget::default()).unwrap();
    assert!(matches!(enough, Verdict::Violation(_)));
    // The clock is asked every few thousand configurations.
    let mut late = || true;
    let mut budget = Budget {
        late: Some(&mut late),
        ..Budget::default()
    };
    let verdict = check_linearizable(&Counter, &even(13), &mut budget).unwrap();
    let unknown = Verdict::Unknown {
        reason: Reason::Time,
        reached: 13,
    };
    assert_eq!(verdict, unknown);
}
