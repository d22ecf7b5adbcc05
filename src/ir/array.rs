//! Arrays: the elements of values that follow from constants and shapes.

use half::{bf16, f16};

use super::Dim;
use crate::onnx::{DataType, External, Tensor, schema::TensorProto};

/// The most elements that are kept with a value; larger arrays are computed when they are asked for.
pub const SMALL: usize = 64;

/// The elements of a value, the last axis running fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    elements: Elements,
}

/// Integers may be sizes that only show when the model runs. A truth is 0 or 1.
#[derive(Debug, Clone, PartialEq)]
enum Elements {
    Ints(Vec<Dim>),
    Floats(Vec<f64>),
}

impl Array {
    /// Integers, as many as the shape says.
    pub fn of_ints(shape: &[usize], ints: Vec<Dim>) -> Option<Self> {
        Self { shape: shape.to_vec(), elements: Elements::Ints(ints) }.checked()
    }

    /// Floating-point numbers, as many as the shape says.
    pub fn of_floats(shape: &[usize], floats: Vec<f64>) -> Option<Self> {
        Self { shape: shape.to_vec(), elements: Elements::Floats(floats) }.checked()
    }

    /// What a tensor holds, if that is numbers.
    pub fn of_tensor(tensor: &TensorProto, external: &External) -> Option<Self> {
        let shape = tensor.dims.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<_>>()?;
        let view = Tensor::new(tensor, external);
        let ints = || Some(Elements::Ints(view.ints()?.into_iter().map(Dim::Known).collect()));
        let elements = view.all_floats().map(Elements::Floats).or_else(ints)?;
        Self { shape, elements }.checked()
    }

    fn checked(self) -> Option<Self> {
        (count(&self.shape) == Some(self.len())).then_some(self)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match &self.elements {
            Elements::Ints(ints) => ints.len(),
            Elements::Floats(floats) => floats.len(),
        }
    }

    /// The sizes of its axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, if they are integers.
    pub fn ints(&self) -> Option<&[Dim]> {
        match &self.elements {
            Elements::Ints(ints) => Some(ints),
            Elements::Floats(_) => None,
        }
    }

    /// The elements, if they are floating-point numbers.
    pub fn floats(&self) -> Option<&[f64]> {
        match &self.elements {
            Elements::Floats(floats) => Some(floats),
            Elements::Ints(_) => None,
        }
    }

    /// The only element, if it is a number that is known.
    pub fn number(&self) -> Option<f64> {
        match &self.elements {
            Elements::Ints(ints) => match ints.as_slice() {
                &[Dim::Known(n)] => Some(n as f64),
                _ => None,
            },
            Elements::Floats(floats) => match floats.as_slice() {
                &[number] => Some(number),
                _ => None,
            },
        }
    }

