//! What runtimes are known not to run of what is emitted.
//!
//! This table is the one place that says so: `compile` tells what of it a model has, `abslrp inspect --runtimes` lists it,
//! and `runtimes/matrix.py` holds it against every fixture, both ways: a runtime refuses what is here, and nothing else.
//! `docs/runtimes.md` has the causes.

use serde::Serialize;

use crate::ir::{Dim, Graph, NodeRef, Origin};

/// A runtime that explained models are tried on.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Runtime {
    /// What it is called.
    pub name: &'static str,
    /// What its package is called: of Python, of npm for the web, and of Rust for rten.
    pub package: &'static str,
    /// The version that is tried.
    pub version: &'static str,
    /// What it does not run of what may be emitted.
    pub limits: &'static [Limit],
}

/// A form of an operator that a runtime does not run.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limit {
    /// The operator.
    pub operator: &'static str,
    /// What is special about the form, in words that follow the operator's name.
    pub form: &'static str,
    /// Whether a node of that operator has it.
    #[serde(skip)]
    has: fn(NodeRef<'_>) -> bool,
}

/// Whether a runtime is known to run what was emitted.
#[derive(Debug, Clone, Serialize)]
pub struct Portability {
    /// The runtime.
    pub runtime: &'static str,
    /// The version that is known.
    pub version: &'static str,
    /// What of its limits there is; nothing where it runs all of it.
    pub limits: Vec<Limit>,
}

/// The runtimes.
pub const RUNTIMES: &[Runtime] = &[
    Runtime { name: "ONNX Runtime", package: "onnxruntime", version: "1.32.0", limits: &[] },
    Runtime { name: "ONNX Runtime", package: "onnxruntime", version: "1.20.0", limits: &[] },
    Runtime { name: "onnxruntime-web", package: "onnxruntime-web", version: "1.30.0", limits: &[] },
    Runtime {
        name: "OpenVINO",
        package: "openvino",
        version: "2026.4.1",
        limits: &[
            Limit {
                operator: "GatherElements",
                form: "with fewer indices than its data have elements along another axis",
                has: gathers_from_a_part,
            },
            Limit {
                operator: "Scan",
                form: "that reads from around its body what is computed",
                has: captures_what_is_computed,
            },
            Limit { operator: "Conv", form: COMPUTED_KERNEL, has: has_a_kernel_of_unknown_size },
            Limit {
                operator: "HardSigmoid",
                form: "behind a ConcatFromSequence, which leaves the type open",
                has: |node| {
                    let graph = node.graph();
                    graph.nodes().any(|other| graph.node(other).op_type() == "ConcatFromSequence")
                },
            },
        ],
    },
    Runtime {
        name: "tract",
        package: "tract",
        version: "0.23.9",
        limits: &[
            Limit {
                operator: "Pad",
                form: "by sizes that are computed",
                has: |node| computes(node, 1),
            },
            Limit {
                operator: "If",
                form: "with branches that read from around them",
                has: captures,
            },
            Limit { operator: "Conv", form: COMPUTED_KERNEL, has: has_a_kernel_of_unknown_size },
            Limit {
                operator: "DFT",
                form: "that is inverse and told its length",
                has: |node| {
                    node.input(1).is_some() && node.int("inverse", 0).is_ok_and(|it| it == 1)
                },
            },
        ],
    },
    Runtime {
        name: "rten",
        package: "rten",
        version: "0.27.0",
        limits: &[
            Limit { operator: "Scan", form: "(not implemented)", has: |_| true },
            Limit { operator: "SpaceToDepth", form: "(not implemented)", has: |_| true },
        ],
    },
];

const COMPUTED_KERNEL: &str = "with a computed kernel, the size of which is not known";

/// What is known of runtimes and of what was added to a graph.
pub fn portability(graph: &Graph) -> Vec<Portability> {
    let mut found: Vec<Portability> = RUNTIMES
        .iter()
        .map(|&Runtime { name, version, .. }| Portability {
            runtime: name,
            version,
            limits: Vec::new(),
        })
        .collect();
    emitted(graph, &mut |node| {
        for (runtime, found) in RUNTIMES.iter().zip(&mut found) {
            let named = runtime.limits.iter().filter(|limit| limit.operator == node.op_type());
            for limit in named.filter(|limit| (limit.has)(node)) {
                if found
                    .limits
                    .iter()
                    .all(|known| known.form != limit.form || known.operator != limit.operator)
                {
                    found.limits.push(*limit);
                }
            }
        }
    });
    found
}

