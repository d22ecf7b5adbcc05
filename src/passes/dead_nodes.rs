//! `dead-nodes`: what no output needs is not written.
//!
//! Runs at every level, last, when it shows what is needed.

use super::{Action, Pass, Runs};
use crate::ir::Graph;

pub(super) const PASS: Pass = Pass {
    name: "dead-nodes",
    runs: Runs::Always,
    action: Action::Graph(Graph::without_dead_nodes),
};

#[cfg(test)]
mod tests {
    use crate::passes::tests::{added, relu};

    #[test]
    fn only_what_an_output_needs_is_left() {
        let (emitter, x) = relu();
        let x = emitter.value(x);
        let kept = x.abs();
        let _dropped = x.sign() * kept;
        let outputs = [(kept * 2.0).value()];
        let (fresh, outputs) = emitter.finish().without_dead_nodes(&outputs);
        assert_eq!(added(&fresh), ["Abs", "Mul"]);
        // The source is no pass's business.
        assert!(fresh.by_name("y").is_some());
        assert_eq!(fresh.node(outputs[0].node).op_type(), "Mul");
    }
}
