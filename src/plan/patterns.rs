//! Patterns: the expressions that exporters write where a framework has one layer.
//!
//! A pattern reads like the expression it matches: operators make patterns of patterns. Sums and
//! products match in either order.

use std::{
    collections::BTreeSet,
    ops::{Add, Div, Mul, Sub},
};

use crate::ir::{Graph, NodeIndex, Role, Value};

/// What a value may be.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// The activation that the whole is a function of: the same one wherever it stands.
    X,
    /// A constant.
    Constant,
    /// A constant that is a parameter of the layer.
    Parameter(Role),
    /// A constant of this value.
    Number(f64),
    /// An operator of these operands.
    Node(&'static str, Vec<Pattern>),
    /// The mean over axes: the same ones wherever it stands.
    Mean(Box<Pattern>),
    /// A function of each element, with constants of one number, of the same activation wherever it
    /// stands: the nearest that all of them are functions of. At least one of them is a gate.
    Function,
    /// This, in the shape of the activation.
    Restored(Box<Pattern>),
    /// The first of these that it is.
    Any(Vec<Pattern>),
}

use Pattern::{Any, Constant, Function, Mean, Node, Number, Parameter, Restored, X};

macro_rules! arithmetic {
    ($($trait:ident $method:ident $op_type:literal),*) => {$(
        impl $trait for Pattern {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Node($op_type, vec![self, other])
            }
        }
    )*};
}
arithmetic!(Add add "Add", Sub sub "Sub", Mul mul "Mul", Div div "Div");

fn mean(v: Pattern) -> Pattern {
    Mean(Box::new(v))
}

fn pow(v: Pattern, p: f64) -> Pattern {
    Node("Pow", vec![v, Number(p)])
}

fn square(v: Pattern) -> Pattern {
    Any(vec![pow(v.clone(), 2.0), v.clone() * v])
}

fn sqrt(v: Pattern) -> Pattern {
    Any(vec![Node("Sqrt", vec![v.clone()]), pow(v, 0.5)])
}

/// `d / √v`, in the ways it is written.
fn over_root(d: Pattern, v: Pattern) -> Pattern {
    let root = sqrt(v.clone());
    let reciprocal = Node("Reciprocal", vec![root.clone()]);
    let inverse = Any(vec![reciprocal, Number(1.0) / root.clone(), pow(v, -0.5)]);
    Any(vec![d.clone() / root, d * inverse])
}

/// `(x − mean(x)) / √(mean((x − mean(x))²) + ε)`: layer normalisation, without its scale and shift.
pub fn layer_normalization() -> Pattern {
    let centred = X - mean(X);
    over_root(centred.clone(), mean(square(centred)) + Constant)
}

/// `x / √(mean(x²) + ε)`: normalisation by the root of the mean square.
pub fn rms_normalization() -> Pattern {
    over_root(X, mean(square(X)) + Constant)
}

/// `InstanceNormalization`, as it is or between two reshapes that undo each other.
pub fn instance_normalization() -> Pattern {
    let normalised = |x| Node("InstanceNormalization", vec![x, Constant, Constant]);
    let reshaped = |x| Node("Reshape", vec![x, Constant]);
    Any(vec![normalised(X), Restored(Box::new(reshaped(normalised(reshaped(X)))))])
}

/// A normalisation, with a scale and a shift behind it or without.
pub fn affine(normalisation: Pattern) -> Pattern {
    let scaled = Any(vec![normalisation.clone() * Parameter(Role::Weight), normalisation]);
    Any(vec![scaled.clone() + Parameter(Role::Bias), scaled])
}

/// The product of two functions of one activation, one of them a gate: what a framework calls `SiLU`,
/// `GELU`, `HardSwish` or `Mish`, whichever nodes it is written as.
pub fn self_gated() -> Pattern {
    Restored(Box::new(Function * Function))
}

/// `x · sigmoid(x)`
pub fn silu() -> Pattern {
    X * Node("Sigmoid", vec![X])
}

/// A product with a matrix that has its bias behind it.
pub fn biased_product() -> Pattern {
    let product = |operands: [Pattern; 2]| Node("MatMul", operands.to_vec());
    Any(vec![product([X, Constant]), product([Constant, X])]) + Constant
}

/// What a pattern was found to be.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The activation that it is a function of.
    pub x: Option<Value>,
    /// Its nodes.
    pub members: BTreeSet<NodeIndex>,
    /// Its parameters.
    pub parameters: Vec<(Value, Role)>,
    /// What means are over.
    axes: Option<Vec<usize>>,
    /// What is a function of the activation, wherever that is.
    functions: BTreeSet<Value>,
    /// Whether the result has the activation's shape.
    restored: bool,
}

