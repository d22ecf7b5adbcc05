//! `TopK`: the largest values along an axis; their indices carry nothing.

use crate::{
    ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type, Value},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &TopK;

struct TopK;

impl Operator for TopK {
    fn names(&self) -> &[&'static str] {
        &["TopK"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let mut ty = node.ty(0)?.clone();
        let along = along(node)?;
        let k = match node.opset() {
            ..10 => Dim::Known(node.int("k", 1)?),
            _ => node.contents(1).and_then(|k| k.first().copied()).unwrap_or(Dim::Unknown),
        };
        if let Some(dim) = ty.shape.as_mut().and_then(|dims| dims.get_mut(along)) {
            *dim = k;
        }
        Ok(vec![ty.clone(), ty.with(DataType::Int64)])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let x = call.x(0)?;
        let indices = Value { node: call.node.index(), slot: 1 };
        if call.node.graph().outputs(indices.node).all(|value| value != indices) {
            return Err(Error::Unsupported { what: "TopK without its indices".into() });
        }
        let zeros = call.emitter().zeros_like(s.ty().elem, x);
        let indices = call.emitter().value(indices);
        // Indices do not repeat.
        Ok(zeros.scatter(indices, s, along(call.node)?))
    }
}

fn along(node: NodeRef) -> Result<usize, Error> {
    node.axis("axis", -1, node.rank(0)?)
}
