//! What `select!`, `join!` and `try_join!` accept and do. Included twice, with tokio's macros and
//! with ours, so that a difference in grammar or meaning shows itself.
//!
//! Nothing here depends on which branch is polled first, unless it says `biased`. The file is
//! longer than 600 lines because both sets of macros must see one list of cases.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, IntoFuture, Ready, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures::FutureExt;
use stormglass::sync::{mpsc, oneshot};

use super::{join, select, try_join};

/// The output of a future that is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("the future is ready at once")
}

/// The output of a future that may have to be polled a few times.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..100 {
        if let Some(output) = future.as_mut().now_or_never() {
            return output;
        }
    }
    panic!("still pending after 100 polls");
}

async fn one() -> usize {
    1
}

async fn nothing() {}

async fn borrow(_: &mut i32) {}

async fn never() -> ! {
    pending().await
}

/// Pending so many times.
fn yields(mut times: u32) -> impl Future<Output = ()> {
    poll_fn(move |_| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        Poll::Pending
    })
}

/// A future that logs its polls as 100 and more, and its drop.
struct Noisy<'a> {
    log: &'a RefCell<Vec<u32>>,
    number: u32,
    ready: bool,
}

impl Future for Noisy<'_> {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        self.log.borrow_mut().push(100 + self.number);
        if self.ready {
            Poll::Ready(self.number)
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.log.borrow_mut().push(self.number);
    }
}

#[test]
fn a_handler_ends_with_a_comma_with_none_or_in_braces() {
    now(async {
        assert_eq!(select! { x = async { 1 } => x, }, 1);
        assert_eq!(select! { x = async { 1 } => x }, 1);
        assert_eq!(select! { x = async { 1 } => { x } }, 1);
        assert_eq!(select! { x = async { 1 } => { x } _ = never() => 2 }, 1);
    });
}

#[test]
fn else_may_stand_alone() {
    now(async {
        assert_eq!(select! { else => 1, }, 1);
        assert_eq!(select! { biased; else => 1 }, 1);
    });
}

#[test]
fn it_nests_in_a_handler() {
    let nested = async {
        select! {
            x = async { 1 } => {
                select! {
                    y = async { 2 } => x + y,
                    _ = pending::<()>() => unreachable!(),
                }
            }
            _ = pending::<()>() => unreachable!(),
        }
    };
    assert_eq!(now(nested), 3);
}

#[test]
fn it_nests_in_a_future() {
    let nested = async {
        select! {
            x = async { select! { y = async { 2 } => y + 1 } } => x,
        }
    };
    assert_eq!(now(nested), 3);
}

#[test]
fn a_future_is_a_call_or_a_variable() {
    now(async {
        let variable = one();
        assert_eq!(select! { x = variable => x }, 1);
        assert_eq!(select! { x = one() => x }, 1);
    });
}

#[test]
fn nothing_is_polled_after_the_winner() {
    let polled = Cell::new(0);
    let count = |n| {
        let polled = &polled;
        async move {
            polled.set(polled.get() + 1);
            n
        }
    };
    let won = now(async {
        select! { x = count(1) => x, x = count(2) => x }
    });
    assert_eq!(polled.get(), 1);
    assert!(won == 1 || won == 2);
}

#[test]
fn a_future_may_take_what_it_names() {
    let text = "hello".to_owned();
    let length = now(async {
        select! {
            n = async { let n = one().await; drop(text); n } => n,
        }
    });
    assert_eq!(length, 1);
}

#[test]
fn closed_channels_lead_to_else() {
    let (tx1, mut rx1) = mpsc::unbounded_channel();
    let (tx2, mut rx2) = mpsc::unbounded_channel();
    tx2.send(1).unwrap();
    tx1.send(2).unwrap();
    tx2.send(3).unwrap();
    drop((tx1, tx2));
    let mut received = Vec::new();
    now(async {
        loop {
            select! {
                Some(x) = rx1.recv() => received.push(x),
                Some(y) = rx2.recv() => received.push(y),
                else => break,
            }
        }
    });
    received.sort_unstable();
    assert_eq!(received, [1, 2, 3]);
}

