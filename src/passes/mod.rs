//! Passes: what makes an explanation cheap without meaning anything else.
//!
//! A pass has a name, a reason, and a file that states both. It acts in one of three places: on a rule
//! before it is emitted for a unit ([`Pass::ratio`]), by what is known of the unit's activations; on the
//! way formulas are written ([`Pass::lowering`]), where runtimes are quicker at one of several forms; or on
//! the graph that was emitted ([`Pass::graph`]). A level is a list of passes, [`Selection`] another:
//! `-O0` only leaves out what nothing needs. What each does to a small model is pinned by
//! `tests/passes.rs`, which also runs the model with and without it.
//!
//! The forms that [`Pass::lowering`] chooses were measured on ONNX Runtime's CPU. Where a runtime has
//! kernels for the gradients of convolutions and pools, as on GPUs, leave out `turned-convolutions` and
//! `split-windows`.

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
    ir::{Graph, Kind, Lowering, Value},
    rules::Ratio,
};

/// All passes, in the order they run in.
const ALL: [&dyn Pass; 15] = [
    &idle_branches::IdleBranches,
    &twin_folding::TwinFolding,
    &idle_signs::IdleSigns,
    &epsilon_in_bias::EpsilonInBias,
    &cofactors::Cofactors,
    &masks::Masks,
    &smooth_poles::SmoothPoles,
    &turned_convolutions::TurnedConvolutions,
    &split_windows::SplitWindows,
    &idle_expansions::IdleExpansions,
    &joint_slices::JointSlices,
    &common_subexpressions::CommonSubexpressions,
    &quotients_first::QuotientsFirst,
    &baked_twins::BakedTwins,
    &dead_nodes::DeadNodes,
];

/// What is known of a unit that a rule is emitted for.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its kind.
    pub kind: Kind,
    /// Whether it is a product with weights, which has a bias.
    pub linear: bool,
    /// Whether none of its activations can be negative.
    pub non_negative: bool,
}

/// An optimisation. It acts where it overrides a method; the others leave things as they are.
pub trait Pass: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Rewrites what is emitted for a unit.
    fn ratio(&self, ratio: Ratio, _known: Known) -> Ratio {
        ratio
    }

    /// Chooses how formulas are written.
    fn lowering(&self, _lowering: &mut Lowering) {}

    /// Builds a smaller graph with the same outputs.
    fn graph(&self, graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
        (graph.clone(), outputs.to_vec())
    }
}

/// How much is done to make an explanation cheap.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
pub enum Level {
    /// The formulas to the letter: the readable form, and the reference.
    #[value(name = "0", alias = "O0")]
    O0,
    /// Everything that means the same.
    #[default]
    #[value(name = "2", alias = "O2")]
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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<_> = text.split(',').filter(|word| !word.is_empty()).collect();
        let without = words.iter().filter(|word| word.starts_with('-')).count();
        if without > 0 && without < words.len() {
            return Err("either all names have a - before them, or none has".into());
        }
        let name = |word: &&str| {
            let wanted = word.trim_start_matches('-');
            ALL.iter().map(|pass| pass.name()).find(|name| *name == wanted).ok_or_else(|| {
                let names: Vec<_> = ALL.iter().map(|pass| pass.name()).collect();
                format!("there is no pass '{wanted}'; there is {}", names.join(", "))
            })
        };
        let names = words.iter().map(name).collect::<Result<_, _>>()?;
        Ok(if without > 0 { Self::Without(names) } else { Self::Only(names) })
    }
}

impl TryFrom<String> for Selection {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
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
) -> impl Iterator<Item = &'static dyn Pass> {
    ALL.into_iter().filter(move |pass| {
        // At -O0, formulas to the letter, but nothing that is needed by none.
        let of_level = match pass.name() {
            "baked-twins" => return bake_twins,
            "dead-nodes" => true,
            _ => level == Level::O2,
        };
        match selection {
            None => of_level,
            Some(Selection::Only(names)) => names.contains(&pass.name()),
            Some(Selection::Without(names)) => of_level && !names.contains(&pass.name()),
        }
    })
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
        ir::{Emitter, Origin},
        onnx::Model,
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
