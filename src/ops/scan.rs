//! `Scan`: a subgraph that runs for each of the parts of some operands, on the state it left and on that
//! part.

use crate::ir::{
    Along, Call, Dim, Error, Expr, Facts, Feeds, Kind, NodeRef, Operator, Past, Runs, Scanned,
    Stacked, State, Steps, Type, axis,
};

pub(super) const OPERATOR: &dyn Operator = &Scan;

struct Scan;

impl Operator for Scan {
    fn names(&self) -> &[&'static str] {
        &["Scan"]
    }

    fn attributes(&self) -> &[&'static str] {
        &[
            "body",
            "num_scan_inputs",
            "scan_input_axes",
            "scan_input_directions",
            "scan_output_axes",
            "scan_output_directions",
        ]
    }

    fn arity(&self) -> usize {
        usize::MAX
    }

    fn feeds(&self, node: NodeRef) -> Result<Feeds, Error> {
        let states = states(node)?;
        let operands = (0..node.inputs().len()).map(|i| match i.checked_sub(states) {
            None => Ok(node.known(i)),
            Some(scanned) => {
                let whole = node.known(i);
                let axis = scanned_axis(node, scanned)?;
                let ty = axis.map_or(Type { elem: whole.ty.elem, shape: None }, |axis| {
                    whole.ty.without(axis)
                });
                Ok(Facts { ty, contents: None, ..whole })
            }
        });
        let inputs = operands.collect::<Result<_, Error>>()?;
        Ok(Feeds { inputs, carried: (0..states).map(|i| (i, i)).collect() })
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let body = node.child("body")?;
        body.takes("body", node.inputs().len())?;
        let states = states(node)?;
        let length = match scanned_axis(node, 0)? {
            Some(axis) => node.ty(states)?.dim(axis).unwrap_or(Dim::Unknown),
            None => Dim::Unknown,
        };
        let axes = node.ints("scan_output_axes")?.unwrap_or_default();
        let results = body.output_types().into_iter().enumerate().map(|(i, ty)| {
            let Some(stacked) = i.checked_sub(states) else {
                return Ok(node.known(i).ty.join(&ty));
            };
            let Some(rank) = ty.rank() else { return Ok(ty) };
            let at = axis(axes.get(stacked).copied().unwrap_or(0), rank + 1)?;
            Ok(ty.stacked(at, length))
        });
        results.collect()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Subgraphs)
    }

    fn has_several_outputs(&self) -> bool {
        true
    }

    fn runs(&self, node: NodeRef) -> Result<Option<Runs>, Error> {
        steps(node).map(Runs::Repeated).map(Some)
    }

    fn history<'e>(&self, call: &Call<'_, 'e>) -> Result<Vec<Past<'e>>, Error> {
        let (node, body) = (call.node, call.node.child("body")?);
        let Steps { states, scanned, .. } = steps(node)?;
        let operand = |i| call.raw(i);
        let starts = states.iter().map(|s| operand(s.operand)).collect::<Result<Vec<_>, _>>()?;
        let scanned = scanned.iter().map(|s| Ok((operand(s.operand)?, s.along)));
        let scanned = scanned.collect::<Result<Vec<_>, Error>>()?;
        let stacked = vec![Along::FIRST; states.len()];
        let emitter = call.emitter();
        let results = emitter.scan(&starts, &scanned, &stacked, |states, parts| {
            let inputs = [states, parts].concat();
            let next = body.graph_outputs().take(states.len());
            emitter.within(body, &inputs, &call.captured(), || {
                Ok(next.map(|v| emitter.value(v)).chain(states.iter().copied()).collect())
            })
        })?;
        let before = results.into_iter().skip(states.len());
        let before = before.map(|parts: Expr<'e>| Past::Parts(parts, Along::FIRST));
        Ok(before.chain(scanned.into_iter().map(|(x, along)| Past::Parts(x, along))).collect())
    }
}

/// What goes into the body and comes out of it.
fn steps(node: NodeRef) -> Result<Steps, Error> {
    let first = states(node)?;
    let backwards = |name: &str, i: usize| {
        let direction = node.ints(name)?.and_then(|list| list.get(i)).copied().unwrap_or(0);
        match direction {
            0 | 1 => Ok(direction == 1),
            _ => {
                let what = format!("has {direction}, neither 0 nor 1");
                Err(Error::Attribute { name: name.into(), what })
            }
        }
    };
    let scanned = (first..node.inputs().len()).enumerate().map(|(i, operand)| {
        let unknown = || Error::Unknown { what: format!("the rank of operand {operand}") };
        let axis = scanned_axis(node, i)?.ok_or_else(unknown)?;
        let backwards = backwards("scan_input_directions", i)?;
        Ok(Scanned { operand, input: operand, along: Along { axis, backwards } })
    });
    let axes = node.ints("scan_output_axes")?.unwrap_or_default();
    let outputs = node.child("body")?.output_types();
    let stacked = outputs.iter().enumerate().skip(first).map(|(output, ty)| {
        let rank =
            ty.rank().ok_or_else(|| Error::Unknown { what: "the rank of a result".into() })?;
        let i = output - first;
        let axis = axis(axes.get(i).copied().unwrap_or(0), rank + 1)?;
        let backwards = backwards("scan_output_directions", i)?;
        Ok(Stacked { output, result: output, along: Along { axis, backwards } })
    });
    Ok(Steps {
        may_be_none: false,
        states: (0..first).map(|i| State { operand: i, input: i, output: i, result: i }).collect(),
        scanned: scanned.collect::<Result<_, Error>>()?,
        stacked: stacked.collect::<Result<_, Error>>()?,
    })
}

/// The number of operands that are states; those behind them are scanned.
fn states(node: NodeRef) -> Result<usize, Error> {
    let scanned = node.int("num_scan_inputs", 0)?;
    let states = usize::try_from(scanned).ok().filter(|&n| n > 0);
    states.and_then(|scanned| node.inputs().len().checked_sub(scanned)).ok_or_else(|| {
        let what = format!("is {scanned}, for a node of {} inputs", node.inputs().len());
        Error::Attribute { name: "num_scan_inputs".into(), what }
    })
}

/// The axis along which the parts of a scanned operand lie, if its rank is known.
fn scanned_axis(node: NodeRef, scanned: usize) -> Result<Option<usize>, Error> {
    let axes = node.ints("scan_input_axes")?.unwrap_or_default();
    let Some(rank) = node.ty(states(node)? + scanned)?.rank() else { return Ok(None) };
    axis(axes.get(scanned).copied().unwrap_or(0), rank).map(Some)
}
