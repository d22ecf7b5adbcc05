//! The words in which an operator says what it is: the trait that every file in `ops` implements, and
//! what its methods return.

use std::{collections::BTreeMap, fmt};

use super::{
    Affine, Array, Call, Constants, Error, Evaluation, Expr, Feeds, Linear, NodeRef, Past, Runs,
    Type, Value,
};

/// What kind of operation a node is, which is all that a rule asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A layer with weights.
    Weighted,
    /// A normalisation by statistics.
    Normalisation,
    /// An elementwise nonlinearity.
    Activation,
    /// A sum or mean of activations: average pools, additions, reductions.
    Sum,
    /// A selection of the largest: max pools.
    Max,
    /// Exponentials over their sum.
    Softmax,
    /// Any other function of activations without weights.
    Leaf,
    /// Bilinear in two activations.
    Product,
    /// One activation over another.
    Quotient,
    /// An activation scaled or shifted by constants.
    Affine,
    /// Elements go elsewhere, unchanged.
    Movement,
    /// Elements are repeated or left out, by the nearest place.
    Resampling,
    /// Parts of a constant, fetched by integer activations.
    Embedding,
    /// Subgraphs that run: relevance crosses the units within.
    Subgraphs,
    /// Nothing flows: the output does not change with small changes of the operands.
    Stop,
}

impl Kind {
    /// The kind's name, for tables and summaries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Normalisation => "normalisation",
            Self::Activation => "activation",
            Self::Sum => "sum",
            Self::Max => "max",
            Self::Softmax => "softmax",
            Self::Leaf => "leaf",
            Self::Product => "product",
            Self::Quotient => "quotient",
            Self::Affine => "affine",
            Self::Movement => "movement",
            Self::Resampling => "resampling",
            Self::Embedding => "embedding",
            Self::Subgraphs => "subgraphs",
            Self::Stop => "stop",
        }
    }
}

/// What is known of the sign of an operator's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Nothing.
    Any,
    /// It is never negative.
    NonNegative,
    /// It is not negative where no operand is.
    AsOperands,
}

/// What a constant operand of a weighted operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It multiplies the activation.
    Weight,
    /// It is added.
    Bias,
}

/// What counts as constant of an operation that divides by statistics of its own operand: a normalisation
/// or a softmax.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detached {
    /// Nothing: derivatives are those of the whole.
    #[default]
    Nothing,
    /// What is divided by: a standard deviation, a norm, the sum of exponentials.
    Divisor,
    /// The mean that is subtracted, too.
    Statistics,
}

/// Operators by domain and name.
#[derive(Debug)]
pub struct Registry(BTreeMap<(&'static str, &'static str), &'static dyn Operator>);

impl Registry {
    /// A registry of these operators, each under all of its names.
    pub fn new(operators: &[&'static dyn Operator]) -> Self {
        let names = operators.iter().flat_map(|&operator| {
            operator.names().iter().map(move |&name| ((operator.domain(), name), operator))
        });
        Self(names.collect())
    }

    /// The operator of that name, if it is known.
    pub fn find(&self, domain: &str, op_type: &str) -> Option<&'static dyn Operator> {
        self.0.get(&(domain, op_type)).copied()
    }

    /// The names of all operators in `ai.onnx`, with the operator set since which each is supported: the
    /// one it came with, or 9.
    pub fn table(&self) -> BTreeMap<&'static str, i64> {
        let explained = |((domain, _), operator): &(&(&str, _), &&dyn Operator)| {
            domain.is_empty() && operator.is_explained()
        };
        let standard = self.0.iter().filter(explained);
        standard.map(|(&(_, name), operator)| (name, operator.since(name))).collect()
    }
}

impl fmt::Debug for dyn Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().first().unwrap_or(&""))
    }
}

