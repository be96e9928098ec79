//! Several nodes that run the same program.

use core::ops::{Deref, RangeInclusive};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use super::{Node, NodeBuilder, NodeContext, ProgramResult};
use crate::exec::context;
use crate::kernel::{Choices, EntityKey, Site};

/// A group of nodes to be made; [`run`](Self::run) makes it.
#[must_use = "the nodes are made by `run`"]
pub struct GroupBuilder {
    name: String,
    sizes: RangeInclusive<u32>,
    label: Option<Labeller>,
}

/// A label's key, and its value for each member.
type Labeller = (String, Box<dyn Fn(u32) -> String + Send + Sync>);

impl GroupBuilder {
    pub(crate) const fn new(name: String, sizes: RangeInclusive<u32>) -> Self {
        Self {
            name,
            sizes,
            label: None,
        }
    }

    /// Labels each member with the value that `value` gives for its number, such as three zones
    /// by `|member| format!("z{}", member % 3)`.
    pub fn label(
        mut self,
        key: impl Into<String>,
        value: impl Fn(u32) -> String + Send + Sync + 'static,
    ) -> Self {
        self.label = Some((key.into(), Box::new(value)));
        self
    }

    /// Makes the nodes and starts `program` on each.
    ///
    /// # Panics
    /// If the range of sizes is empty, or a node of one of the names exists.
    #[track_caller]
    pub fn run<F, Fut>(self, program: F) -> Group
    where
        F: Fn(NodeContext) -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: ProgramResult,
    {
        let (least, most) = (*self.sizes.start(), *self.sizes.end());
        assert!(
            least <= most,
            "the group `{}` has an empty range of sizes",
            self.name
        );
        let size = context::world(|world, _| {
            let mut point = Choices::point(Site::new("sim.group"), EntityKey::of(&self.name));
            let choices = &mut world.base.choices;
            let drawn = choices.between(&mut point, u64::from(least), u64::from(most));
            let drawn = u32::try_from(drawn).expect("between two of 32 bits");
            let size = world.given.groups.get(&self.name).copied().unwrap_or(drawn);
            world.made.groups.insert(self.name.clone(), size);
            size
        });
        let names: Arc<[String]> = (0..size).map(|n| format!("{}-{n}", self.name)).collect();
        let program = Rc::new(program);
        let mut nodes = Vec::with_capacity(names.len());
        for (number, name) in (0..size).zip(names.iter()) {
            let mut node = NodeBuilder::new(name.clone()).in_group(names.clone());
            if let Some((key, value)) = &self.label {
                node = node.label(key.clone(), value(number));
            }
            let program = program.clone();
            nodes.push(node.run(move |context| program(context)));
        }
        Group { nodes }
    }
}

/// Several nodes that run the same program; a slice of [`Node`]s.
#[derive(Clone, Debug)]
pub struct Group {
    nodes: Vec<Node>,
}

impl Group {
    /// The names of the members.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.nodes.iter().map(Node::name).collect()
    }
}

impl Deref for Group {
    type Target = [Node];

    fn deref(&self) -> &[Node] {
        &self.nodes
    }
}
