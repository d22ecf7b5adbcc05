//! How the subgraphs of a node run: what relevance has to know to cross them.

use super::{Along, Expr};

/// How the subgraphs of a node run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// One of the two does, once: the first of these children where the first operand holds, or else the other.
    Either(usize, usize),
    /// The only one does, again and again.
    Repeated(Steps),
}

/// What goes into a subgraph that runs again and again, and what comes out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// Whether there may be no run at all.
    pub may_be_none: bool,
    /// What each run hands to the next.
    pub states: Vec<State>,
    /// What is taken apart, a part for each run.
    pub scanned: Vec<Scanned>,
    /// What each run gives a part of.
    pub stacked: Vec<Stacked>,
}

impl Steps {
    /// The inputs of the subgraph that stand for operands, each with its operand.
    pub fn operands(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let states = self.states.iter().map(|s| (s.input, s.operand));
        states.chain(self.scanned.iter().map(|s| (s.input, s.operand)))
    }

    /// The outputs of the subgraph that make results, each with its result.
    pub fn results(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let states = self.states.iter().map(|s| (s.output, s.result));
        states.chain(self.stacked.iter().map(|s| (s.output, s.result)))
    }
}

/// A value that each run hands to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The operand of the node that it starts as.
    pub operand: usize,
    /// The input of the subgraph that it is.
    pub input: usize,
    /// The output of the subgraph that it is next.
    pub output: usize,
    /// The result of the node that it is in the end.
    pub result: usize,
}

/// An operand that is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// The operand of the node.
    pub operand: usize,
    /// The input of the subgraph that is a part of it.
    pub input: usize,
    /// How the parts lie.
    pub along: Along,
}

/// A result that is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stacked {
    /// The output of the subgraph that is a part of it.
    pub output: usize,
    /// The result of the node.
    pub result: usize,
    /// How the parts lie.
    pub along: Along,
}

/// What an input of a subgraph was in each run.
#[derive(Debug, Clone, Copy)]
pub enum Past<'e> {
    /// The parts of a value.
    Parts(Expr<'e>, Along),
    /// Always the same.
    Always(Expr<'e>),
}
