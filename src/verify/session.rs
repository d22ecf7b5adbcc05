//! Running a model.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    str::FromStr,
};

use half::{bf16, f16};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::{ViewElement, ViewNpyError, ViewNpyExt, WriteNpyError, WriteNpyExt};
use ort::{
    ep,
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::{DynValue, Tensor, TensorElementType, ValueType},
};

use super::{
    Error,
    runtime::{Locate, environment},
};
use crate::{
    ParseError,
    onnx::{DataType, file},
};

/// Where a model runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Device {
    /// The CPU.
    #[default]
    Cpu,
    /// The first CUDA device, or nothing.
    Cuda,
}

/// Equality to the bit; two numbers that are none are equal too.
trait Bits {
    fn has_bits_of(&self, other: &Self) -> bool;
}

macro_rules! bits {
    (floats $($float:ty)*) => {$(
        impl Bits for $float {
            fn has_bits_of(&self, other: &Self) -> bool {
                self.to_bits() == other.to_bits() || (self.is_nan() && other.is_nan())
            }
        }
    )*};
    (others $($other:ty)*) => {$(
        impl Bits for $other {
            fn has_bits_of(&self, other: &Self) -> bool {
                self == other
            }
        }
    )*};
}
bits!(floats f32 f64 f16 bf16);
bits!(others i64 i32 i16 i8 u64 u32 u16 u8 bool);

macro_rules! arrays {
    ($($variant:ident $type:ty, $elem:ident;)*) => {
        /// A tensor of a type that verification can make, compare and store.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs)]
        pub enum Array {
            $($variant(ArrayD<$type>),)*
        }

        impl Array {
            /// The shape.
            pub fn shape(&self) -> &[usize] {
                match self { $(Self::$variant(a) => a.shape(),)* }
            }

            fn extract(value: &DynValue, elem: TensorElementType) -> Option<Self> {
                match elem {
                    $(TensorElementType::$variant => {
                        let array = value.try_extract_array::<$type>().ok()?;
                        Some(Self::$variant(array.to_owned()))
                    })*
                    _ => None,
                }
            }

            /// The name that ONNX gives to a type of ONNX Runtime's.
            fn elem(elem: TensorElementType) -> DataType {
                match elem {
                    $(TensorElementType::$variant => DataType::$elem,)*
                    TensorElementType::String => DataType::String,
                    _ => DataType::Undefined,
                }
            }

            fn value(self) -> Result<DynValue, ort::Error> {
                Ok(match self {
                    $(Self::$variant(a) => {
                        let shape: Vec<_> = a.shape().iter().map(|&n| n as i64).collect();
                        let data: Vec<_> = a.into_iter().collect();
                        Tensor::from_array((shape, data))?.into_dyn()
                    })*
                })
            }

            /// Whether two arrays have the same type, shape and bits.
            pub fn is_identical(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$variant(a), Self::$variant(b)) => {
                        a.shape() == b.shape()
                            && a.iter().zip(b).all(|(a, b)| a.has_bits_of(b))
                    })*
                    _ => false,
                }
            }
        }
    };
}

arrays! {
    Float32 f32, Float;
    Float64 f64, Double;
    Float16 f16, Float16;
    Bfloat16 bf16, Bfloat16;
    Int64 i64, Int64;
    Int32 i32, Int32;
    Int16 i16, Int16;
    Int8 i8, Int8;
    Uint64 u64, Uint64;
    Uint32 u32, Uint32;
    Uint16 u16, Uint16;
    Uint8 u8, Uint8;
    Bool bool, Bool;
}

impl Array {
    /// The values as numbers.
    pub fn numbers(&self) -> ArrayD<f64> {
        match self {
            Self::Float32(a) => a.mapv(f64::from),
            Self::Float64(a) => a.clone(),
            Self::Float16(a) => a.mapv(f64::from),
            Self::Bfloat16(a) => a.mapv(f64::from),
            Self::Int64(a) => a.mapv(|v| v as f64),
            Self::Int32(a) => a.mapv(f64::from),
            Self::Int16(a) => a.mapv(f64::from),
            Self::Int8(a) => a.mapv(f64::from),
            Self::Uint64(a) => a.mapv(|v| v as f64),
            Self::Uint32(a) => a.mapv(f64::from),
            Self::Uint16(a) => a.mapv(f64::from),
            Self::Uint8(a) => a.mapv(f64::from),
            Self::Bool(a) => a.mapv(|v| f64::from(u8::from(v))),
        }
    }

