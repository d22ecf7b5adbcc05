//! Tensors whose data lie in a file of their own, where nothing touches files: they cannot be had.

use std::path::Path;

use bytes::Bytes;

use super::schema::{TensorProto, tensor_proto::DataLocation};

/// The files that hold tensors outside a model, none of which is reached.
#[derive(Debug, Clone)]
pub struct External(());

impl External {
    /// The files beside the model at `path`.
    pub fn beside(_path: &Path) -> Self {
        Self(())
    }

    /// Whether `tensor` keeps its data in another file.
    pub fn holds(tensor: &TensorProto) -> bool {
        tensor.data_location() == DataLocation::External
    }

    /// Why it is not known how many bytes of data `tensor` has.
    pub fn size(&self, tensor: &TensorProto) -> Result<u64, String> {
        self.bytes(tensor).map(|bytes| bytes.len() as u64)
    }

    /// Why the data of `tensor` cannot be had.
    pub fn bytes(&self, _tensor: &TensorProto) -> Result<Bytes, String> {
        Err("its external data cannot be read without the feature `fs`".into())
    }
}
