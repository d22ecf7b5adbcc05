//! What quantising and dequantising have in common: the numbers that integers stand for.
//!
//! A quantised element `q` stands for the number `(q − z) · s`, with a scale `s` and a zero point `z` for the
//! whole tensor, for each place along an axis, or for each block of places along an axis.

use crate::{
    ir::{Dim, Error, Expr, Graph, NodeRef, Value, axis},
    onnx::DataType,
};

/// The least and the largest number that a type of quantised elements has.
pub fn range(elem: DataType) -> Option<(f64, f64)> {
    use DataType as T;
    Some(match elem {
        T::Uint16 => (0.0, u16::MAX.into()),
        T::Int16 => (i16::MIN.into(), i16::MAX.into()),
        T::Uint8 => (0.0, u8::MAX.into()),
        T::Int8 => (i8::MIN.into(), i8::MAX.into()),
        T::Uint4 => (0.0, 15.0),
        T::Int4 => (-8.0, 7.0),
        T::Uint2 => (0.0, 3.0),
        T::Int2 => (-2.0, 1.0),
        T::Float8e4m3fn => (-448.0, 448.0),
        T::Float8e4m3fnuz => (-240.0, 240.0),
        T::Float8e5m2 | T::Float8e5m2fnuz => (-57344.0, 57344.0),
        T::Float4e2m1 => (-6.0, 6.0),
        _ => return None,
    })
}

/// Whether the elements of a quantised type are integers, which lie a step apart everywhere.
pub fn is_integer(elem: DataType) -> bool {
    use DataType as T;
    let floating =
        [T::Float8e4m3fn, T::Float8e4m3fnuz, T::Float8e5m2, T::Float8e5m2fnuz, T::Float4e2m1];
    range(elem).is_some() && !floating.contains(&elem)
}

/// How many nodes are looked through for what quantised a value: no exporter puts more between.
const REACH: usize = 64;

/// The node that made quantised elements of numbers, whatever has moved the elements since.
pub fn quantiser(graph: &Graph, mut value: Value) -> Option<NodeRef<'_>> {
    let elem = graph.ty(value).elem;
    range(elem)?;
    for _ in 0..REACH {
        let node = graph.node(value.node);
        if matches!(node.op_type(), "QuantizeLinear" | "DynamicQuantizeLinear") {
            return Some(node);
        }
        let moved = |v: &Value| graph.is_active(*v) && graph.ty(*v).elem == elem;
        value = node.inputs().into_iter().flatten().find(moved)?;
    }
    None
}

/// The scale and the zero point of what a [`quantiser`] gives.
pub fn parameters(quantiser: NodeRef) -> (Option<Value>, Option<Value>) {
    match quantiser.op_type() {
        "QuantizeLinear" => (quantiser.input(1), quantiser.input(2)),
        _ => {
            let given = |slot| {
                let is_there = quantiser.output_count() > slot as usize;
                is_there.then(|| Value { node: quantiser.index(), slot })
            };
            (given(1), given(2))
        }
    }
}

/// Whether two constants are one, or hold the same numbers.
pub fn same(graph: &Graph, a: Option<Value>, b: Option<Value>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a == b };
    let known = |v| graph.facts(v).contents.as_ref();
    a == b || known(a).is_some() && known(a) == known(b)
}

/// Scales or zero points in a shape that broadcasts against `like`, which is quantised as the node says by
/// its attributes.
pub fn spread<'e>(node: NodeRef, list: Expr<'e>, like: Expr<'e>) -> Result<Expr<'e>, Error> {
    let rank = like.rank()?;
    let block = node.int("block_size", 0)?;
    match list.rank()? {
        0 => Ok(list),
        1 if block == 0 => {
            // An axis is stated even where a list of one number is that of the whole.
            if list.ty().count() == Some(1) {
                return Ok(list);
            }
            let at = axis(node.int("axis", 1)?, rank)?;
            Ok(list.unsqueeze(&(1..rank - at).collect::<Vec<_>>()))
        }
        n if n == rank && block > 0 => blocks(list, like, axis(node.int("axis", 1)?, rank)?, block),
        n => {
            let what = format!("scales of rank {n} for a tensor of rank {rank}");
            Err(Error::Shapes { what })
        }
    }
}

/// A number for each block along an axis, repeated for each place; the last block may be cut.
fn blocks<'e>(list: Expr<'e>, like: Expr<'e>, axis: usize, block: i64) -> Result<Expr<'e>, Error> {
    let unknown =
        || Error::Unknown { what: "the size of an axis that is quantised in blocks".into() };
    let (of_list, of_like) = (list.ty(), like.ty());
    let count = of_list.dim(axis).and_then(Dim::known).ok_or_else(unknown)?;
    let places = of_like.dim(axis).and_then(Dim::known).ok_or_else(unknown)?;
    let whole = count.checked_mul(block).ok_or_else(unknown)?;
    let mut repeats = vec![1; list.rank()? + 1];
    repeats[axis + 1] = block;
    let emitter = list.emitter();
    let columns = list.unsqueeze(&[axis + 1]);
    let repeated = emitter.emit("Tile", &[Some(columns), Some(emitter.ints(&repeats))], vec![]);
    if whole == places {
        return Ok(repeated.reshape_like(like));
    }
    let size = |(at, dim): (usize, &Dim)| if at == axis { Some(whole) } else { dim.known() };
    let sizes = of_list.shape.iter().flatten().enumerate().map(size).collect::<Option<Vec<_>>>();
    Ok(repeated.reshape(&sizes.ok_or_else(unknown)?).part(axis, 0, places))
}
