//! The plan: which units relevance crosses, and what becomes of it at each.

mod architecture;
mod coarse;
mod explained;
mod gates;
mod groups;
mod inner;
mod layers;
mod patterns;
mod unit;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

pub use coarse::{Coarse, Layout};
pub use explained::{Explained, Start, choose};
pub use inner::{Body, Inner, places};
pub use unit::Unit;

use layers::{Layers, Units, rounds};

use crate::{
    error::{Error, Hint, Problem},
    ir::{self, Graph, Kind, NodeIndex, Origin, Value},
    onnx::shown::Shown,
    options::{Canonize, MapAt, OnUnsupported, Options},
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
    /// What is crossed within, if it is a node with subgraphs.
    pub inner: Option<Inner>,
}

/// What one walk found.
struct Walked {
    units: Vec<Planned>,
    receives: BTreeSet<Value>,
    unsupported: Vec<Problem>,
    stops: Vec<NodeIndex>,
}

impl Planned {
    /// The values that relevance can flow to; of subgraphs, what they capture too.
    pub fn recipients(&self, graph: &Graph) -> Vec<Value> {
        match &self.inner {
            Some(inner) => inner.recipients.iter().copied().collect(),
            None => self.unit.recipients(graph).into_iter().map(|(_, v)| v).collect(),
        }
    }
}

/// Units of a graph and all that lie within, each with its graph.
fn all<'p>(graph: &'p Graph, units: &'p [Planned]) -> Vec<(&'p Graph, &'p Planned)> {
    let mut found = Vec::new();
    for planned in units {
        found.push((graph, planned));
        for body in planned.inner.iter().flat_map(|inner| &inner.bodies) {
            found.extend(all(&body.graph, &body.units));
        }
    }
    found
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
    /// Where relevance ends for coarse maps of these inputs, if not there.
    pub map_at: Option<Coarse>,
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
    pub fn new(graph: &Graph, explained: Explained, options: &Options) -> Result<Self, Error> {
        if graph.ty(explained.value).is_empty() {
            return Err(Error::Empty { name: graph.name(explained.value).to_string() });
        }
        let named = |name: &str, option: Hint| {
            graph.by_name(name).ok_or_else(|| Error::NoSuchTensor {
                option,
                name: name.into(),
                candidates: "what `abslrp print` shows".into(),
            })
        };
        let mut asked = BTreeSet::new();
        let shown = options
            .relevance_of
            .iter()
            .filter(|name| asked.insert(name.as_str()))
            .map(|name| named(name, Hint::RelevanceOf))
            .collect::<Result<Vec<_>, _>>()?;
        let kind = match options.canonize {
            Canonize::None => Units::Nodes,
            Canonize::Units if options.rule.rule().folds(&options.rule.options()) => Units::Whole,
            Canonize::Units => Units::Unfolded,
        };
        let map_at = match &options.map_at {
            None => None,
            Some(MapAt::Name(name)) => Some(named(name, Hint::MapAt)?),
            Some(MapAt::Size(size)) => {
                let whole = Options { map_at: None, relevance_of: Vec::new(), ..options.clone() };
                let whole = Self::new(graph, explained.clone(), &whole)?;
                let found = coarse::last_of_size(graph, &whole, *size as i64);
                Some(found.ok_or(Error::NoMapOfSize { size: *size })?)
            }
        };
        let from: Vec<_> = map_at.into_iter().chain([explained.value]).collect();
        let mut walk = Walk::new(graph, &from, &shown, kind);
        if let Some(end) = map_at {
            walk.ends_at(end);
        }
        if options.rule.rule().asks_parts() {
            walk.parts = architecture::parts(graph, &walk.layers);
        }
        let planner = Planner { walk, options, explained, shown };
        let Some(composite) = &options.composite else {
            return planner.plan(&|_, _| (options.rule.clone(), None), &options.rule);
        };
        // What comes first or last shows when everything that relevance can cross is known.
        let everything: Choice = Choice::everywhere();
        let whole = planner.plan(&|_, _| (everything.clone(), None), &everything)?;
        let weighted = |planned: &&Planned| planned.unit.kind == Kind::Weighted;
        let layers: Vec<_> = whole.units.iter().rev().filter(weighted).collect();
        let operator = |graph: &Graph, unit: &Unit| graph.node(unit.node).op_type().to_string();
        let depths: BTreeMap<_, _> =
            layers.iter().enumerate().map(|(depth, layer)| (layer.unit.node, depth)).collect();
        // The first layer of the operators of each match.
        let firsts = composite.matches.iter().map(|rule| {
            let of_operators = |layer: &&&Planned| {
                rule.operators.is_empty() || rule.operators.contains(&operator(graph, &layer.unit))
            };
            layers.iter().find(of_operators).map(|layer| layer.unit.node)
        });
        let firsts: Vec<_> = firsts.collect();
        let find = |at: &Graph, unit: &Unit| {
            // Layers are counted in the graph itself: one in a subgraph may run any number of times.
            let counted = Some(unit.node).filter(|_| std::ptr::eq(at, graph));
            let depth = counted.and_then(|node| depths.get(&node));
            let place = Place {
                operator: &operator(at, unit),
                name: at.label(unit.node),
                kind: unit.kind,
                depth: depth.map(|&depth| (depth, layers.len())),
            };
            let holds = |(rule, first): &(&Match, &Option<NodeIndex>)| {
                rule.holds(&place, counted.is_some() && **first == counted)
            };
            composite.matches.iter().zip(&firsts).find(holds).map(|(rule, _)| rule)
        };
        for rule in composite.matches.iter().filter(|_| !composite.lenient) {
            let mut units = all(graph, &whole.units).into_iter();
            if !units.any(|(at, p)| find(at, &p.unit) == Some(rule)) {
                let near = layers.iter().take(8).map(|l| {
                    format!("{} '{}'", operator(graph, &l.unit), Shown(graph.label(l.unit.node)))
                });
                let near = near.collect::<Vec<_>>().join(", ");
                return Err(Error::NoMatch { what: rule.text(), near });
            }
        }
        planner.plan(
            &|at, unit| match find(at, unit) {
                Some(rule) => (rule.rule.clone(), Some(rule.text())),
                None => (composite.rest.clone(), None),
            },
            &composite.rest,
        )
    }

    /// Whether relevance is linear in where it starts.
    pub fn is_linear(&self, graph: &Graph) -> bool {
        all(graph, &self.units).into_iter().all(|(_, planned)| match &planned.treatment {
            Treatment::Ratio(ratio) => !ratio.normalised,
            Treatment::PositiveAdjoint | Treatment::PositivePass => false,
            _ => true,
        })
    }

    /// The first unit, from the explained value, at which the rule divides by a sum of activations that may
    /// be of either sign: it can vanish where they do not, and relevance is then rounding.
    pub fn ill_conditioned<'p>(&'p self, graph: &'p Graph) -> Option<(&'p Graph, &'p Planned)> {
        let divides_by_sum = |(graph, Planned { unit, treatment, .. }): &(&Graph, &Planned)| {
            let Treatment::Ratio(ratio) = treatment else { return false };
            let over = |term: &Term| matches!(term.stabiliser, Stabiliser::SignOver(_));
            let adds_up = match unit.kind {
                Kind::Weighted | Kind::Sum => true,
                Kind::Product => unit.operator.adds_up_terms(graph.node(unit.node)),
                _ => false,
            };
            adds_up && ratio.terms.iter().any(over)
        };
        let signed = |(graph, planned): &(&Graph, &Planned)| {
            planned.recipients(graph).iter().any(|&v| !graph.facts(v).non_negative)
        };
        all(graph, &self.units).into_iter().filter(divides_by_sum).find(signed)
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