/// Visits what was added to a graph, in subgraphs too.
fn emitted(graph: &Graph, visit: &mut dyn FnMut(NodeRef<'_>)) {
    for node in graph.nodes() {
        if matches!(graph.origin(node), Origin::New(_) | Origin::Body(_)) {
            visit(graph.node(node));
            graph.children(node).iter().for_each(|child| emitted(&child.graph, visit));
        }
    }
}

/// Whether the subgraphs of a node read from outside what is no initializer.
fn captures_what_is_computed(node: NodeRef<'_>) -> bool {
    let graph = node.graph();
    let is_initializer =
        |origin: &Origin| matches!(origin, Origin::Initializer(_) | Origin::NewConstant(_));
    graph.captured(node.index()).iter().any(|value| !is_initializer(graph.origin(value.node)))
}

/// Whether an operand is no constant.
fn computes(node: NodeRef<'_>, operand: usize) -> bool {
    node.input(operand).is_some_and(|value| node.graph().list(value).is_none())
}

/// Whether an operand depends on what the model is fed.
fn is_active(node: NodeRef<'_>, operand: usize) -> bool {
    node.input(operand).is_some_and(|value| node.graph().is_active(value))
}

/// Whether the subgraphs of a node read from outside.
fn captures(node: NodeRef<'_>) -> bool {
    !node.graph().captured(node.index()).is_empty()
}

/// Whether indices may have another size than the data along an axis that is not gathered along.
fn gathers_from_a_part(node: NodeRef<'_>) -> bool {
    let (Ok(data), Ok(indices)) = (node.ty(0), node.ty(1)) else { return false };
    let (Some(from), Some(at)) = (&data.shape, &indices.shape) else { return false };
    let along = node.axis("axis", 0, from.len()).unwrap_or(0);
    from.iter().zip(at).enumerate().any(|(axis, (a, b))| axis != along && a != b)
}

/// Whether a kernel is computed from inputs, and its size not known.
fn has_a_kernel_of_unknown_size(node: NodeRef<'_>) -> bool {
    let shape = node.ty(1).ok().and_then(|ty| ty.shape.as_ref());
    is_active(node, 1)
        && shape.is_none_or(|dims| dims.iter().any(|dim| !matches!(dim, Dim::Known(_))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, onnx::Model};

    /// What a runtime does not run of a fixture's explanation.
    fn limits(fixture: &str, runtime: &str) -> Vec<&'static str> {
        let model = Model::open(format!("fixtures/forms/{fixture}")).unwrap();
        let explanation = crate::compile(&model, &Options::default()).unwrap();
        let found = explanation.summary().runtimes.iter();
        found.filter(|p| p.runtime == runtime).flat_map(|p| &p.limits).map(|l| l.operator).collect()
    }

    #[test]
    fn what_is_emitted_is_seen_in_subgraphs_too_and_what_the_source_has_is_not() {
        assert_eq!(limits("scatter_elements.op16.onnx", "OpenVINO"), ["GatherElements"]);
        assert_eq!(limits("gru.op17.onnx", "OpenVINO"), ["Scan"]);
        assert_eq!(limits("scan.op17.onnx", "OpenVINO"), [""; 0]);
        // Within a branch.
        assert_eq!(limits("loop_never.op17.onnx", "OpenVINO"), ["Scan"]);
        assert_eq!(limits("if_then.op17.onnx", "tract"), ["If"]);
        assert_eq!(limits("slice_computed.op17.onnx", "tract"), ["Pad"]);
        assert_eq!(limits("gru.op17.onnx", "ONNX Runtime"), [""; 0]);
        for runtime in RUNTIMES {
            assert_eq!(limits("gemm.op11.onnx", runtime.name), [""; 0]);
        }
    }
}
