//! Which links a cut concerns: the shapes in which networks break.
//!
//! Owns nothing; pure functions from nodes to directed links.

use super::link_fault::Pair;
use crate::kernel::NodeId;

/// From each node of one set to each of another.
pub(crate) fn one_way(from: &[NodeId], to: &[NodeId]) -> Vec<Pair> {
    let pairs = from.iter().flat_map(|a| to.iter().map(|b| (*a, *b)));
    pairs.filter(|(a, b)| a != b).collect()
}

/// Between each node of one set and each of another, in both directions.
pub(crate) fn both_ways(a: &[NodeId], b: &[NodeId]) -> Vec<Pair> {
    let mut links = one_way(a, b);
    links.extend(one_way(b, a));
    links
}

/// Between the nodes of different groups. Nodes in no group keep all their links.
pub(crate) fn groups(groups: &[&[NodeId]]) -> Vec<Pair> {
    let mut links = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        for other in &groups[i + 1..] {
            links.extend(both_ways(group, other));
        }
    }
    links
}

/// All but the links of each node to its two neighbours, the last and the first being neighbours:
/// what is left is a ring.
pub(crate) fn all_but_ring(nodes: &[NodeId]) -> Vec<Pair> {
    let n = nodes.len();
    let distant = |i: usize, j: usize| {
        let apart = i.abs_diff(j);
        apart > 1 && apart < n - 1
    };
    let mut links = Vec::new();
    for i in 0..n {
        links.extend(
            (0..n)
                .filter(|j| distant(i, *j))
                .map(|j| (nodes[i], nodes[j])),
        );
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes<const N: usize>(numbers: [u32; N]) -> [NodeId; N] {
        numbers.map(NodeId::new)
    }

    fn shown(links: &[Pair]) -> String {
        let shown = links
            .iter()
            .map(|(a, b)| format!("{}>{}", a.number(), b.number()));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn shapes() {
        let [a, b, c, d] = nodes([1, 2, 3, 4]);
        assert_eq!(shown(&one_way(&[a, b], &[b, c])), "1>2 1>3 2>3");
        assert_eq!(shown(&both_ways(&[a], &[b, c])), "1>2 1>3 2>1 3>1");
        assert_eq!(
            shown(&groups(&[&[a], &[b], &[c]])),
            "1>2 2>1 1>3 3>1 2>3 3>2"
        );
        assert_eq!(shown(&all_but_ring(&[a, b, c, d])), "1>3 2>4 3>1 4>2");
        assert_eq!(shown(&all_but_ring(&[a, b, c])), "");
        assert_eq!(shown(&all_but_ring(&[a])), "");
    }
}
