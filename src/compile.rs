//! The driver: from a model to its explanation.

use bytes::Bytes;
use prost::Message;

use crate::{
    back::{self, IllConditioned, Output, Summary},
    error::{Error, Problem},
    front,
    ir::{Emitter, Graph, Value},
    onnx::{self, Addition, Model},
    options::Options,
    passes,
    plan::{self, Accepted, Plan},
    sweep::{self, Sweep},
};

/// A model's explanation: what is to be written behind the source it was made for, and what it is.
#[derive(Debug, Clone)]
pub struct Explanation<'m> {
    model: &'m Model,
    addition: Addition,
    summary: Summary,
}

impl Explanation<'_> {
    /// What is written behind the source's nodes, initializers, inputs, outputs and metadata.
    pub fn addition(&self) -> &Addition {
        &self.addition
    }

    /// What was done.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Writes the explained model; see [`Writer::write`](onnx::Writer::write).
    #[cfg(feature = "fs")]
    pub fn write(&self, path: impl AsRef<std::path::Path>) -> Result<u64, onnx::Error> {
        self.writer().write(path)
    }

    /// The explained model, to be written with a limit or a sign of progress.
    #[cfg(feature = "fs")]
    pub fn writer(&self) -> onnx::Writer<'_> {
        onnx::Writer::new(self.model, &self.addition)
    }

    /// The bytes of the explained model, in pieces: weights are not copied. `concat` joins them. External
    /// data stay where they lie beside the source.
    pub fn encode(&self) -> Vec<Bytes> {
        onnx::encode(self.model.proto(), &self.addition)
    }
}

/// Explains a model.
pub fn compile<'m>(model: &'m Model, options: &Options) -> Result<Explanation<'m>, Error> {
    Draft::new(model, options)?.explain()
}

/// An explanation that is planned, and not yet emitted.
pub(crate) struct Draft<'m> {
    model: &'m Model,
    /// What is known of the model.
    pub graph: Graph,
    /// What will be emitted.
    pub plan: Plan,
    /// The options, with the target that the rule takes them to mean.
    pub options: Options,
}

impl<'m> Draft<'m> {
    /// Plans the explanation of a model.
    pub fn new(model: &'m Model, options: &Options) -> Result<Self, Error> {
        let set = front::set(model, &options.set)?;
        let mut graph = front::import_set(model, &crate::ops::REGISTRY, &set)?;
        let mut explained = plan::choose(&graph, options)?;
        if let Some(select) = &options.select {
            explained.value = front::part(&mut graph, explained.value, select)?;
        }
        let plan = Plan::new(&graph, explained, options)?;
        let options = Options { target: plan.start.target.clone(), ..options.clone() };
        Ok(Self { model, graph, plan, options })
    }

    /// Carries out the plan, unless it has to be refused.
    pub fn explain(self) -> Result<Explanation<'m>, Error> {
        let Self { model, graph, plan, options } = self;
        let plan = plan.accept(&graph, options.on_unsupported)?;
        let output = plan.explained.output;
        let (of, emitted, values) = emit(&graph, &plan, &options, |sweep| sweep.maps())?;
        let taken = |name: &str| match graph.by_name(name) {
            Some(_) => Err(Error::NameTaken { name: name.into() }),
            None => Ok(()),
        };
        let outputs = of
            .iter()
            .zip(values)
            .map(|(&of, value)| {
                let name = format!("{}_relevance", graph.name(of));
                taken(&name)?;
                Ok(Output { name, value, ty: sweep::map_type(&graph, &plan, of, &options) })
            })
            .collect::<Result<Vec<_>, Error>>()?;

