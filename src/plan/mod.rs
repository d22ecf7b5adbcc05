//! The plan: which units relevance crosses, and what becomes of it at each.

mod architecture;
mod explained;
mod gates;
mod groups;
mod layers;
mod patterns;
mod unit;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

pub use explained::{Explained, Start};
pub use unit::Unit;

use layers::{Layers, Units, rounds};

use crate::{
    error::{Error, Hint, Problem},
    ir::{self, Graph, Kind, NodeIndex, Value},
    onnx::shown::Shown,
    options::{Canonize, OnUnsupported, Options},
    rules::{Choice, Match, Part, Place, Stabiliser, Term, Treatment},
};

/// A unit, and what becomes of relevance there.
pub struct Planned {
    /// The unit.
    pub unit: Unit,
    /// What becomes of relevance.
    pub treatment: Treatment,
    /// The rule that says so.
    pub rule: Choice,
    /// The match that chose the rule, if one did.
    pub why: Option<String>,
}

/// What will be emitted.
pub struct Plan {
    /// What is explained.
    pub explained: Explained,
    /// The units that relevance crosses, from the explained value to the inputs.
    pub units: Vec<Planned>,
    /// Whether what arrives at an input is multiplied by the input.
    pub times_input: bool,
    /// How relevance starts.
    pub start: Start,
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
    /// [`Plan::accept`].
    pub fn new(graph: &Graph, options: &Options) -> Result<Self, Error> {
        let explained = explained::choose(graph, options)?;
        if graph.ty(explained.value).is_empty() {
            return Err(Error::Empty { name: graph.name(explained.value).to_string() });
        }
        let mut asked = BTreeSet::new();
        let shown = options
            .relevance_of
            .iter()
            .filter(|name| asked.insert(name.as_str()))
            .map(|name| {
                graph.by_name(name).ok_or_else(|| Error::NoSuchTensor {
                    option: Hint::RelevanceOf,
                    name: name.clone(),
                    candidates: "what `abslrp print` shows".into(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut barriers: BTreeSet<_> = graph.graph_outputs().collect();
        barriers.insert(explained.value);
        let kind = match options.canonize {
            Canonize::None => Units::Nodes,
            Canonize::Units if options.rule.rule().folds(&options.rule.options()) => Units::Whole,
            Canonize::Units => Units::Unfolded,
        };
        let layers = Layers::new(graph, barriers, kind);
        let gates = gates::gates(graph);
        let parts = match options.rule.rule().asks_parts() {
            true => architecture::parts(graph, &layers),
            false => BTreeMap::new(),
        };
        let walk = Walk {
            graph,
            options,
            layers,
            gates,
            activated: OnceCell::new(),
            parts,
            explained,
            wanted: leads_to(graph, &shown),
            shown,
        };
        let Some(composite) = &options.composite else {
            return walk.plan(|_| (options.rule.clone(), None), &options.rule);
        };
        // What comes first or last shows when everything that relevance can cross is known.
        let everything: Choice = Choice::everywhere();
        let whole = walk.plan(|_| (everything.clone(), None), &everything)?;
        let weighted = |planned: &&Planned| planned.unit.kind == Kind::Weighted;
        let layers: Vec<_> = whole.units.iter().rev().filter(weighted).collect();
        let operator = |unit: &Unit| graph.node(unit.node).op_type().to_string();
        let depths: BTreeMap<_, _> =
            layers.iter().enumerate().map(|(depth, layer)| (layer.unit.node, depth)).collect();
        // The first layer of the operators of each match.
        let firsts = composite.matches.iter().map(|rule| {
            let of_operators = |layer: &&&Planned| {
                rule.operators.is_empty() || rule.operators.contains(&operator(&layer.unit))
            };
            layers.iter().find(of_operators).map(|layer| layer.unit.node)
        });
        let firsts: Vec<_> = firsts.collect();
        let find = |unit: &Unit| {
            let place = Place {
                operator: &operator(unit),
                name: graph.label(unit.node),
                kind: unit.kind,
                depth: depths.get(&unit.node).map(|&depth| (depth, layers.len())),
            };
            let holds = |(rule, first): &(&Match, &Option<NodeIndex>)| {
                rule.holds(&place, **first == Some(unit.node))
            };
            composite.matches.iter().zip(&firsts).find(holds).map(|(rule, _)| rule)
        };
        for rule in composite.matches.iter().filter(|_| !composite.lenient) {
            if !whole.units.iter().any(|p| find(&p.unit) == Some(rule)) {
                let near = layers.iter().take(8).map(|l| {
                    format!("{} '{}'", operator(&l.unit), Shown(graph.label(l.unit.node)))
                });
                let near = near.collect::<Vec<_>>().join(", ");
                return Err(Error::NoMatch { what: rule.text(), near });
            }
        }
        walk.plan(
            |unit| match find(unit) {
                Some(rule) => (rule.rule.clone(), Some(rule.text())),
                None => (composite.rest.clone(), None),
            },
            &composite.rest,
        )
    }

    /// Whether relevance is linear in where it starts.
    pub fn is_linear(&self) -> bool {
        self.units.iter().all(|planned| match &planned.treatment {
            Treatment::Ratio(ratio) => !ratio.normalised,
            Treatment::PositiveAdjoint | Treatment::PositivePass => false,
            _ => true,
        })
    }

    /// The first unit, from the explained value, at which the rule divides by a sum of activations that may
    /// be of either sign: it can vanish where they do not, and relevance is then rounding.
    pub fn ill_conditioned(&self, graph: &Graph) -> Option<&Planned> {
        let divides_by_sum = |Planned { unit, treatment, .. }: &&Planned| {
            let Treatment::Ratio(ratio) = treatment else { return false };
            let over = |term: &Term| matches!(term.stabiliser, Stabiliser::SignOver(_));
            let adds_up = match unit.kind {
                Kind::Weighted | Kind::Sum => true,
                Kind::Product => unit.operator.adds_up_terms(graph.node(unit.node)),
                _ => false,
            };
            adds_up && ratio.terms.iter().any(over)
        };
        let signed = |planned: &&Planned| {
            let recipients = planned.unit.recipients(graph);
            recipients.into_iter().any(|(_, v)| !graph.facts(v).non_negative)
        };
        self.units.iter().filter(divides_by_sum).find(signed)
    }

    /// The plan as text, a unit a line.
    pub fn text(&self, graph: &Graph) -> String {
        let line = |Planned { unit, treatment, rule, .. }: &Planned| {
            format!(
                "{}\t{}\t{rule}\t{}\n",
                Shown(graph.label(unit.node)),
                unit.kind.name(),
                treatment.name()
            )
        };
        self.units.iter().map(line).collect()
    }

    /// Refuses a plan that cannot be carried out. Where there is no rule, relevance is cut if that is
    /// what to do there.
    pub fn accept(self, graph: &Graph, unsupported: OnUnsupported) -> Result<Accepted, Error> {
        if unsupported == OnUnsupported::Error
            && let Some(first) = self.unsupported.first()
        {
            let more = self.unsupported.len() - 1;
            return Err(Error::Unsupported { first: first.clone(), more });
        }
        if self.inputs.is_empty() {
            let cut = self.unsupported.iter().map(|problem| problem.to_string());
            let stops = self.stops.iter().map(|&node| {
                let (node, operator) = (graph.label(node), graph.node(node).operator_name());
                format!("node '{}' ({})", Shown(node), Shown(&operator))
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
        Ok(Accepted(self))
    }
}

/// A plan that can be carried out: the sweep takes no other.
pub struct Accepted(Plan);

impl std::ops::Deref for Accepted {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

/// One reverse walk over a graph.
struct Walk<'g> {
    graph: &'g Graph,
    options: &'g Options,
    layers: Layers,
    gates: BTreeSet<Value>,
    /// What activation functions give, once a rule asks.
    activated: OnceCell<BTreeSet<Value>>,
    parts: BTreeMap<NodeIndex, Part>,
    explained: Explained,
    wanted: BTreeSet<Value>,
    shown: Vec<Value>,
}

impl Walk<'_> {
    /// The plan in which `rule_of` says the rule of each unit, and why; `rule` is that of the whole.
    fn plan(
        &self,
        rule_of: impl Fn(&Unit) -> (Choice, Option<String>),
        rule: &Choice,
    ) -> Result<Plan, Error> {
        let graph = self.graph;
        let mut receives = BTreeSet::from([self.explained.value]);
        let mut absorbed = BTreeSet::new();
        let mut plan = Plan {
            explained: self.explained.clone(),
            units: Vec::new(),
            inputs: Vec::new(),
            shown: self.shown.clone(),
            receives: BTreeSet::new(),
            unsupported: Vec::new(),
            stops: Vec::new(),
            times_input: rule.rule().times_input(),
            start: Start::new(self.options, rule.rule().start()),
        };
        for node in graph.nodes().rev() {
            let result = Value { node, slot: 0 };
            let received = graph.outputs(node).any(|v| receives.contains(&v));
            if absorbed.contains(&node) || !received || !graph.is_source(node) {
                continue;
            }
            let several = graph.node(node).operator().is_some_and(|op| op.has_several_outputs());
            let others = graph.outputs(node).any(|v| v != result && receives.contains(&v));
            if others && !several {
                let what = "relevance of an output but the first".into();
                let source = ir::Error::Unsupported { what };
                plan.unsupported.push(Problem::new(graph, node, source));
                continue;
            }
            match Unit::ending_at(graph, node, &self.layers) {
                Ok(unit) if unit.kind == Kind::Stop => plan.stops.push(node),
                Ok(mut unit) => {
                    absorbed.extend(unit.members());
                    let (rule, why) = rule_of(&unit);
                    if rule.rule().holds_gates() {
                        unit.hold_gate(graph, &self.gates);
                    }
                    if rule.rule().holds_activations() {
                        let activated = || gates::activated(graph, &self.layers);
                        unit.hold_gate(graph, self.activated.get_or_init(activated));
                    }
                    let part = self.parts.get(&unit.node).copied().unwrap_or_default();
                    // A result beyond the range that it is quantised to is explained nevertheless, as the
                    // likeliest class often is.
                    let last = plan.units.iter().all(|p| rounds(graph, p.unit.node));
                    let treatment = match rule.treatment(unit.kind, part) {
                        Treatment::Adjoint if last && rounds(graph, unit.node) => Treatment::Pass,
                        treatment => treatment,
                    };
                    if let Treatment::Unknown(what) = treatment {
                        let source = ir::Error::Unsupported { what: what.into() };
                        plan.unsupported.push(Problem::new(graph, node, source));
                        continue;
                    }
                    let mut recipients = unit.recipients(graph);
                    recipients.retain(|(operand, v)| {
                        treatment.reaches(unit.kind, *operand) && self.wanted.contains(v)
                    });
                    receives.extend(recipients.into_iter().map(|(_, v)| v));
                    plan.units.push(Planned { unit, treatment, rule, why });
                }
                Err(error) => plan.unsupported.push(Problem::new(graph, node, error)),
            }
        }
        plan.inputs = graph.graph_inputs().filter(|v| receives.contains(v)).collect();
        for &value in &plan.shown {
            if !receives.contains(&value) {
                return Err(Error::NoRelevance { name: graph.name(value).to_string() });
            }
        }
        plan.receives = receives;
        Ok(plan)
    }
}

/// The values from which relevance can go on to an input or to a value whose relevance is shown.
/// Unknown operators count as passing relevance on, also from what their subgraphs capture:
/// [`Walk::plan`] lists them as unsupported.
fn leads_to(graph: &Graph, shown: &[Value]) -> BTreeSet<Value> {
    let mut wanted: BTreeSet<_> = graph.graph_inputs().chain(shown.iter().copied()).collect();
    for node in graph.nodes() {
        let view = graph.node(node);
        let operator = view.operator();
        let stops = operator.is_some_and(|op| matches!(op.kind(view), Ok(Kind::Stop)));
        let flows = |(operand, value): (usize, Value)| {
            graph.is_active(value)
                && wanted.contains(&value)
                && operator.is_none_or(|op| op.flows(view, operand))
        };
        if !stops && graph.operands(node).any(flows) {
            wanted.extend(graph.outputs(node).filter(|&v| graph.is_active(v)));
        }
    }
    wanted
}