    /// Numbers in the type that an input has.
    pub fn of_numbers(numbers: &ArrayD<f64>, elem: DataType) -> Result<Self, Error> {
        use DataType as T;
        Ok(match elem {
            T::Float => Self::Float32(numbers.mapv(|v| v as f32)),
            T::Double => Self::Float64(numbers.clone()),
            T::Float16 => Self::Float16(numbers.mapv(f16::from_f64)),
            T::Bfloat16 => Self::Bfloat16(numbers.mapv(bf16::from_f64)),
            T::Int64 => Self::Int64(numbers.mapv(|v| v as i64)),
            T::Int32 => Self::Int32(numbers.mapv(|v| v as i32)),
            T::Int16 => Self::Int16(numbers.mapv(|v| v as i16)),
            T::Int8 => Self::Int8(numbers.mapv(|v| v as i8)),
            T::Uint64 => Self::Uint64(numbers.mapv(|v| v as u64)),
            T::Uint32 => Self::Uint32(numbers.mapv(|v| v as u32)),
            T::Uint16 => Self::Uint16(numbers.mapv(|v| v as u16)),
            T::Uint8 => Self::Uint8(numbers.mapv(|v| v as u8)),
            T::Bool => Self::Bool(numbers.mapv(|v| v != 0.0)),
            other => return Err(Error::InputType { elem: other.short_name() }),
        })
    }

    /// Reads a `.npy` file of numbers.
    pub fn read(path: &Path) -> Result<ArrayD<f64>, Error> {
        fn typed<'b, T: ViewElement + Copy + 'b>(
            bytes: &'b [u8],
            number: impl Fn(T) -> f64,
        ) -> Result<ArrayD<f64>, ViewNpyError> {
            Ok(ArrayViewD::<'b, T>::view_npy(bytes)?.mapv(number))
        }
        let refuse = |why: String| Error::Npy { path: path.into(), why };
        // The file as it is, and a view of it: a header can say nothing that the file does not hold.
        let bytes = file::read(path, u64::MAX).map_err(|e| refuse(e.to_string()))?;
        let result = match typed::<f32>(&bytes, f64::from) {
            Err(ViewNpyError::WrongDescriptor(_)) => typed::<f64>(&bytes, |v| v)
                .or_else(|_| typed::<i64>(&bytes, |v| v as f64))
                .or_else(|_| typed::<i32>(&bytes, f64::from))
                .or_else(|_| typed::<u8>(&bytes, f64::from))
                .or_else(|_| typed::<bool>(&bytes, |v| f64::from(u8::from(v)))),
            other => other,
        };
        result.map_err(|e| refuse(e.to_string()))
    }

    /// Writes a `.npy` file: float64 as such, everything else as float32.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let file = std::fs::File::create(path);
        let file = file.map_err(|e| Error::Npy { path: path.into(), why: e.to_string() })?;
        self.write_to(file, path)
    }

    /// As [`Array::write`], to a file that is open; messages call it `path`.
    pub fn write_to(&self, file: std::fs::File, path: &Path) -> Result<(), Error> {
        let refuse = |why: String| Error::Npy { path: path.into(), why };
        let written: Result<(), WriteNpyError> = match self {
            Self::Float64(a) => a.write_npy(file),
            Self::Float32(a) => a.write_npy(file),
            other => other.numbers().mapv(|v| v as f32).write_npy(file),
        };
        written.map_err(|e| refuse(e.to_string()))
    }
}

/// An input of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub elem: DataType,
    /// Its sizes, without those that are chosen at run time.
    pub shape: Vec<Option<usize>>,
    /// The names of its sizes, empty where they have none.
    pub symbols: Vec<String>,
}

/// A model that is ready to run.
pub struct Runner {
    session: Session,
}

/// What a session is made of.
pub enum Source<'s> {
    /// A file.
    File(&'s Path),
    /// A message, with the directory of its external data.
    Memory(&'s [u8], &'s Path),
}

/// How a session runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings<'s> {
    /// Whether ONNX Runtime optimises the graph.
    pub optimise: bool,
    /// Where it runs.
    pub device: Device,
    /// The number of threads; ONNX Runtime's choice by default.
    pub threads: Option<usize>,
    /// Where to write a profile to: the beginning of the file's name.
    pub profile: Option<&'s Path>,
}

impl Runner {
    /// A session with ONNX Runtime's graph optimisations on or off.
    pub fn new(
        source: &Source<'_>,
        optimise: bool,
        device: Device,
        how: &Locate,
    ) -> Result<Self, Error> {
        Self::with(source, &Settings { optimise, device, ..Settings::default() }, how)
    }

