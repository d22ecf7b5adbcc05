//! The `abslrp.*` entries in `metadata_props`, and how a compilation is undone with them.

use std::{fmt::Write, path::PathBuf};

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};

use super::Portability;
use crate::{
    ParseError,
    onnx::{
        Addition, External, Model,
        parts::tensors_mut,
        schema::{ModelProto, StringStringEntryProto, TensorProto},
    },
    options::Options,
};

const PREFIX: &str = "abslrp.";

/// What was done, for people and machines.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Summary {
    /// The source.
    pub model: PathBuf,
    /// The explained tensor.
    pub output: String,
    /// The output whose pre-activation that is, with the operator left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<(String, String)>,
    /// Outputs that could be explained as well, with their types.
    pub others: Vec<(String, String)>,
    /// How it is explained.
    pub options: Options,
    /// Outputs added, with their types.
    pub relevance: Vec<(String, String)>,
    /// Inputs that no relevance reaches.
    pub unreached: Vec<String>,
    /// Where relevance was cut, and why.
    pub cut: Vec<String>,
    /// What the source says of itself and does not hold, which was left aside.
    pub warnings: Vec<String>,
    /// The first unit, from the explained tensor, at which the rule is known to be ill-conditioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ill_conditioned: Option<IllConditioned>,
    /// Which runtimes are known to run what was added, and which are not.
    pub runtimes: Vec<Portability>,
    /// The number of units crossed.
    pub units: usize,
    /// The numbers of nodes in the source and added.
    pub nodes: (usize, usize),
    /// The multiply-adds of all products of the source and of the explained model, with unknown sizes
    /// counted as 1. Products of constants, which runtimes fold, are among them.
    pub multiply_adds: (f64, f64),
    /// The size of what is added, in bytes.
    pub added_bytes: usize,
}

/// A unit at which a rule divides by a sum of activations of either sign, which can vanish.
#[derive(Debug, Clone, serde::Serialize)]
pub struct IllConditioned {
    /// Its node.
    pub node: String,
    /// Its operator.
    pub operator: String,
    /// The rule.
    pub rule: String,
    /// The inputs of the model that it reads, whose sign is not known: where they are never negative, the
    /// rule holds there.
    pub inputs: Vec<String>,
}

/// The metadata of an explained model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The version that wrote it.
    pub version: String,
    /// How it is explained, as JSON; see [`Record::options`].
    options: String,
    /// How many nodes, initializers, inputs and outputs were added.
    pub added: [usize; 4],
    /// The SHA-256 of the source without its tensor payloads, in hexadecimal.
    pub source_sha256: String,
}

impl Record {
    /// Reads the record of an explained model; `None` where there is none.
    pub fn read(model: &Model) -> Option<Self> {
        let get = |key: &str| model.metadata(&format!("{PREFIX}{key}"));
        let mut added = get("added")?.split(' ').map(str::parse);
        let mut next = || added.next()?.ok();
        Some(Self {
            version: get("version")?.into(),
            options: get("options")?.into(),
            added: [next()?, next()?, next()?, next()?],
            source_sha256: get("source_sha256")?.into(),
        })
    }

    /// How it is explained. That cannot be told where the rule is not one of this crate's.
    pub fn options(&self) -> Result<Options, ParseError> {
        serde_json::from_str(&self.options).map_err(|error| error.to_string().into())
    }
}

/// The entries that record an explanation.
pub fn record(
    model: &Model,
    addition: &Addition,
    summary: &Summary,
    plan: &str,
) -> Vec<StringStringEntryProto> {
    let added = [
        addition.nodes.len(),
        addition.initializers.len(),
        addition.inputs.len(),
        addition.outputs.len(),
    ];
    let options = &summary.options;
    let mut entries = vec![
        ("version", env!("CARGO_PKG_VERSION").to_string()),
        ("rule", options.rule_text()),
        ("plan", plan.to_string()),
        ("output", summary.output.clone()),
        ("target", options.target.to_string()),
        // Of plain fields, which cannot fail to be written.
        ("options", serde_json::to_string(options).unwrap_or_default()),
        ("added", added.map(|n| n.to_string()).join(" ")),
        ("source_sha256", fingerprint(model.proto())),
    ];
    if !summary.cut.is_empty() {
        entries.push(("cut", summary.cut.join("\n")));
    }
    entries
        .into_iter()
        .map(|(key, value)| StringStringEntryProto {
            key: Some(format!("{PREFIX}{key}")),
            value: Some(value),
        })
        .collect()
}

/// The source of an explained model: what it is without what was added. `None` where the model does
/// not hold what its record says, or holds another source.
pub fn source_of(model: &Model) -> Option<ModelProto> {
    let record = Record::read(model)?;
    let mut source = ModelProto::clone(model.proto());
    let graph = source.graph.as_mut()?;
    let [nodes, initializers, inputs, outputs] = record.added;
    graph.node.truncate(graph.node.len().checked_sub(nodes)?);
    graph.initializer.truncate(graph.initializer.len().checked_sub(initializers)?);
    graph.input.truncate(graph.input.len().checked_sub(inputs)?);
    graph.output.truncate(graph.output.len().checked_sub(outputs)?);
    source.metadata_props.retain(|entry| !entry.key().starts_with(PREFIX));
    (fingerprint(&source) == record.source_sha256).then_some(source)
}

/// The SHA-256 of a model without its tensor payloads, wherever they lie.
fn fingerprint(model: &ModelProto) -> String {
    let mut skeleton = model.clone();
    tensors_mut(&mut skeleton, |tensor| {
        let has_payload = tensor.raw_data.is_some() || External::holds(tensor);
        *tensor = TensorProto {
            dims: std::mem::take(&mut tensor.dims),
            data_type: tensor.data_type,
            name: tensor.name.take(),
            raw_data: has_payload.then(Bytes::new),
            ..TensorProto::default()
        };
    });
    let mut hash = Sha256::new();
    hash.update(skeleton.encode_to_vec());
    let mut hex = String::new();
    for byte in hash.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
