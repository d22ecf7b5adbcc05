//! A compiler that rewrites ONNX models so that they explain themselves.
//!
//! # The pipeline
//!
//! ```text
//!  model.onnx ──▶ onnx ──▶ front ──▶ plan ──▶ sweep ──▶ passes ──▶ back ──▶ explained.onnx
//!               messages   graph    units,   formulas,  smaller    names,   source bytes,
//!                                   rules    emitted    graphs     record   then additions
//! ```
//!
//! Each room knows what stands to its left and nothing of what stands to its right:
//! `onnx → ir → {ops, rules} → {front, plan} → sweep → passes → back → compile → verify → evaluate → cli`.
//!
//! 1. **Wire** ([`onnx`]). A file is memory-mapped and decoded; weights stay where they lie. Its
//!    declared sizes, versions and paths are checked before anything believes them.
//! 2. **Front** (`front`, `ir`, `ops`). Names become edges of a petgraph `DiGraph` whose index
//!    order is execution order. Types, shapes, small contents and the dependence on inputs are
//!    inferred as nodes are appended, for source nodes and emitted ones alike. Bodies of functions,
//!    fused operators and chosen branches are appended before their calls, so that nothing later
//!    has to know of them.
//! 3. **Plan** (`plan`, [`rules`]). Backwards from the explained tensor, nodes are grouped into
//!    *units* — what a framework calls a layer, whichever nodes an exporter made of it — and the rule, or
//!    that of a composite, says what becomes of relevance at each *kind* of unit. The subgraphs of a unit
//!    have plans of their own. Nothing has been emitted yet.
//! 4. **Sweep** (`sweep`). One reverse walk. A rule is data: branches of modified inputs and
//!    parameters, a stabiliser. The sweep asks the unit's operator for `forward` and `adjoint` of each
//!    branch. An operator knows no rule and a rule knows no operator. Subgraphs run once more, and then
//!    backwards (`sweep/within.rs`).
//! 5. **Passes** (`passes`). A level is a list of named passes; each rewrites a rule before it is
//!    emitted, chooses how formulas are written, or rewrites the graph after. `-O0` is the formula to
//!    the letter.
//! 6. **Back** (`back`). New nodes get names that derive from their source node's, and are written
//!    behind the source's own, which stay as they were to the byte.
//! 7. **Verification** ([`mod@verify`]). The result is run beside its source on ONNX Runtime, and the
//!    books of relevance are kept, unit by unit. What it costs is measured there too
//!    ([`verify::bench`]).
//! 8. **Evaluation** ([`mod@evaluate`]). Several rules are compiled for one model, and their maps measured on data.
//! 9. **Display** (`show`). Numbers and what they are called become text for a terminal, HTML, SVG and pictures. It knows none of the
//!    rooms above; the command line feeds models and hands it what they give.
//!
//! # Glossary
//!
//! - **Activation**: a value that depends on a model input. **Constant**: one that does not.
//! - **Unit**: what a framework calls a layer: one node, or a recognised group of nodes.
//! - **Kind**: what kind of operation a unit is ([`rules::Kind`]), which is all that a rule asks; what zennit's
//!   layer types are.
//! - **Treatment**: what a rule says becomes of relevance at a unit ([`rules::Treatment`]).
//! - **Branch**: a form of a unit with its inputs and parameters modified ([`rules::Branch`]); a **twin** is one
//!   whose weights are.
//! - **Stabiliser**: how relevance is divided by what it is the relevance of ([`rules::Stabiliser`]).
//! - **Adjoint**: `(∂y/∂x)ᵀ s`, the vector-Jacobian product (VJP) of an operator.
//! - **Gate**: a value between 0 and 1 that weighs another, such as an attention weight.
//! - **Sweep**: one reverse walk over the units, from the explained tensor to the inputs.
//! - **Lowering**: how a formula is written where runtimes are quicker at one of several forms.
//!
//! # From Rust
//!
//! ```no_run
//! let model = abslrp::onnx::Model::open("model.onnx")?;
//! let options = abslrp::Options { target: "argmax".parse()?, ..Default::default() };
//! abslrp::compile(&model, &options)?.write("explained.onnx")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The verbs are those of the program: [`compile()`], [`inspect()`], [`verify()`](verify::verify),
//! [`evaluate()`](evaluate::evaluate) and [`print()`]. An error says what is wrong, and its [`Hint`] which option would help. A program may bring
//! rules of its own ([`rules::Choice::of`]). Messages are `prost`'s and bytes those of the crate `bytes`,
//! which are part of the interface; nothing else of what this is built on is.
//!
//! # Features
//!
//! Each contains those below it; without any, the compiler touches neither files nor threads nor clocks.
//!
//! - `text` and `parquet`, the default: tokenizers, and tables in Parquet files, for `abslrp explain`. Neither contains the other.
//! - `cli`: the program `abslrp`.
//! - `verify`: running what was compiled, on ONNX Runtime.
//! - `fs`: models in files. Without it they come as bytes and go as bytes
//!   ([`onnx::Model::decode`], [`Explanation::encode`]), and have no external data.

// The command line speaks of this crate as any other program does.
#[cfg(feature = "cli")]
extern crate self as abslrp;

mod back;
#[cfg(feature = "cli")]
mod cli;
mod compile;
pub mod error;
#[cfg(feature = "verify")]
pub mod evaluate;
mod front;
mod inspect;
mod ir;
pub mod onnx;
mod ops;
pub mod options;
mod parse;
mod passes;
mod plan;
pub mod rules;
#[cfg(feature = "cli")]
mod show;
mod sweep;
#[cfg(feature = "verify")]
pub mod verify;

use std::collections::BTreeMap;

pub use back::{IllConditioned, Limit, Portability, RUNTIMES, Record, Runtime, Summary, source_of};
#[cfg(feature = "cli")]
pub use cli::run as command_line;
pub use compile::{Explanation, compile};
pub use error::{Error, Hint, Problem};
#[cfg(feature = "verify")]
pub use evaluate::evaluate;
pub use inspect::{Cost, InspectedUnit, Inspection, inspect};
pub use options::Options;
pub use parse::ParseError;
#[cfg(feature = "verify")]
pub use verify::verify;

/// A model as text, stable and diffable: a line for each node, and weights by type and shape.
pub fn print(model: &onnx::Model) -> String {
    onnx::text::model(model.proto(), model.external())
}

/// The names of the operators that are known, with the operator set since which each is.
pub fn operators() -> BTreeMap<&'static str, i64> {
    ops::REGISTRY.table().into_iter().chain(front::contrib::standard()).collect()
}

/// The names of the operators that are known in other domains than `ai.onnx`.
pub fn contrib_operators() -> Vec<&'static str> {
    front::contrib::names()
}

/// The names of the passes that options ask for, in order.
pub fn passes(options: &Options) -> Result<Vec<&'static str>, Error> {
    Ok(passes::selected(options)?.iter().map(|pass| pass.name).collect())
}
