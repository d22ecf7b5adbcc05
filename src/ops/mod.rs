//! Operators: what each is, and nothing about explaining it.
//!
//! A file here states an operator's types, what kind of operation it is, and its adjoint
//! `Jᵀ s = (∂y/∂x)ᵀ s`, in every form that the operator has had since opset 9. What becomes of
//! relevance is said in [`crate::rules`], for kinds, never for operators: so that there are
//! operators *plus* rules to write, not operators *times* rules.
//!
//! To add an operator: write its file, add its word to the list below, add a fixture.

use std::collections::BTreeMap;

pub use call::{Call, Group};
pub use fused::NAMES as FUSED;

use crate::graph::{Dim, Expr, Type, Value, View};

mod abs;
mod acos;
mod acosh;
mod add;
mod arg_max;
mod asin;
mod asinh;
mod atan;
mod atanh;
mod average_pool;
mod batch_normalization;
mod call;
mod cast;
mod cast_like;
mod celu;
mod clip;
mod compare;
mod compress;
mod concat;
mod constant;
mod conv;
mod conv_transpose;
mod cos;
mod cosh;
mod cum_sum;
mod depth_to_space;
mod dequantize_linear;
mod div;
mod dropout;
mod einsum;
mod elementwise;
mod elu;
mod erf;
mod exp;
mod expand;
mod flatten;
pub(crate) mod fused;
mod gather;
mod gather_elements;
mod gather_nd;
mod gelu;
mod gemm;
mod global_average_pool;
mod global_max_pool;
mod group_normalization;
mod hard_sigmoid;
mod hard_swish;
mod identity;
mod if_;
mod indices;
mod instance_normalization;
mod layer_normalization;
mod leaky_relu;
mod log;
mod log_softmax;
mod lp_normalization;
mod lp_pool;
mod lrn;
mod matmul;
mod max;
mod max_pool;
mod mean_variance_normalization;
mod mish;
mod mod_;
mod mul;
mod neg;
mod normalise;
mod p_relu;
mod pad;
mod places;
mod pow;
mod random;
mod range;
mod reciprocal;
mod reduce;
mod reduce_l1;
mod reduce_l2;
mod reduce_log_sum;
mod reduce_log_sum_exp;
mod reduce_max;
mod reduce_mean;
mod reduce_min;
mod reduce_prod;
mod reduce_sum;
mod reduce_sum_square;
mod relu;
mod reshape;
mod reshaping;
mod resize;
mod reverse_sequence;
mod rms_normalization;
mod scatter_elements;
mod scatter_nd;
mod selu;
mod shape;
mod sigmoid;
mod sign;
mod sin;
mod sinh;
mod slice;
mod softmax;
mod softplus;
mod softsign;
mod space_to_depth;
mod split;
mod sqrt;
mod squeeze;
mod sub;
mod sum;
mod swish;
mod tan;
mod tanh;
mod thresholded_relu;
mod tile;
mod top_k;
mod transpose;
mod trilu;
mod unsqueeze;
mod where_;
mod window;

/// The table of operators: each module names its own.
macro_rules! operators {
    ($($module:ident)*) => {
        const ALL: &[&dyn Operator] = &[$($module::OPERATOR),*];
    };
}

operators! {
    abs acos acosh add arg_max asin asinh atan atanh average_pool batch_normalization cast
    cast_like celu clip compare compress concat constant conv conv_transpose cos cosh cum_sum
    depth_to_space dequantize_linear div dropout einsum elu erf exp expand flatten gather
    gather_elements gather_nd gelu gemm global_average_pool global_max_pool group_normalization
    hard_sigmoid hard_swish identity if_ indices instance_normalization layer_normalization
    leaky_relu log log_softmax lp_normalization lp_pool lrn matmul max max_pool
    mean_variance_normalization mish mod_ mul neg p_relu pad pow random range reciprocal
    reduce_l1 reduce_l2 reduce_log_sum reduce_log_sum_exp reduce_max reduce_mean reduce_min
    reduce_prod reduce_sum reduce_sum_square relu reshape resize reverse_sequence
    rms_normalization scatter_elements scatter_nd selu shape sigmoid sign sin sinh slice softmax
    softplus softsign space_to_depth split sqrt squeeze sub sum swish tan tanh thresholded_relu
    tile top_k transpose trilu unsqueeze where_
}

/// The operator of that name, if it is known.
pub fn find(domain: &str, op_type: &str) -> Option<&'static dyn Operator> {
    ALL.iter().copied().find(|op| domain.is_empty() && op.names().contains(&op_type))
}

/// All operators, with the operator set since which each is supported: the one it came with, or 9.
pub fn table() -> BTreeMap<&'static str, i64> {
    let names =
        |op: &'static dyn Operator| op.names().iter().map(move |name| (*name, op.since(name)));
    ALL.iter().copied().flat_map(names).collect()
}

