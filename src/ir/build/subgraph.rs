//! Subgraphs: formulas that are computed under a condition, or once for each part of a value.
//!
//! A formula in a subgraph can use what was computed around it as it stands:
//!
//! ```text
//! let y = emitter.branch(condition, || Ok(vec![x * 2.0]), || Ok(vec![-x]))?;
//! ```
//!
//! [`Expr::value`] makes an operand of the node of what the subgraph uses from outside, through all
//! subgraphs that lie between.

use std::collections::BTreeMap;

use super::{Contents, Emitter, Expr, Formula};
use crate::{
    ir::{Child, Error, Facts, Graph, Origin, Value},
    onnx::{
        attribute::{int, ints},
        schema::AttributeProto,
    },
};

/// A graph whose construction waits for that of a subgraph.
#[derive(Debug)]
pub(super) struct Frame {
    graph: Graph,
    constants: BTreeMap<Contents, Value>,
    real: BTreeMap<Value, Value>,
    shared: BTreeMap<Formula, Value>,
    captures: Captures,
}

/// What a subgraph uses from outside.
#[derive(Debug, Default)]
pub(super) struct Captures {
    /// The number of values that subgraphs of the same node use which were built before.
    first: usize,
    /// From a value outside to what stands for it.
    values: BTreeMap<Value, Value>,
}

impl Frame {
    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }
}

impl Captures {
    fn capture(&mut self, graph: &mut Graph, value: Value, facts: &Facts) -> Value {
        let place = Origin::Captured(self.first + self.values.len());
        *self.values.entry(value).or_insert_with(|| {
            let facts = Facts { name: String::new(), ..facts.clone() };
            Value { node: graph.append(place, &[], &[], vec![facts]), slot: 0 }
        })
    }
}

/// How the parts of a value lie in it, one for each run of a subgraph.
#[derive(Debug, Clone, Copy)]
pub struct Along {
    /// The axis.
    pub axis: usize,
    /// Whether the last part is that of the first run.
    pub backwards: bool,
}