#[test]
fn a_borrowed_future_lives_on() {
    now(async {
        let (tx1, mut rx1) = oneshot::channel();
        let (tx2, mut rx2) = oneshot::channel();
        tx1.send(1).unwrap();
        tx2.send(2).unwrap();
        let both = select! {
            first = &mut rx1 => (first.unwrap(), rx2.await.unwrap()),
            second = &mut rx2 => (rx1.await.unwrap(), second.unwrap()),
        };
        assert_eq!(both, (1, 2));
    });
}

#[test]
fn a_handler_borrows_what_a_future_had_borrowed() {
    now(async {
        let mut value = 1;
        select! {
            _ = borrow(&mut value) => value += 1,
            _ = nothing() => value += 1,
        }
        select! {
            _ = borrow(&mut value) => value += 1,
            _ = nothing() => value += 1,
            else => unreachable!(),
        }
        assert_eq!(value, 3);
    });
}

#[test]
fn a_branch_whose_pattern_does_not_match_is_not_polled_again() {
    let (tx, rx) = oneshot::channel();
    let mut polled = false;
    let once = poll_fn(|_| {
        assert!(!polled);
        polled = true;
        Poll::Ready(None::<()>)
    });
    let mut selected = Box::pin(async {
        select! {
            Some(()) = once => unreachable!(),
            value = rx => value.unwrap(),
        }
    });
    assert!(selected.as_mut().now_or_never().is_none());
    assert!(selected.as_mut().now_or_never().is_none());
    tx.send(1).unwrap();
    assert_eq!(selected.as_mut().now_or_never(), Some(1));
}

#[test]
fn a_branch_whose_condition_is_false_is_not_polled() {
    let unpolled = poll_fn(|_| -> Poll<()> { panic!("polled") });
    let (tx, rx) = oneshot::channel();
    let mut selected = Box::pin(async {
        select! {
            _ = unpolled, if false => unreachable!(),
            value = rx => value.unwrap(),
        }
    });
    assert!(selected.as_mut().now_or_never().is_none());
    tx.send(2).unwrap();
    assert_eq!(selected.as_mut().now_or_never(), Some(2));
}

#[test]
fn a_condition_holds_as_a_whole() {
    let (yes, no, neither) = (true, false, false);
    now(async {
        assert_eq!(
            select! { biased; _ = ready(()), if no && neither => 1, else => 2 },
            2
        );
        assert_eq!(
            select! { biased; _ = ready(()), if no || yes => 1, else => 2 },
            1
        );
        assert_eq!(
            select! { biased; _ = ready(()), if yes == no => 1, else => 2 },
            2
        );
    });
}

#[test]
fn conditions_come_before_futures_and_futures_are_made_for_all() {
    let order = RefCell::new(Vec::new());
    let note = |name| {
        order.borrow_mut().push(name);
        true
    };
    let future = |name| {
        order.borrow_mut().push(name);
        ready(())
    };
    now(async {
        select! {
            biased;
            _ = future("future 1"), if note("condition 1") && !note("condition 2") => {}
            _ = future("future 2"), if note("condition 3") => { note("handler 2"); }
        }
    });
    let expected = [
        "condition 1",
        "condition 2",
        "condition 3",
        "future 1",
        "future 2",
        "handler 2",
    ];
    assert_eq!(order.into_inner(), expected);
}

#[test]
fn conditions_let_a_loop_collect_both() {
    let (tx1, mut rx1) = oneshot::channel();
    let (tx2, mut rx2) = oneshot::channel();
    let mut both = Box::pin(async {
        let (mut a, mut b) = (None, None);
        while a.is_none() || b.is_none() {
            select! {
                x = &mut rx1, if a.is_none() => a = Some(x.unwrap()),
                x = &mut rx2, if b.is_none() => b = Some(x.unwrap()),
            }
        }
        (a.unwrap(), b.unwrap())
    });
    assert!(both.as_mut().now_or_never().is_none());
    tx1.send(123).unwrap();
    assert!(both.as_mut().now_or_never().is_none());
    tx2.send(456).unwrap();
    assert_eq!(both.as_mut().now_or_never(), Some((123, 456)));
}

#[test]
fn a_branch_may_never_end_by_its_type() {
    assert_eq!(
        now(async {
            select! { _ = never() => 0, x = one() => x }
        }),
        1
    );
}

