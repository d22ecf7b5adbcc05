//! Recurrent layers, as scans over the steps of a sequence.
//!
//! What the layers have in common is here: directions, lengths, initial states, layouts, activations. What
//! is theirs is a cell, which makes the next states of a step's input and the states before. The products
//! of a gate with the input and with the hidden state are one layer with weights, as they are where a
//! cell is written out: `[x h] · [W R]ᵀ + (b_W + b_R)`.

pub(super) mod gru;
pub(super) mod lstm;
pub(super) mod rnn;

use std::ops::Range;

use super::{CallSite, quantised::requantised};
use crate::{
    ir::{Along, Dim, Error, Expr, Graph},
    onnx::{
        DataType,
        attribute::{float, int},
    },
};

/// The LSTM whose weights are kept in 8 bits, and which rounds what it multiplies with them.
const QUANTISED: &str = "DynamicQuantizeLSTM";

/// The next states, the hidden one first, from a step's input and the states before.
type Cell<'e> = Box<dyn Fn(Expr<'e>, &[Expr<'e>]) -> Result<Vec<Expr<'e>>, Error> + 'e>;

/// What a recurrent operator is, beside its cell.
struct Recurrent {
    /// The gates that its weights hold.
    gates: i64,
    /// The activations of a cell, by default.
    activations: &'static [&'static str],
    /// The operands that are initial states.
    states: &'static [usize],
}

/// The parameters of one direction.
struct Parameters<'e> {
    hidden: i64,
    /// `[gates · hidden, input]`
    w: Expr<'e>,
    /// `[gates · hidden, hidden]`
    r: Expr<'e>,
    /// Those of `w` and of `r`, `[gates · hidden]` each.
    biases: Option<[Expr<'e>; 2]>,
    /// Those behind the operands that all have, `[n · hidden]`.
    peepholes: Option<Expr<'e>>,
    activations: Vec<Activation>,
    clip: Option<f64>,
}

/// A layer with weights.
#[derive(Clone, Copy)]
struct Layer<'e> {
    w: Expr<'e>,
    b: Option<Expr<'e>>,
}

impl<'e> Layer<'e> {
    fn of(self, x: Expr<'e>) -> Expr<'e> {
        x.gemm(self.w, self.b, vec![int("transB", 1)])
    }
}

/// `[x h]`
fn beside<'e>(x: Expr<'e>, h: Expr<'e>) -> Expr<'e> {
    Expr::concat(&[x, h], 1).unwrap_or(x)
}

/// A function of each element, with its parameters.
#[derive(Clone)]
struct Activation {
    name: &'static str,
    alpha: f64,
    beta: f64,
}

/// The activations that the standard names, with the defaults of their parameters, for those that have them.
const ACTIVATIONS: [(&str, Option<f64>, Option<f64>); 11] = [
    ("Sigmoid", None, None),
    ("Tanh", None, None),
    ("Relu", None, None),
    ("Affine", Some(1.0), Some(0.0)),
    ("LeakyRelu", Some(0.01), None),
    ("ThresholdedRelu", Some(1.0), None),
    ("ScaledTanh", Some(1.0), Some(1.0)),
    ("HardSigmoid", Some(0.2), Some(0.5)),
    ("Elu", Some(1.0), None),
    ("Softsign", None, None),
    ("Softplus", None, None),
];

impl Activation {
    /// The activations of all directions, one cell after the other. Parameters are listed without gaps for those
    /// that have some.
    fn list(call: &CallSite<'_, '_>, defaults: &[&str]) -> Result<Vec<Self>, Error> {
        let stated = call.attribute("activations").get("activations");
        let stated =
            stated.map(|list| list.strings.iter().map(|name| String::from_utf8_lossy(name)));
        let names: Vec<_> = match stated {
            Some(names) => names.map(String::from).collect(),
            None => defaults.iter().map(ToString::to_string).collect(),
        };
        if names.len() != defaults.len() {
            let what = format!("has {} names, not {}", names.len(), defaults.len());
            return Err(Error::Attribute { name: "activations".into(), what });
        }
        let mut alphas = call.floats("activation_alpha")?.into_iter();
        let mut betas = call.floats("activation_beta")?.into_iter();
        let known = |name: String| {
            let found = ACTIVATIONS.iter().find(|known| known.0.eq_ignore_ascii_case(&name));
            let &(known, alpha, beta) = found.ok_or_else(|| {
                let what = format!("names {name:?}, which the standard does not");
                Error::Attribute { name: "activations".into(), what }
            })?;
            Ok(Self {
                name: known,
                alpha: alpha.map_or(0.0, |default| alphas.next().unwrap_or(default)),
                beta: beta.map_or(0.0, |default| betas.next().unwrap_or(default)),
            })
        };
        names.into_iter().map(known).collect()
    }

