//! Everything that a model consists of, wherever it lies: in the graph, in the subgraphs of its nodes,
//! in functions and in what is said of training.
//!
//! Subgraphs lie in each other as deep as a file says, so that nothing here calls itself.

use super::schema::{
    AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto,
};

/// A message in a model.
#[derive(Debug, Clone, Copy)]
pub enum Part<'m> {
    /// A graph or subgraph.
    Graph(&'m GraphProto),
    /// A node of a graph or of a function.
    Node(&'m NodeProto),
    /// An attribute of a node, or the default of one.
    Attribute(&'m AttributeProto),
    /// A tensor that says where it is not zero.
    Sparse(&'m SparseTensorProto),
    /// A tensor, and those that a sparse one is made of.
    Tensor(&'m TensorProto),
}

/// All parts of a model, in the order of the file.
pub fn parts(model: &ModelProto) -> impl Iterator<Item = Part<'_>> {
    // A stack: what comes first is put there last.
    let mut waiting = Vec::new();
    for function in model.functions.iter().rev() {
        waiting.extend(function.node.iter().rev().map(Part::Node));
        waiting.extend(function.attribute_proto.iter().rev().map(Part::Attribute));
    }
    for training in model.training_info.iter().rev() {
        let graphs = training.initialization.iter().chain(&training.algorithm);
        waiting.extend(graphs.rev().map(Part::Graph));
    }
    waiting.extend(model.graph.iter().map(Part::Graph));
    std::iter::from_fn(move || {
        let part = waiting.pop()?;
        match part {
            Part::Graph(graph) => {
                waiting.extend(graph.sparse_initializer.iter().rev().map(Part::Sparse));
                waiting.extend(graph.initializer.iter().rev().map(Part::Tensor));
                waiting.extend(graph.node.iter().rev().map(Part::Node));
            }
            Part::Node(node) => waiting.extend(node.attribute.iter().rev().map(Part::Attribute)),
            Part::Attribute(attribute) => {
                let graphs = attribute.g.iter().chain(&attribute.graphs);
                waiting.extend(graphs.rev().map(Part::Graph));
                let sparse = attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors);
                waiting.extend(sparse.rev().map(Part::Sparse));
                let tensors = attribute.t.iter().chain(&attribute.tensors);
                waiting.extend(tensors.rev().map(Part::Tensor));
            }
            Part::Sparse(sparse) => {
                let tensors = sparse.values.iter().chain(&sparse.indices);
                waiting.extend(tensors.rev().map(Part::Tensor));
            }
            Part::Tensor(_) => {}
        }
        Some(part)
    })
}

/// All tensors of a model, in the order of the file.
pub fn tensors(model: &ModelProto) -> impl Iterator<Item = &TensorProto> {
    parts(model).filter_map(|part| match part {
        Part::Tensor(tensor) => Some(tensor),
        _ => None,
    })
}

/// Changes all tensors of a model.
pub fn tensors_mut(model: &mut ModelProto, mut change: impl FnMut(&mut TensorProto)) {
    let sparse = |sparse: &mut SparseTensorProto, change: &mut dyn FnMut(&mut TensorProto)| {
        sparse.values.iter_mut().chain(&mut sparse.indices).for_each(change);
    };
    let (mut graphs, mut attributes) = (Vec::new(), Vec::new());
    graphs.extend(&mut model.graph);
    for training in &mut model.training_info {
        graphs.extend(training.initialization.iter_mut().chain(&mut training.algorithm));
    }
    for function in &mut model.functions {
        attributes.extend(&mut function.attribute_proto);
        attributes.extend(function.node.iter_mut().flat_map(|node| &mut node.attribute));
    }
    loop {
        if let Some(graph) = graphs.pop() {
            graph.initializer.iter_mut().for_each(&mut change);
            graph.sparse_initializer.iter_mut().for_each(|s| sparse(s, &mut change));
            attributes.extend(graph.node.iter_mut().flat_map(|node| &mut node.attribute));
        } else if let Some(attribute) = attributes.pop() {
            attribute.t.iter_mut().chain(&mut attribute.tensors).for_each(&mut change);
            let all = attribute.sparse_tensor.iter_mut().chain(&mut attribute.sparse_tensors);
            all.for_each(|s| sparse(s, &mut change));
            graphs.extend(attribute.g.iter_mut().chain(&mut attribute.graphs));
        } else {
            break;
        }
    }
}
