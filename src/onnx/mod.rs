//! The wire format: reading, writing, tensors, external data and text.
//!
//! The types in [`schema`] are generated from `proto/onnx.proto` (ONNX 1.23.2, IR version 14) by
//! prost, in proto2 form, so that a model that was decoded and encoded again has the same bytes.
//! Weights are never copied on the way: a decoded tensor is a window on the memory map of its file.

pub mod attribute;
mod dtype;
mod encode;
#[cfg_attr(not(feature = "fs"), path = "no_external.rs")]
mod external;
#[cfg(feature = "fs")]
pub mod file;
#[cfg(feature = "fs")]
mod open;
pub mod parts;
mod read;
#[allow(missing_docs, clippy::all, clippy::pedantic)]
#[rustfmt::skip]
pub mod schema;
pub mod shown;
mod tensor;
pub mod text;
#[cfg(feature = "fs")]
pub mod transaction;
#[cfg(feature = "fs")]
mod write;
#[cfg(feature = "fs")]
mod writer;

use std::path::PathBuf;

pub use encode::{Addition, encode};
pub use external::External;
pub use read::Model;
pub use schema::tensor_proto::DataType;
pub use tensor::Tensor;
#[cfg(feature = "fs")]
pub use transaction::Transaction;
#[cfg(feature = "fs")]
pub use write::PROTOBUF_LIMIT;
#[cfg(feature = "fs")]
pub use writer::Writer;

/// The newest IR version that the vendored schema describes.
pub const IR_VERSION: i64 = schema::Version::IrVersion as i64;
/// The operator set versions of `ai.onnx` that are understood.
pub const OPSETS: std::ops::RangeInclusive<i64> = 9..=28;

impl schema::NodeProto {
    /// The operator's domain, empty for the standard one, which files may also spell out.
    pub fn plain_domain(&self) -> &str {
        match self.domain() {
            "ai.onnx" => "",
            domain => domain,
        }
    }

    /// The operator's name with its domain, for messages.
    pub fn operator_name(&self) -> String {
        match self.plain_domain() {
            "" => self.op_type().to_string(),
            domain => format!("{domain}.{}", self.op_type()),
        }
    }
}

/// What can be wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its refusal.
        source: std::io::Error,
    },
    /// The bytes are no protobuf message of the ONNX schema.
    #[error("{}: not an ONNX model, or a damaged one: {source}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Where decoding stopped.
        source: prost::DecodeError,
    },
    /// The message decodes, but does not describe a model that this version understands.
    #[error("{}: {what}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the way out.
        what: String,
    },
    /// A tensor contradicts itself, or its data cannot be had.
    #[error("{}: tensor '{}': {what}", path.display(), shown::Shown(tensor))]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong.
        what: String,
    },
}

impl Error {
    /// The error of a file that cannot be read or written.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