    fn of<'e>(&self, x: Expr<'e>) -> Expr<'e> {
        let parameter = |name: &'static str, value: f64| float(name, value as f32);
        let alpha = || vec![parameter("alpha", self.alpha)];
        match self.name {
            "Affine" => x * self.alpha + self.beta,
            "ScaledTanh" => (x * self.beta).unary("Tanh") * self.alpha,
            "HardSigmoid" => {
                let parameters = vec![parameter("alpha", self.alpha), parameter("beta", self.beta)];
                x.emitter().emit(self.name, &[Some(x)], parameters)
            }
            "LeakyRelu" | "ThresholdedRelu" | "Elu" => {
                x.emitter().emit(self.name, &[Some(x)], alpha())
            }
            name => x.unary(name),
        }
    }
}

impl<'e> Parameters<'e> {
    /// The rows of some gates.
    fn rows(&self, x: Expr<'e>, gates: &Range<i64>) -> Expr<'e> {
        x.part(0, gates.start * self.hidden, gates.end * self.hidden)
    }

    /// Some gates as a layer of `[x h]`.
    fn joint(&self, gates: Range<i64>) -> Layer<'e> {
        let b = self.biases.map(|[w, r]| self.rows(w, &gates) + self.rows(r, &gates));
        Layer { w: beside(self.rows(self.w, &gates), self.rows(self.r, &gates)), b }
    }

