//! Groups: what a framework has as one layer, and exporters write as several nodes.

use std::{collections::BTreeSet, sync::LazyLock};

use super::patterns::{self, Pattern};
use crate::ir::{Graph, Group, Kind, NodeIndex, Role, Value};

/// The layers that are written as several nodes, and what kind of operation they are.
static LAYERS: LazyLock<[(Pattern, Kind); 4]> = LazyLock::new(|| {
    let normalisation = |pattern| (patterns::affine(pattern), Kind::Normalisation);
    [
        (patterns::self_gated(), Kind::Activation),
        normalisation(patterns::layer_normalization()),
        normalisation(patterns::rms_normalization()),
        normalisation(patterns::instance_normalization()),
    ]
});

/// The group that ends at a node, if exporters write one layer of a framework as several nodes there.
pub(super) fn group(
    graph: &Graph,
    node: NodeIndex,
    barriers: &BTreeSet<Value>,
) -> Option<(Group, Kind)> {
    LAYERS.iter().find_map(|(pattern, kind)| {
        let mut found = pattern.find(graph, node, barriers)?;
        let x = found.x?;
        // Alone, a node is the operator itself.
        if found.members.len() < 2 || graph.ty(x).rank() != graph.node(node).output().rank() {
            return None;
        }
        found.parameters.sort_by_key(|(_, role)| *role == Role::Weight);
        let (constants, roles): (Vec<_>, Vec<_>) = found.parameters.into_iter().unzip();
        let operands = [x].into_iter().chain(constants).collect();
        let members = found.members.into_iter().collect();
        Some((Group { operands, roles, members }, *kind))
    })
}
