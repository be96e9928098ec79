//! What was decided for a run besides its seed and its configuration: plans, workloads, sizes.
//!
//! Owns nothing but the data. A run makes its decisions from the seed, or is given those of another
//! run, whole or cut down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::FaultPlan;

/// What was decided for a run, as data that can be cut down and given to another run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Decisions {
    /// The fault plans, in the order in which the test puts them in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<FaultPlan>,
    /// The operations of each [workload](crate::Sim::workload).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub workloads: BTreeMap<String, Vec<serde_json::Value>>,
    /// How many members each [group](crate::Sim::group) has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, u32>,
}
