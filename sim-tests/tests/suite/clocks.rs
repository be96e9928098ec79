//! Clocks that run wrong, and programs that trust them.

use std::time::Duration;

use stormglass::kernel::Family;
use stormglass::sim::{Builder, Shift};
use stormglass::time::{Instant, sleep, wall_clock};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn drift_makes_timers_fire_early_or_late() {
    let outcome = Builder::new().run(|sim| async move {
        let fast = sim.node("fast").idle();
        let slow = sim.node("slow").idle();
        fast.clock().set_drift_ppm(100_000);
        slow.clock().set_drift_ppm(-100_000);
        let wait = |node: stormglass::sim::Node| {
            node.spawn(async move {
                let begin = Instant::now();
                sleep(11 * SECOND).await;
                (begin.elapsed(), sim.elapsed())
            })
        };
        let (fast, slow) = (wait(fast), wait(slow));
        (fast.await.unwrap(), slow.await.unwrap())
    });
    let counters = outcome.counters.get(Family::ClockDrift);
    assert_eq!((counters.fired, counters.effective), (2, 2));
    let ((fast_local, fast_true), (slow_local, slow_true)) = outcome.unwrap();
    assert_eq!(fast_local, 11 * SECOND);
    assert_eq!(fast_true, 10 * SECOND);
    assert!(slow_local >= 11 * SECOND && slow_local < 11 * SECOND + Duration::from_nanos(2));
    assert_eq!(slow_true.as_millis(), 12_222);
}

#[test]
fn a_change_of_rate_moves_timers_that_wait() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        let sleeper = node.spawn(async move {
            sleep(10 * SECOND).await;
            sim.elapsed()
        });
        sleep(5 * SECOND).await;
        node.clock().set_drift_ppm(1_000_000);
        sleeper.await.unwrap()
    });
    assert_eq!(outcome.unwrap(), Duration::from_millis(7_500));
}

#[test]
fn a_step_moves_the_wall_clock_alone() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        let read = move || node.spawn(async { (Instant::now(), wall_clock()) });
        let (mono, wall) = read().await.unwrap();
        node.clock().step(Shift::Back(30 * SECOND));
        let (mono_after, wall_after) = read().await.unwrap();
        assert_eq!(node.clock().offset(), Shift::Back(30 * SECOND));
        node.clock().set_offset(Shift::Forward(SECOND));
        assert_eq!(node.clock().offset(), Shift::Forward(SECOND));
        (mono_after - mono, wall - wall_after)
    });
    let step = outcome.counters.get(Family::ClockStep);
    assert_eq!(
        (step.fired, step.effective),
        (2, 1),
        "nothing read the clock after the second"
    );
    let (mono, wall) = outcome.unwrap();
    assert_eq!(mono, Duration::ZERO);
    assert_eq!(wall, 30 * SECOND);
}

#[test]
fn a_slew_is_gradual() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        node.clock().slew(Shift::Forward(Duration::from_millis(1)));
        let mut offsets = Vec::new();
        for _ in 0..4 {
            offsets.push(node.clock().offset());
            sleep(SECOND).await;
        }
        offsets
    });
    let us = |us| Shift::Forward(Duration::from_micros(us));
    assert_eq!(outcome.unwrap(), [us(0), us(500), us(1000), us(1000)]);
}

#[test]
fn a_paused_node_fires_its_timers_late() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        let sleeper = node.spawn(async move {
            let begin = Instant::now();
            sleep(SECOND).await;
            (begin.elapsed(), sim.elapsed())
        });
        sleep(SECOND / 2).await;
        assert!(node.pause());
        assert!(!node.pause(), "it stands still already");
        sleep(10 * SECOND).await;
        assert!(node.resume());
        assert!(!node.resume(), "it goes on already");
        sleeper.await.unwrap()
    });
    let pause = outcome.counters.get(Family::Pause);
    assert_eq!((pause.fired, pause.effective), (1, 1));
    let late = Duration::from_millis(10_500);
    assert_eq!(outcome.unwrap(), (late, late));
}

#[test]
fn a_suspended_node_loses_monotonic_time() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        let sleeper = node.spawn(async move {
            let (begin, wall) = (Instant::now(), wall_clock());
            sleep(SECOND).await;
            (begin.elapsed(), wall_clock() - wall, sim.elapsed())
        });
        sleep(SECOND / 2).await;
        node.suspend();
        sleep(10 * SECOND).await;
        node.resume();
        sleeper.await.unwrap()
    });
    let suspend = outcome.counters.get(Family::Suspend);
    assert_eq!(
        (suspend.fired, suspend.effective),
        (1, 0),
        "no timer was due by the node's clock"
    );
    let eleven = 11 * SECOND;
    assert_eq!(outcome.unwrap(), (SECOND, eleven, eleven));
}

#[test]
fn a_pause_in_which_nothing_was_due_is_not_effective() {
    let outcome = Builder::new().run(|sim| async move {
        let node = sim.node("a").idle();
        sleep(SECOND).await;
        node.pause();
        sleep(SECOND).await;
        node.resume();
    });
    let pause = outcome.counters.get(Family::Pause);
    assert_eq!((pause.offered, pause.fired, pause.effective), (1, 1, 0));
}

#[test]
fn a_node_that_ends_while_suspended_has_a_clock_that_goes_on() {
    for crash in [true, false] {
        let outcome = Builder::new().run(move |sim| async move {
            let node = sim.node("a").idle();
            sleep(SECOND).await;
            node.suspend();
            sleep(SECOND).await;
            if crash {
                node.crash();
            } else {
                node.kill();
            }
            sleep(SECOND).await;
            node.restart();
            let begin = sim.elapsed();
            node.spawn(sleep_a_second()).await.unwrap();
            sim.elapsed() - begin
        });
        assert_eq!(outcome.unwrap(), SECOND);
    }
}

async fn sleep_a_second() {
    sleep(SECOND).await;
}

#[test]
fn a_change_that_changes_nothing_does_not_fire() {
    let outcome = Builder::new().run(|sim| async move {
        let clock = sim.node("a").idle().clock();
        clock.set_drift_ppm(0);
        clock.step(Shift::Forward(Duration::ZERO));
    });
    for family in [Family::ClockDrift, Family::ClockStep] {
        let counter = outcome.counters.get(family);
        assert_eq!(
            (counter.offered, counter.fired, counter.effective),
            (1, 0, 0)
        );
    }
}
