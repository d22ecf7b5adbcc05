//! Inputs and weights moved by their rounding: a map that moves with them is noise.
//!
//! Half of the numbers move, to the next one of their type, up or down. Whether and where a number moves
//! depends on its magnitude alone, so that numbers which are equal stay equal: ties are not broken, and the
//! twins of weights move with them.

use half::{bf16, f16};

use super::session::{Array, mixed};
use crate::onnx::{
    DataType,
    parts::tensors_mut,
    schema::{ModelProto, TensorProto},
};

/// The next number, the one before, or the same.
trait Neighbour: Copy {
    fn neighbour(self) -> Self;
}

macro_rules! neighbours {
    ($($float:ident)*) => {$(
        impl Neighbour for $float {
            fn neighbour(self) -> Self {
                let bits = if self.is_sign_negative() { (-self).to_bits() } else { self.to_bits() };
                let moved = match mixed(bits.into()) % 4 {
                    0 => self.to_bits().wrapping_add(1),
                    1 => self.to_bits().wrapping_sub(1),
                    _ => return self,
                };
                let moved = Self::from_bits(moved);
                // 0 stays 0, and what has no neighbour of its kind stays what it is.
                if self.is_normal() && moved.is_normal() { moved } else { self }
            }
        }
    )*};
}
neighbours!(f32 f64 f16 bf16);

/// What was moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Moved {
    /// Whether inputs were: some hold numbers that are rounded.
    pub inputs: bool,
    /// Whether weights were: those that lie in the model's own file.
    pub weights: bool,
}

/// Inputs moved by their rounding, and whether there are any.
pub fn inputs(feeds: &[(String, Array)]) -> (Vec<(String, Array)>, bool) {
    let mut any = false;
    let mut moved = |array: &Array| {
        let moved = match array {
            Array::Float32(a) => Array::Float32(a.mapv(Neighbour::neighbour)),
            Array::Float64(a) => Array::Float64(a.mapv(Neighbour::neighbour)),
            Array::Float16(a) => Array::Float16(a.mapv(Neighbour::neighbour)),
            Array::Bfloat16(a) => Array::Bfloat16(a.mapv(Neighbour::neighbour)),
            other => return other.clone(),
        };
        any |= !moved.is_identical(array);
        moved
    };
    (feeds.iter().map(|(name, array)| (name.clone(), moved(array))).collect(), any)
}

/// Moves the weights that lie in a model by their rounding, and says whether there are any. Weights have
/// two axes at least: what has fewer may be a size, an exponent or a bound, which is exact.
pub fn weights(model: &mut ModelProto) -> bool {
    let mut any = false;
    tensors_mut(model, |tensor| {
        if tensor.dims.len() > 1 {
            any |= weight(tensor);
        }
    });
    any
}

fn weight(tensor: &mut TensorProto) -> bool {
    fn raw<T: Neighbour, const N: usize>(
        bytes: &[u8],
        read: fn([u8; N]) -> T,
        write: fn(T) -> [u8; N],
    ) -> Vec<u8> {
        let (numbers, rest) = bytes.as_chunks::<N>();
        let mut moved = Vec::with_capacity(bytes.len());
        for number in numbers {
            moved.extend(write(read(*number).neighbour()));
        }
        moved.extend(rest);
        moved
    }
    let elem = DataType::try_from(tensor.data_type()).unwrap_or_default();
    if let Some(bytes) = tensor.raw_data.as_ref().filter(|bytes| !bytes.is_empty()) {
        let moved = match elem {
            DataType::Float => raw(bytes, f32::from_le_bytes, f32::to_le_bytes),
            DataType::Double => raw(bytes, f64::from_le_bytes, f64::to_le_bytes),
            DataType::Float16 => raw(bytes, f16::from_le_bytes, f16::to_le_bytes),
            DataType::Bfloat16 => raw(bytes, bf16::from_le_bytes, bf16::to_le_bytes),
            _ => return false,
        };
        tensor.raw_data = Some(moved.into());
        return true;
    }
    tensor.float_data.iter_mut().for_each(|v| *v = v.neighbour());
    tensor.double_data.iter_mut().for_each(|v| *v = v.neighbour());
    !tensor.float_data.is_empty() || !tensor.double_data.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_move_by_their_rounding_and_equal_ones_alike() {
        let numbers: Vec<f32> = (1..1000).map(|i| (i as f32).sqrt()).collect();
        let steps = |of: &dyn Fn(f32) -> f32| -> Vec<i64> {
            let step = |&v: &f32| i64::from(of(v).to_bits()) - i64::from(v.to_bits());
            numbers.iter().map(step).collect()
        };
        let moved = steps(&|v| v.neighbour());
        let count = |step| moved.iter().filter(|s| **s == step).count();
        assert!(count(1) > 200 && count(-1) > 200 && count(0) > 400);
        assert_eq!(count(1) + count(-1) + count(0), 999);
        // What is negative moves as its magnitude does.
        assert_eq!(steps(&|v| -(-v).neighbour()), moved);
    }

    #[test]
    fn what_is_exact_stays() {
        for v in [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE / 2.0] {
            assert_eq!(v.neighbour().to_bits(), v.to_bits());
        }
        assert!(f32::NAN.neighbour().is_nan() && f32::MAX.neighbour().is_finite());
    }

    #[test]
    fn weights_move_and_sizes_do_not() {
        let of = |dims: &[i64]| TensorProto {
            dims: dims.to_vec(),
            data_type: Some(DataType::Float as i32),
            float_data: (1..=64).map(|i| 1.0 / i as f32).collect(),
            ..TensorProto::default()
        };
        let mut model = ModelProto::default();
        let graph = model.graph.get_or_insert_default();
        graph.initializer = vec![of(&[64]), of(&[8, 8])];
        assert!(weights(&mut model));
        let initializers = &model.graph.as_ref().map(|graph| graph.initializer.clone());
        let [exact, weight] = initializers.as_deref().unwrap_or_default() else { panic!() };
        assert_eq!(exact.float_data, of(&[64]).float_data);
        assert_ne!(weight.float_data, of(&[8, 8]).float_data);
    }
}