impl Emitter {
    /// What `then` gives where a condition holds, and else what `otherwise` gives: an `If`.
    pub fn branch<'e>(
        &'e self,
        condition: Expr<'e>,
        then: impl FnOnce() -> Result<Vec<Expr<'e>>, Error>,
        otherwise: impl FnOnce() -> Result<Vec<Expr<'e>>, Error>,
    ) -> Result<Vec<Expr<'e>>, Error> {
        let mut captured = Vec::new();
        let children = vec![
            self.subgraph("then_branch", Vec::new(), &mut captured, |_| then())?,
            self.subgraph("else_branch", Vec::new(), &mut captured, |_| otherwise())?,
        ];
        Ok(self.call("If", &[condition], Vec::new(), children, &captured))
    }

    /// What `body` leaves as states, and then what it gives besides, `stacked` one behind the other: a
    /// `Scan`. `body` is given the states and a part of each of the values that are `scanned`.
    pub fn scan<'e>(
        &'e self,
        states: &[Expr<'e>],
        scanned: &[(Expr<'e>, Along)],
        stacked: &[Along],
        body: impl FnOnce(&[Expr<'e>], &[Expr<'e>]) -> Result<Vec<Expr<'e>>, Error>,
    ) -> Result<Vec<Expr<'e>>, Error> {
        let state = |x: &Expr<'e>| Facts { ty: x.ty(), ..Facts::unknown(true) };
        let part = |(x, along): &(Expr<'e>, Along)| {
            let (value, graph) = (x.value(), self.graph.borrow());
            let facts = graph.facts(value);
            let (name, ty) = (String::new(), facts.ty.without(along.axis));
            Facts { name, ty, contents: None, ..facts.clone() }
        };
        let inputs = states.iter().map(state).chain(scanned.iter().map(part)).collect();
        let mut captured = Vec::new();
        let child = self.subgraph("body", inputs, &mut captured, |inputs| {
            let (states, parts) = inputs.split_at(states.len());
            body(states, parts)
        })?;
        let list = |name: &str, of: &dyn Fn(&Along) -> i64, along: &[Along]| {
            ints(name, &along.iter().map(of).collect::<Vec<_>>())
        };
        let along: Vec<_> = scanned.iter().map(|&(_, along)| along).collect();
        let (axis, direction) = (|a: &Along| a.axis as i64, |a: &Along| i64::from(a.backwards));
        let attributes = vec![
            int("num_scan_inputs", scanned.len() as i64),
            list("scan_input_axes", &axis, &along),
            list("scan_input_directions", &direction, &along),
            list("scan_output_axes", &axis, stacked),
            list("scan_output_directions", &direction, stacked),
        ];
        let operands: Vec<_> = states.iter().copied().chain(scanned.iter().map(|x| x.0)).collect();
        Ok(self.call("Scan", &operands, attributes, vec![child], &captured))
    }

    /// A node with subgraphs, and all its results.
    fn call<'e>(
        &'e self,
        op_type: &'static str,
        operands: &[Expr<'e>],
        attributes: Vec<AttributeProto>,
        children: Vec<Child>,
        captured: &[Value],
    ) -> Vec<Expr<'e>> {
        let outputs = children.first().map_or(0, |child| child.graph.outputs.len());
        let operands: Vec<_> = operands.iter().copied().map(Some).collect();
        let node = self.append(op_type, &operands, attributes, (children, captured), outputs);
        (0..outputs as u32).map(|slot| self.expr(Value { node, slot })).collect()
    }

    /// Builds a subgraph. What it uses from outside is added to `captured`.
    fn subgraph<'e>(
        &'e self,
        attribute: &str,
        inputs: Vec<Facts>,
        captured: &mut Vec<Value>,
        body: impl FnOnce(&[Expr<'e>]) -> Result<Vec<Expr<'e>>, Error>,
    ) -> Result<Child, Error> {
        let child = self.graph.borrow().beside(None);
        let captures = Captures { first: captured.len(), ..Captures::default() };
        self.outer.borrow_mut().push(Frame {
            graph: self.graph.replace(child),
            constants: self.constants.take(),
            real: self.real.take(),
            shared: self.shared.take(),
            captures: self.captures.replace(captures),
        });
        let input = |facts| {
            let node = self.graph.borrow_mut().append(Origin::Input, &[], &[], vec![facts]);
            self.expr(Value { node, slot: 0 })
        };
        let inputs: Vec<_> = inputs.into_iter().map(input).collect();
        let outputs = body(&inputs);
        let outputs = outputs.map(|list| list.into_iter().map(Expr::value).collect::<Vec<_>>());
        // It was pushed above, and `body` has taken away what it has pushed itself.
        let Some(frame) = self.outer.borrow_mut().pop() else { return Err(Error::outside()) };
        let child = self.graph.replace(frame.graph);
        self.graph.borrow_mut().symbols = child.symbols;
        self.constants.replace(frame.constants);
        self.real.replace(frame.real);
        self.shared.replace(frame.shared);
        let used = self.captures.replace(frame.captures).values;
        let places: BTreeMap<_, _> =
            used.into_iter().map(|(outer, inner)| (inner, outer)).collect();
        captured.extend(places.into_values());
        let (mut graph, outputs) = child.without_dead_nodes(&outputs?);
        graph.outputs = outputs;
        Ok(Child { attribute: attribute.into(), graph: graph.into() })
    }

    /// The number of graphs around the one under construction.
    pub(super) fn level(&self) -> usize {
        self.outer.borrow().len()
    }

    /// What stands for a value of the graph at `level` in the graph under construction.
    pub(super) fn captured(&self, mut value: Value, level: usize) -> Value {
        let mut outer = self.outer.borrow_mut();
        for inner in level + 1..=outer.len() {
            let facts = outer[inner - 1].graph.facts(value).clone();
            value = match outer.get_mut(inner) {
                Some(frame) => frame.captures.capture(&mut frame.graph, value, &facts),
                None => {
                    self.captures.borrow_mut().capture(&mut self.graph.borrow_mut(), value, &facts)
                }
            };
        }
        value
    }
}
