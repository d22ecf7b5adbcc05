//! `Scan`: a subgraph that runs for each of the parts of some operands, on the state it left and on that
//! part. Relevance does not cross it yet.

use crate::ir::{Dim, Error, Facts, Feeds, Kind, NodeRef, Operator, Type, axis};

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

    fn is_explained(&self) -> bool {
        false
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
        Err(Error::Unsupported { what: "a Scan".into() })
    }
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
