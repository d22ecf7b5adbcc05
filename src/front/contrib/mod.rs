//! Contrib operators: functions of `ai.onnx` operators that have a name of their own.
//!
//! ONNX Runtime writes them in the domain `com.microsoft` when it saves a model whose nodes it has
//! fused, scikit-learn's converter in `ai.onnx.ml`; and `ai.onnx` itself defines some of its operators so.
//! Relevance crosses such an operator through the nodes it stands for. Each file here states them as a
//! formula on the builder that emits everything else, so that they are inferred, and grouped into units, as
//! if the model had been saved without fusions.
//!
//! To add one: write its file, add its word to the list below, add a fixture.

mod activation;
mod affine_grid;
mod attention;
mod bias_gelu;
mod causal_conv_with_state;
mod center_crop_pad;
mod embed_layer_normalization;
mod fast_gelu;
mod fused_conv;
mod fused_gemm;
mod fused_matmul;
mod gather_block_quantized;
mod gelu;
mod group_query_attention;
mod linear_attention;
mod matmul_integer_to_float;
mod matmul_n_bits;
mod multi_head_attention;
mod negative_log_likelihood_loss;
mod nhwc_max_pool;
mod q_gemm;
mod qlinear_activation;
mod qlinear_arithmetic;
mod qlinear_concat;
mod qlinear_conv;
mod qlinear_matmul;
mod qlinear_pool;
mod qlinear_where;
mod quantised;
mod quantize_linear;
mod quick_gelu;
mod recurrent;
mod rotary;
mod rotary_embedding;
mod scaled_dot_product;
mod scaler;
mod sequence;
mod simplified_layer_normalization;
mod skip_layer_normalization;
mod swiglu;
mod weighted_attention;

use std::{cell::RefCell, collections::BTreeSet};

use crate::{
    ir::{Attributes, Emitter, Error, Expr, Value},
    onnx::schema::{AttributeProto, NodeProto},
};

/// The table of contrib operators: each module has its own.
macro_rules! contrib {
    ($($($module:ident)::+)*) => { const ALL: &[Contrib] = &[$($($module)::+::CONTRIB),*]; };
}

contrib! {
    affine_grid attention bias_gelu causal_conv_with_state center_crop_pad embed_layer_normalization fast_gelu fused_conv fused_gemm fused_matmul gather_block_quantized gelu
    group_query_attention linear_attention matmul_integer_to_float matmul_n_bits multi_head_attention negative_log_likelihood_loss nhwc_max_pool q_gemm
    qlinear_activation qlinear_arithmetic qlinear_concat qlinear_conv qlinear_matmul qlinear_pool
    qlinear_where quantize_linear quick_gelu recurrent::gru recurrent::lstm recurrent::rnn rotary rotary_embedding scaler sequence
    simplified_layer_normalization skip_layer_normalization swiglu weighted_attention
}

/// An operator that is a function of others.
pub(super) struct Contrib {
    /// Its domains and names.
    names: &'static [(&'static str, &'static str)],
    /// The operator set that it came with, if `ai.onnx` has it.
    since: Option<i64>,
    /// Its results as formulas of its operands; `None` for one that is no use to relevance.
    body: for<'e> fn(&CallSite<'_, 'e>) -> Result<Vec<Option<Expr<'e>>>, Error>,
}

impl Contrib {
    /// Appends what a call of the operator computes, and returns its results.
    pub(super) fn expand(
        &self,
        emitter: &Emitter,
        call: &NodeProto,
        operands: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, Error> {
        let site = CallSite {
            name: call.op_type(),
            attributes: Attributes(&call.attribute),
            operands: operands.iter().map(|v| v.map(|v| emitter.expr(v))).collect(),
            emitter,
            read: RefCell::default(),
        };
        let results = (self.body)(&site)?;
        emitter.check()?;
        site.check()?;
        Ok(results.into_iter().map(|result| result.map(Expr::value)).collect())
    }
}

/// The contrib operator of that name, if it is known.
pub(super) fn find(domain: &str, op_type: &str) -> Option<&'static Contrib> {
    ALL.iter().find(|contrib| contrib.names.contains(&(domain, op_type)))
}

