//! `Loop`: a subgraph that runs again on what it gave, a number of times or while a condition holds, and
//! stacks what it gives besides.

use crate::{
    ir::{
        Along, Call, Dim, Error, Facts, Feeds, Kind, NodeRef, Operator, Past, Runs, Stacked, State,
        Steps, Type,
    },
    onnx::{DataType, schema::TensorProto},
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
        Ok(Kind::Subgraphs)
    }

    fn has_several_outputs(&self) -> bool {
        true
    }

    fn runs(&self, node: NodeRef) -> Result<Option<Runs>, Error> {
        let body = node.child("body")?;
        let inputs: Vec<_> = body.graph_inputs().map(|v| body.ty(v).clone()).collect();
        let outputs = body.output_types();
        let states = states(node);
        for State { input, output, operand, .. } in &states {
            // What is stacked to be looked at again has one shape.
            let shapes = (inputs.get(*input), outputs.get(*output));
            if shapes.0.and_then(|ty| ty.shape.as_ref())
                != shapes.1.and_then(|ty| ty.shape.as_ref())
            {
                let what =
                    format!("a Loop that changes the shape of what it carries (operand {operand})");
                return Err(Error::Unsupported { what });
            }
        }
        let stacked = (states.len() + 1..outputs.len()).map(|output| Stacked {
            output,
            result: output - 1,
            along: Along::FIRST,
        });
        let trips = node.input(0).and_then(|v| node.graph().facts(v).ints()?.first()?.known());
        let may_be_none = node.input(1).is_some() || trips.is_none_or(|n| n < 1);
        let (stacked, scanned) = (stacked.collect(), Vec::new());
        Ok(Some(Runs::Repeated(Steps { may_be_none, states, scanned, stacked })))
    }

    fn history<'e>(&self, call: &Call<'_, 'e>) -> Result<Vec<Past<'e>>, Error> {
        let (node, emitter) = (call.node, call.emitter());
        let body = node.child("body")?;
        let given = |i| node.input(i).map(|v| emitter.value(v));
        let states = states(node);
        let starts = states.iter().map(|s| call.raw(s.operand)).collect::<Result<Vec<_>, _>>()?;
        let results = emitter.repeat(given(0), given(1), &starts, |inputs| {
            let next = body.graph_outputs().take(1 + states.len());
            emitter.within(body, inputs, &call.captured(), || {
                let next = next.map(|v| emitter.value(v));
                let number = inputs.iter().take(1).copied();
                let before = inputs.iter().skip(CONTROL).copied();
                Ok(next.chain(number).chain(before).collect())
            })
        })?;
        let mut past = results.into_iter().skip(states.len()).map(|x| Past::Parts(x, Along::FIRST));
        let holds = emitter.constant(TensorProto::of_bool(true));
        let number = past.next();
        Ok(number.into_iter().chain([Past::Always(holds)]).chain(past).collect())
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand >= CONTROL
    }
}

/// What a run hands to the next.
fn states(node: NodeRef) -> Vec<State> {
    let operands = CONTROL..node.inputs().len();
    operands.map(|i| State { operand: i, input: i, output: i - 1, result: i - CONTROL }).collect()
}
