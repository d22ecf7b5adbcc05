//! `Col2Im`: blocks of an image, added up where they overlap.

use crate::{
    ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::attribute::int,
};

pub(super) const OPERATOR: &dyn Operator = &Col2Im;

struct Col2Im;

impl Operator for Col2Im {
    fn names(&self) -> &[&'static str] {
        &["Col2Im"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["dilations", "pads", "strides"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, _name: &str) -> i64 {
        18
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let x = node.ty(0)?;
        let blocks = node.constant_ints(2);
        let elements = blocks.map(|sizes| sizes.into_iter().fold(1, i64::saturating_mul));
        let channels = match (x.dim(1), elements) {
            (Some(Dim::Known(have)), Some(each @ 1..)) if have % each != 0 => {
                return Err(Error::Shapes { what: format!("{have} elements in blocks of {each}") });
            }
            (Some(Dim::Known(have)), Some(each @ 1..)) => Dim::Known(have / each),
            _ => Dim::Unknown,
        };
        let image = match node.contents(1) {
            Some(sizes) => sizes.to_vec(),
            None => vec![Dim::Unknown; axes(node)?],
        };
        let batch = x.dim(0).unwrap_or(Dim::Unknown);
        Ok(vec![Type::new(x.elem, [&[batch, channels], image.as_slice()].concat())])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Sum)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    /// The blocks again: along each axis, the rows that each element of a block lies in.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let (node, emitter) = (call.node, call.emitter());
        let along = along(node)?;
        let rank = along.len() + 2;
        let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
        for (axis, at) in along.iter().enumerate() {
            (before[axis + 2], after[axis + 2]) = (at.before, at.after);
        }
        let mut parts = s.pad(&before, &after, 0.0);
        for (axis, at) in along.iter().enumerate() {
            let elements =
                emitter.counted(at.size)?.reshape(&[-1, 1]) * emitter.ints(&[at.dilation]);
            let blocks = emitter.counted(at.blocks)?.reshape(&[1, -1]) * emitter.ints(&[at.stride]);
            let operands = [Some(parts), Some(elements + blocks)];
            // Each axis before has become two.
            parts = emitter.emit("Gather", &operands, vec![int("axis", 2 * axis as i64 + 2)]);
        }
        // First the elements of blocks, then the blocks.
        let (elements, blocks) =
            ((0..along.len()).map(|axis| 2 * axis + 2), (0..along.len()).map(|axis| 2 * axis + 3));
        let order: Vec<_> = [0, 1].into_iter().chain(elements).chain(blocks).collect();
        Ok(parts.transpose(&order).reshape_like(call.raw(0)?))
    }
}

/// How blocks lie along an axis.
struct Along {
    size: i64,
    stride: i64,
    dilation: i64,
    before: i64,
    after: i64,
    blocks: i64,
}

/// The number of axes of the image.
fn axes(node: NodeRef) -> Result<usize, Error> {
    let sizes = node.ty(2)?.dim(0).and_then(Dim::known).map(usize::try_from);
    match sizes {
        Some(Ok(axes)) => Ok(axes),
        _ => Err(Error::Unknown { what: "the number of axes of an image".into() }),
    }
}

fn along(node: NodeRef) -> Result<Vec<Along>, Error> {
    let axes = axes(node)?;
    let list = |name: &str, default: i64, count: usize| -> Result<Vec<i64>, Error> {
        let stated = node.ints(name)?.map_or_else(|| vec![default; count], <[i64]>::to_vec);
        match stated.len() == count {
            true => Ok(stated),
            false => Err(Error::Attribute {
                name: name.into(),
                what: format!("has {} numbers", stated.len()),
            }),
        }
    };
    let known = |operand, what: &str| {
        let list = node.constant_ints(operand).filter(|list| list.len() == axes);
        list.ok_or_else(|| Error::Unknown { what: what.into() })
    };
    let (image, block) = (known(1, "the size of the image")?, known(2, "the size of blocks")?);
    let (strides, dilations) = (list("strides", 1, axes)?, list("dilations", 1, axes)?);
    let pads = list("pads", 0, 2 * axes)?;
    let at = |axis: usize| {
        let (before, after) = (pads[axis], pads[axis + axes]);
        let (size, stride, dilation) = (block[axis], strides[axis], dilations[axis]);
        let room = image[axis].checked_add(before)?.checked_add(after)?;
        let room = room.checked_sub(dilation.checked_mul(size.checked_sub(1)?)?)?.checked_sub(1)?;
        let fits = size > 0 && stride > 0 && dilation > 0 && before >= 0 && after >= 0 && room >= 0;
        fits.then(|| Along { size, stride, dilation, before, after, blocks: room / stride + 1 })
    };
    let along: Option<Vec<_>> = (0..axes).map(at).collect();
    along.ok_or(Error::Shapes { what: "blocks that do not fit into the image".into() })
}