    /// A session with settings.
    pub fn with(source: &Source<'_>, settings: &Settings<'_>, how: &Locate) -> Result<Self, Error> {
        let environment = environment(how)?;
        let &Settings { optimise, device, threads, profile } = settings;
        let level =
            if optimise { GraphOptimizationLevel::All } else { GraphOptimizationLevel::Disable };
        let build = || -> Result<Session, ort::Error> {
            let mut builder = Session::builder(&environment)?
                .with_optimization_level(level)?
                .with_log_level(ort::logging::LogLevel::Fatal)?
                // Threads that wait for more work would slow down what runs next to them.
                .with_config_entry("session.force_spinning_stop", "1")?;
            if let Some(threads) = threads {
                builder = builder.with_intra_threads(threads)?;
            }
            if let Some(profile) = profile {
                builder = builder.with_profiling(profile)?;
            }
            if device == Device::Cuda {
                // TensorFloat-32 would keep ten bits of what is compared.
                let cuda = ep::CUDA::default().with_tf32(false).build().error_on_failure();
                builder = builder.with_execution_providers([cuda])?;
            }
            match source {
                Source::File(path) => builder.commit_from_file(path),
                Source::Memory(bytes, directory) => {
                    let key = "session.model_external_initializers_file_folder_path";
                    builder
                        .with_config_entry(key, directory.to_string_lossy())?
                        .commit_from_memory(bytes)
                }
            }
        };
        let session = build().map_err(|e| match device {
            Device::Cuda => Error::Cuda { why: e.to_string() },
            Device::Cpu => Error::Session { why: e.to_string() },
        })?;
        Ok(Self { session })
    }

    /// Ends a profile, and says where it is.
    pub fn end_profiling(&mut self) -> Result<PathBuf, Error> {
        let end = self.session.end_profiling().map(PathBuf::from);
        end.map_err(|e| Error::Run { why: e.to_string() })
    }

    /// The inputs that are tensors.
    pub fn inputs(&self) -> Vec<Input> {
        let inputs = self.session.inputs().iter();
        inputs
            .filter_map(|input| match input.dtype() {
                ValueType::Tensor { ty, shape, dimension_symbols } => Some(Input {
                    name: input.name().to_string(),
                    elem: Array::elem(*ty),
                    shape: shape.iter().map(|&n| usize::try_from(n).ok()).collect(),
                    symbols: dimension_symbols.iter().cloned().collect(),
                }),
                _ => None,
            })
            .collect()
    }

    /// The outputs for these inputs, in order; those that are no tensors of numbers are left out.
    pub fn run(&mut self, feeds: &[(String, Array)]) -> Result<Vec<(String, Array)>, Error> {
        let known: Vec<_> = self.inputs().into_iter().map(|input| input.name).collect();
        let mut values: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::new();
        for (name, array) in feeds.iter().filter(|(name, _)| known.contains(name)) {
            let value = array.clone().value().map_err(|e| Error::Run { why: e.to_string() })?;
            values.push((Cow::Borrowed(name), value.into()));
        }
        let outputs = self.session.run(values).map_err(|e| Error::Run { why: e.to_string() })?;
        let mut arrays = Vec::new();
        for (name, value) in outputs {
            if let ValueType::Tensor { ty, .. } = *value.dtype()
                && let Some(array) = Array::extract(&value, ty)
            {
                arrays.push((name.to_string(), array));
            }
        }
        Ok(arrays)
    }
}

/// An input of random numbers, the same on every machine: normal for floats, bytes for bytes, and
/// small numbers for indices.
pub fn sample(shape: &[usize], elem: DataType, seed: u64) -> Result<Array, Error> {
    use DataType as T;
    /// As many numbers as fit a gigabyte.
    const MOST: usize = 1 << 27;
    let count = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
    if count.is_none_or(|count| count > MOST) {
        return Err(Error::Sample { shape: shape.to_vec() });
    }
    let mut state = seed;
    let mut next = || {
        // SplitMix64 (Steele et al. 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let numbers = ArrayD::from_shape_simple_fn(IxDyn(shape), || match elem {
        // Box and Muller.
        T::Float | T::Double | T::Float16 | T::Bfloat16 => {
            let radius = (-2.0 * (1.0 - next()).ln()).sqrt();
            radius * (std::f64::consts::TAU * next()).cos()
        }
        T::Uint8 => (next() * 256.0).floor(),
        _ => (next() * 2.0).floor(),
    });
    Array::of_numbers(&numbers, elem)
}

/// An input that is given, as text `NAME=FILE.npy`.
#[derive(Debug, Clone)]
pub struct NamedInput {
    /// The input.
    pub name: String,
    /// The file.
    pub path: std::path::PathBuf,
}

impl FromStr for NamedInput {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.split_once('=') {
            Some((name, path)) => Ok(Self { name: name.into(), path: path.into() }),
            None => Err(format!("'{text}' is not NAME=FILE.npy").into()),
        }
    }
}
