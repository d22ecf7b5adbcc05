//! Arrays of numpy as what models are fed and give.

use abslrp::{onnx::DataType, verify::session::Array};
use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};
use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods};
use pyo3::{exceptions::PyTypeError, prelude::*};

/// The name of a type in numpy, which has no bfloat16: that is float32 there.
pub fn name(elem: DataType) -> &'static str {
    match elem {
        DataType::Float | DataType::Bfloat16 => "float32",
        DataType::Double => "float64",
        DataType::Float16 => "float16",
        DataType::Int64 => "int64",
        DataType::Int32 => "int32",
        DataType::Int16 => "int16",
        DataType::Int8 => "int8",
        DataType::Uint64 => "uint64",
        DataType::Uint32 => "uint32",
        DataType::Uint16 => "uint16",
        DataType::Uint8 => "uint8",
        DataType::Bool => "bool",
        _ => "object",
    }
}

macro_rules! numbers {
    ($($variant:ident $type:ty;)*) => {
        /// A copy of an array of numpy's that is of the type which [`name`] says.
        pub fn from_numpy(array: &Bound<'_, PyAny>, elem: DataType) -> PyResult<Array> {
            if elem == DataType::String {
                return text(array);
            }
            $(if let Ok(array) = array.cast::<PyArrayDyn<$type>>() {
                return Ok(match Array::$variant(array.readonly().as_array().to_owned()) {
                    Array::Float32(array) if elem == DataType::Bfloat16 => {
                        Array::Bfloat16(array.mapv(bf16::from_f32))
                    }
                    array => array,
                });
            })*
            Err(PyTypeError::new_err(format!("not a numpy array of {}", name(elem))))
        }

        /// An array of numpy's.
        pub fn to_numpy(py: Python<'_>, array: Array) -> PyResult<Bound<'_, PyAny>> {
            Ok(match array {
                $(Array::$variant(array) => array.into_pyarray(py).into_any(),)*
                Array::Bfloat16(array) => array.mapv(f32::from).into_pyarray(py).into_any(),
                Array::String(array) => {
                    let shape = array.shape().to_vec();
                    let list: Vec<String> = array.into_iter().collect();
                    let array = py.import("numpy")?.call_method1("array", (list, "object"))?;
                    array.call_method1("reshape", (shape,))?
                }
            })
        }
    };
}

numbers! {
    Float32 f32;
    Float64 f64;
    Float16 f16;
    Int64 i64;
    Int32 i32;
    Int16 i16;
    Int8 i8;
    Uint64 u64;
    Uint32 u32;
    Uint16 u16;
    Uint8 u8;
    Bool bool;
}

/// Text, which lies in an array of objects.
fn text(array: &Bound<'_, PyAny>) -> PyResult<Array> {
    let shape: Vec<usize> = array.getattr("shape")?.extract()?;
    let list: Vec<String> = array.call_method0("ravel")?.call_method0("tolist")?.extract()?;
    let array = ArrayD::from_shape_vec(IxDyn(&shape), list);
    array.map(Array::String).map_err(|e| PyTypeError::new_err(e.to_string()))
}
