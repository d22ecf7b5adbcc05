//! Passes: what makes an explanation cheap without meaning anything else.
//!
//! A pass has a name, a reason, and a file that states both. There are three kinds ([`Action`]): a
//! rewrite of a rule before it is emitted for a unit, by what is known of the unit's activations; a
//! choice of how formulas are written, where runtimes are quicker at one of several forms; and a rewrite
//! of the graph that was emitted. A level is a list of passes, [`Selection`] another: `-O0` only leaves
//! out what nothing needs. What each does to a small model is pinned by a test, which also runs the model
//! with and without it.
//!
//! The forms were measured on ONNX Runtime's CPU. Where a runtime has kernels for the gradients of
//! convolutions and pools, as on GPUs, leave out `turned-convolutions` and `split-windows`.

mod baked_twins;
mod cofactors;
mod common_subexpressions;
mod dead_nodes;
mod epsilon_in_bias;
mod idle_branches;
mod idle_expansions;
mod idle_signs;
mod joint_slices;
mod masks;
mod quotients_first;
mod smooth_poles;
mod split_windows;
mod turned_convolutions;
mod twin_folding;

use std::{fmt, str::FromStr};

use crate::{
    ParseError,
    ir::{Graph, Lowering, Value},
    rules::Rewrite,
};

/// All passes, in the order they run in; the file of each says why it stands where it does.
const ALL: [Pass; 15] = [
    idle_branches::PASS,
    twin_folding::PASS,
    idle_signs::PASS,
    epsilon_in_bias::PASS,
    cofactors::PASS,
    masks::PASS,
    smooth_poles::PASS,
    turned_convolutions::PASS,
    split_windows::PASS,
    idle_expansions::PASS,
    joint_slices::PASS,
    common_subexpressions::PASS,
    quotients_first::PASS,
    baked_twins::PASS,
    dead_nodes::PASS,
];

/// A rewrite of a graph: a fresh one with the same outputs, which are the values.
pub type GraphRewrite = fn(&Graph, &[Value]) -> (Graph, Vec<Value>);

/// An optimisation.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Its name.
    pub name: &'static str,
    /// When it runs, unless passes are selected by name.
    pub runs: Runs,
    /// What it does.
    pub action: Action,
}

/// When a pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// At every level.
    Always,
    /// At `-O2`.
    AtO2,
    /// When it is asked for.
    OnRequest,
}

/// What a pass does.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Rewrites what is emitted for a unit.
    Rule(Rewrite),
    /// Chooses how formulas are written.
    Lowering(fn(&mut Lowering)),
    /// Rewrites the graph that was emitted.
    Graph(GraphRewrite),
}

/// How much is done to make an explanation cheap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Level {
    /// The formulas to the letter: the readable form, and the reference.
    #[cfg_attr(feature = "cli", value(name = "0", alias = "O0"))]
    O0,
    /// Everything that means the same.
    #[default]
    #[cfg_attr(feature = "cli", value(name = "2", alias = "O2"))]
    O2,
}

/// A choice of passes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Selection {
    /// These, and no others.
    Only(Vec<&'static str>),
    /// Those of the level without these.
    Without(Vec<&'static str>),
}

impl FromStr for Selection {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let words: Vec<_> = text.split(',').filter(|word| !word.is_empty()).collect();
        let without = words.iter().filter(|word| word.starts_with('-')).count();
        if without > 0 && without < words.len() {
            let what = "either all names have a - before them, or none has";
            return Err(String::from(what).into());
        }
        let name = |word: &&str| {
            let wanted = word.trim_start_matches('-');
            ALL.iter().map(|pass| pass.name).find(|name| *name == wanted).ok_or_else(|| {
                let names: Vec<_> = ALL.iter().map(|pass| pass.name).collect();
                let names = names.join(", ");
                ParseError::from(format!("there is no pass '{wanted}'; there is {names}"))
            })
        };
        let names = words.iter().map(name).collect::<Result<_, ParseError>>()?;
        Ok(if without > 0 { Self::Without(names) } else { Self::Only(names) })
    }
}

impl TryFrom<String> for Selection {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Selection> for String {
    fn from(selection: Selection) -> Self {
        match selection {
            Selection::Only(names) => names.join(","),
            Selection::Without(names) => {
                names.iter().map(|name| format!("-{name}")).collect::<Vec<_>>().join(",")
            }
        }
    }
}

/// The passes of a level, or those selected, in order; with twins baked if asked for.
pub fn selected(
    level: Level,
    selection: Option<&Selection>,
    bake_twins: bool,
) -> impl Iterator<Item = Pass> {
    ALL.into_iter().filter(move |pass| {
        let of_level = match pass.runs {
            Runs::OnRequest => return bake_twins,
            Runs::Always => true,
            Runs::AtO2 => level == Level::O2,
        };
        match selection {
            None => of_level,
            Some(Selection::Only(names)) => names.contains(&pass.name),
            Some(Selection::Without(names)) => of_level && !names.contains(&pass.name),
        }
    })
}

/// The rewrites of rules among some passes.
pub fn rule_rewrites(passes: &[Pass]) -> Vec<Rewrite> {
    let rewrite = |pass: &Pass| match pass.action {
        Action::Rule(rewrite) => Some(rewrite),
        _ => None,
    };
    passes.iter().filter_map(rewrite).collect()
}

/// The forms that some passes choose.
pub fn lowering(passes: &[Pass]) -> Lowering {
    let mut lowering = Lowering::default();
    for pass in passes {
        if let Action::Lowering(choose) = pass.action {
            choose(&mut lowering);
        }
    }
    lowering
}

/// What some passes make of a graph, and where its outputs are then.
pub fn rewritten(
    passes: &[Pass],
    mut graph: Graph,
    mut outputs: Vec<Value>,
) -> (Graph, Vec<Value>) {
    for pass in passes {
        if let Action::Graph(rewrite) = pass.action {
            (graph, outputs) = rewrite(&graph, &outputs);
        }
    }
    (graph, outputs)
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::O0 => "-O0",
            Self::O2 => "-O2",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ir::{Emitter, Kind, Origin},
        onnx::Model,
        rules::Known,
    };

    /// A builder behind a graph of one `Relu`, and the input of that.
    pub fn relu() -> (Emitter, Value) {
        let model = Model::open("fixtures/forms/relu.op17.onnx").unwrap();
        let graph = crate::front::import(&model, &crate::ops::REGISTRY).unwrap();
        (Emitter::new(&graph), graph.by_name("x").unwrap())
    }

    /// What is known of a layer with weights whose activations cannot be negative, or can.
    pub fn layer(non_negative: bool) -> Known {
        Known { kind: Kind::Weighted, linear: true, non_negative }
    }

    /// The operators that were emitted, in order.
    pub fn added(graph: &Graph) -> Vec<&str> {
        let emitted = graph.nodes().filter_map(|node| match graph.origin(node) {
            Origin::New(emitted) => Some(&*emitted.op_type),
            _ => None,
        });
        emitted.collect()
    }
}
