//! Element types and shapes, as far as they are known before a model runs.

use crate::onnx::DataType;

/// The size of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dim {
    /// Known now.
    Known(i64),
    /// Known when the model runs; equal symbols are equal sizes.
    Symbol(u32),
    /// Just inferred, not yet given a symbol.
    Unknown,
}

impl Dim {
    /// The size, if it is known.
    pub fn known(self) -> Option<i64> {
        match self {
            Self::Known(n) => Some(n),
            _ => None,
        }
    }

    /// Whether it is known to be another size.
    pub fn differs(self, other: Self) -> bool {
        matches!((self, other), (Self::Known(a), Self::Known(b)) if a != b)
    }

    /// A function of a size; `identity` says that it is the identity, which keeps symbols.
    pub fn map(self, identity: bool, f: impl FnOnce(i64) -> i64) -> Self {
        match self {
            Self::Known(n) => Self::Known(f(n)),
            other if identity => other,
            _ => Self::Unknown,
        }
    }
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// The element type; `Undefined` where nothing says.
    pub elem: DataType,
    /// The shape; `None` where not even the rank is known.
    pub shape: Option<Vec<Dim>>,
}

impl Default for Type {
    fn default() -> Self {
        Self { elem: DataType::Undefined, shape: None }
    }
}

impl Type {
    /// The largest size that an axis is believed to have: far beyond it, numbers of bytes overflow.
    pub const LONGEST: i64 = 1 << 48;

    /// A type of known rank.
    pub fn new(elem: DataType, shape: Vec<Dim>) -> Self {
        Self { elem, shape: Some(shape) }
    }

    /// The number of axes, if it is known.
    pub fn rank(&self) -> Option<usize> {
        self.shape.as_ref().map(Vec::len)
    }

    /// The size of an axis, if the rank is known and has it.
    pub fn dim(&self, axis: usize) -> Option<Dim> {
        self.shape.as_ref()?.get(axis).copied()
    }

    /// The number of elements, with unknown sizes counted as 1.
    pub fn least_count(&self) -> f64 {
        let dims = self.shape.iter().flatten();
        dims.map(|d| d.known().map_or(1.0, |n| n as f64)).product()
    }

    /// The number of elements, if all sizes are known.
    pub fn count(&self) -> Option<i64> {
        self.shape.as_ref()?.iter().try_fold(1i64, |n, d| n.checked_mul(d.known()?))
    }

    /// Whether it is known to have no elements, whatever the sizes that are not known.
    pub fn is_empty(&self) -> bool {
        self.shape.iter().flatten().any(|dim| *dim == Dim::Known(0))
    }

    /// What is true of both.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let elem = if self.elem == other.elem { self.elem } else { DataType::Undefined };
        let shape = match (&self.shape, &other.shape) {
            (Some(a), Some(b)) if a.len() == b.len() => {
                let both = |(&a, &b)| if a == b { a } else { Dim::Unknown };
                Some(a.iter().zip(b).map(both).collect())
            }
            _ => None,
        };
        Self { elem, shape }
    }

    /// The type of the parts that lie along an axis.
    #[must_use]
    pub fn without(&self, axis: usize) -> Self {
        let mut shape = self.shape.clone();
        if let Some(dims) = shape.as_mut().filter(|dims| axis < dims.len()) {
            dims.remove(axis);
        }
        Self { elem: self.elem, shape }
    }

    /// The type of parts of this type, one after the other along a new axis.
    #[must_use]
    pub fn stacked(&self, axis: usize, count: Dim) -> Self {
        let mut shape = self.shape.clone();
        if let Some(dims) = shape.as_mut().filter(|dims| axis <= dims.len()) {
            dims.insert(axis, count);
        }
        Self { elem: self.elem, shape }
    }

    /// The same shape with another element type.
    pub fn with(&self, elem: DataType) -> Self {
        Self { elem, shape: self.shape.clone() }
    }

    /// Whether elements are floating-point numbers that ONNX computes with.
    pub fn is_float(&self) -> bool {
        matches!(
            self.elem,
            DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16
        )
    }

    /// Whether elements are whole numbers, not truths.
    pub fn is_integer(&self) -> bool {
        matches!(
            self.elem,
            DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Uint8
                | DataType::Uint16
                | DataType::Uint32
                | DataType::Uint64
        )
    }

    /// The element type of the relevance of such a value: its own where that has the
    /// range, float32 where it has not.
    pub fn relevance(&self) -> DataType {
        if self.elem == DataType::Double { DataType::Double } else { DataType::Float }
    }
}

