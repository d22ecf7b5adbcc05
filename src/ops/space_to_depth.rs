//! `SpaceToDepth`: blocks of pixels become blocks of channels.

use super::depth_to_space::block;
use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type};
use crate::onnx::attribute::int;

pub(super) const OPERATOR: &dyn Operator = &SpaceToDepth;

struct SpaceToDepth;

impl Operator for SpaceToDepth {
    fn names(&self) -> &[&'static str] {
        &["SpaceToDepth"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let (ty, block) = (node.ty(0)?, block(node)?);
        let Some(&[n, c, h, w]) = ty.shape.as_deref() else {
            return Err(Error::Unknown { what: "a shape of four axes".into() });
        };
        if [h, w].iter().any(|dim| dim.known().is_some_and(|n| n % block != 0)) {
            return Err(Error::Shapes { what: format!("blocks of {block} × {block} pixels") });
        }
        let shrink = |dim: Dim| dim.map(block == 1, |size| size / block);
        let channels = c.map(block == 1, |size| size.saturating_mul(block * block));
        Ok(vec![Type::new(ty.elem, vec![n, channels, shrink(h), shrink(w)])])
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
        let attributes = vec![int("blocksize", block(call.node)?)];
        Ok(call.emitter().emit("DepthToSpace", &[Some(s)], attributes))
    }
}
