//! Comparisons and logic: booleans, through which nothing flows.

use crate::{
    ir::{Array, Dim, Error, Evaluation, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Compare;

struct Compare;

impl Operator for Compare {
    fn names(&self) -> &[&'static str] {
        &[
            "Equal",
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "And",
            "Or",
            "Xor",
            "Not",
            "IsNaN",
            "IsInf",
        ]
    }

    fn attributes(&self) -> &[&'static str] {
        &["detect_negative", "detect_positive"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        Ok(vec![node.elementwise(0)?.remove(0).with(DataType::Bool)])
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let (name, x) = (of.node.op_type(), of.x(0)?);
        let truth = |holds: bool| Dim::Known(holds.into());
        if of.node.inputs().len() == 1 {
            let not = |n: Dim| n.map(false, |n| (n == 0).into());
            return Some(x.map(not, |v| match name {
                "IsNaN" => v.is_nan().into(),
                _ => (v.is_infinite()).into(),
            }));
        }
        let ints = |a: Dim, b: Dim| match (name, a, b) {
            ("Equal", a, b) if a == b && a != Dim::Unknown => truth(true),
            // A size is never negative.
            ("Equal", Dim::Symbol(_), Dim::Known(n)) | ("Equal", Dim::Known(n), Dim::Symbol(_))
                if n < 0 =>
            {
                truth(false)
            }
            (_, Dim::Known(a), Dim::Known(b)) => truth(holds(name, &a, &b)),
            _ => Dim::Unknown,
        };
        x.zip(of.x(1)?, of.shape, ints, |a, b| holds(name, &a, &b).into())
    }

    fn since(&self, name: &str) -> i64 {
        match name {
            "GreaterOrEqual" | "LessOrEqual" => 12,
            "IsInf" => 10,
            _ => 9,
        }
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}

/// Whether a relation holds of two numbers, or of two truths, which are 0 and 1.
fn holds<T: PartialOrd + Default>(relation: &str, a: &T, b: &T) -> bool {
    let [p, q] = [a, b].map(|truth| *truth != T::default());
    match relation {
        "Equal" => a == b,
        "Greater" => a > b,
        "GreaterOrEqual" => a >= b,
        "Less" => a < b,
        "LessOrEqual" => a <= b,
        "And" => p && q,
        "Or" => p || q,
        _ => p != q,
    }
}