#[test]
fn a_binding_may_be_mutable_or_a_reference() {
    now(async {
        let x = select! { mut a = ready(1) => { a += 1; a } };
        assert_eq!(x, 2);
        select! {
            Some(mut text) = async { Some("1".to_owned()) } => {
                assert_eq!(text, "1");
                text.push('2');
                assert_eq!(text, "12");
            }
        }
        select! {
            Some(ref text) = async { Some("1".to_owned()) } => assert_eq!(*text, "1"),
        }
        select! {
            Some(ref mut text) = async { Some("1".to_owned()) } => {
                text.push('2');
                assert_eq!(*text, "12");
            }
        }
    });
}

#[test]
fn every_form_of_pattern_is_allowed() {
    struct Pair {
        x: i32,
        y: Option<i32>,
    }
    let pair = |y| async move { Pair { x: 1, y } };
    now(async {
        assert_eq!(
            select! { Pair { x, y: Some(z) } = pair(Some(2)) => x + z, else => 0 },
            3
        );
        assert_eq!(
            select! { Pair { x, y: Some(z) } = pair(None) => x + z, else => 0 },
            0
        );
        assert_eq!(
            select! { Ok(x) | Err(x) = async { Err::<i32, i32>(4) } => x },
            4
        );
        assert_eq!(select! { 1..=5 = async { 3 } => 1, else => 0 }, 1);
        assert_eq!(select! { [a, .., b] = async { [1, 2, 3, 4] } => a + b }, 5);
        assert_eq!(
            select! { x @ Some(_) = async { Some(7) } => x, else => None },
            Some(7)
        );
        assert_eq!(select! { (a, (b, _)) = async { (1, (2, 3)) } => a + b }, 3);
        assert_eq!(
            select! { Some("a") = async { Some("a") } => 1, else => 0 },
            1
        );
        assert_eq!(select! { &x = async { &9 } => x }, 9);
        assert_eq!(select! { () = async {} => 1 }, 1);
    });
}

#[test]
fn biased_polls_in_the_order_written() {
    let (_tx, rx) = oneshot::channel::<i32>();
    let won = now(async {
        select! {
            biased;
            _ = rx => unreachable!(),
            x = ready(2) => x,
            _ = ready(3) => unreachable!(),
        }
    });
    assert_eq!(won, 2);
}

#[test]
fn biased_comes_to_every_branch_in_the_end() {
    run(async {
        let mut first = pin!(nothing());
        let mut second = pin!(yields(1));
        let mut third = pin!(yields(1));
        let mut order = Vec::new();
        loop {
            select! {
                biased;
                _ = &mut second, if !order.contains(&2) => order.push(2),
                _ = &mut third, if !order.contains(&3) => order.push(3),
                _ = &mut first, if !order.contains(&1) => order.push(1),
                else => break,
            }
        }
        assert_eq!(order, [1, 2, 3]);
    });
}

#[test]
fn what_becomes_a_future_is_enough() {
    struct Becomes;
    impl IntoFuture for Becomes {
        type Output = ();
        type IntoFuture = Ready<()>;

        fn into_future(self) -> Ready<()> {
            ready(())
        }
    }
    now(async {
        select! { () = Becomes => {} }
        select! { () = &mut ready(()) => {} }
        assert_eq!(join!(Becomes, async { 2 }), ((), 2));
    });
}

#[test]
#[expect(clippy::never_loop, reason = "there to be left in every way")]
fn control_flow_leaves_the_macro() {
    async fn flow(n: i32) -> Result<i32, String> {
        let mut rounds = 0;
        let got = 'outer: loop {
            rounds += 1;
            loop {
                select! {
                    x = async { n } => {
                        if x == 0 { return Ok(0); }
                        if x == 1 { Err("one")?; }
                        if x == 2 { break 'outer 22; }
                        if rounds < x { continue 'outer; }
                        yields(0).await;
                        break;
                    }
                }
            }
            break rounds;
        };
        Ok(got)
    }
    assert_eq!(run(flow(0)), Ok(0));
    assert_eq!(run(flow(1)), Err("one".to_owned()));
    assert_eq!(run(flow(2)), Ok(22));
    assert_eq!(run(flow(5)), Ok(5));
}

#[test]
fn a_question_mark_in_a_future_leaves_the_function() {
    async fn value(x: Option<i32>) -> Option<i32> {
        select! { y = ready(x?) => Some(y) }
    }
    assert_eq!(run(value(None)), None);
    assert_eq!(run(value(Some(1))), Some(1));
}

#[test]
#[expect(
    clippy::await_holding_refcell_ref,
    reason = "that it is dropped is the point"
)]
fn the_losers_are_gone_when_the_handler_runs() {
    let cell = RefCell::new(0);
    now(async {
        select! {
            biased;
            _ = async { let _held = cell.borrow_mut(); never().await } => {}
            _ = ready(()) => *cell.borrow_mut() += 1,
        }
    });
    assert_eq!(cell.into_inner(), 1);
}