    /// Some gates as a layer of `x` alone.
    fn of_input(&self, gates: Range<i64>) -> Layer<'e> {
        let b = self.biases.map(|[w, _]| self.rows(w, &gates));
        Layer { w: self.rows(self.w, &gates), b }
    }

    /// Some gates as a layer of `h` alone.
    fn of_hidden(&self, gates: Range<i64>) -> Layer<'e> {
        let b = self.biases.map(|[_, r]| self.rows(r, &gates));
        Layer { w: self.rows(self.r, &gates), b }
    }

    /// The n-th peephole.
    fn peephole(&self, n: i64) -> Option<Expr<'e>> {
        self.peepholes.map(|p| self.rows(p, &(n..n + 1)))
    }

    /// The n-th activation, of what is clipped if the operator says so.
    fn activated(&self, n: usize) -> impl Fn(Expr<'e>) -> Expr<'e> + 'e + use<'e> {
        let (activation, clip) = (self.activations.get(n).cloned(), self.clip);
        move |x| {
            let x = clip.map_or(x, |bound| x.clip(-bound, bound));
            activation.as_ref().map_or(x, |activation| activation.of(x))
        }
    }

    /// The n-th piece of a row of gates.
    fn gate(&self, n: i64) -> impl Fn(Expr<'e>) -> Expr<'e> + 'e + use<'e> {
        let hidden = self.hidden;
        move |gates| gates.part(1, n * hidden, (n + 1) * hidden)
    }
}

/// The results of a recurrent operator: all hidden states, and the last of each state.
fn layer<'e>(
    call: &CallSite<'_, 'e>,
    recurrent: &Recurrent,
    cell: impl Fn(&Parameters<'e>) -> Result<Cell<'e>, Error>,
) -> Result<Vec<Option<Expr<'e>>>, Error> {
    let Recurrent { gates, activations, states } = *recurrent;
    let batch_first = call.int("layout", 0)? == 1;
    let exchanged = |x: Expr<'e>| {
        // Sequences and states have three axes, also where branches before left that open.
        let x = if x.rank().is_ok() { x } else { x.reshape(&[0, 0, 0]) };
        if batch_first { x.transpose(&[1, 0, 2]) } else { x }
    };
    let [x, w, r] = operands(call)?;
    let x = exchanged(x);
    let stated = call.int("hidden_size", 0)?;
    let hidden = r.ty().dim(2).and_then(Dim::known).unwrap_or(stated);
    if hidden <= 0 {
        return Err(Error::Unknown { what: "the size of the hidden state".into() });
    }
    if stated != 0 && stated != hidden {
        let what = format!("is not the size {hidden} of the weights");
        return Err(Error::Attribute { name: "hidden_size".into(), what });
    }
    let directions: &[bool] = match call.attribute("direction").string("direction")? {
        None | Some("forward") => &[false],
        Some("reverse") => &[true],
        Some("bidirectional") => &[false, true],
        Some(other) => {
            let what = format!("is {other:?}, none of forward, reverse, bidirectional");
            return Err(Error::Attribute { name: "direction".into(), what });
        }
    };
    for operand in [1, 2, 3].into_iter().chain(states.iter().copied()) {
        // Layout 1 has the batch before the directions of states.
        let axis = usize::from(batch_first && operand > 3);
        let stacked = call.get(operand).and_then(|x| x.ty().dim(axis).and_then(Dim::known));
        if stacked.is_some_and(|n| n != directions.len() as i64) {
            let what = format!("operand {operand} for other than {} directions", directions.len());
            return Err(Error::Shapes { what });
        }
    }
    let lengths = call.get(4);
    if let Some(rank) = lengths.and_then(|lengths| lengths.ty().rank()).filter(|&rank| rank != 1) {
        return Err(Error::Shapes { what: format!("lengths of rank {rank}") });
    }
    let peepholes = if states.len() > 1 { call.get(7) } else { None };
    let clip = call.float("clip")?;
    let listed = Activation::list(call, &activations.repeat(directions.len()))?;
    let initial: Vec<_> = states.iter().map(|&i| call.get(i).map(exchanged)).collect();
    for start in initial.iter().flatten() {
        let sizes = [(1, x.ty().dim(1)), (2, Some(Dim::Known(hidden)))];
        let other = |(axis, size): (usize, Option<Dim>)| {
            start.ty().dim(axis).zip(size).is_some_and(|(own, size)| own.differs(size))
        };
        if sizes.into_iter().any(other) {
            return Err(Error::Shapes { what: "states of another batch or size".into() });
        }
    }
    let mut results = vec![Vec::new(); 1 + states.len()];
    for (direction, &backwards) in directions.iter().enumerate() {
        let own = |x: Expr<'e>| {
            let at = direction as i64;
            let part = if directions.len() == 1 { x } else { x.part(0, at, at + 1) };
            part.squeeze(0)
        };
        let halves = |b: Expr<'e>| {
            let n = gates * hidden;
            [b.part(0, 0, n), b.part(0, n, 2 * n)]
        };
        let parameters = Parameters {
            hidden,
            w: own(w),
            r: own(r),
            biases: call.get(3).map(|b| halves(own(b))),
            peepholes: peepholes.map(own),
            activations: listed.iter().skip(direction * activations.len()).cloned().collect(),
            clip,
        };
        let starts: Vec<_> =
            initial.iter().map(|start| start.map_or_else(|| nothing(x, r, hidden), own)).collect();
        let run = scanned(x, lengths, backwards, &starts, &cell(&parameters)?)?;
        // All hidden states get an axis for directions behind the steps, the last states before all.
        for ((of, result), axis) in results.iter_mut().zip(run).zip([1, 0, 0]) {
            of.push(result.unsqueeze(&[axis]));
        }
    }
    let joined = results.iter().zip([1, 0, 0]).enumerate().map(|(i, (parts, axis))| {
        let order: &[usize] = if i == 0 { &[2, 0, 1, 3] } else { &[1, 0, 2] };
        let whole = Expr::concat(parts, axis)?;
        Some(if batch_first { whole.transpose(order) } else { whole })
    });
    Ok(joined.collect())
}