impl Pattern {
    /// Matches the result of `node`, if that is what the pattern describes and nothing but members
    /// reads, and nobody sees, what lies between.
    pub fn find(
        &self,
        graph: &Graph,
        node: NodeIndex,
        barriers: &BTreeSet<Value>,
    ) -> Option<Found> {
        let end = Value { node, slot: 0 };
        let found = self.matches(graph, end, &Found::default())?.traced(graph)?;
        if found.restored {
            let shape = &graph.ty(found.x?).shape;
            (shape.is_some() && *shape == graph.ty(end).shape).then_some(())?;
        }
        let inner = found.members.iter().map(|&node| Value { node, slot: 0 });
        let closed = inner.filter(|&v| v != end).all(|v| {
            !barriers.contains(&v) && graph.readers(v).all(|n| found.members.contains(&n))
        });
        closed.then_some(found)
    }

    fn matches(&self, graph: &Graph, value: Value, so_far: &Found) -> Option<Found> {
        let view = graph.node(value.node);
        let is = |op_type: &str| view.op_type() == op_type && view.domain().is_empty();
        let with_node = |mut found: Found| {
            found.members.insert(value.node);
            found
        };
        match self {
            X => match so_far.x {
                Some(x) => (x == value).then(|| so_far.clone()),
                None if graph.is_active(value) => Some(Found { x: Some(value), ..so_far.clone() }),
                None => None,
            },
            Constant => (!graph.is_active(value)).then(|| so_far.clone()),
            Parameter(role) => {
                let mut found = Constant.matches(graph, value, so_far)?;
                found.parameters.push((value, *role));
                Some(found)
            }
            Function => graph.is_active(value).then(|| {
                let mut found = so_far.clone();
                found.functions.insert(value);
                found
            }),
            Restored(pattern) => {
                Some(Found { restored: true, ..pattern.matches(graph, value, so_far)? })
            }
            Number(wanted) => {
                let number = graph.constant(value).filter(|_| !graph.is_active(value))?;
                ((number - wanted).abs() < 1e-6).then(|| so_far.clone())
            }
            Any(patterns) => patterns.iter().find_map(|p| p.matches(graph, value, so_far)),
            Mean(of) => {
                if !is("ReduceMean") || view.int("keepdims", 1) != Ok(1) {
                    return None;
                }
                let axes = view.axes(18, view.rank(0).ok()?).ok()??;
                let found = of.matches(graph, view.input(0)?, so_far)?;
                match &found.axes {
                    Some(known) if *known != axes => None,
                    _ => Some(with_node(Found { axes: Some(axes), ..found })),
                }
            }
            Node(op_type, operands) => {
                let inputs = view.inputs();
                if !is(op_type) || inputs.len() != operands.len() {
                    return None;
                }
                let all = |operands: &mut dyn Iterator<Item = &Pattern>| {
                    operands.zip(&inputs).try_fold(so_far.clone(), |found, (operand, input)| {
                        operand.matches(graph, (*input)?, &found)
                    })
                };
                let commutes = matches!(*op_type, "Add" | "Mul");
                let exchanged = || if commutes { all(&mut operands.iter().rev()) } else { None };
                all(&mut operands.iter()).or_else(exchanged).map(with_node)
            }
        }
    }
}

impl Found {
    /// Goes back from functions to the activation that they are of.
    fn traced(mut self, graph: &Graph) -> Option<Self> {
        let mut gated = self.functions.is_empty();
        while let Some(latest) = self.functions.pop_last() {
            if self.functions.is_empty() {
                self.x = Some(latest);
                break;
            }
            let view = graph.node(latest.node);
            let operator = view.operator().filter(|op| op.is_elementwise(view))?;
            for input in view.inputs().into_iter().flatten() {
                if graph.is_active(input) {
                    self.functions.insert(input);
                } else if graph.ty(input).count() != Some(1) {
                    return None;
                }
            }
            gated |= operator.is_gate();
            self.members.insert(latest.node);
        }
        gated.then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::Model;

    fn found(form: &str, pattern: &Pattern) -> Option<usize> {
        let model = Model::open(format!("fixtures/forms/{form}.onnx")).unwrap();
        let graph = crate::front::import(&model, &crate::ops::REGISTRY).unwrap();
        let barriers: BTreeSet<_> = graph.graph_outputs().collect();
        let matches = graph.nodes().filter_map(|node| pattern.find(&graph, node, &barriers));
        matches.map(|found| found.members.len()).next()
    }

    #[test]
    fn finds_normalisations_as_they_are_written() {
        assert_eq!(found("layer_normalization_decomposed.op9", &layer_normalization()), Some(7));
        assert_eq!(found("rms_normalization_decomposed.op17", &rms_normalization()), Some(6));
    }

    #[test]
    fn what_somebody_else_reads_is_within_no_group() {
        assert_eq!(found("layer_normalization_broken.op17", &layer_normalization()), None);
    }
}