#[test]
fn futures_are_dropped_in_the_order_written() {
    let log = RefCell::new(Vec::new());
    let noisy = |number, ready| Noisy {
        log: &log,
        number,
        ready,
    };
    now(async {
        select! {
            biased;
            _ = noisy(1, false) => {}
            _ = noisy(2, true) => log.borrow_mut().push(9),
            _ = noisy(3, true) => {}
        }
    });
    assert_eq!(log.into_inner(), [101, 102, 1, 2, 3, 9]);
}

#[test]
fn join_drops_each_future_when_it_is_done() {
    let log = RefCell::new(Vec::new());
    let noisy = |number, ready| Noisy {
        log: &log,
        number,
        ready,
    };
    let mut joined = Box::pin(async { join!(biased; noisy(1, true), noisy(2, false)) });
    assert!(joined.as_mut().now_or_never().is_none());
    log.borrow_mut().push(9);
    assert!(joined.as_mut().now_or_never().is_none());
    drop(joined);
    assert_eq!(log.into_inner(), [101, 1, 102, 9, 102, 2]);
}

#[test]
#[should_panic(expected = "all branches are disabled and there is no else branch")]
fn without_else_a_mismatch_panics() {
    now(async {
        select! { Some(()) = ready(None) => {} }
    });
}

#[test]
#[should_panic(expected = "all branches are disabled and there is no else branch")]
fn without_else_a_false_condition_panics() {
    now(async {
        select! { _ = ready(()), if false => {} }
    });
}

/// Eight copies of its branches; thrice nested, 64 is what tokio allows.
macro_rules! sixty_four {
    () => { sixty_four!(@ a b c d e f g h) };
    (@ $($n:ident)*) => { sixty_four!(@@ $($n $n $n $n $n $n $n $n)*) };
    (@@ $($n:ident)*) => { select! { $($n = async { 1 } => $n,)* } };
}

#[test]
fn sixty_four_branches_are_allowed() {
    assert_eq!(now(async { sixty_four!() }), 1);
}

#[test]
fn what_can_be_sent_stays_so() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    run(is_send(async {
        select! { _ = yields(2) => {} _ = pending::<()>() => {} }
        join!(yields(1), yields(2));
        try_join!(async { Ok::<_, ()>(1) }, async { Ok(2) }).unwrap();
    }));
}

#[test]
fn it_stands_wherever_an_expression_may() {
    run(async {
        select! { _ = nothing() => {} }
        select! { _ = nothing() => {} };
        let sum = select! { _ = nothing() => 1, } + 1;
        assert_eq!(sum, 2);
        match select!(x = one() => x) {
            1 => {}
            other => panic!("{other}"),
        }
        assert!(if select! { _ = nothing() => true } {
            sum > 1
        } else {
            false
        });
        let closure = async || select! { _ = nothing() => 1 };
        closure().await;
        select! { _ = nothing() => {} }
    });
}

#[test]
fn join_gives_all_outputs_in_the_order_written() {
    now(async {
        let () = join!();
        let () = join!(biased;);
        assert_eq!(join!(async { 1 }), (1,));
        assert_eq!(join!(async { 1 }, async { "a" },), (1, "a"));
        assert_eq!(join!(biased; async { 1 }, async { "a" }), (1, "a"));
    });
    let late = |n, times| async move {
        yields(times).await;
        n
    };
    assert_eq!(
        run(async { join!(late(1, 3), late(2, 1), late(3, 0)) }),
        (1, 2, 3)
    );
}