/// An operator, or a family of operators that differ in a word.
pub trait Operator: Sync {
    /// The domain of its names; empty for `ai.onnx`.
    fn domain(&self) -> &'static str {
        ""
    }

    /// Its names.
    fn names(&self) -> &[&'static str];

    /// The operator set that a name came with; 9, the first that is read, for all before.
    fn since(&self, _name: &str) -> i64 {
        9
    }

    /// The attributes that it reads, or that mean nothing to what is computed here. A node with any
    /// other is refused.
    fn attributes(&self) -> &[&'static str] {
        &[]
    }

    /// The most inputs that a node has.
    fn arity(&self) -> usize {
        1
    }

    /// What its subgraphs are called with, for an operator that has some.
    fn feeds(&self, _node: NodeRef) -> Result<Feeds, Error> {
        Ok(Feeds::default())
    }

    /// How its subgraphs run, for an operator that has some.
    fn runs(&self, _node: NodeRef) -> Result<Option<Runs>, Error> {
        Ok(None)
    }

    /// What the inputs of a subgraph that runs again and again were in each run, in order: computed anew, since
    /// the node itself forgets them.
    fn history<'e>(&self, call: &Call<'_, 'e>) -> Result<Vec<Past<'e>>, Error> {
        Err(Error::Unsupported { what: format!("a subgraph of {}", call.node.op_type()) })
    }

    /// The types of its outputs, as far as those of the operands tell; also the place where a
    /// node that contradicts the operator's definition is refused.
    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error>;

    /// Whether relevance can cross it in any form.
    fn is_explained(&self) -> bool {
        true
    }

    /// What kind of operation the node is.
    fn kind(&self, node: NodeRef) -> Result<Kind, Error>;

    /// Whether relevance can flow to an operand (and not only through its shape or as an index).
    fn flows(&self, _node: NodeRef, _operand: usize) -> bool {
        true
    }

    /// Whether an operand says where to take what, as the places of a grid do. It counts as constant but for a
    /// gradient.
    fn steers(&self, _node: NodeRef, _operand: usize) -> bool {
        false
    }

    /// Whether the output depends on the operands' data, not on their shapes or types alone.
    fn depends(&self, _node: NodeRef) -> bool {
        true
    }

    /// The elements of the first output, where those of the inputs that it takes are known. They are
    /// made elements of the output's type afterwards.
    fn eval(&self, _of: &Evaluation) -> Option<Array> {
        None
    }

    /// The sign of the output.
    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::Any
    }

    /// Whether elements of the output may be infinite, if those of an operand may.
    fn may_be_infinite(&self, _node: NodeRef, operand: bool) -> bool {
        operand
    }

    /// Whether its derivative may be infinite, or its result no number, at operands that are finite: that
    /// of a quotient, a root, a logarithm. A model that guards it takes what it computes otherwise there,
    /// and nothing flows.
    fn is_singular(&self, _node: NodeRef) -> bool {
        false
    }

    /// Whether a movement gives every element of the result a single origin, or none.
    fn copies(&self, _node: NodeRef) -> bool {
        true
    }

    /// The multiply-adds of a product, with unknown sizes counted as 1; 0 for what reads and writes
    /// more than it computes.
    fn multiply_adds(&self, _node: NodeRef) -> f64 {
        0.0
    }

    /// What a constant operand of a weighted operation or a normalisation is, if a parameter.
    fn role(&self, _operand: usize) -> Option<Role> {
        Some(Role::Weight)
    }

    /// How an elementwise function is homogeneous (Euler), so that `x ⊙ Jᵀ s` is read off `y`.
    fn euler(&self, _node: NodeRef) -> Option<Euler> {
        None
    }

    /// Whether each element of the output is a function of one element of each input.
    fn is_elementwise(&self, node: NodeRef) -> bool {
        matches!(self.kind(node), Ok(Kind::Activation))
    }

    /// Whether it is a function that is multiplied with its own input in activations like `SiLU` and
    /// `GELU`.
    fn is_gate(&self) -> bool {
        false
    }

    /// For a product with weights: how per-feature constants fold into it.
    fn linear(&self) -> Option<&dyn Linear> {
        None
    }

    /// How the constants lie of a node that shifts or scales its one activation by constants;
    /// `None` for any other node, `c / x` among them.
    fn constants(&self, _node: NodeRef) -> Option<Constants> {
        None
    }

    /// What such a node does to its activation `x`.
    fn affine<'e>(&self, _call: &Call<'_, 'e>, _x: Value) -> Result<Affine<'e>, Error> {
        Ok(Affine { scale: None, shift: None })
    }

    /// The operation on the operands of `call`: the same node, unless an operator has operands that
    /// ONNX does not know.
    fn forward<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        call.repeat()
    }

    /// An equivalent expression for a constant that this node computes. It is used in place of the node, so
    /// that the node keeps a single reader and a runtime can still fuse it with that reader.
    fn written_out<'e>(&self, _call: &Call<'_, 'e>) -> Option<Expr<'e>> {
        None
    }

    /// `(∂y/∂x)ᵀ s` for the operand `wrt`, in its shape. `s` is in the shape of the output.
    /// An operator that relevance never crosses has none.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        _s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Err(Error::Unsupported { what: format!("a derivative of {}", call.node.op_type()) })
    }

    /// `Σ_i |x_i ∂y/∂x_i|` over the elements of all activations, in the shape of the output: how much
    /// there is to share out where contributions of either sign make up `y`. By default, that of an
    /// operation that adds up what it is given, times numbers that are not negative.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        call.magnified().forward()
    }

    /// Whether each element of a product is a sum of several terms.
    fn adds_up_terms(&self, node: NodeRef) -> bool {
        self.multiply_adds(node) > 0.0
    }

    /// Whether relevance of outputs behind the first can be brought back.
    fn has_several_outputs(&self) -> bool {
        false
    }

    /// `Σ_j (∂y_j/∂x)ᵀ s_j` for an operator of several outputs.
    fn adjoint_of_all<'e>(
        &self,
        call: &Call<'_, 'e>,
        wrt: usize,
        s: &[Option<Expr<'e>>],
    ) -> Result<Expr<'e>, Error> {
        match s.first() {
            Some(&Some(s)) => self.adjoint(call, wrt, s),
            _ => Err(Error::Unsupported { what: "relevance of an output but the first".into() }),
        }
    }
}