        let mut addition = if options.on_demand {
            taken(back::EXPLAIN)?;
            let name = |o: &Output| Output { name: back::within(&o.name), ..o.clone() };
            let within: Vec<_> = outputs.iter().map(name).collect();
            let names: Vec<_> = outputs.iter().map(|o| o.name.clone()).collect();
            back::on_demand(model, back::addition(&emitted, &within), &names)
        } else {
            back::addition(&emitted, &outputs)
        };
        check(model, &addition, &graph)?;
        let source = &graph;
        let cut = plan.unsupported.iter().map(Problem::to_string).collect();
        let summary = Summary {
            model: model.path().into(),
            output: graph.name(plan.explained.value).into(),
            instead_of: plan.explained.without.map(|op| (graph.name(output).into(), op.into())),
            others: graph
                .graph_outputs()
                .filter(|&v| graph.ty(v).is_float() && v != output)
                .map(|v| (graph.name(v).into(), graph.type_text(graph.ty(v))))
                .collect(),
            options,
            relevance: outputs.iter().map(|o| (o.name.clone(), graph.type_text(&o.ty))).collect(),
            unreached: graph
                .graph_inputs()
                .filter(|v| !plan.inputs.contains(v))
                .map(|v| graph.name(v).into())
                .collect(),
            cut,
            warnings: graph.warnings.clone(),
            ill_conditioned: plan.ill_conditioned(&graph).map(|(at, planned)| IllConditioned {
                node: at.label(planned.unit.node).into(),
                operator: at.node(planned.unit.node).operator_name(),
                rule: planned.rule.to_string(),
                inputs: planned
                    .recipients(at)
                    .iter()
                    .filter(|v| std::ptr::eq(at, source) && plan.inputs.contains(v))
                    .map(|v| at.name(*v).into())
                    .collect(),
            }),
            runtimes: back::portability(&emitted),
            units: plan.units.len(),
            nodes: (model.graph().node.len(), addition.nodes.len()),
            multiply_adds: (graph.multiply_adds(), emitted.multiply_adds()),
            added_bytes: addition.nodes.iter().map(Message::encoded_len).sum::<usize>()
                + addition.initializers.iter().map(Message::encoded_len).sum::<usize>(),
        };
        addition.metadata = back::record(model, &addition, &summary, &plan.text(&graph));
        Ok(Explanation { model, addition, summary })
    }
}

/// Reads what is to be written as sources are read: whatever is wrong with it was made here.
fn check(model: &Model, addition: &Addition, source: &Graph) -> Result<(), Error> {
    let internal = |what: String| Err(Error::Internal { what });
    match front::import(&model.with(addition), &crate::ops::REGISTRY) {
        Err(error) => internal(error.to_string()),
        // What the source declares and does not hold is known already.
        Ok(read) => match read.warnings.iter().find(|warning| !source.warnings.contains(warning)) {
            Some(warning) => internal(warning.clone()),
            None => Ok(()),
        },
    }
}

/// Emits the formulas that a sweep is asked for, as the passes want them. Gives what `formulas` gives,
/// the graph, and where the values are in it.
pub(crate) fn emit<T>(
    graph: &Graph,
    plan: &Accepted,
    options: &Options,
    formulas: impl FnOnce(&Sweep<'_, '_>) -> Result<(T, Vec<Value>), Error>,
) -> Result<(T, Graph, Vec<Value>), Error> {
    let passes = passes::selected(options)?;
    let rewrites = passes::rule_rewrites(&passes);
    let emitter = Emitter::with(graph, passes::lowering(&passes));
    let sweep = Sweep {
        graph,
        plan,
        units: &plan.units,
        receives: &plan.receives,
        options,
        around: "",
        rewrites: &rewrites,
        emitter: &emitter,
    };
    let (what, values) = formulas(&sweep)?;
    let (emitted, values) = passes::rewritten(&passes, emitter.finish(), values);
    Ok((what, emitted, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_invalid_is_a_fault_that_names_its_unit() {
        let model = Model::open("fixtures/forms/gemm.op11.onnx").unwrap();
        let graph = front::import(&model, &crate::ops::REGISTRY).unwrap();
        let explanation = compile(&model, &Options::default()).unwrap();
        let fault = |change: &dyn Fn(&mut Addition)| {
            let mut addition = explanation.addition.clone();
            change(&mut addition);
            check(&model, &addition, &graph).unwrap_err().to_string()
        };
        check(&model, &explanation.addition, &graph).unwrap();
        let dangling = fault(&|addition| addition.nodes[0].input[0] = "nowhere".into());
        assert!(dangling.contains("/abslrp/") && dangling.contains("'nowhere'"), "{dangling}");
        let mixed = fault(&|addition| {
            let product = addition.nodes.iter_mut().find(|node| node.op_type() == "Mul");
            product.unwrap().input[1] = "shape".into();
            let shape = crate::onnx::schema::TensorProto::of_ints(&[1], &[2]);
            let name = Some("shape".into());
            let shape = crate::onnx::schema::TensorProto { name, ..shape };
            addition.initializers.push(shape);
        });
        assert!(mixed.contains("operands of FLOAT and INT64"), "{mixed}");
        let declared = fault(&|addition| {
            let r#type = model.graph().output[0].r#type.clone();
            addition.outputs[0].r#type = r#type;
        });
        assert!(declared.contains("declares 'x_relevance' otherwise"), "{declared}");
    }
}
