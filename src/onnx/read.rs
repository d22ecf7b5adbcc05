//! Models as they are decoded: their weights are not looked at.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use prost::Message;

use super::{
    Addition, Error, External, IR_VERSION, OPSETS, Tensor,
    parts::{Part, parts},
    schema::{GraphProto, ModelProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto},
    shown::Shown,
    tensor::check_sparse,
};

/// A decoded model and where it came from. There is none without a graph and a known operator set:
/// [`Model::new`] refuses it.
#[derive(Debug, Clone)]
pub struct Model {
    proto: Arc<ModelProto>,
    opset: i64,
    path: PathBuf,
    external: External,
    #[cfg(feature = "fs")]
    pub(super) file: Option<Arc<super::open::Mapped>>,
}

impl Model {
    /// Decodes a model, and checks all that can be checked without a graph: versions, declared tensor
    /// sizes, external data. `path` says where those would lie.
    pub fn decode(bytes: Bytes, path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        match ModelProto::decode(bytes) {
            Ok(proto) => Self::new(proto, path),
            Err(source) => Err(Error::Decode { path, source }),
        }
    }

    /// As [`Model::decode`], for a message that is decoded already.
    pub fn new(proto: ModelProto, path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let external = External::beside(&path);
        let opset = check(&proto, &path, &external)?;
        Ok(Self {
            proto: Arc::new(proto),
            opset,
            path,
            external,
            #[cfg(feature = "fs")]
            file: None,
        })
    }

    /// The model with what is to be added to it, as one message.
    pub fn with(&self, addition: &Addition) -> Self {
        let mut proto = ModelProto::clone(&self.proto);
        let graph = proto.graph.get_or_insert_default();
        graph.node.extend_from_slice(&addition.nodes);
        graph.initializer.extend_from_slice(&addition.initializers);
        graph.input.extend_from_slice(&addition.inputs);
        graph.output.extend_from_slice(&addition.outputs);
        proto.metadata_props.extend_from_slice(&addition.metadata);
        Self { proto: Arc::new(proto), ..self.clone() }
    }

    /// The message. Tensor payloads point into the memory map of the file.
    pub fn proto(&self) -> &Arc<ModelProto> {
        &self.proto
    }

    /// The graph.
    pub fn graph(&self) -> &GraphProto {
        self.proto.graph.as_ref().unwrap_or_else(|| unreachable!("it was seen by `check`"))
    }

    /// The imported version of the standard operators, `ai.onnx`.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The file, for messages and for external data, which lies relative to it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that hold tensors outside the model.
    pub fn external(&self) -> &External {
        &self.external
    }

    /// The value of a key in the model's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.proto.metadata_props.iter().find(|p| p.key() == key).map(|p| p.value())
    }
}

/// The imported operator set of a model that this version understands.
fn check(proto: &ModelProto, path: &Path, external: &External) -> Result<i64, Error> {
    let refuse = |what: String| Err(Error::Model { path: path.into(), what });
    let ir = proto.ir_version();
    if ir > IR_VERSION {
        return refuse(format!(
            "IR version {ir} is newer than {IR_VERSION}, the newest this version of abslrp can \
             write without loss; export with an older ONNX or update abslrp"
        ));
    }
    let Some(graph) = &proto.graph else {
        return refuse("not an ONNX model, or a damaged one: it holds no graph".into());
    };
    let opset = match opset(proto) {
        Some(v) if OPSETS.contains(&v) => v,
        Some(v) if v < *OPSETS.start() => {
            return refuse(format!(
                "opset {v} is older than {}: convert it first with \
                 `onnx.version_converter.convert_version(model, {})` in Python",
                OPSETS.start(),
                OPSETS.start()
            ));
        }
        Some(v) => {
            return refuse(format!(
                "opset {v} is newer than {}, the newest this version of abslrp knows; convert \
                 it with `onnx.version_converter.convert_version` or update abslrp",
                OPSETS.end()
            ));
        }
        None => {
            return refuse(
                "not an ONNX model, or a damaged one: it imports no version of ai.onnx".into(),
            );
        }
    };
    for info in graph.input.iter().chain(&graph.value_info).chain(&graph.output) {
        if let Some(size) = gigantic(info) {
            return refuse(format!(
                "'{}' is declared with a size of {size}; no tensor is that long",
                Shown(info.name())
            ));
        }
    }
    for part in parts(proto) {
        let bad = |name: &str| {
            let (path, tensor) = (path.to_path_buf(), name.to_string());
            move |what| Error::Tensor { path, tensor, what }
        };
        match part {
            Part::Node(node) if node.output.is_empty() => {
                return refuse(format!(
                    "node '{}' ({}) has no outputs; the model is invalid: check it with \
                     `onnx.checker.check_model`",
                    Shown(node.name()),
                    Shown(node.op_type())
                ));
            }
            Part::Tensor(tensor) => {
                Tensor::new(tensor, external).check().map_err(bad(tensor.name()))?;
            }
            Part::Sparse(sparse) => {
                let name = sparse.values.as_ref().map_or("", |values| values.name());
                check_sparse(sparse, external).map_err(bad(name))?;
            }
            _ => {}
        }
    }
    Ok(opset)
}

/// A declared size that nothing can have: beyond it, numbers of bytes and of elements overflow.
fn gigantic(info: &ValueInfoProto) -> Option<i64> {
    const LONGEST: i64 = 1 << 48;
    let type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()? else {
        return None;
    };
    let sizes = tensor.shape.as_ref()?.dim.iter().filter_map(|dim| match dim.value {
        Some(dimension::Value::DimValue(size)) => Some(size),
        _ => None,
    });
    sizes.into_iter().find(|size| *size > LONGEST)
}

fn opset(proto: &ModelProto) -> Option<i64> {
    let standard = |domain: &str| matches!(domain, "" | "ai.onnx");
    proto.opset_import.iter().find(|o| standard(o.domain())).map(|o| o.version())
}
