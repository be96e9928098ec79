//! What checks saw before, as a tree of questions: whoever answers all of them alike, ends alike.
//!
//! Owns the tree. A program that depends on nothing but its disk asks its first question whatever
//! the disk holds, and each further one by the answers so far. So the runs that were made form a
//! tree of questions with an edge for each answer, and a new disk is asked along it: if that ends
//! at a run, the new one would be that run.
//!
//! Source: the reads of recovery as what tells crash states apart are Vinter's (Kalbfleisch et al.,
//! USENIX ATC 2022).

use std::collections::BTreeMap;

use crate::model::disk::{Image, Observation};

/// Runs, found by what they saw.
#[derive(Clone, Debug)]
pub(crate) struct Trie<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Clone, Debug)]
enum Node<T> {
    /// A question, and where each answer leads.
    Asks(Observation, BTreeMap<u128, usize>),
    /// A run that asked no more.
    Ended(T),
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { nodes: Vec::new() }
    }
}

impl<T> Trie<T> {
    /// The run that this disk would see, with what it asked.
    pub(crate) fn find(&self, image: &Image) -> Option<(&T, Vec<Observation>)> {
        let mut asked = Vec::new();
        let mut at = 0;
        loop {
            match self.nodes.get(at)? {
                Node::Ended(run) => return Some((run, asked)),
                Node::Asks(question, answers) => {
                    at = *answers.get(&question.of(image))?;
                    asked.push(*question);
                }
            }
        }
    }

    /// Adds a run on this disk that asked so, in this order.
    ///
    /// It may have been told more than it needed, and be asked in another order than others: what
    /// stands in the tree already is asked first.
    pub(crate) fn insert(&mut self, image: &Image, asked: &[Observation], run: T) {
        let mut rest: Vec<&Observation> = asked.iter().rev().collect();
        let mut link = None;
        let mut at = (!self.nodes.is_empty()).then_some(0);
        while let Some(node) = at {
            let Node::Asks(question, answers) = &self.nodes[node] else {
                // It is known.
                return;
            };
            // In the order of the tree as a rule, so that it is the next one.
            if let Some(place) = rest.iter().rposition(|other| *other == question) {
                rest.remove(place);
            }
            let answer = question.of(image);
            link = Some((node, answer));
            at = answers.get(&answer).copied();
        }
        while let Some(question) = rest.pop() {
            let node = self.add(link, Node::Asks(*question, BTreeMap::new()));
            link = Some((node, question.of(image)));
        }
        self.add(link, Node::Ended(run));
    }

    /// Adds a node where an answer leads.
    fn add(&mut self, link: Option<(usize, u128)>, node: Node<T>) -> usize {
        let number = self.nodes.len();
        self.nodes.push(node);
        if let Some((parent, answer)) = link {
            let Node::Asks(_, answers) = &mut self.nodes[parent] else {
                unreachable!("only a question leads on");
            };
            answers.insert(answer, number);
        }
        number
    }
}
