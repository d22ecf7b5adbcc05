//! What an explanation will be, before anything is written.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use crate::{
    compile::Draft,
    error::Error,
    onnx::{
        Model,
        shown::{Said, Shown},
    },
    options::Options,
    plan::Planned,
};

/// What an explanation will be.
#[derive(Debug, serde::Serialize)]
pub struct Inspection {
    /// The source.
    pub model: PathBuf,
    /// Its IR version.
    pub ir: i64,
    /// Its version of `ai.onnx`.
    pub opset: i64,
    /// The explained tensor.
    pub explained: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// How it is explained.
    pub options: Options,
    /// The units that relevance crosses, from the explained tensor to the inputs.
    pub units: Vec<InspectedUnit>,
    /// How many units there are of each kind.
    pub kinds: BTreeMap<&'static str, usize>,
    /// The inputs that get relevance.
    pub inputs: Vec<String>,
    /// The passes that make the explanation cheap, in order.
    pub passes: Vec<&'static str>,
    /// What has no rule.
    pub unsupported: Vec<String>,
    /// The nodes where relevance stops because nothing flows.
    pub stops: Vec<String>,
    /// What the explanation will cost, if there can be one.
    pub cost: Option<Cost>,
    /// Why there can be none.
    #[serde(skip)]
    pub refusal: Option<Error>,
}

/// A unit, and what becomes of relevance there.
#[derive(Debug, serde::Serialize)]
pub struct InspectedUnit {
    /// The name of its node.
    pub node: String,
    /// Its operators.
    pub operators: String,
    /// Its kind.
    pub kind: &'static str,
    /// The rule, and the match of a composite that chose it.
    pub rule: String,
    /// What becomes of relevance.
    pub treatment: &'static str,
    /// The type of its result.
    #[serde(rename = "type")]
    pub ty: String,
}

/// What an explanation costs.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Cost {
    /// The number of nodes that are added.
    pub added_nodes: usize,
    /// The size of what is added, in bytes.
    pub added_bytes: usize,
    /// The multiply-adds of the source and of the explained model.
    pub multiply_adds: (f64, f64),
}

/// Plans the explanation of a model, and finds out what it costs.
pub fn inspect(model: &Model, options: &Options) -> Result<Inspection, Error> {
    let draft = Draft::new(model, options)?;
    let (graph, plan) = (&draft.graph, &draft.plan);
    let explained = plan.explained.value;
    let units: Vec<_> =
        plan.units.iter().map(|planned| InspectedUnit::new(&draft, planned)).collect();
    let mut kinds = BTreeMap::new();
    for unit in &units {
        *kinds.entry(unit.kind).or_default() += 1;
    }
    let inspection = Inspection {
        model: model.path().into(),
        ir: graph.ir_version(),
        opset: graph.opset(),
        explained: graph.name(explained).into(),
        ty: graph.type_text(graph.ty(explained)),
        options: options.clone(),
        units,
        kinds,
        inputs: plan.inputs.iter().map(|&value| graph.name(value).into()).collect(),
        passes: crate::passes(options)?,
        unsupported: plan.unsupported.iter().map(ToString::to_string).collect(),
        stops: plan.stops.iter().map(|&node| graph.label(node).into()).collect(),
        cost: None,
        refusal: None,
    };
    Ok(match draft.explain() {
        Ok(explanation) => {
            let summary = explanation.summary();
            let cost = Cost {
                added_nodes: summary.nodes.1,
                added_bytes: summary.added_bytes,
                multiply_adds: summary.multiply_adds,
            };
            Inspection { cost: Some(cost), ..inspection }
        }
        Err(error) => Inspection { refusal: Some(error), ..inspection },
    })
}

impl InspectedUnit {
    fn new(draft: &Draft<'_>, planned: &Planned) -> Self {
        let (graph, Planned { unit, treatment, rule, why, .. }) = (&draft.graph, planned);
        let operators = unit.members().map(|node| graph.node(node).operator_name());
        Self {
            node: graph.label(unit.node).into(),
            operators: operators.collect::<Vec<_>>().join("+"),
            kind: unit.kind.name(),
            rule: match why {
                Some(why) => format!("{rule} ({why})"),
                None => rule.to_string(),
            },
            treatment: treatment.name(),
            ty: graph.type_text(graph.ty(unit.output)),
        }
    }
}

impl Inspection {
    /// The plan for people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}: ir {}, opset {}; explains {}: {} with {}\n",
            self.model.display(),
            self.ir,
            self.opset,
            Shown(&self.explained),
            self.ty,
            self.options.rule_text()
        );
        for InspectedUnit { node, operators, kind, rule, treatment, ty } in &self.units {
            let (operators, node) = (Shown(operators).to_string(), Shown(node));
            let _ = writeln!(
                text,
                "  {kind:<13} {rule:<12} {treatment:<8} {operators:<28} {ty:<28} {node}"
            );
        }
        let counts: Vec<_> = self.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let _ = writeln!(text, "units: {}", counts.join(", "));
        let _ = writeln!(text, "relevance of: {}", Said(&self.inputs.join(", ")));
        let _ = writeln!(text, "passes at {}: {}", self.options.level, self.passes.join(", "));
        for problem in &self.unsupported {
            let _ = writeln!(text, "unsupported: {problem}");
        }
        if !self.stops.is_empty() {
            let _ = writeln!(text, "nothing flows through: {}", Said(&self.stops.join(", ")));
        }
        if let Some(Cost { added_nodes, added_bytes, multiply_adds: (plain, whole) }) = self.cost {
            let _ = writeln!(
                text,
                "cost: {added_bytes} bytes and {added_nodes} nodes more; {plain:.3e} multiply-adds \
                 become {whole:.3e} ({:.2} ×)",
                whole / plain.max(1.0)
            );
        }
        if let Some(error) = self.refusal.as_ref().filter(|_| self.unsupported.is_empty()) {
            let _ = writeln!(text, "{error}");
        }
        text
    }
}
