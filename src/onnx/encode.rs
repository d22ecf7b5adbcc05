//! Encoding a model with what was added to it, without copying its weights.

use bytes::Bytes;
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint},
};

use super::schema::{
    GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto,
};

/// What is written behind the lists of a source model, whose own entries stay as they are.
#[derive(Debug, Clone, Default)]
pub struct Addition {
    /// Nodes that follow the source's.
    pub nodes: Vec<NodeProto>,
    /// Initializers that follow the source's.
    pub initializers: Vec<TensorProto>,
    /// Graph inputs that follow the source's.
    pub inputs: Vec<ValueInfoProto>,
    /// Graph outputs that follow the source's.
    pub outputs: Vec<ValueInfoProto>,
    /// Metadata that follow the source's.
    pub metadata: Vec<StringStringEntryProto>,
}

/// The encoding of `model` with `addition`, as a rope: large payloads are windows on the source.
pub fn encode(model: &ModelProto, addition: &Addition) -> Vec<Bytes> {
    rope(model, addition).finish()
}

/// Bytes in pieces, the large ones borrowed from where they lie.
#[derive(Default)]
pub(super) struct Rope {
    pieces: Vec<Bytes>,
    open: Vec<u8>,
    pub(super) len: u64,
}

impl Rope {
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len() as u64;
        if !self.open.is_empty() {
            self.pieces.push(std::mem::take(&mut self.open).into());
        }
        self.pieces.push(bytes);
    }

    /// The fields of `message`, not delimited.
    fn fields(&mut self, message: &impl Message) {
        message.encode_raw(&mut self.open);
        self.len += message.encoded_len() as u64;
    }

    fn header(&mut self, tag: u32, len: u64) {
        let before = self.open.len();
        encode_key(tag, WireType::LengthDelimited, &mut self.open);
        encode_varint(len, &mut self.open);
        self.len += (self.open.len() - before) as u64;
    }

    fn message(&mut self, tag: u32, message: &impl Message) {
        self.header(tag, message.encoded_len() as u64);
        self.fields(message);
    }

    fn nested(&mut self, tag: u32, inner: Rope) {
        self.header(tag, inner.len);
        for piece in inner.finish() {
            if piece.len() < 4096 {
                self.len += piece.len() as u64;
                self.open.extend_from_slice(&piece);
            } else {
                self.push(piece);
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            self.pieces.push(self.open.into());
        }
        self.pieces
    }
}

/// Prost writes the fields of a message in the order of their tags. So the encoding of a message is
/// that of its fields below a tag, then that tag, then those above it: which is how the payload of
/// every initializer gets to the file without passing through a buffer.
pub(super) fn rope(model: &ModelProto, addition: &Addition) -> Rope {
    let mut out = Rope::default();
    out.fields(&ModelProto {
        ir_version: model.ir_version,
        producer_name: model.producer_name.clone(),
        producer_version: model.producer_version.clone(),
        domain: model.domain.clone(),
        model_version: model.model_version,
        doc_string: model.doc_string.clone(),
        ..ModelProto::default()
    });
    if let Some(graph) = &model.graph {
        let mut inner = Rope::default();
        for node in graph.node.iter().chain(&addition.nodes) {
            inner.message(1, node);
        }
        inner.fields(&GraphProto { name: graph.name.clone(), ..GraphProto::default() });
        for tensor in graph.initializer.iter().chain(&addition.initializers) {
            inner.nested(5, tensor_rope(tensor));
        }
        inner.fields(&GraphProto {
            node: Vec::new(),
            name: None,
            initializer: Vec::new(),
            doc_string: graph.doc_string.clone(),
            input: joined(&graph.input, &addition.inputs),
            output: joined(&graph.output, &addition.outputs),
            value_info: graph.value_info.clone(),
            quantization_annotation: graph.quantization_annotation.clone(),
            sparse_initializer: graph.sparse_initializer.clone(),
            metadata_props: graph.metadata_props.clone(),
        });
        out.nested(7, inner);
    }
    out.fields(&ModelProto {
        opset_import: model.opset_import.clone(),
        metadata_props: joined(&model.metadata_props, &addition.metadata),
        training_info: model.training_info.clone(),
        functions: model.functions.clone(),
        configuration: model.configuration.clone(),
        ..ModelProto::default()
    });
    out
}

fn tensor_rope(tensor: &TensorProto) -> Rope {
    let mut out = Rope::default();
    match &tensor.raw_data {
        Some(raw) if raw.len() >= 4096 => {
            out.fields(&TensorProto {
                dims: tensor.dims.clone(),
                data_type: tensor.data_type,
                segment: tensor.segment,
                float_data: tensor.float_data.clone(),
                int32_data: tensor.int32_data.clone(),
                string_data: tensor.string_data.clone(),
                int64_data: tensor.int64_data.clone(),
                name: tensor.name.clone(),
                ..TensorProto::default()
            });
            out.header(9, raw.len() as u64);
            out.push(raw.clone());
            out.fields(&TensorProto {
                double_data: tensor.double_data.clone(),
                uint64_data: tensor.uint64_data.clone(),
                doc_string: tensor.doc_string.clone(),
                external_data: tensor.external_data.clone(),
                data_location: tensor.data_location,
                metadata_props: tensor.metadata_props.clone(),
                ..TensorProto::default()
            });
        }
        _ => out.fields(tensor),
    }
    out
}

fn joined<T: Clone>(a: &[T], b: &[T]) -> Vec<T> {
    a.iter().chain(b).cloned().collect()
}