/// The rule of a unit of a graph, and why.
type RuleOf<'r> = dyn Fn(&Graph, &Unit) -> (Choice, Option<String>) + 'r;

/// What a plan is made from.
struct Planner<'g> {
    walk: Walk<'g>,
    options: &'g Options,
    explained: Explained,
    shown: Vec<Value>,
}

impl Planner<'_> {
    /// The plan in which `rule_of` says the rule of each unit, and why; `rule` is that of the whole.
    fn plan(&self, rule_of: &RuleOf, rule: &Choice) -> Result<Plan, Error> {
        let graph = self.walk.graph;
        let from = BTreeSet::from([self.explained.value]);
        let Walked { units, receives, unsupported, stops } = self.walk.back(from, rule_of);
        for &value in self.shown.iter().chain(&self.walk.end) {
            if !receives.contains(&value) {
                return Err(Error::NoRelevance { name: graph.name(value).to_string() });
            }
        }
        let mut inputs: Vec<_> = graph.graph_inputs().filter(|v| receives.contains(v)).collect();
        let mut map_at = None;
        if let Some(value) = self.walk.end {
            let over = coarse::inputs_of(graph, value).into_iter();
            let over: Vec<_> =
                over.filter_map(|v| Some((v, coarse::layout(graph, value, v)?))).collect();
            let &(_, layout) = over.first().ok_or_else(|| Error::NoMapAt {
                name: graph.name(value).to_string(),
                ty: graph.type_text(graph.ty(value)),
            })?;
            inputs = over.iter().filter(|(_, l)| *l == layout).map(|&(v, _)| v).collect();
            map_at = Some(Coarse { value, layout });
        }
        Ok(Plan {
            explained: self.explained.clone(),
            units,
            times_input: rule.rule().times_input(),
            start: Start::new(self.options, rule.rule().start()),
            inputs,
            map_at,
            shown: self.shown.clone(),
            receives,
            unsupported,
            stops,
        })
    }
}

/// Reverse walks over a graph.
struct Walk<'g> {
    graph: &'g Graph,
    layers: Layers,
    gates: BTreeSet<Value>,
    /// What activation functions give, once a rule asks.
    activated: OnceCell<BTreeSet<Value>>,
    parts: BTreeMap<NodeIndex, Part>,
    wanted: BTreeSet<Value>,
    /// The value that relevance ends at, if not at the inputs.
    end: Option<Value>,
}