/// `x f′(x) = (p + α (x − f(x))) f(x)` between bounds of `f(x)`, and 0 at them and beyond: with it,
/// `x ⊙ f′(x)` is read off the result. `p = 1` for `ReLU`, `Abs` and `Clip`, `p = n` for `xⁿ`, and `α` is that of
/// `x · sigmoid(α x)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Euler {
    /// `p`: what a homogeneous function has, like `ReLU` and its kin.
    pub factor: f64,
    /// `α`: what `x · sigmoid(α x)` has besides.
    pub gate: f64,
    /// The lower bound.
    pub above: Option<f64>,
    /// The upper bound.
    pub below: Option<f64>,
}

impl Euler {
    /// Of a function that is homogeneous everywhere.
    pub const fn of(factor: f64) -> Self {
        Self { factor, gate: 0.0, above: None, below: None }
    }

    /// Of `x · sigmoid(α x)`.
    pub const fn gated(alpha: f64) -> Self {
        Self { gate: alpha, ..Self::of(1.0) }
    }

    /// What `y ⊙ s` is multiplied by to be `x ⊙ Jᵀ s`, times `s`.
    pub fn times<'e>(self, call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let y = call.y();
        let differs = |a: f64, b: f64| (a - b).abs() > 0.0;
        let mut s = match self.factor {
            _ if differs(self.gate, 0.0) => {
                let excess = call.x(0)? - y;
                let excess = if differs(self.gate, 1.0) { excess * self.gate } else { excess };
                s * (excess + self.factor)
            }
            factor if differs(factor, 1.0) => s * factor,
            _ => s,
        };
        if let Some(bound) = self.below {
            s = s * y.is_below(bound);
        }
        // Where `y` is 0, so is the product.
        let low = self.above.filter(|&bound| differs(bound, 0.0));
        Ok(low.map_or(s, |bound| s * y.is_above(bound)))
    }
}
