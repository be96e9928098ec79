//! A test whose process ends before it begins.

use stormglass::{Config, Sim};

fn broken() -> Config {
    panic!("there is no configuration")
}

#[stormglass::test(config = broken())]
async fn cannot_begin(_: Sim) {}