/// The shape of an elementwise operation on operands of these shapes (ONNX multidirectional
/// broadcasting); `None` where a rank is unknown, an error where they do not fit.
pub fn broadcast<'t>(
    shapes: impl IntoIterator<Item = &'t Type>,
) -> Result<Option<Vec<Dim>>, (i64, i64)> {
    let mut out: Vec<Dim> = Vec::new();
    for ty in shapes {
        let Some(shape) = &ty.shape else { return Ok(None) };
        if shape.len() > out.len() {
            out.splice(0..0, vec![Dim::Known(1); shape.len() - out.len()]);
        }
        let offset = out.len() - shape.len();
        for (have, &dim) in out[offset..].iter_mut().zip(shape) {
            *have = match (*have, dim) {
                (a, b) if a == b && a != Dim::Unknown => a,
                (Dim::Known(1), other) | (other, Dim::Known(1)) => other,
                (Dim::Known(a), Dim::Known(b)) => return Err((a, b)),
                (Dim::Known(n), _) | (_, Dim::Known(n)) => Dim::Known(n),
                _ => Dim::Unknown,
            };
        }
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dim::{Known, Symbol, Unknown};

    fn shapes(shapes: &[&[Dim]]) -> Result<Option<Vec<Dim>>, (i64, i64)> {
        let ty = |shape: &&[Dim]| Type::new(DataType::Float, shape.to_vec());
        broadcast(&shapes.iter().map(ty).collect::<Vec<_>>())
    }

    #[test]
    fn shapes_broadcast_from_the_last_axis() {
        let cases: &[(&[&[Dim]], &[Dim])] = &[
            (&[], &[]),
            (&[&[], &[Known(3)]], &[Known(3)]),
            (&[&[Known(2), Known(3)], &[Known(3)]], &[Known(2), Known(3)]),
            (&[&[Known(3)], &[Known(2), Known(1)]], &[Known(2), Known(3)]),
            (&[&[Known(2), Known(1)], &[Known(1), Known(4)]], &[Known(2), Known(4)]),
            (&[&[Known(1)], &[Known(1)], &[Known(5), Known(1)]], &[Known(5), Known(1)]),
            (&[&[Known(0)], &[Known(1)]], &[Known(0)]),
            // What is known of an axis in one operand is known of it in the result.
            (&[&[Symbol(0)], &[Symbol(0)]], &[Symbol(0)]),
            (&[&[Symbol(0)], &[Known(1)]], &[Symbol(0)]),
            (&[&[Symbol(0)], &[Known(7)]], &[Known(7)]),
            (&[&[Unknown], &[Known(7)]], &[Known(7)]),
            // One of two sizes may be 1, but which?
            (&[&[Symbol(0)], &[Symbol(1)]], &[Unknown]),
            (&[&[Unknown], &[Unknown]], &[Unknown]),
        ];
        for (operands, expected) in cases {
            assert_eq!(shapes(operands), Ok(Some(expected.to_vec())), "{operands:?}");
        }
    }

    #[test]
    fn sizes_that_differ_do_not_fit() {
        assert_eq!(shapes(&[&[Known(2)], &[Known(3)]]), Err((2, 3)));
        assert_eq!(
            shapes(&[&[Known(4), Known(1)], &[Known(1)], &[Known(5), Known(2)]]),
            Err((4, 5))
        );
        assert_eq!(shapes(&[&[Known(0)], &[Known(2)]]), Err((0, 2)));
    }

    #[test]
    fn an_unknown_rank_leaves_the_result_unknown() {
        assert_eq!(broadcast(&[Type::new(DataType::Float, vec![]), Type::default()]), Ok(None));
    }
}
