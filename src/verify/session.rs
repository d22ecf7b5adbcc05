//! Running a model.

use std::{
    borrow::Cow,
    cmp::Ordering,
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
};

use half::{bf16, f16};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::{
    ReadDataError, ReadNpyExt, ReadableElement, ViewElement, ViewNpyError, ViewNpyExt,
    WriteNpyError, WriteNpyExt,
};
use ort::{
    ep,
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::{DynValue, Tensor, TensorElementType, ValueType},
};
use py_literal::Value as PyValue;

use super::{
    Error,
    runtime::{Locate, environment},
};
use crate::{
    ParseError,
    onnx::{DataType, file},
    options::Setting,
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
            String(ArrayD<String>),
        }

        impl Array {
            /// The shape.
            pub fn shape(&self) -> &[usize] {
                match self {
                    $(Self::$variant(a) => a.shape(),)*
                    Self::String(a) => a.shape(),
                }
            }

            /// The type of its elements.
            pub fn elem(&self) -> DataType {
                match self {
                    $(Self::$variant(_) => DataType::$elem,)*
                    Self::String(_) => DataType::String,
                }
            }

            fn extract(value: &DynValue, elem: TensorElementType) -> Option<Self> {
                match elem {
                    $(TensorElementType::$variant => {
                        let array = value.try_extract_array::<$type>().ok()?;
                        Some(Self::$variant(array.to_owned()))
                    })*
                    TensorElementType::String => {
                        Some(Self::String(value.try_extract_string_array().ok()?))
                    }
                    _ => None,
                }
            }

            /// The name that ONNX gives to a type of ONNX Runtime's.
            fn named(elem: TensorElementType) -> DataType {
                match elem {
                    $(TensorElementType::$variant => DataType::$elem,)*
                    TensorElementType::String => DataType::String,
                    _ => DataType::Undefined,
                }
            }

            fn value(&self) -> Result<DynValue, ort::Error> {
                let shape = self.shape().to_vec();
                Ok(match self {
                    $(Self::$variant(a) => {
                        let data: Vec<_> = a.iter().copied().collect();
                        Tensor::from_array((shape, data))?.into_dyn()
                    })*
                    Self::String(a) => {
                        let data: Vec<_> = a.iter().cloned().collect();
                        Tensor::from_string_array((shape, data.as_slice()))?.into_dyn()
                    }
                })
            }

            /// Whether two arrays have the same type, shape and bits.
            pub fn is_identical(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$variant(a), Self::$variant(b)) => {
                        a.shape() == b.shape()
                            && a.iter().zip(b).all(|(a, b)| a.has_bits_of(b))
                    })*
                    (Self::String(a), Self::String(b)) => a == b,
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
    /// The values as numbers; text is none.
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
            Self::String(a) => a.map(|_| f64::NAN),
        }
    }

    /// Numbers in the type that an input has; as decimals where that is text.
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
            T::String => Self::String(numbers.map(ToString::to_string)),
            other => return Err(Error::InputType { elem: other.short_name() }),
        })
    }

    /// Reads a `.npy` file for an input of that type: of numbers, or of text where the input is text.
    pub fn read_as(path: &Path, elem: DataType) -> Result<Self, Error> {
        if elem != DataType::String {
            return Self::of_numbers(&Self::read(path)?, elem);
        }
        let refuse = |why: String| Error::Npy { path: path.into(), why };
        let bytes = file::read(path, u64::MAX).map_err(|e| refuse(e.to_string()))?;
        let read = ArrayD::<Text>::read_npy(bytes.as_slice()).map_err(|e| refuse(e.to_string()))?;
        Ok(Self::String(read.mapv(|text| text.0)))
    }

    /// Reads a `.npy` file of numbers.
    pub fn read(path: &Path) -> Result<ArrayD<f64>, Error> {
        let bytes = file::read(path, u64::MAX);
        let bytes = bytes.map_err(|e| Error::Npy { path: path.into(), why: e.to_string() })?;
        Self::parse(&bytes, path)
    }

    /// As [`Array::read`], of the file's bytes; messages call it `path`.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<ArrayD<f64>, Error> {
        fn typed<'b, T: ViewElement + Copy + 'b>(
            bytes: &'b [u8],
            number: impl Fn(T) -> f64,
        ) -> Result<ArrayD<f64>, ViewNpyError> {
            Ok(ArrayViewD::<'b, T>::view_npy(bytes)?.mapv(number))
        }
        let refuse = |why: String| Error::Npy { path: path.into(), why };
        // A view of what there is: a header can say nothing that the file does not hold.
        let result = match typed::<f32>(bytes, f64::from) {
            Err(ViewNpyError::WrongDescriptor(_)) => typed::<f64>(bytes, |v| v)
                .or_else(|_| typed::<i64>(bytes, |v| v as f64))
                .or_else(|_| typed::<i32>(bytes, f64::from))
                .or_else(|_| typed::<u8>(bytes, f64::from))
                .or_else(|_| typed::<bool>(bytes, |v| f64::from(u8::from(v)))),
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

/// Text as numpy writes it, in elements of one width: type `U`.
#[derive(Clone)]
struct Text(String);

impl ReadableElement for Text {
    fn read_to_end_exact_vec<R: Read>(
        mut reader: R,
        descriptor: &PyValue,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        let wrong = || ReadDataError::WrongDescriptor(descriptor.clone());
        let code = descriptor.as_string().ok_or_else(wrong)?;
        let width = code.strip_prefix("<U").and_then(|width| width.parse::<usize>().ok());
        let width = width.ok_or_else(wrong)?;
        // What the header says is believed only of what the file holds.
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let expected = len.checked_mul(width).and_then(|units| units.checked_mul(4));
        match expected.map(|expected| bytes.len().cmp(&expected)) {
            Some(Ordering::Less) | None => return Err(ReadDataError::MissingData),
            Some(Ordering::Greater) => {
                return Err(ReadDataError::ExtraBytes(bytes.len() - expected.unwrap_or_default()));
            }
            Some(Ordering::Equal) => {}
        }
        let (units, _) = bytes.as_chunks::<4>();
        let text = |units: &[[u8; 4]]| {
            let characters = units.iter().map(|unit| u32::from_le_bytes(*unit));
            let text: Option<String> =
                characters.take_while(|&c| c != 0).map(char::from_u32).collect();
            text.map(Text).ok_or_else(|| ReadDataError::ParseData("no Unicode text".into()))
        };
        (0..len).map(|i| text(&units[i * width..(i + 1) * width])).collect()
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

impl Input {
    /// What it is fed where it is taken for a constant; `None` where that has another shape.
    pub fn set_to(&self, setting: &Setting) -> Result<Option<Array>, Error> {
        let Some(shape) = setting.shape(&self.shape) else { return Ok(None) };
        let elements = setting.elements(shape.iter().product());
        let numbers = ArrayD::from_shape_vec(shape, elements).ok();
        numbers.map(|numbers| Array::of_numbers(&numbers, self.elem)).transpose()
    }

    fn new(name: &str, dtype: &ValueType) -> Option<Self> {
        match dtype {
            ValueType::Tensor { ty, shape, dimension_symbols } => Some(Self {
                name: name.to_string(),
                elem: Array::named(*ty),
                shape: shape.iter().map(|&n| usize::try_from(n).ok()).collect(),
                symbols: dimension_symbols.iter().cloned().collect(),
            }),
            _ => None,
        }
    }
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
        inputs.filter_map(|input| Input::new(input.name(), input.dtype())).collect()
    }

    /// The inputs that have a default: initializers that may be given other values.
    pub fn defaults(&self) -> Vec<Input> {
        let inputs = self.session.overridable_initializers();
        inputs.iter().filter_map(|input| Input::new(input.name(), input.dtype())).collect()
    }

    /// The outputs for these inputs, in order; those that are no tensors are left out.
    pub fn run(&mut self, feeds: &[(String, Array)]) -> Result<Vec<(String, Array)>, Error> {
        let known = [self.inputs(), self.defaults()].concat();
        let refuse = |e: ort::Error| Error::Run { why: e.to_string() };
        // They live until outputs are copied: an output that is an input lies in the input's memory.
        let mut given = Vec::new();
        for (name, array) in feeds {
            if known.iter().any(|input| input.name == *name) {
                given.push((Cow::Borrowed(name.as_str()), array.value().map_err(refuse)?));
            }
        }
        let values: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
            given.iter().map(|(name, value)| (name.clone(), value.into())).collect();
        let outputs = self.session.run(values).map_err(refuse)?;
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
/// 0 or 1 for everything else.
pub fn sample(shape: &[usize], elem: DataType, seed: u64) -> Result<Array, Error> {
    use DataType as T;
    match elem {
        T::Float | T::Double | T::Float16 | T::Bfloat16 => random(shape, elem, seed, |next| {
            // Box and Muller.
            let radius = (-2.0 * (1.0 - next()).ln()).sqrt();
            radius * (std::f64::consts::TAU * next()).cos()
        }),
        T::Uint8 => sample_below(shape, elem, seed, 256),
        _ => sample_below(shape, elem, seed, 2),
    }
}

/// As [`sample`], with whole numbers from 0 that are below a bound, whatever the type.
pub fn sample_below(
    shape: &[usize],
    elem: DataType,
    seed: u64,
    bound: usize,
) -> Result<Array, Error> {
    random(shape, elem, seed, |next| (next() * bound as f64).floor())
}

/// An input of numbers that are made of uniform ones between 0 and 1.
fn random(
    shape: &[usize],
    elem: DataType,
    seed: u64,
    number: impl Fn(&mut dyn FnMut() -> f64) -> f64,
) -> Result<Array, Error> {
    /// As many numbers as fit a gigabyte.
    const MOST: usize = 1 << 27;
    let count = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
    if count.is_none_or(|count| count > MOST) {
        return Err(Error::Sample { shape: shape.to_vec() });
    }
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(GOLDEN);
        (mixed(state) >> 11) as f64 / (1u64 << 53) as f64
    };
    let numbers = ArrayD::from_shape_simple_fn(IxDyn(shape), || number(&mut next));
    Array::of_numbers(&numbers, elem)
}

/// By how much the state of `SplitMix64` (Steele et al. 2014) grows from number to number.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that `SplitMix64` makes of a state: a hash of it.
pub(super) fn mixed(state: u64) -> u64 {
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
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