    /// The same elements in another shape.
    pub fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        Self { shape: shape.to_vec(), elements: self.elements.clone() }.checked()
    }

    /// The same numbers as elements of a type, rounded as it rounds. What it cannot hold is unknown.
    pub fn cast(self, elem: DataType) -> Option<Self> {
        use DataType as T;
        let Self { shape, elements } = self;
        let round = |v: f64| match elem {
            T::Double => v,
            T::Float16 => f16::from_f64(v).to_f64(),
            T::Bfloat16 => bf16::from_f64(v).to_f64(),
            _ => f64::from(v as f32),
        };
        let (low, high) = match elem {
            T::Float | T::Double | T::Float16 | T::Bfloat16 => {
                let known = |n: Dim| n.known().map(|n| round(n as f64));
                let floats = match elements {
                    Elements::Floats(floats) => floats.into_iter().map(round).collect(),
                    Elements::Ints(ints) => ints.into_iter().map(known).collect::<Option<_>>()?,
                };
                return Some(Self { shape, elements: Elements::Floats(floats) });
            }
            T::Int64 | T::Bool => (i64::MIN, i64::MAX),
            T::Int32 => (i32::MIN.into(), i32::MAX.into()),
            T::Int16 => (i16::MIN.into(), i16::MAX.into()),
            T::Int8 => (i8::MIN.into(), i8::MAX.into()),
            T::Uint64 => (0, i64::MAX),
            T::Uint32 => (0, u32::MAX.into()),
            T::Uint16 => (0, u16::MAX.into()),
            T::Uint8 => (0, u8::MAX.into()),
            _ => return None,
        };
        let truth = |holds: bool| Dim::Known(holds.into());
        let int = |n: Dim| match n {
            Dim::Known(n) if elem == T::Bool => truth(n != 0),
            Dim::Symbol(_) if elem != T::Bool => n,
            Dim::Known(n) if (low..=high).contains(&n) => Dim::Known(n),
            _ => Dim::Unknown,
        };
        let ints = match elements {
            Elements::Ints(ints) => ints.into_iter().map(int).collect(),
            Elements::Floats(floats) if elem == T::Bool => {
                floats.into_iter().map(|v| truth(v.abs() > 0.0 || v.is_nan())).collect()
            }
            Elements::Floats(floats) => {
                let exact = |v: f64| v.abs() < (1u64 << 62) as f64;
                let known = |v: f64| if exact(v) { Dim::Known(v as i64) } else { Dim::Unknown };
                floats.into_iter().map(|v| int(known(v))).collect()
            }
        };
        Some(Self { shape, elements: Elements::Ints(ints) })
    }

    /// A movement along axes: each axis of the result runs over these places on that axis of this
    /// array. Axes that are not named are of size 1.
    pub fn along(&self, axes: &[(usize, Vec<usize>)]) -> Option<Self> {
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let mut from = vec![0];
        for (axis, places) in axes {
            let (size, stride) = (*self.shape.get(*axis)?, strides[*axis]);
            if places.iter().any(|&place| place >= size) {
                return None;
            }
            from = from
                .into_iter()
                .flat_map(|start| places.iter().map(move |place| start + place * stride))
                .collect();
        }
        let elements = match &self.elements {
            Elements::Ints(ints) => Elements::Ints(picked(ints, &from)?),
            Elements::Floats(floats) => Elements::Floats(picked(floats, &from)?),
        };
        Some(Self { shape: axes.iter().map(|(_, places)| places.len()).collect(), elements })
    }

    /// Repeated to a shape, as ONNX broadcasts.
    pub fn broadcast(&self, shape: &[usize]) -> Option<Self> {
        let more = shape.len().checked_sub(self.shape.len())?;
        let whole = self.reshaped(&[&vec![1; more], self.shape.as_slice()].concat())?;
        let places = |(axis, (&have, &size)): (usize, (&usize, &usize))| match have {
            1 => Some((axis, vec![0; size])),
            _ => (have == size).then(|| (axis, (0..size).collect())),
        };
        let axes = whole.shape.iter().zip(shape).enumerate().map(places);
        whole.along(&axes.collect::<Option<Vec<_>>>()?)
    }

    /// Arrays one after the other along an axis.
    pub fn concat(parts: &[&Self], axis: usize) -> Option<Self> {
        let mut shape = parts.first()?.shape.clone();
        let sizes: Vec<_> =
            parts.iter().map(|part| part.shape.get(axis).copied()).collect::<Option<_>>()?;
        shape[axis] = sizes.iter().sum();
        let outer = count(&shape[..axis])?;
        let ints: Option<Vec<_>> = parts.iter().map(|part| part.ints()).collect();
        let floats = || parts.iter().map(|part| part.floats()).collect::<Option<Vec<_>>>();
        let elements = match ints {
            Some(ints) => Elements::Ints(joined(&ints, outer)),
            None => Elements::Floats(joined(&floats()?, outer)),
        };
        Self { shape, elements }.checked()
    }

    /// The elements of several arrays of one shape: for each place, the array that it is taken from.
    pub fn choose(from: &[usize], arrays: &[&Self]) -> Option<Self> {
        let stacked: Vec<_> =
            arrays.iter().map(|array| array.reshaped(&[1, array.len()])).collect::<Option<_>>()?;
        let flat = Self::concat(&stacked.iter().collect::<Vec<_>>(), 1)?;
        let places = from.iter().enumerate().map(|(at, array)| array * from.len() + at).collect();
        flat.along(&[(1, places)])?.reshaped(&arrays.first()?.shape)
    }

    /// A function of each element.
    pub fn map(&self, ints: impl Fn(Dim) -> Dim, floats: impl Fn(f64) -> f64) -> Self {
        let elements = match &self.elements {
            Elements::Ints(list) => Elements::Ints(list.iter().map(|&n| ints(n)).collect()),
            Elements::Floats(list) => Elements::Floats(list.iter().map(|&v| floats(v)).collect()),
        };
        Self { shape: self.shape.clone(), elements }
    }

    /// A function of the elements of two arrays, which broadcast to a shape.
    pub fn zip(
        &self,
        other: &Self,
        shape: &[usize],
        ints: impl Fn(Dim, Dim) -> Dim,
        floats: impl Fn(f64, f64) -> f64,
    ) -> Option<Self> {
        let elements = match (self.broadcast(shape)?.elements, other.broadcast(shape)?.elements) {
            (Elements::Ints(a), Elements::Ints(b)) => {
                Elements::Ints(a.into_iter().zip(b).map(|(a, b)| ints(a, b)).collect())
            }
            (Elements::Floats(a), Elements::Floats(b)) => {
                Elements::Floats(a.into_iter().zip(b).map(|(a, b)| floats(a, b)).collect())
            }
            _ => return None,
        };
        Some(Self { shape: shape.to_vec(), elements })
    }

    /// A function of the elements along axes, in a shape.
    pub fn reduced(
        &self,
        axes: &[usize],
        shape: &[usize],
        of: impl Fn(&[f64]) -> f64,
    ) -> Option<Self> {
        let kept = (0..self.shape.len()).filter(|axis| !axes.contains(axis));
        let order = kept.chain(axes.iter().copied());
        let places = |axis: usize| Some((axis, (0..*self.shape.get(axis)?).collect()));
        let rows = self.along(&order.map(places).collect::<Option<Vec<_>>>()?)?;
        let length = rows.len().checked_div(count(shape)?).filter(|&length| length > 0)?;
        match rows.elements {
            Elements::Floats(list) => Self::of_floats(shape, list.chunks(length).map(of).collect()),
            Elements::Ints(list) => {
                let row = |row: &[Dim]| {
                    let known = row.iter().map(|n| n.known().map(|n| n as f64));
                    let result = of(&known.collect::<Option<Vec<_>>>()?);
                    // What is beyond this was rounded.
                    (result.abs() < (1u64 << 53) as f64).then_some(result as i64)
                };
                let int = |list: &[Dim]| row(list).map_or(Dim::Unknown, Dim::Known);
                Self::of_ints(shape, list.chunks(length).map(int).collect())
            }
        }
    }
}

