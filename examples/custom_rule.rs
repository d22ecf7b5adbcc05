//! A rule of one's own: LRP-ε that gives biases no share, as `iNNvestigate` has it under the name
//! `lrp.epsilon_IB`.
//!
//! ```text
//! R_x = x ⊙ Wᵀ (R / (z + ε · sign(z)))      with z = W x
//! ```
//!
//! ```sh
//! cargo run --example custom_rule -- model.onnx explained.onnx
//! ```

use abslrp::{
    Options,
    onnx::Model,
    rules::{
        Branch, Choice, Kind, Opt, Ratio, Rule, RuleOptions, Stabiliser, Term, Treatment,
        at_weights,
    },
};

/// The rule, as data: the sweep asks each layer for `z` and for its adjoint.
struct EpsilonWithoutBias;

impl Rule for EpsilonWithoutBias {
    fn name(&self) -> &'static str {
        "epsilon-without-bias"
    }

    fn options(&self) -> &'static [Opt] {
        const { &[Opt::number("epsilon", 1e-6, "what is added to a denominator, with its sign")] }
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        let stabiliser = Stabiliser::Signed(options.number("epsilon"));
        at_weights(kind, || Ratio::of(Term::of(vec![Branch::PLAIN.without_bias()], stabiliser)))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut paths = std::env::args().skip(1);
    let (Some(source), Some(out)) = (paths.next(), paths.next()) else {
        return Err("usage: custom_rule MODEL OUT".into());
    };
    let rule = Choice::of(&EpsilonWithoutBias, "epsilon=1e-4")?;
    let options = Options { rule, target: "argmax".parse()?, ..Options::default() };
    abslrp::compile(&Model::open(source)?, &options)?.write(out)?;
    Ok(())
}

/// What ONNX Runtime computes: every layer gives on all that its stabiliser does not keep.
#[cfg(all(test, feature = "verify"))]
#[test]
fn biases_get_nothing() -> Result<(), Box<dyn std::error::Error>> {
    use abslrp::verify::{Request, runtime::Locate, verify};

    let directory = tempfile::tempdir()?;
    let out = directory.path().join("explained.onnx");
    let rule = Choice::of(&EpsilonWithoutBias, "epsilon=1e-4")?;
    let options = Options { rule, target: "argmax".parse()?, ..Options::default() };
    abslrp::compile(&Model::open("fixtures/digits.legacy17.onnx")?, &options)?.write(&out)?;
    let runtime = Locate { fetch: Some(|what| println!("{what}")), ..Locate::default() };
    let report = verify(&out, &Request { options: Some(options), runtime, ..Request::default() })?;
    assert!(report.holds, "{}", report.text());
    for layer in report.units.iter().filter(|unit| unit.kind == "weighted") {
        assert!(layer.bias.abs() < 1e-4 * layer.received_magnitude, "{layer:?}");
    }
    Ok(())
}
