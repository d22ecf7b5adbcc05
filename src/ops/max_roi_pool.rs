//! `MaxRoiPool`: the largest element in each part of boxes (Girshick 2015).

use super::max_pool::to_first_largest;
use crate::{
    ir::{Along, Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &MaxRoiPool;

struct MaxRoiPool;

impl Operator for MaxRoiPool {
    fn names(&self) -> &[&'static str] {
        &["MaxRoiPool"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["pooled_shape", "spatial_scale"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        if node.rank(0)? != 4 || node.rank(1)? != 2 {
            return Err(Error::Shapes { what: "boxes in data without two spatial axes".into() });
        }
        let [boxes, channels] = [(1, 0), (0, 1)].map(|(operand, axis)| {
            node.ty(operand).ok().and_then(|ty| ty.dim(axis)).unwrap_or(Dim::Unknown)
        });
        let [height, width] = parts(node)?.map(Dim::Known);
        Ok(vec![Type::new(node.ty(0)?.elem, vec![boxes, channels, height, width])])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Max)
    }

    /// Boxes are rounded to whole elements.
    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    /// One box after the other, so that no more is held than the data for each of its columns: the largest of a part
    /// is the largest of what is the largest of each row.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let (x, boxes, emitter) = (call.x(0)?, call.x(1)?.cast(DataType::Float), call.emitter());
        let [rows, columns] = parts(call.node)?;
        let scale = call.node.float("spatial_scale", 1.0)?;
        let corner = |at: i64| rounded(boxes.part(1, at, at + 1) * scale);
        let rows = within(corner(2), corner(4), rows, emitter.positions(x, 2)?)?;
        let columns = within(corner(1), corner(3), columns, emitter.positions(x, 3)?)?;
        let batch = emitter.positions(x, 0)?.reshape(&[1, -1]);
        let lies_in = boxes.part(1, 0, 1).cast(DataType::Int64).equals(batch).cast(s.ty().elem);
        let along = [s, rows, columns, lies_in].map(|v| (v, Along::FIRST));
        let zeros = emitter.zeros_like(s.ty().elem, x);
        let lowest = f64::from(f32::MIN);
        let sums = emitter.scan(&[zeros], &along, &[], |sums, given| {
            let lies_in = given[3].reshape(&[-1, 1, 1, 1]);
            let [rows, columns] = [1, 2].map(|i| given[i].unsqueeze(&[0, 3]));
            // [channels, parts, columns, rows] with the parts of a row, and [channels, parts, rows, parts of a row].
            let data = (x * lies_in).sum(&[0], false).transpose(&[0, 2, 1]);
            let of_rows = data.unsqueeze(&[1]).where_or(columns, lowest);
            let largest = of_rows.max(&[2]).squeeze(2).transpose(&[0, 2, 1]);
            let of_parts = largest.unsqueeze(&[1]).where_or(rows, lowest);
            let s = to_first_largest(of_parts, given[0].unsqueeze(&[2]))?.masked(rows);
            let s = s.sum(&[1], false).transpose(&[0, 2, 1]).unsqueeze(&[2]);
            let s = to_first_largest(of_rows, s)?.masked(columns).sum(&[1], false);
            Ok(vec![sums[0] + lies_in * s.transpose(&[0, 2, 1]).unsqueeze(&[0])])
        })?;
        Ok(sums.first().map_or(zeros, |&sums| sums))
    }
}

/// Which of the elements along an axis lie in each part of each box, `[boxes, parts, elements]`.
fn within<'e>(
    first: Expr<'e>,
    last: Expr<'e>,
    parts: i64,
    elements: Expr<'e>,
) -> Result<Expr<'e>, Error> {
    let emitter = first.emitter();
    let one = emitter.scalar(DataType::Float, 1.0);
    let length = emitter.emit("Max", &[Some(last - first + one), Some(one)], vec![]);
    let size = length / parts as f64;
    let numbers = emitter.counted(parts)?.cast(DataType::Float).reshape(&[1, -1]);
    let from = ((size * numbers).unary("Floor") + first).unsqueeze(&[2]);
    let to = ((size * (numbers + one)).unary("Ceil") + first).unsqueeze(&[2]);
    let elements = elements.cast(DataType::Float).reshape(&[1, 1, -1]);
    let before = from.exceeds(elements).unary("Not");
    Ok(emitter.emit("And", &[Some(before), Some(to.exceeds(elements))], vec![]))
}

/// The nearest integer, away from 0 on ties.
fn rounded(x: Expr<'_>) -> Expr<'_> {
    x.sign() * (x.abs() + 0.5).unary("Floor")
}

/// The numbers of rows and columns that boxes have.
fn parts(node: NodeRef) -> Result<[i64; 2], Error> {
    match node.ints("pooled_shape")? {
        Some(&[height @ 1..=0xffff, width @ 1..=0xffff]) => Ok([height, width]),
        other => {
            let what = format!("is {other:?}");
            Err(Error::Attribute { name: "pooled_shape".into(), what })
        }
    }
}
