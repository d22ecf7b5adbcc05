//! `Loop`: a subgraph that runs again on what it gave, a number of times or while a condition holds, and
//! stacks what it gives besides. Relevance does not cross it yet.

use crate::{
    ir::{Dim, Error, Facts, Feeds, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Loop;

/// The number of iterations and the condition, which stand before the carried values.
const CONTROL: usize = 2;

struct Loop;

impl Operator for Loop {
    fn names(&self) -> &[&'static str] {
        &["Loop"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["body"]
    }

    fn arity(&self) -> usize {
        usize::MAX
    }

    fn is_explained(&self) -> bool {
        false
    }

    fn feeds(&self, node: NodeRef) -> Result<Feeds, Error> {
        let scalar = |elem| Facts { ty: Type { elem, shape: None }, ..Facts::named("") };
        let iteration = Facts { non_negative: true, ..scalar(DataType::Int64) };
        let arity = node.inputs().len();
        let operands = (1..arity.max(CONTROL)).map(|i| match (i, node.input(i)) {
            (1, None) => scalar(DataType::Bool),
            _ => node.known(i),
        });
        let inputs: Vec<_> = [iteration].into_iter().chain(operands).collect();
        let carried = (1..inputs.len()).map(|input| (input - 1, input)).collect();
        Ok(Feeds { inputs, carried })
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let body = node.child("body")?;
        let carried = node.inputs().len().saturating_sub(CONTROL);
        body.takes("body", carried + CONTROL)?;
        let outputs = body.output_types();
        let results = outputs.iter().skip(1).enumerate().map(|(i, ty)| match i < carried {
            true => node.known(CONTROL + i).ty.join(ty),
            false => ty.stacked(0, Dim::Unknown),
        });
        Ok(results.collect())
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Err(Error::Unsupported { what: "a Loop".into() })
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand >= CONTROL
    }
}
