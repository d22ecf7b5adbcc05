//! The activation that ONNX Runtime fuses behind a product with weights.

use super::CallSite;
use crate::{
    ir::{Error, Expr},
    onnx::attribute::float,
};

/// The activation of `x` that the call names, with its parameters listed or one by one.
pub(super) fn activation<'e>(call: &CallSite<'_, 'e>, x: Expr<'e>) -> Result<Expr<'e>, Error> {
    let name = call.attribute("activation").string("activation")?.unwrap_or_default();
    let listed = call.floats("activation_params")?;
    let parameter = |i: usize, name: &'static str| {
        Ok(listed.get(i).copied().or(call.float(name)?)) as Result<Option<f64>, Error>
    };
    let bound = |i: usize, name: &'static str| {
        let missing = || Error::Unsupported { what: format!("a Clip without {name}") };
        parameter(i, name)?.ok_or_else(missing)
    };
    let alpha = |default: f64| {
        let alpha = parameter(0, "activation_alpha")?.unwrap_or(default);
        Ok(float("alpha", alpha as f32)) as Result<_, Error>
    };
    Ok(match name {
        "" => x,
        "Relu" => x.relu(),
        "Sigmoid" => x.sigmoid(),
        "Tanh" => x.unary("Tanh"),
        "LeakyRelu" => call.emitter.emit("LeakyRelu", &[Some(x)], vec![alpha(0.01)?]),
        "HardSigmoid" => {
            let beta = float("beta", parameter(1, "activation_beta")?.unwrap_or(0.5) as f32);
            call.emitter.emit("HardSigmoid", &[Some(x)], vec![alpha(0.2)?, beta])
        }
        "Clip" => x.clip(bound(0, "activation_min")?, bound(1, "activation_max")?),
        _ => return Err(Error::Unsupported { what: format!("{name} fused into {}", call.name) }),
    })
}
