//! A simulation of one node whose program starts on a given disk, and of which it is recorded what
//! the program does to that disk.
//!
//! Owns what such a simulation is. It must never know why it is run.

use core::time::Duration;
use std::collections::BTreeSet;
use std::future::Future;
use std::panic::Location;

use super::{Builder, Config, Node};
use crate::exec::{Failed, Failure, context};
use crate::fs::{DiskConfig, DiskLatency, Profile};
use crate::kernel::Distribution;
use crate::model::disk::{Image, Spot, Watch};

/// A program of one node that ran to its end.
pub(crate) struct Recorded<T> {
    /// What the program returned.
    pub(crate) value: T,
    /// What a program would see of the disk at the end.
    pub(crate) visible: Image,
    pub(crate) watch: Watch,
}

/// Runs a program on a node of its own, whose disk was mounted in this state. Call stacks of some
/// spots are taken with it.
///
/// Each call of the disk takes as long as all others, and nothing fails. What the program has
/// started and not waited for ends with it.
///
/// # Errors
/// How the run failed, in words.
///
/// # Panics
/// If this thread runs a simulation already.
#[track_caller]
pub(crate) fn record<F, Fut>(
    profile: Profile,
    disk: Image,
    stacks: BTreeSet<Spot>,
    program: F,
) -> Result<Recorded<Fut::Output>, String>
where
    F: FnOnce(Node) -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    let outcome = Builder::new()
        .config(config(profile))
        .run(|sim| async move {
            let node = sim.node(NAME).idle();
            mount(node, disk, stacks);
            let run = node.spawn(async move {
                let value = program(node).await;
                unmount(node, value)
            });
            run.await
        });
    match (outcome.failed, outcome.value) {
        (Some(failed), _) => Err(told(&failed)),
        (None, Some(Ok(recorded))) => Ok(recorded),
        (None, _) => Err("its node went down".to_owned()),
    }
}

/// The running program acknowledges something to the world outside.
pub(crate) fn acknowledge(place: &'static Location<'static>) {
    context::alive(|context| {
        let node = context.current.node.get();
        context.world(|world| {
            let around = world.around(node, place);
            let device = world.disks.device(node, around.wall_ns);
            device.fs.acknowledge(around.place);
        });
    });
}

fn config(profile: Profile) -> Config {
    let takes = Distribution::Constant(CALL);
    Config {
        disk: DiskConfig {
            profile,
            ..DiskConfig::default()
        },
        disk_latency: DiskLatency {
            read: takes.clone(),
            write: takes.clone(),
            sync: takes.clone(),
            metadata: takes,
            ..DiskLatency::default()
        },
        ..Config::default()
    }
}

fn mount(node: Node, image: Image, stacks: BTreeSet<Spot>) {
    node.act(|context| {
        context.world(|world| {
            let wall_ns = world.around(node.id(), Location::caller()).wall_ns;
            let device = world.disks.device(node.id(), wall_ns);
            device.fs.remount(image);
            device.fs.watch(stacks);
        });
    });
}

fn unmount<T>(node: Node, value: T) -> Recorded<T> {
    let id = node.id();
    context::world(|world, _| {
        let wall_ns = world.around(id, Location::caller()).wall_ns;
        let fs = &mut world.disks.device(id, wall_ns).fs;
        Recorded {
            value,
            watch: fs.watched(),
            visible: fs.store().visible().clone(),
        }
    })
}

fn told(failed: &Failed) -> String {
    match &failed.failure {
        Failure::Panic { message, location } => format!("it panics: {message} ({location})"),
        failure => failure.to_string(),
    }
}

/// The node's host name.
const NAME: &str = "node";
/// So that a program that calls its disk for ever comes to an end by its time.
const CALL: Duration = Duration::from_micros(1);
