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
    ir::{Child, Emitted, Error, Facts, Graph, NodeIndex, Origin, Type, Value},
    onnx::{
        DataType,
        attribute::{int, ints},
        schema::AttributeProto,
        shown::beginning,
    },
};

/// Where the values of a copied subgraph are: each with the number of graphs around the one it is in.
pub(super) type Copies = BTreeMap<Value, (Value, usize)>;

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
        *self.values.entry(value).or_insert_with(|| Value {
            node: graph.append(place, &[], &[], vec![unnamed(facts)]),
            slot: 0,
        })
    }
}

/// How the parts of a value lie in it, one for each run of a subgraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Along {
    /// The axis.
    pub axis: usize,
    /// Whether the last part is that of the first run.
    pub backwards: bool,
}

impl Along {
    /// One after the other along the first axis.
    pub const FIRST: Self = Self { axis: 0, backwards: false };

    /// The same parts from the other end.
    pub fn reversed(self) -> Self {
        Self { backwards: !self.backwards, ..self }
    }
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
        let results = children.first().map_or(0, |child| child.graph.outputs.len());
        Ok(self.call("If", &[Some(condition)], Vec::new(), (children, &captured), results))
    }

    /// What `body` leaves as states, and then what it gives besides, `stacked` one behind the other: a
    /// `Scan`. `body` is given the states and a part of each of the values that are `scanned`.
    pub fn scan<'e>(
        &'e self,
        states: &[Expr<'e>],
        scanned: &[(Expr<'e>, Along)],
        stacked: &[Along],
        body: impl Fn(&[Expr<'e>], &[Expr<'e>]) -> Result<Vec<Expr<'e>>, Error>,
    ) -> Result<Vec<Expr<'e>>, Error> {
        let part = |(x, along): &(Expr<'e>, Along)| {
            let (value, graph) = (x.value(), self.graph.borrow());
            let facts = graph.facts(value);
            let (name, ty) = (String::new(), facts.ty.without(along.axis));
            Facts { name, ty, contents: None, ..facts.clone() }
        };
        let built = |state: &dyn Fn(&Expr<'e>) -> Facts| {
            let inputs = states.iter().map(state).chain(scanned.iter().map(part)).collect();
            let mut captured = Vec::new();
            let child = self.subgraph("body", inputs, &mut captured, |inputs| {
                let (states, parts) = inputs.split_at(states.len());
                body(states, parts)
            })?;
            Ok((child, captured)) as Result<(Child, Vec<Value>), Error>
        };
        let (child, captured) = built(&|x| self.carried(*x))?;
        let start = |x: &Expr<'e>| {
            let value = x.value();
            unnamed(self.graph.borrow().facts(value))
        };
        let starts_constant = states.iter().any(|x| !start(x).active);
        let first = starts_constant.then(|| built(&start)).transpose()?;
        let first = first.filter(|(_, same)| *same == captured).map(|(first, _)| first.graph);
        let child = Child { first, ..child };
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
        let operands = states.iter().copied().chain(scanned.iter().map(|x| x.0));
        let operands: Vec<_> = operands.map(Some).collect();
        let results = child.graph.outputs.len();
        Ok(self.call("Scan", &operands, attributes, (vec![child], &captured), results))
    }

    /// What `body` leaves as states after some runs, and then what it gives besides, one behind the other: a
    /// `Loop`. It ends after `trips` runs, or when the condition does not hold that `body` gives first. `body`
    /// is given the number of the run, the condition, and the states.
    pub fn repeat<'e>(
        &'e self,
        trips: Option<Expr<'e>>,
        condition: Option<Expr<'e>>,
        states: &[Expr<'e>],
        body: impl FnOnce(&[Expr<'e>]) -> Result<Vec<Expr<'e>>, Error>,
    ) -> Result<Vec<Expr<'e>>, Error> {
        let scalar = |elem| Facts { ty: Type::new(elem, Vec::new()), ..Facts::named("") };
        let control = [scalar(DataType::Int64), scalar(DataType::Bool)];
        let inputs = control.into_iter().chain(states.iter().map(|x| self.carried(*x))).collect();
        let mut captured = Vec::new();
        let child = self.subgraph("body", inputs, &mut captured, body)?;
        let states = states.iter().copied().map(Some);
        let operands: Vec<_> = [trips, condition].into_iter().chain(states).collect();
        let results = child.graph.outputs.len().saturating_sub(1);
        Ok(self.call("Loop", &operands, Vec::new(), (vec![child], &captured), results))
    }

    /// What is known of a state that starts as `x`.
    fn carried(&self, x: Expr<'_>) -> Facts {
        let (value, graph) = (x.value(), self.graph.borrow());
        let Facts { ty, may_be_infinite, .. } = graph.facts(value).clone();
        Facts { ty, may_be_infinite, active: true, ..Facts::named("") }
    }

    /// Copies a subgraph of the source behind what is under construction, and has `body` explain it there:
    /// within, [`Emitter::value`] finds the copies of its values. `inputs` are what it is called with,
    /// `captured` what its node hands in besides.
    pub fn within<'e, T>(
        &'e self,
        child: &Graph,
        inputs: &[Expr<'e>],
        captured: &[Expr<'e>],
        body: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let copies = self.copy(child, inputs, captured)?;
        let outer = (self.copies.replace(Some(copies)), self.real.take());
        let done = body();
        self.copies.replace(outer.0);
        self.real.replace(outer.1);
        done
    }

    /// Copies the nodes of a subgraph, with what is known of them, and says where each value went. What an
    /// operator of another domain gives is taken from the body that stands for it, and has no copy if there
    /// is none.
    fn copy<'e>(
        &'e self,
        child: &Graph,
        inputs: &[Expr<'e>],
        captured: &[Expr<'e>],
    ) -> Result<Copies, Error> {
        let bodies: BTreeMap<_, _> =
            child.canonical.iter().map(|(&body, &call)| (call, body)).collect();
        let (mut inputs, mut copies) = (inputs.iter(), Copies::new());
        for node in child.nodes() {
            let first = Value { node, slot: 0 };
            let at = |x: &Expr<'e>| (x.value, x.level);
            let given = match child.origin(node) {
                Origin::Input => {
                    let given = inputs.next();
                    given.inspect(|given| self.know(**given, child.facts(first))).map(at)
                }
                Origin::Captured(place) => captured.get(*place).map(at),
                _ => None,
            };
            if let Some(given) = given {
                copies.insert(first, given);
                continue;
            }
            let stands_for = |value: Value| Some((value, *copies.get(bodies.get(&value)?)?));
            let results: Vec<_> = child.outputs(node).filter_map(stands_for).collect();
            if !results.is_empty() {
                copies.extend(results);
                continue;
            }
            if let Some(copy) = self.copy_node(child, node, &copies)? {
                let level = self.level();
                let places = child.outputs(node);
                copies.extend(places.map(|v| (v, (Value { node: copy, ..v }, level))));
            }
        }
        Ok(copies)
    }

    /// Says of an input of the subgraph under construction what is true whenever it runs.
    fn know(&self, input: Expr<'_>, facts: &Facts) {
        let Value { node, slot } = input.value();
        let mut graph = self.graph.borrow_mut();
        if matches!(graph.dag[node].origin, Origin::Input) {
            graph.dag[node].outputs[slot as usize] = unnamed(facts);
        }
    }

    /// Copies a node; `None` where there is no way to write it, or one of its operands has no copy.
    fn copy_node(
        &self,
        child: &Graph,
        node: NodeIndex,
        copies: &Copies,
    ) -> Result<Option<NodeIndex>, Error> {
        let view = child.node(node);
        let facts = child.outputs(node).map(|v| unnamed(child.facts(v))).collect();
        let constant = Value { node, slot: 0 };
        let origin = match child.origin(node) {
            Origin::Source(_) | Origin::New(_) | Origin::Body(_) if view.domain().is_empty() => {
                let around = self.scope.borrow().clone();
                let scope = format!("{}/{}", beginning(&around), beginning(child.label(node)));
                let plain = |a: &&AttributeProto| a.g.is_none() && a.graphs.is_empty();
                Origin::New(Box::new(Emitted {
                    op_type: view.op_type().to_string().into(),
                    attributes: view.attributes().iter().filter(plain).cloned().collect(),
                    scope: scope.into(),
                    is_quotient: false,
                    label: None,
                }))
            }
            Origin::Initializer(_) | Origin::NewConstant(_) => match child.tensor(constant) {
                Some(tensor) => Origin::NewConstant(Box::new(tensor.clone())),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let copy = |v: Value| {
            let &(value, level) = copies.get(&v)?;
            Some(Expr { emitter: self, value, level })
        };
        let operands: Option<Vec<_>> = view
            .inputs()
            .into_iter()
            .map(|operand| operand.map_or(Some(None), |v| copy(v).map(Some)))
            .collect();
        let handed_in: Option<Vec<_>> = child.captured(node).into_iter().map(copy).collect();
        let (Some(operands), Some(handed_in)) = (operands, handed_in) else { return Ok(None) };
        let (mut children, mut captured) = (Vec::new(), Vec::new());
        let inner = |attribute: &str, graph: &Graph, captured: &mut Vec<Value>| {
            let inputs = graph.graph_inputs().map(|v| unnamed(graph.facts(v))).collect();
            self.subgraph(attribute, inputs, captured, |inputs| {
                let results = graph.graph_outputs();
                self.within(graph, inputs, &handed_in, || {
                    Ok(results.map(|v| self.value(v)).collect())
                })
            })
        };
        for Child { attribute, graph, first } in child.children(node) {
            let mut same = captured.clone();
            let copy = inner(attribute, graph, &mut captured)?;
            let first =
                first.as_ref().map(|first| inner(attribute, first, &mut same)).transpose()?;
            let first = first.filter(|_| same == captured).map(|first| first.graph);
            children.push(Child { first, ..copy });
        }
        self.check()?;
        let operands: Vec<_> = operands.into_iter().map(|x| x.map(Expr::value)).collect();
        let mut graph = self.graph.borrow_mut();
        let node = graph.append(origin, &operands, &captured, facts);
        graph.dag[node].children = children;
        Ok(Some(node))
    }

    /// A node with subgraphs, and all its results.
    fn call<'e>(
        &'e self,
        op_type: &'static str,
        operands: &[Option<Expr<'e>>],
        attributes: Vec<AttributeProto>,
        children: (Vec<Child>, &[Value]),
        results: usize,
    ) -> Vec<Expr<'e>> {
        let node = self.append(op_type, operands, attributes, children, results);
        (0..results as u32).map(|slot| self.expr(Value { node, slot })).collect()
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
        Ok(Child { attribute: attribute.into(), graph: graph.into(), first: None })
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

/// The same under no name.
fn unnamed(facts: &Facts) -> Facts {
    Facts { name: String::new(), ..facts.clone() }
}