/// The number of elements of a shape.
pub fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))
}

fn picked<T: Copy>(list: &[T], from: &[usize]) -> Option<Vec<T>> {
    from.iter().map(|&at| list.get(at).copied()).collect()
}

/// Lists of as many rows each, row by row one after the other.
fn joined<T: Copy>(lists: &[&[T]], rows: usize) -> Vec<T> {
    let row = |list: &&[T], at: usize| {
        let length = list.len() / rows.max(1);
        list[at * length..(at + 1) * length].to_vec()
    };
    (0..rows).flat_map(|at| lists.iter().flat_map(move |list| row(list, at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(shape: &[usize]) -> Array {
        let count = count(shape).unwrap();
        Array::of_floats(shape, (0..count).map(|i| i as f64).collect()).unwrap()
    }

    #[test]
    fn axes_are_exchanged_cut_and_repeated_alike() {
        let x = floats(&[2, 3]);
        let turned = x.along(&[(1, vec![2, 0]), (0, vec![0, 1])]).unwrap();
        assert_eq!(turned, Array::of_floats(&[2, 2], vec![2.0, 5.0, 0.0, 3.0]).unwrap());
        assert_eq!(x.along(&[(0, vec![2]), (1, vec![0])]), None);
        let column = floats(&[2, 1]).broadcast(&[2, 2, 2]).unwrap();
        assert_eq!(column.floats().unwrap(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(x.broadcast(&[2, 4]), None);
    }

    #[test]
    fn parts_are_put_together_along_any_axis() {
        let (x, y) = (floats(&[2, 2]), floats(&[2, 1]));
        let whole = Array::concat(&[&x, &y], 1).unwrap();
        assert_eq!(whole.floats().unwrap(), [0.0, 1.0, 0.0, 2.0, 3.0, 1.0]);
        assert_eq!(Array::concat(&[&x, &y], 0), None);
    }

    #[test]
    fn what_a_type_cannot_hold_is_unknown() {
        let numbers = Array::of_floats(&[4], vec![-1.5, 300.0, 2.7, f64::NAN]).unwrap();
        let bytes = numbers.cast(DataType::Uint8).unwrap();
        let unknown = Dim::Unknown;
        assert_eq!(bytes.ints().unwrap(), [unknown, unknown, Dim::Known(2), unknown]);
        let symbol = Array::of_ints(&[1], vec![Dim::Symbol(3)]).unwrap();
        assert_eq!(symbol.clone().cast(DataType::Int32), Some(symbol.clone()));
        assert_eq!(symbol.cast(DataType::Float), None);
    }

    #[test]
    fn elements_along_axes_become_one() {
        let x = floats(&[2, 3]);
        let sum = |list: &[f64]| list.iter().sum();
        assert_eq!(x.reduced(&[0], &[1, 3], sum).unwrap().floats().unwrap(), [3.0, 5.0, 7.0]);
        assert_eq!(x.reduced(&[0, 1], &[], sum).unwrap().number(), Some(15.0));
    }
}
