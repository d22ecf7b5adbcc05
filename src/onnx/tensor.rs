//! What a tensor message holds, whichever of its fields it is stored in.

use bytes::Bytes;
use half::{bf16, f16};

use super::{
    DataType, External,
    schema::{SparseTensorProto, TensorProto},
};

/// A tensor message together with the files its data may lie in.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    proto: &'a TensorProto,
    external: &'a External,
}

impl<'a> Tensor<'a> {
    /// A view of `proto`.
    pub fn new(proto: &'a TensorProto, external: &'a External) -> Self {
        Self { proto, external }
    }

    /// The number of elements the shape declares, if it can be.
    pub(crate) fn count(&self) -> Result<usize, String> {
        self.proto
            .dims
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?))
            .ok_or_else(|| format!("the shape {} is impossible", self.shape()))
    }

    /// Checks that the data are as many as the shape declares.
    pub fn check(&self) -> Result<(), String> {
        let t = self.proto;
        let count = self.count()?;
        let elem = DataType::try_from(t.data_type()).map_err(|_| {
            format!("its element type, {}, is none the schema knows", t.data_type())
        })?;
        let have = if External::holds(t) {
            self.external.size(t)?
        } else if let Some(raw) = &t.raw_data {
            raw.len() as u64
        } else {
            let (stored, wanted) = match elem {
                // A place that is left empty, for whoever fills it.
                DataType::Undefined => return Ok(()),
                DataType::Float => (t.float_data.len(), Some(count)),
                DataType::Complex64 => (t.float_data.len(), count.checked_mul(2)),
                DataType::Double => (t.double_data.len(), Some(count)),
                DataType::Complex128 => (t.double_data.len(), count.checked_mul(2)),
                DataType::Int64 => (t.int64_data.len(), Some(count)),
                DataType::Uint64 | DataType::Uint32 => (t.uint64_data.len(), Some(count)),
                DataType::String => (t.string_data.len(), Some(count)),
                // Types of less than a byte share one, save where they are written as before IR
                // version 10 said so.
                _ => match bits(elem) {
                    Some(bits @ (2 | 4)) if t.int32_data.len() != count => {
                        (t.int32_data.len(), Some(count.div_ceil(8 / bits)))
                    }
                    _ => (t.int32_data.len(), Some(count)),
                },
            };
            return if wanted == Some(stored) {
                Ok(())
            } else {
                let wanted = wanted.map_or("too many".into(), |wanted| wanted.to_string());
                Err(format!("the shape {} needs {wanted} values, it holds {stored}", self.shape()))
            };
        };
        let Some(bits) = bits(elem) else {
            return Err(format!("elements of type {} cannot be raw bytes", elem.as_str_name()));
        };
        match count.checked_mul(bits).map(|b| b.div_ceil(8) as u64) {
            Some(wanted) if wanted == have => Ok(()),
            _ => Err(format!("the shape {} does not fit its {have} bytes of data", self.shape())),
        }
    }

    /// The declared shape, for messages.
    fn shape(&self) -> String {
        const SHOWN: usize = 16;
        let dims = &self.proto.dims;
        match dims.get(..SHOWN) {
            Some(first) if dims.len() > SHOWN => format!("{first:?}… of rank {}", dims.len()),
            _ => format!("{dims:?}"),
        }
    }

    fn raw(&self) -> Option<Bytes> {
        if External::holds(self.proto) {
            self.external.bytes(self.proto).ok()
        } else {
            self.proto.raw_data.clone()
        }
    }

    /// The values of a small integer tensor, in order; nothing for other types or over 256 values.
    pub fn ints(&self) -> Option<Vec<i64>> {
        if self.count().ok()? > 256 { None } else { self.all_ints() }
    }

    /// The values of an integer tensor, in order; nothing for types that hold no sizes, indices or zero
    /// points.
    pub(crate) fn all_ints(&self) -> Option<Vec<i64>> {
        let t = self.proto;
        let elem = DataType::try_from(t.data_type()).ok()?;
        match (elem, self.raw()) {
            (DataType::Int64, Some(raw)) => Some(values(&raw, i64::from_le_bytes)),
            (DataType::Int32, Some(raw)) => Some(values(&raw, |b| i32::from_le_bytes(b).into())),
            (DataType::Bool | DataType::Uint8, Some(raw)) => {
                Some(raw.iter().map(|&v| v.into()).collect())
            }
            (DataType::Int8, Some(raw)) => Some(values(&raw, |b| i8::from_le_bytes(b).into())),
            (DataType::Uint16, Some(raw)) => Some(values(&raw, |b| u16::from_le_bytes(b).into())),
            (DataType::Int16, Some(raw)) => Some(values(&raw, |b| i16::from_le_bytes(b).into())),
            (DataType::Int64, None) => Some(t.int64_data.clone()),
            (
                DataType::Int32
                | DataType::Bool
                | DataType::Uint8
                | DataType::Int8
                | DataType::Uint16
                | DataType::Int16,
                None,
            ) => Some(t.int32_data.iter().map(|&v| v.into()).collect()),
            _ => None,
        }
    }

    /// Whether a float32 or float64 tensor holds an infinity, as masks do. Weights are not read for
    /// it: over 2²⁰ values it is taken to hold none.
    pub fn is_infinite(&self) -> bool {
        let t = self.proto;
        if self.count().is_ok_and(|count| count > 1 << 20) {
            return false;
        }
        match (DataType::try_from(t.data_type()), self.raw()) {
            (Ok(DataType::Float), Some(raw)) => {
                raw.as_chunks().0.iter().any(|b| f32::from_le_bytes(*b).is_infinite())
            }
            (Ok(DataType::Double), Some(raw)) => {
                raw.as_chunks().0.iter().any(|b| f64::from_le_bytes(*b).is_infinite())
            }
            (Ok(DataType::Float16), Some(raw)) => {
                raw.as_chunks().0.iter().any(|b| f16::from_le_bytes(*b).is_infinite())
            }
            (Ok(DataType::Float), None) => t.float_data.iter().any(|v| v.is_infinite()),
            (Ok(DataType::Double), None) => t.double_data.iter().any(|v| v.is_infinite()),
            _ => false,
        }
    }

    /// The values of a small floating-point tensor, in order; nothing for other types or over 256
    /// values.
    pub fn floats(&self) -> Option<Vec<f64>> {
        if self.count().ok()? > 256 { None } else { self.all_floats() }
    }

    /// The values of a floating-point tensor, in order; nothing for other types.
    pub fn all_floats(&self) -> Option<Vec<f64>> {
        let t = self.proto;
        let elem = DataType::try_from(t.data_type()).ok()?;
        let half = |bits: u16| f16::from_bits(bits).to_f64();
        let brain = |bits: u16| bf16::from_bits(bits).to_f64();
        match (elem, self.raw()) {
            (DataType::Float, Some(raw)) => Some(values(&raw, |b| f32::from_le_bytes(b).into())),
            (DataType::Double, Some(raw)) => Some(values(&raw, f64::from_le_bytes)),
            (DataType::Float16, Some(raw)) => Some(values(&raw, |b| half(u16::from_le_bytes(b)))),
            (DataType::Bfloat16, Some(raw)) => Some(values(&raw, |b| brain(u16::from_le_bytes(b)))),
            (DataType::Float, None) => Some(t.float_data.iter().map(|&v| v.into()).collect()),
            (DataType::Double, None) => Some(t.double_data.clone()),
            (DataType::Float16, None) => {
                Some(t.int32_data.iter().map(|&v| half(v as u16)).collect())
            }
            (DataType::Bfloat16, None) => {
                Some(t.int32_data.iter().map(|&v| brain(v as u16)).collect())
            }
            _ => None,
        }
    }
}

