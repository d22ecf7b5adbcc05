//! `Dropout`, which does nothing at inference.

use crate::{
    ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Dropout;

struct Dropout;

impl Operator for Dropout {
    fn names(&self) -> &[&'static str] {
        &["Dropout"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        Ok(vec![node.ty(0)?.clone(), node.ty(0)?.with(DataType::Bool)])
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
        _call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(s)
    }
}