/// What can be wrong with a use of an operator, or be missing to differentiate it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An attribute is not what the operator's definition says.
    #[error(
        "attribute '{name}' {what}; the model is invalid: check it with `onnx.checker.check_model`"
    )]
    Attribute {
        /// The attribute.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// An operand is not what the operator's definition says.
    #[error(
        "operand {operand} {what}; the model is invalid: check it with `onnx.checker.check_model`"
    )]
    Operand {
        /// Its place.
        operand: usize,
        /// What is wrong.
        what: String,
    },
    /// Shapes or types contradict each other.
    #[error(
        "{what}; the model is invalid: check it with `onnx.shape_inference.infer_shapes(model, strict_mode=True)`"
    )]
    Shapes {
        /// The contradiction.
        what: String,
    },
    /// Something that has to be known at compile time is not.
    #[error(
        "{what} is not known; fix it in the file, with \
         `onnxruntime.tools.symbolic_shape_infer` or by exporting with static sizes"
    )]
    Unknown {
        /// What.
        what: String,
    },
    /// The source's operator set has no way to write it.
    #[error(
        "{what} takes opset {since}; convert the model with \
         `onnx.version_converter.convert_version(model, {since})`"
    )]
    Opset {
        /// What.
        what: &'static str,
        /// The operator set that has it.
        since: i64,
    },
    /// A form of the operator that has no rule.
    #[error(
        "{what} cannot be explained; rewrite the model without it, or cut relevance there with --on-unsupported stop"
    )]
    Unsupported {
        /// The form.
        what: String,
    },
}

/// What kind of operation a node is, which is all that a rule asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Parts of a constant, fetched by integer activations.
    Embedding,
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
            Self::Embedding => "embedding",
            Self::Stop => "stop",
        }
    }
}

/// What is known of the sign of an operator's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
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

/// An operator, or a family of operators that differ in a word.
pub trait Operator: Sync {
    /// Its names in `ai.onnx`.
    fn names(&self) -> &[&'static str];

    /// The operator set that a name came with; 9, the first that is read, for all before.
    fn since(&self, _name: &str) -> i64 {
        9
    }

    /// The types of its outputs, as far as those of the operands tell; also the place where a
    /// node that contradicts the operator's definition is refused.
    fn infer(&self, node: View) -> Result<Vec<Type>, Error>;

    /// What kind of operation the node is.
    fn kind(&self, node: View) -> Result<Kind, Error>;

    /// Whether relevance can flow to an operand (and not only through its shape or as an index).
    fn flows(&self, _node: View, _operand: usize) -> bool {
        true
    }

    /// Whether the output depends on the operands' data, not on their shapes or types alone.
    fn depends(&self, _node: View) -> bool {
        true
    }

    /// The elements of an integer output in order, as far as constants and shapes tell.
    fn fold(&self, _node: View) -> Option<Vec<Dim>> {
        None
    }

    /// The sign of the output.
    fn range(&self, _node: View) -> Range {
        Range::Any
    }

    /// Whether elements of the output may be infinite, if those of an operand may.
    fn is_infinite(&self, _node: View, operand: bool) -> bool {
        operand
    }

    /// Whether a movement gives every element of the result a single origin, or none.
    fn copies(&self, _node: View) -> bool {
        true
    }

    /// The multiply-adds of a product, with unknown sizes counted as 1; 0 for what reads and writes
    /// more than it computes.
    fn multiply_adds(&self, _node: View) -> f64 {
        0.0
    }

    /// What a constant operand of a weighted operation or a normalisation is, if a parameter.
    fn role(&self, _operand: usize) -> Option<Role> {
        Some(Role::Weight)
    }

    /// How an elementwise function is homogeneous (Euler), so that `x ⊙ Jᵀ s` is read off `y`.
    fn degree(&self, _node: View) -> Option<Degree> {
        None
    }

    /// For a product with weights: how per-feature constants fold into it.
    fn linear(&self) -> Option<&dyn Linear> {
        None
    }

    /// How the constants lie of a node that shifts or scales its one activation by constants;
    /// `None` for any other node, `c / x` among them.
    fn constants(&self, _node: View) -> Option<Constants> {
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

    /// A constant result written otherwise, where another reader of it would keep a runtime from
    /// fusing the node with what follows.
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

/// `x f′(x) = (p + α (x − f(x))) f(x)` between bounds of `f(x)`, and 0 at them and beyond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Degree {
    /// `p`: what a homogeneous function has, like `ReLU` and its kin.
    pub factor: f64,
    /// `α`: what `x · sigmoid(α x)` has besides.
    pub gate: f64,
    /// The lower bound.
    pub above: Option<f64>,
    /// The upper bound.
    pub below: Option<f64>,
}

impl Degree {
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

/// How the constants of a shift or scale lie along the axes of what they shift or scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constants {
    /// They broadcast.
    Broadcast,
    /// They are lists along axis 1.
    PerChannel,
}

/// `scale · x + shift`, elementwise, with constants that broadcast against `x`; 1 and 0 where absent.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'e> {
    /// The factor.
    pub scale: Option<Expr<'e>>,
    /// The summand.
    pub shift: Option<Expr<'e>>,
}

/// A product with weights, `y = x ∗ W + b`, to which scales and shifts per output feature fold.
/// Its operands are `x` and `W` in the operator's order, and `b` third.
pub trait Linear {
    /// The axis of the output that features lie along; `None` if it has none.
    fn features(&self, node: View) -> Result<Option<usize>, Error>;

    /// The number of features, where the weights say.
    fn count(&self, node: View) -> Option<i64>;

    /// The weights with feature `j` scaled by `g[j]`; `g` is a list.
    fn scale<'e>(&self, node: View, w: Expr<'e>, g: Expr<'e>) -> Result<Expr<'e>, Error>;

    /// A bias that broadcasts against the output in the shape of the operator's third operand.
    fn bias<'e>(&self, _node: View, b: Expr<'e>) -> Result<Expr<'e>, Error> {
        Ok(b)
    }

    /// The operator's third operand in a shape that broadcasts against the output of that rank.
    fn spread<'e>(&self, _node: View, b: Expr<'e>, _rank: usize) -> Result<Expr<'e>, Error> {
        Ok(b)
    }
}