/// Checks that a sparse tensor has a place in its shape for each of its values, which are checked as
/// tensors on their own.
pub fn check_sparse(sparse: &SparseTensorProto, external: &External) -> Result<(), String> {
    let (Some(values), Some(indices)) = (&sparse.values, &sparse.indices) else {
        return Err("a sparse tensor without values or without indices".into());
    };
    let whole = TensorProto { dims: sparse.dims.clone(), ..TensorProto::default() };
    let count = Tensor::new(&whole, external).count()? as i64;
    let (Some(&stored), rank) = (values.dims.first(), sparse.dims.len() as i64) else {
        return Err("the values of a sparse tensor are no list".into());
    };
    let linear = indices.dims == [stored];
    if values.dims.len() != 1 || !linear && indices.dims != [stored, rank] {
        return Err("the values and indices of a sparse tensor do not belong together".into());
    }
    let view = Tensor::new(indices, external);
    let at = view.all_ints().filter(|_| indices.data_type() == DataType::Int64 as i32);
    let at = at.ok_or("the indices of a sparse tensor are no 64-bit integers")?;
    let sizes = if linear { &[count][..] } else { &sparse.dims };
    let fits = at.iter().zip(sizes.iter().cycle()).all(|(&i, &size)| (0..size).contains(&i));
    if fits { Ok(()) } else { Err("an index of a sparse tensor lies beyond its shape".into()) }
}

/// The width of an element in raw data; strings have none.
fn bits(elem: DataType) -> Option<usize> {
    use DataType as T;
    Some(match elem {
        T::Undefined | T::String => return None,
        T::Uint2 | T::Int2 => 2,
        T::Uint4 | T::Int4 | T::Float4e2m1 => 4,
        T::Float6e2m3 | T::Float6e3m2 => 6,
        T::Uint8
        | T::Int8
        | T::Bool
        | T::Float8e8m0
        | T::Float8e4m3fn
        | T::Float8e4m3fnuz
        | T::Float8e5m2
        | T::Float8e5m2fnuz => 8,
        T::Uint16 | T::Int16 | T::Float16 | T::Bfloat16 => 16,
        T::Float | T::Int32 | T::Uint32 => 32,
        T::Double | T::Int64 | T::Uint64 | T::Complex64 => 64,
        T::Complex128 => 128,
    })
}

fn values<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>().0.iter().map(|&chunk| read(chunk)).collect()
}

impl TensorProto {
    /// A tensor of 64-bit integers: shapes, axes, indices.
    pub fn of_ints(dims: &[usize], values: &[i64]) -> Self {
        Self::of(DataType::Int64, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// A truth value.
    pub fn of_bool(value: bool) -> Self {
        Self::of(DataType::Bool, &[], vec![value.into()])
    }

    /// A tensor of floating-point numbers, rounded to `elem`, which is one of the four types that
    /// ONNX computes with; others become float32.
    pub fn of_floats(elem: DataType, dims: &[usize], values: &[f64]) -> Self {
        let all = values.iter();
        match elem {
            DataType::Double => {
                Self::of(elem, dims, all.flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
            }
            DataType::Float16 => {
                Self::of(elem, dims, all.flat_map(|&v| f16::from_f64(v).to_le_bytes()).collect())
            }
            DataType::Bfloat16 => {
                Self::of(elem, dims, all.flat_map(|&v| bf16::from_f64(v).to_le_bytes()).collect())
            }
            _ => Self::of(
                DataType::Float,
                dims,
                all.flat_map(|&v| (v as f32).to_le_bytes()).collect(),
            ),
        }
    }

    fn of(elem: DataType, dims: &[usize], raw: Vec<u8>) -> Self {
        Self {
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: Some(elem as i32),
            raw_data: Some(raw.into()),
            ..Self::default()
        }
    }
}