/// The names of those that ONNX does not have.
pub fn names() -> Vec<&'static str> {
    let names = ALL.iter().flat_map(|contrib| contrib.names);
    let foreign = names.filter(|(domain, _)| !domain.is_empty()).map(|&(_, name)| name);
    foreign.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names of those that ONNX has, with the operator sets that they came with.
pub fn standard() -> impl Iterator<Item = (&'static str, i64)> {
    let of = |contrib: &'static Contrib| {
        let standard = contrib.names.iter().filter(|(domain, _)| domain.is_empty());
        contrib
            .since
            .into_iter()
            .flat_map(move |since| standard.clone().map(move |&(_, name)| (name, since)))
    };
    ALL.iter().flat_map(of)
}

/// A call of a contrib operator. It notes what its formula reads, because an attribute or an operand
/// that the formula does not know would change the result without changing its explanation.
pub(super) struct CallSite<'c, 'e> {
    /// The operator's name.
    name: &'c str,
    attributes: Attributes<'c>,
    operands: Vec<Option<Expr<'e>>>,
    emitter: &'e Emitter,
    read: RefCell<BTreeSet<Read>>,
}

/// What a formula has read.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    Attribute(&'static str),
    Operand(usize),
}

impl<'c, 'e> CallSite<'c, 'e> {
    /// An operand, if it is given.
    fn get(&self, operand: usize) -> Option<Expr<'e>> {
        self.read.borrow_mut().insert(Read::Operand(operand));
        self.operands.get(operand).copied().flatten()
    }

    /// An operand that the operator cannot do without.
    fn x(&self, operand: usize) -> Result<Expr<'e>, Error> {
        self.get(operand).ok_or(Error::Operand { operand, what: "is missing".into() })
    }

    /// The attributes, for reading that of this name.
    fn attribute(&self, name: &'static str) -> Attributes<'c> {
        self.read.borrow_mut().insert(Read::Attribute(name));
        self.attributes
    }

    /// An integer attribute, or its default.
    fn int(&self, name: &'static str, default: i64) -> Result<i64, Error> {
        Ok(self.attribute(name).int(name)?.unwrap_or(default))
    }

    /// A float attribute, if it is there.
    fn float(&self, name: &'static str) -> Result<Option<f64>, Error> {
        Ok(self.attribute(name).float(name)?.map(f64::from))
    }

    /// A list of floats, empty if it is not there.
    fn floats(&self, name: &'static str) -> Result<Vec<f64>, Error> {
        let list = self.attribute(name).floats(name)?.unwrap_or_default();
        Ok(list.iter().copied().map(f64::from).collect())
    }

    /// Those of these attributes that are there, for an operator that means the same by them.
    fn keep(&self, names: &[&'static str]) -> Vec<AttributeProto> {
        names.iter().filter_map(|name| self.attribute(name).get(name).cloned()).collect()
    }

    /// Refuses an integer attribute that is stated and is another than this.
    fn only(&self, name: &'static str, known: i64) -> Result<(), Error> {
        match self.int(name, known)? {
            stated if stated == known => Ok(()),
            stated => {
                let what = format!("{} with {name} = {stated}", self.name);
                Err(Error::Unsupported { what })
            }
        }
    }

    /// Refuses what the formula has not read.
    fn check(&self) -> Result<(), Error> {
        let read = self.read.borrow();
        let names = self.attributes.0.iter().map(|attribute| attribute.name());
        let known = |name: &str| read.iter().any(|r| matches!(r, Read::Attribute(n) if *n == name));
        let unread = names.filter(|name| !known(name)).map(|name| format!("attribute '{name}'"));
        let given = self.operands.iter().enumerate().filter(|(_, operand)| operand.is_some());
        let extra = given.filter(|&(i, _)| !read.contains(&Read::Operand(i)));
        let mut unknown = unread.chain(extra.map(|(i, _)| format!("operand {i}")));
        unknown.next().map_or(Ok(()), |what| {
            Err(Error::Unsupported { what: format!("{} with {what}", self.name) })
        })
    }
}
