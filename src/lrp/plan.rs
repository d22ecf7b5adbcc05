//! The plan: which units relevance crosses, and what becomes of it at each.

use std::collections::BTreeSet;

use super::{
    Error, OnUnsupported, Options, Problem,
    target::{self, Explained},
    units::{Layers, Unit},
};
use crate::{
    graph::{Graph, NodeIndex, Value},
    ops::Kind,
    rules::Treatment,
};

/// What will be emitted.
pub struct Plan {
    /// What is explained.
    pub explained: Explained,
    /// The units that relevance crosses, from the explained value to the inputs, with what becomes
    /// of it there.
    pub units: Vec<(Unit, Treatment)>,
    /// The inputs that get relevance.
    pub inputs: Vec<Value>,
    /// The intermediate values whose relevance is shown too.
    pub shown: Vec<Value>,
    /// The values that get relevance which leads on.
    pub receives: BTreeSet<Value>,
    /// What has no rule.
    pub unsupported: Vec<Problem>,
    /// Where relevance stops because nothing flows.
    pub stops: Vec<NodeIndex>,
}

impl Plan {
    /// Plans the explanation of a graph. What has no rule is listed, not refused; see
    /// [`Plan::check`].
    pub fn new(graph: &Graph, options: &Options) -> Result<Self, Error> {
        let explained = target::choose(graph, options)?;
        let shown = options
            .relevance_of
            .iter()
            .map(|name| {
                graph.by_name(name).ok_or_else(|| Error::NoSuchTensor {
                    option: "--relevance-of",
                    name: name.clone(),
                    candidates: "the names that `abslrp print` shows".into(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut barriers: BTreeSet<_> = graph.results().collect();
        barriers.insert(explained.value);
        let layers = Layers::new(graph, barriers);

        let wanted = leads_to(graph, &shown);
        let mut receives = BTreeSet::from([explained.value]);
        let mut absorbed = BTreeSet::new();
        let mut plan = Self {
            explained,
            units: Vec::new(),
            inputs: Vec::new(),
            shown,
            receives: BTreeSet::new(),
            unsupported: Vec::new(),
            stops: Vec::new(),
        };
        for node in graph.nodes().rev() {
            let result = Value { node, slot: 0 };
            let received = graph.outputs(node).any(|v| receives.contains(&v));
            if absorbed.contains(&node) || !received || !graph.is_source(node) {
                continue;
            }
            let several = graph.view(node).operator().is_some_and(|op| op.has_several_outputs());
            let others = graph.outputs(node).any(|v| v != result && receives.contains(&v));
            if others && !several {
                let what = "relevance of an output but the first".into();
                let source = crate::ops::Error::Unsupported { what };
                plan.unsupported.push(Problem::new(graph, node, source));
                continue;
            }
            match Unit::ending_at(graph, node, &layers) {
                Ok(unit) if unit.kind == Kind::Stop => plan.stops.push(node),
                Ok(unit) => {
                    absorbed.extend(unit.members());
                    let treatment = options.rule.treatment(unit.kind);
                    let mut recipients = unit.recipients(graph);
                    recipients
                        .retain(|(operand, v)| treatment.reaches(*operand) && wanted.contains(v));
                    receives.extend(recipients.into_iter().map(|(_, v)| v));
                    plan.units.push((unit, treatment));
                }
                Err(error) => plan.unsupported.push(Problem::new(graph, node, error)),
            }
        }
        plan.inputs = graph.activations().filter(|v| receives.contains(v)).collect();
        for &value in &plan.shown {
            if !receives.contains(&value) {
                return Err(Error::NoRelevance { name: graph.name(value).to_string() });
            }
        }
        plan.receives = receives;
        Ok(plan)
    }

    /// Refuses a plan that cannot be carried out, unless `options` say to cut relevance there.
    pub fn check(&self, graph: &Graph, options: &Options) -> Result<(), Error> {
        if options.on_unsupported == OnUnsupported::Error
            && let Some(first) = self.unsupported.first()
        {
            let more = self.unsupported.len() - 1;
            return Err(Error::Unsupported { first: first.clone(), more });
        }
        if self.inputs.is_empty() {
            let cut = self.unsupported.iter().map(|problem| problem.to_string());
            let stops = self.stops.iter().map(|&node| {
                format!("node '{}' ({})", graph.label(node), graph.view(node).operator_name())
            });
            let places: Vec<_> = cut.chain(stops).collect();
            return Err(Error::Unreachable {
                name: graph.name(self.explained.value).to_string(),
                places: if places.is_empty() {
                    "it depends on no input".into()
                } else {
                    format!("it ends at {}", places.join("; "))
                },
            });
        }
        Ok(())
    }
}

/// The values from which relevance can go on to an input or to a value whose relevance is shown.
/// Where no rule says, it is taken to: that is found out, and refused, on the way.
fn leads_to(graph: &Graph, shown: &[Value]) -> BTreeSet<Value> {
    let mut wanted: BTreeSet<_> = graph.activations().chain(shown.iter().copied()).collect();
    for node in graph.nodes() {
        let view = graph.view(node);
        let operator = view.operator();
        let stops = operator.is_some_and(|op| matches!(op.kind(view), Ok(Kind::Stop)));
        let flows = |operand: usize, value: &Value| {
            graph.is_active(*value)
                && wanted.contains(value)
                && operator.is_none_or(|op| op.flows(view, operand))
        };
        let inputs = view.inputs();
        let mut operands = inputs.iter().enumerate().filter_map(|(i, v)| Some((i, v.as_ref()?)));
        if !stops && operands.any(|(i, v)| flows(i, v)) {
            wanted.extend(graph.outputs(node).filter(|&v| graph.is_active(v)));
        }
    }
    wanted
}
