//! `BatchNormalization`, at inference: a scale and a shift per channel (axis 1).

use crate::ir::{Affine, Call, Constants, Error, Expr, Kind, NodeRef, Operator, Role, Type, Value};

pub(super) const OPERATOR: &dyn Operator = &BatchNormalization;

struct BatchNormalization;

impl Operator for BatchNormalization {
    fn names(&self) -> &[&'static str] {
        &["BatchNormalization"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["epsilon", "momentum", "training_mode"]
    }

    fn arity(&self) -> usize {
        5
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        // In training it gives its statistics, too.
        let statistics = (1..node.output_count().min(5)).map(|_| node.ty(3).cloned());
        let statistics = statistics.collect::<Result<Vec<_>, _>>()?;
        Ok([node.like_input()?, statistics].concat())
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        if node.flag("training_mode", false)? {
            return Err(Error::Unsupported { what: "BatchNormalization in training mode".into() });
        }
        if (1..5).any(|operand| node.is_active(operand)) {
            return Err(Error::Unsupported {
                what: "BatchNormalization with computed scale or statistics".into(),
            });
        }
        Ok(Kind::Normalisation)
    }

    /// The statistics are no parameters.
    fn role(&self, operand: usize) -> Option<Role> {
        match operand {
            1 => Some(Role::Weight),
            2 => Some(Role::Bias),
            _ => None,
        }
    }

    fn constants(&self, _node: NodeRef) -> Option<Constants> {
        Some(Constants::PerChannel)
    }

    fn affine<'e>(&self, call: &Call<'_, 'e>, x: Value) -> Result<Affine<'e>, Error> {
        let rank = call.node.graph().ty(x).rank();
        let rank = rank.ok_or(Error::Unknown { what: "the rank".into() })?;
        // One value per channel, against the axes behind the channels.
        let spread = |operand| -> Result<Expr<'e>, Error> {
            let after: Vec<_> = (1..rank.saturating_sub(1)).collect();
            Ok(call.x(operand)?.unsqueeze(&after))
        };
        let (gamma, beta, mean, variance) = (spread(1)?, spread(2)?, spread(3)?, spread(4)?);
        let scale = gamma / (variance + call.node.float("epsilon", 1e-5)?).sqrt();
        Ok(Affine { scale: Some(scale), shift: Some(beta - mean * scale) })
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let affine = self.affine(call, call.node.required(0)?)?;
        Ok(affine.scale.map_or(s, |scale| s * scale))
    }
}