impl<'g> Walk<'g> {
    /// Over a graph from some values, to its inputs and to others. What it gives, and where a walk starts,
    /// must stay visible.
    fn new(graph: &'g Graph, from: &[Value], to: &[Value], units: Units) -> Self {
        let barriers = graph.graph_outputs().chain(from.iter().copied()).collect();
        Self {
            graph,
            layers: Layers::new(graph, barriers, units),
            gates: gates::gates(graph),
            activated: OnceCell::new(),
            parts: BTreeMap::new(),
            wanted: leads_to(graph, graph.graph_inputs().chain(to.iter().copied())),
            end: None,
        }
    }

    /// Ends the walk at a value, from which relevance goes on to nothing.
    fn ends_at(&mut self, end: Value) {
        self.wanted = leads_to(self.graph, [end].into_iter());
        self.end = Some(end);
    }

    /// What relevance of some values crosses.
    fn back(&self, from: BTreeSet<Value>, rule_of: &RuleOf) -> Walked {
        let graph = self.graph;
        let (mut units, mut receives, mut absorbed) = (Vec::new(), from, BTreeSet::new());
        let (mut unsupported, mut stops) = (Vec::new(), Vec::new());
        for node in graph.nodes().rev() {
            let result = Value { node, slot: 0 };
            let received = graph.outputs(node).any(|v| receives.contains(&v));
            // In a subgraph of a body, the nodes of the formula are the source's.
            let computes = graph.is_source(node)
                || graph.is_added() && matches!(graph.origin(node), Origin::New(_));
            let is_end = self.end.is_some_and(|end| end.node == node);
            if absorbed.contains(&node) || !received || !computes || is_end {
                continue;
            }
            let several = graph.node(node).operator().is_some_and(|op| op.has_several_outputs());
            let others = graph.outputs(node).any(|v| v != result && receives.contains(&v));
            if others && !several {
                let what = "relevance of an output but the first".into();
                let source = ir::Error::Unsupported { what };
                unsupported.push(Problem::new(graph, node, source));
                continue;
            }
            match Unit::ending_at(graph, node, &self.layers) {
                Ok(unit) if unit.kind == Kind::Stop => stops.push(node),
                Ok(mut unit) => {
                    absorbed.extend(unit.members());
                    let (rule, why) = rule_of(graph, &unit);
                    if rule.rule().holds_gates() {
                        unit.hold_gate(graph, &self.gates);
                    }
                    if rule.rule().holds_activations() {
                        let activated = || gates::activated(graph, &self.layers);
                        unit.hold_gate(graph, self.activated.get_or_init(activated));
                    }
                    let (treatment, inner) = match unit.runs(graph) {
                        Ok(Some(runs)) => {
                            let (inner, problems) = self.inner(node, runs, &receives, rule_of);
                            unsupported.extend(problems);
                            (Treatment::Within, Some(inner))
                        }
                        Ok(None) => {
                            let part = self.parts.get(&unit.node).copied().unwrap_or_default();
                            // A result beyond the range that it is quantised to is explained nevertheless,
                            // as the likeliest class often is.
                            let last = units.iter().all(|p: &Planned| rounds(graph, p.unit.node));
                            let treatment = match rule.treatment(unit.kind, part) {
                                Treatment::Adjoint if last && rounds(graph, unit.node) => {
                                    Treatment::Pass
                                }
                                // An integer counts from its zero point, which is no term of a sum.
                                Treatment::Ratio(_) if rounds(graph, unit.node) => Treatment::Pass,
                                treatment => treatment,
                            };
                            (treatment, None)
                        }
                        Err(error) => {
                            unsupported.push(Problem::new(graph, node, error));
                            continue;
                        }
                    };
                    if !matches!(treatment, Treatment::Adjoint | Treatment::PositiveAdjoint) {
                        unit.steered = true;
                    }
                    if let Treatment::Unknown(what) = treatment {
                        let source = ir::Error::Unsupported { what: what.into() };
                        unsupported.push(Problem::new(graph, node, source));
                        continue;
                    }
                    match &inner {
                        Some(inner) => receives.extend(&inner.recipients),
                        None => {
                            let mut recipients = unit.recipients(graph);
                            recipients.retain(|(operand, v)| {
                                treatment.reaches(unit.kind, *operand) && self.wanted.contains(v)
                            });
                            receives.extend(recipients.into_iter().map(|(_, v)| v));
                        }
                    }
                    units.push(Planned { unit, treatment, rule, why, inner });
                }
                Err(error) => unsupported.push(Problem::new(graph, node, error)),
            }
        }
        Walked { units, receives, unsupported, stops }
    }
}

/// The values from which relevance can go on to one of some others: inputs, and those whose relevance is shown.
/// Unknown operators count as passing relevance on, also from what their subgraphs capture:
/// [`Walk::plan`] lists them as unsupported.
fn leads_to(graph: &Graph, to: impl Iterator<Item = Value>) -> BTreeSet<Value> {
    let mut wanted: BTreeSet<_> = to.collect();
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
