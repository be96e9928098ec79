//! Sleeping, timeouts and intervals, with tokio's behaviour.

use std::time::Duration;

use futures::FutureExt;
use stormglass::Config;
use stormglass::sim::Builder;
use stormglass::time::{
    Instant, MissedTickBehavior, interval, interval_at, sleep, sleep_until, timeout_at,
};

const MS: Duration = Duration::from_millis(1);

fn run<T: 'static>(test: impl AsyncFnOnce() -> T + 'static) -> T {
    Builder::new()
        .config(Config::default())
        .run(async move |_| test().await)
        .unwrap()
}

#[test]
fn a_sleep_ends_exactly_at_its_deadline() {
    run(async || {
        let start = Instant::now();
        for ns in [0, 1, 999_999, 1_000_000, 123_456_789] {
            let begin = Instant::now();
            sleep(Duration::from_nanos(ns)).await;
            assert_eq!(begin.elapsed(), Duration::from_nanos(ns));
        }
        let deadline = start + Duration::from_secs(1);
        sleep_until(deadline).await;
        assert_eq!(Instant::now(), deadline);
        sleep_until(start).await;
        assert_eq!(
            Instant::now(),
            deadline,
            "a deadline in the past is no wait"
        );
    });
}

#[test]
fn a_dropped_sleep_leaves_nothing() {
    let outcome = Builder::new().run(|_| async {
        for _ in 0..1000 {
            assert!(sleep(Duration::from_secs(3600)).now_or_never().is_none());
        }
        sleep(Duration::from_secs(7200)).await;
    });
    // Each is given up in a step of its own; were it still there, it would fire in another.
    assert!(outcome.steps < 1010, "{} steps", outcome.steps);
}

#[test]
fn a_reset_sleep_fires_once_at_the_new_deadline() {
    run(async || {
        let start = Instant::now();
        let mut sleep = Box::pin(sleep(10 * MS));
        assert!(sleep.as_mut().now_or_never().is_none());
        sleep.as_mut().reset(start + 30 * MS);
        sleep.as_mut().await;
        assert_eq!(start.elapsed(), 30 * MS);
        sleep.as_mut().reset(start + 5 * MS);
        assert!(sleep.is_elapsed());
        sleep.await;
        assert_eq!(start.elapsed(), 30 * MS);
    });
}

#[test]
fn a_timeout_polls_its_future_first() {
    run(async || {
        assert_eq!(timeout_at(Instant::now(), async { 1 }).await, Ok(1));
        let late = timeout_at(Instant::now() + MS, sleep(2 * MS)).await;
        assert_eq!(late.unwrap_err().to_string(), "deadline has elapsed");
    });
}

/// The ticks of an interval of 10 ms, as milliseconds, when the third is asked for 25 ms late.
fn ticks(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
    run(async move || {
        let start = Instant::now();
        let mut interval = interval(10 * MS);
        interval.set_missed_tick_behavior(behavior);
        let mut ticks = Vec::new();
        for n in 0..7 {
            if n == 2 {
                sleep(35 * MS).await;
            }
            let due = interval.tick().await;
            let ms = |instant: Instant| (instant - start).as_millis();
            ticks.push((ms(due), ms(Instant::now())));
        }
        ticks
    })
}

#[test]
fn missed_ticks_burst_are_delayed_or_skipped() {
    use MissedTickBehavior::{Burst, Delay, Skip};
    let first = [(0, 0), (10, 10), (20, 45)];
    let rest = |behavior| {
        let ticks = ticks(behavior);
        assert_eq!(ticks[..3], first);
        ticks[3..].to_vec()
    };
    assert_eq!(rest(Burst), [(30, 45), (40, 45), (50, 50), (60, 60)]);
    assert_eq!(rest(Delay), [(55, 55), (65, 65), (75, 75), (85, 85)]);
    assert_eq!(rest(Skip), [(50, 50), (60, 60), (70, 70), (80, 80)]);
}

#[test]
fn an_interval_can_be_reset() {
    run(async || {
        let start = Instant::now();
        let mut interval = interval_at(start + 5 * MS, 10 * MS);
        assert_eq!(interval.tick().await, start + 5 * MS);
        sleep(3 * MS).await;
        interval.reset();
        assert_eq!(interval.tick().await, start + 18 * MS);
        interval.reset_immediately();
        assert_eq!(interval.tick().await, start + 18 * MS);
        interval.reset_after(MS);
        assert_eq!(interval.tick().await, start + 19 * MS);
        interval.reset_at(start + 40 * MS);
        assert_eq!(interval.tick().await, start + 40 * MS);
        assert_eq!(interval.period(), 10 * MS);
    });
}

#[test]
#[should_panic(expected = "`period` must be non-zero")]
fn an_interval_needs_a_period() {
    run(async || {
        interval(Duration::ZERO);
    });
}

#[test]
fn instants_convert_to_std_and_back() {
    run(async || {
        let instant = Instant::now();
        sleep(7 * MS).await;
        assert_eq!(Instant::from_std(instant.into_std()), instant);
        let later = instant + Duration::from_secs(5);
        assert_eq!(Instant::from_std(later.into_std()), later);
        assert_eq!(
            later.into_std() - instant.into_std(),
            Duration::from_secs(5)
        );
        assert_eq!(instant.checked_duration_since(later), None);
        assert_eq!(instant - later, Duration::ZERO);
    });
}
