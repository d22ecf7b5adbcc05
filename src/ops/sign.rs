//! `Sign` and the roundings: steps, through which nothing flows.

use crate::ir::{Array, Error, Evaluation, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Sign;

struct Sign;

impl Operator for Sign {
    fn names(&self) -> &[&'static str] {
        &["Sign", "Round", "Floor", "Ceil", "Hardmax"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis"]
    }

    fn since(&self, name: &str) -> i64 {
        if name == "Round" { 11 } else { 9 }
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let floats = |f: fn(f64) -> f64| Some(of.x(0)?.map(|n| n, f));
        match of.node.op_type() {
            "Round" => floats(f64::round_ties_even),
            "Floor" => floats(f64::floor),
            "Ceil" => floats(f64::ceil),
            _ => None,
        }
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