#[test]
fn join_does_not_poll_again_what_is_done() {
    let mut polled = 0;
    let once = poll_fn(|_| {
        polled += 1;
        assert_eq!(polled, 1);
        Poll::Ready(1)
    });
    assert_eq!(run(async { join!(once, yields(3)) }), (1, ()));
}

#[test]
fn try_join_gives_all_values_or_the_first_error() {
    let late = |result: Result<u8, i32>, times| async move {
        yields(times).await;
        result
    };
    now(async {
        let nothing: Result<(), ()> = try_join!();
        assert_eq!(nothing, Ok(()));
        assert_eq!(try_join!(late(Ok(1), 0)), Ok((1,)));
        assert_eq!(try_join!(late(Ok(1), 0), async { Ok("a") },), Ok((1, "a")));
        let failed = try_join!(
            late(Ok(1), 0),
            late(Err(5), 0),
            pending::<Result<(), i32>>()
        );
        assert_eq!(failed, Err(5));
    });
    assert_eq!(
        run(async { try_join!(biased; late(Err(1), 2), late(Err(2), 1)) }),
        Err(2)
    );
    assert_eq!(
        run(async { try_join!(late(Ok(1), 2), late(Ok(2), 3)) }),
        Ok((1, 2))
    );
}

#[test]
fn try_join_takes_a_question_mark() {
    async fn sum(fails: bool) -> Result<i32, String> {
        let second = async { if fails { Err("no".to_owned()) } else { Ok(2) } };
        let (a, b) = try_join!(async { Ok(1) }, second)?;
        Ok(a + b)
    }
    assert_eq!(run(sum(false)), Ok(3));
    assert_eq!(run(sum(true)), Err("no".to_owned()));
}

#[test]
fn errors_and_outputs_may_be_uninhabited() {
    let sure: Result<(i32, i32), Infallible> =
        run(async { try_join!(async { Ok(1) }, async { Ok(2) }) });
    assert_eq!(sure.unwrap(), (1, 2));
    let endless = async {
        let (_one, _never): (i32, Infallible) = join!(async { 1 }, pending());
    };
    assert!(endless.now_or_never().is_none());
}

#[test]
fn names_of_an_expansion_do_not_clash_with_the_users() {
    run(async {
        let (disabled, start, branch, output, pending, future_0) = (1, 2, 3, 4, 5, 6);
        let sum = select! {
            output = async { output + disabled + start + branch + pending + future_0 } => {
                output + disabled
            }
            _ = never() => 0,
        };
        assert_eq!(sum, 22);
        assert_eq!(
            join!(async { start + pending }, async { branch + future_0 }),
            (7, 9)
        );
        let cx = 5;
        assert_eq!(select! { cx = ready(cx + 1) => cx }, 6);
    });
}

#[test]
fn types_of_an_expansion_do_not_clash_with_the_users() {
    struct Out;
    struct Branch0;
    #[derive(Debug, PartialEq)]
    enum Poll {
        Pending,
    }
    run(async {
        let poll = select! {
            _ = ready(Branch0) => {
                let _ = Out;
                Poll::Pending
            }
            _ = never() => unreachable!(),
        };
        assert_eq!(poll, Poll::Pending);
    });
}

macro_rules! through {
    ($pattern:pat, $future:expr, $condition:expr, $handler:expr) => {
        select! { $pattern = $future, if $condition => { $handler }, else => 0 }
    };
    ($pattern:pat, $future:expr, $handler:block) => {
        select! { biased; $pattern = $future => $handler $pattern = $future => $handler else => 0 }
    };
}

#[test]
fn parts_may_be_fragments_of_another_macro() {
    fn some(n: i32) -> impl Future<Output = Option<i32>> {
        ready(Some(n))
    }
    macro_rules! all {
        ($($future:expr),*) => { join!($($future),*) };
    }
    let (yes, no) = (true, false);
    now(async {
        assert_eq!(through!(Some(3), some(1 + 2), no || yes, 1 + 1), 2);
        assert_eq!(through!(Some(4) | None, some(1 + 2), yes, 2), 0);
        assert_eq!(through!(Some(3), some(3), { 5 }), 5);
        assert_eq!(all!(some(1), some(2)), (Some(1), Some(2)));
    });
}