/// The sequence, and the weights of its products and of the hidden state's.
fn operands<'e>(call: &CallSite<'_, 'e>) -> Result<[Expr<'e>; 3], Error> {
    if call.name == QUANTISED {
        return Ok([requantised(call.x(0)?), stored(call, 1, 8)?, stored(call, 2, 10)?]);
    }
    Ok([call.x(0)?, call.x(1)?, call.x(2)?])
}

/// Weights that are kept in 8 bits, as numbers: operand `at` is `[directions, columns, gates · hidden]`, the operands
/// from `scale` on are a scale and a zero point for each direction, or for each gate of each of its cells.
fn stored<'e>(call: &CallSite<'_, 'e>, at: usize, scale: usize) -> Result<Expr<'e>, Error> {
    let (q, scale, zero) = (call.x(at)?, call.x(scale)?, call.x(scale + 1)?);
    if q.asked(Graph::is_active) {
        return Err(Error::Unsupported { what: format!("{QUANTISED} of computed weights") });
    }
    let elem = scale.ty().elem;
    let along = |list: Expr<'e>| list.cast(elem).reshape(&[0, 1, -1]);
    Ok(((q.cast(elem) - along(zero)) * along(scale)).transpose(&[0, 2, 1]))
}

/// A state of nothing, `[batch, hidden]`.
fn nothing<'e>(x: Expr<'e>, like: Expr<'e>, hidden: i64) -> Expr<'e> {
    let (emitter, elem) = (x.emitter(), like.ty().elem);
    match x.ty().dim(1).and_then(Dim::known) {
        Some(batch) => emitter.filled(elem, 0.0, &[batch, hidden]),
        None => {
            let shape = Expr::concat(&[x.size(1), emitter.ints(&[hidden])], 0);
            emitter.emit("Expand", &[Some(emitter.scalar(elem, 0.0)), shape], vec![])
        }
    }
}

/// All hidden states of one direction, and the last of each state. A sequence that is shorter than others
/// keeps its states from its end on, and gives nothing there; read from its end, it is turned round first.
fn scanned<'e>(
    x: Expr<'e>,
    lengths: Option<Expr<'e>>,
    backwards: bool,
    starts: &[Expr<'e>],
    cell: &Cell<'e>,
) -> Result<Vec<Expr<'e>>, Error> {
    let emitter = x.emitter();
    let along = Along { axis: 0, backwards };
    let Some(lengths) = lengths.filter(|lengths| !are_whole(x, *lengths)) else {
        let mut results = emitter.scan(starts, &[(x, along)], &[along], |states, parts| {
            let next = cell(parts[0], states)?;
            Ok(next.iter().chain(next.first()).copied().collect())
        })?;
        results.rotate_right(1);
        return Ok(results);
    };
    let lengths = lengths.cast(DataType::Int64);
    let turned = |x: Expr<'e>| {
        let axes = vec![int("batch_axis", 1), int("time_axis", 0)];
        if backwards { emitter.emit("ReverseSequence", &[Some(x), Some(lengths)], axes) } else { x }
    };
    let lasts = lengths.reshape(&[1, -1, 1]).exceeds(emitter.positions(x, 0)?);
    let scanned = [(turned(x), Along::FIRST), (lasts, Along::FIRST)];
    let mut results = emitter.scan(starts, &scanned, &[Along::FIRST], |states, parts| {
        let next = cell(parts[0], states)?.into_iter().zip(states);
        let next: Vec<_> = next.map(|(new, &old)| new.where_(parts[1], old)).collect();
        let given = next.first().map(|h| h.where_or(parts[1], 0.0));
        Ok(next.into_iter().chain(given).collect())
    })?;
    results.rotate_right(1);
    if let Some(all) = results.first_mut() {
        *all = turned(*all);
    }
    Ok(results)
}

/// Whether all sequences are known to be as long as there are steps.
fn are_whole(x: Expr<'_>, lengths: Expr<'_>) -> bool {
    let value = lengths.value();
    let steps = x.ty().dim(0).filter(|n| n.known().is_some());
    let graph = x.emitter().graph();
    let known = graph.facts(value).ints();
    known.is_some_and(|all| all.iter().all(|&n| Some(n) == steps))
}
