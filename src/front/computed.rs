//! Parameters that are computed: an operator whose bias, scale, slope or bounds are activations is that operator
//! without them, and arithmetic.
//!
//! Relevance goes to what an operator does with each of its operands. Where one of them is no parameter, that
//! shows only when what it does is written out.

use crate::{
    ir::{Attributes, Emitter, Error, Expr, Graph, Value},
    onnx::schema::NodeProto,
};

/// A call that is written out.
pub(super) struct Computed<'c> {
    call: &'c NodeProto,
    op_type: &'static str,
    operands: Vec<Option<Value>>,
}

/// The operators, and the first of the operands that may be a parameter alone.
const OPERATORS: [(&str, usize); 9] = [
    ("Clip", 1),
    ("Conv", 2),
    ("ConvTranspose", 2),
    ("Gemm", 2),
    ("GroupNormalization", 1),
    ("InstanceNormalization", 1),
    ("LayerNormalization", 1),
    ("PRelu", 1),
    ("RMSNormalization", 1),
];

impl<'c> Computed<'c> {
    /// Reads a call, if it has to be written out.
    pub fn of(graph: &Graph, call: &'c NodeProto, operands: &[Option<Value>]) -> Option<Self> {
        let standard = call.plain_domain().is_empty();
        let known = OPERATORS.iter().find(|(name, _)| standard && *name == call.op_type());
        let &(op_type, first) = known?;
        let computed = operands.iter().skip(first).flatten().any(|&value| graph.is_active(value));
        // Weights times a number that is not positive are other weights.
        let turned = || {
            let factor = |name| Attributes(&call.attribute).float(name).ok().flatten();
            ["alpha", "beta"].into_iter().filter_map(factor).any(|factor| factor <= 0.0)
        };
        let written = computed || op_type == "Gemm" && turned();
        written.then(|| Self { call, op_type, operands: operands.to_vec() })
    }

    /// The call as a formula, which gives its first output.
    pub fn written<'e>(self, emitter: &'e Emitter) -> Result<Vec<Option<Value>>, Error> {
        let get = |operand: usize| {
            let value = self.operands.get(operand).copied().flatten();
            value.map(|value| emitter.value(value))
        };
        let required = |operand: usize| {
            get(operand).ok_or(Error::Operand { operand, what: "is missing".into() })
        };
        let x = required(0)?;
        let own = |operands: &[Expr<'e>]| {
            let operands: Vec<_> = operands.iter().copied().map(Some).collect();
            emitter.emit(self.op_type, &operands, self.call.attribute.clone())
        };
        // A list of one number per channel, which lie along axis 1.
        let per_channel = |list: Expr<'e>| -> Result<Expr<'e>, Error> {
            Ok(list.unsqueeze(&(1..x.rank()?.saturating_sub(1)).collect::<Vec<_>>()))
        };
        let elem = x.ty().elem;
        let ones = |like: Expr<'e>| emitter.scalar(elem, 1.0).expand_like(like);
        let y = match self.op_type {
            "Clip" => {
                let bounded = |v, bound, op_type: &'static str| match bound {
                    Some(bound) => emitter.emit(op_type, &[Some(v), Some(bound)], vec![]),
                    None => v,
                };
                bounded(bounded(x, get(1), "Max"), get(2), "Min")
            }
            "PRelu" => x.relu() - required(1)? * (-x).relu(),
            "Gemm" => {
                let attributes = Attributes(&self.call.attribute);
                let turned = |v: Expr<'e>, name| -> Result<Expr<'e>, Error> {
                    Ok(if attributes.int(name)? == Some(1) { v.transpose(&[1, 0]) } else { v })
                };
                let scaled = |v: Expr<'e>, name| -> Result<Expr<'e>, Error> {
                    let factor = f64::from(attributes.float(name)?.unwrap_or(1.0));
                    Ok(if (factor - 1.0).abs() > 0.0 { v * factor } else { v })
                };
                let product = turned(x, "transA")?.matmul(turned(required(1)?, "transB")?);
                let product = scaled(product, "alpha")?;
                match get(2) {
                    Some(c) => product + scaled(c, "beta")?,
                    None => product,
                }
            }
            "Conv" | "ConvTranspose" => own(&[x, required(1)?]) + per_channel(required(2)?)?,
            "LayerNormalization" | "RMSNormalization" => {
                let scale = required(1)?;
                let scaled = own(&[x, ones(scale)]) * scale;
                get(2).map_or(scaled, |bias| scaled + bias)
            }
            // Until opset 21 its parameters were those of groups.
            "GroupNormalization" if emitter.opset() < 21 => {
                let (scale, bias) = (required(1)?, required(2)?);
                let groups = Attributes(&self.call.attribute).int("num_groups")?.unwrap_or(1);
                let normalised = own(&[x, ones(scale), emitter.zeros_like(elem, scale)]);
                let grouped = normalised.reshape(&[0, groups, -1]);
                (grouped * scale.unsqueeze(&[1]) + bias.unsqueeze(&[1])).reshape_like(x)
            }
            _ => {
                let (scale, bias) = (required(1)?, required(2)?);
                let normalised = own(&[x, ones(scale), emitter.zeros_like(elem, scale)]);
                normalised * per_channel(scale)? + per_channel(bias)?
            }
        };
        Ok(vec![Some(y.value())])
    }
}
