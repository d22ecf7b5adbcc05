//! `Gemm`: α A′ B′ + β C, where A′ and B′ are A and B or their transposes.

use crate::ir::{Call, Dim, Error, Expr, Kind, Linear, NodeRef, Operator, Role, Sign, Type};
use crate::onnx::attribute::{float, int};

pub(super) const OPERATOR: &dyn Operator = &Gemm;

struct Gemm;

impl Operator for Gemm {
    fn names(&self) -> &[&'static str] {
        &["Gemm"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["alpha", "beta", "transA", "transB"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.of_one_type(0)?;
        if node.rank(0)? != 2 || node.rank(1)? != 2 {
            return Err(Error::Shapes { what: "operands that are no matrices".into() });
        }
        let (a, b) = (node.ty(0)?, node.ty(1)?);
        let [ta, tb] = transposed(node)?;
        let size = |ty: &Type, axis: usize| ty.dim(axis).unwrap_or(Dim::Unknown);
        match (size(a, 1 - usize::from(ta)), size(b, usize::from(tb))) {
            (Dim::Known(k), Dim::Known(l)) if k != l => {
                Err(Error::Shapes { what: format!("{k} columns of A and {l} rows of B") })
            }
            _ => Ok(vec![Type::new(
                a.elem,
                vec![size(a, usize::from(ta)), size(b, 1 - usize::from(tb))],
            )]),
        }
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        if node.is_active(2) {
            return Err(Error::Unsupported { what: "Gemm with a computed C".into() });
        }
        if node.float("alpha", 1.0)? <= 0.0 || node.float("beta", 1.0)? <= 0.0 {
            return Err(Error::Unsupported {
                what: "Gemm with alpha or beta below or at 0".into(),
            });
        }
        let both = node.is_active(0) && node.is_active(1);
        Ok(if both { Kind::Product } else { Kind::Weighted })
    }

    fn role(&self, operand: usize) -> Option<Role> {
        Some(if operand == 2 { Role::Bias } else { Role::Weight })
    }

    fn sign(&self, node: NodeRef) -> Sign {
        let factors = [node.float("alpha", 1.0), node.float("beta", 1.0)];
        let positive = factors.iter().all(|factor| factor.as_ref().is_ok_and(|f| *f >= 0.0));
        if positive { Sign::AsOperands } else { Sign::Any }
    }

    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let inner = || {
            let [turned, _] = transposed(node).ok()?;
            node.ty(0).ok()?.dim(usize::from(!turned))?.known()
        };
        node.output().least_count() * inner().map_or(1.0, |n| n as f64)
    }

    fn linear(&self) -> Option<&dyn Linear> {
        Some(self)
    }

    fn forward<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        Ok(call.x(0)?.gemm(call.x(1)?, call.get(2), call.node.attributes().to_vec()))
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let [ta, tb] = transposed(call.node)?;
        let alpha = call.node.float("alpha", 1.0)? as f32;
        let product = |a: Expr<'e>, ta: bool, b: Expr<'e>, tb: bool| {
            let mut attributes = vec![int("transA", ta.into()), int("transB", tb.into())];
            if (alpha - 1.0).abs() > 0.0 {
                attributes.push(float("alpha", alpha));
            }
            a.gemm(b, None, attributes)
        };
        let known = |axis| call.node.ty(1).ok()?.dim(axis)?.known();
        let weights = || Ok(call.x(1)?.for_gradient(known(0), known(1)));
        Ok(match (wrt, ta, tb) {
            (0, false, _) => product(s, false, weights()?, !tb),
            (0, true, _) => product(weights()?, tb, s, true),
            (1, _, false) => product(call.x(0)?, !ta, s, false),
            _ => product(s, true, call.x(0)?, ta),
        })
    }
}

impl Linear for Gemm {
    fn features(&self, node: NodeRef) -> Result<Option<usize>, Error> {
        Ok(Some(usize::from(node.is_active(0))))
    }

    fn count(&self, node: NodeRef) -> Option<i64> {
        let [ta, tb] = transposed(node).ok()?;
        let (operand, axis) = if node.is_active(0) { (1, !tb) } else { (0, ta) };
        node.ty(operand).ok()?.dim(usize::from(axis))?.known()
    }

    fn scale<'e>(&self, node: NodeRef, w: Expr<'e>, g: Expr<'e>) -> Result<Expr<'e>, Error> {
        let [ta, tb] = transposed(node)?;
        // Features are the columns of B′, or the rows of A′ where A holds the weights.
        let rows = if node.is_active(0) { tb } else { !ta };
        Ok(w * if rows { g.unsqueeze(&[1]) } else { g })
    }

    fn bias<'e>(&self, node: NodeRef, b: Expr<'e>) -> Result<Expr<'e>, Error> {
        let beta = node.float("beta", 1.0)?;
        Ok(if (beta - 1.0).abs() > 0.0 { b / beta } else { b })
    }

    fn spread<'e>(&self, node: NodeRef, b: Expr<'e>, _rank: usize) -> Result<Expr<'e>, Error> {
        let beta = node.float("beta", 1.0)?;
        Ok(if (beta - 1.0).abs() > 0.0 { b * beta } else { b })
    }
}

fn transposed(node: NodeRef) -> Result<[bool; 2], Error> {
    Ok([node.flag("transA", false)?, node.flag("transB", false)?])
}
