//! Scaled dot-product attention (Vaswani et al. 2017), which several operators are forms of.

use super::CallSite;
use crate::{
    ir::{Dim, Error, Expr},
    onnx::DataType,
};

/// What is attended to, and how: `softmax(scale · QKᵀ + bias) V`, with heads along axis 1 of all.
pub(super) struct Attention<'e> {
    /// The queries, `[batch, heads, queries, size]`.
    pub q: Expr<'e>,
    /// The keys, `[batch, heads, keys, size]`; of fewer heads, each is that of a group of queries' heads.
    pub k: Expr<'e>,
    /// The values, `[batch, heads, keys, size of values]`, with the heads of the keys.
    pub v: Expr<'e>,
    /// What products are multiplied by; one over the root of their length by default.
    pub scale: Option<f64>,
    /// The bound that products are squashed to by tanh; 0 for none.
    pub softcap: f64,
    /// What is added to the scores.
    pub biases: Vec<Expr<'e>>,
    /// A score that every query has beside those of its keys, and that no value belongs to.
    pub sink: Option<Expr<'e>>,
}

/// Which keys a query may attend to.
pub(super) struct Allowed<'e> {
    /// Whether it may, as booleans that broadcast to `[batch, heads, queries, keys]`.
    pub keys: Expr<'e>,
    /// Whether there may be queries that have no key. Their result is 0.
    pub may_be_none: bool,
}

impl<'e> Attention<'e> {
    /// The weighted means of the values, `[batch, heads, queries, size of values]`. `allowed` is given the
    /// scores, `[batch, heads, queries, keys]`.
    pub(super) fn of(
        self,
        allowed: impl FnOnce(Expr<'e>) -> Result<Option<Allowed<'e>>, Error>,
    ) -> Result<Expr<'e>, Error> {
        let (k, v) = (self.for_queries(self.k)?, self.for_queries(self.v)?);
        let known = || size(self.q, 3, "the size of a head").map(|size| 1.0 / (size as f64).sqrt());
        let scale = self.scale.map_or_else(known, Ok)?;
        let mut scores = (self.q * scale).matmul(k.transpose(&[0, 1, 3, 2]));
        if self.softcap > 0.0 {
            scores = (scores / self.softcap).unary("Tanh") * self.softcap;
        }
        let bare = scores;
        scores = self.biases.into_iter().fold(scores, |scores, bias| scores + bias);
        let allowed = allowed(scores)?;
        if let Some(allowed) = &allowed {
            // As good as −∞, and finite: of a query without keys, the softmax is a number.
            let lowest = match scores.ty().elem {
                DataType::Float16 => -65504.0,
                _ => f64::from(f32::MIN),
            };
            scores = scores.where_or(allowed.keys, lowest);
        }
        if (0..4).any(|axis| {
            scores.ty().dim(axis).zip(bare.ty().dim(axis)).is_some_and(|(a, b)| a.differs(b))
        }) {
            let what = "a mask or bias of more queries or keys than there are".into();
            return Err(Error::Shapes { what });
        }
        let mut weights = match self.sink {
            None => scores.softmax(3)?,
            Some(sink) => {
                let sink = sink.expand_like(scores.part(3, 0, 1));
                let both = Expr::concat(&[sink, scores], 3).unwrap_or(scores).softmax(3)?;
                let [from, to] = [1, i64::MAX].map(|at| scores.emitter().ints(&[at]));
                both.slice(3, from, to)?
            }
        };
        if let Some(allowed) = allowed.filter(|allowed| allowed.may_be_none) {
            weights = weights.where_or(allowed.keys, 0.0);
        }
        Ok(weights.matmul(v))
    }

    /// Keys or values, repeated for each of the heads of queries that they belong to.
    fn for_queries(&self, x: Expr<'e>) -> Result<Expr<'e>, Error> {
        let [heads, groups] = [self.q, x].map(|x| x.ty().dim(1));
        if heads.is_some() && heads == groups && heads != Some(Dim::Unknown) {
            return Ok(x);
        }
        let [heads, groups] = [(self.q, "the number of heads"), (x, "the number of heads of keys")]
            .map(|(x, what)| size(x, 1, what));
        let (heads, groups) = (heads?, groups?);
        if groups == 0 || heads % groups != 0 {
            let what = format!("{heads} heads of queries and {groups} of keys");
            return Err(Error::Shapes { what });
        }
        let times = x.emitter().ints(&[1, 1, heads / groups, 1, 1]);
        let repeated = x.emitter().emit("Expand", &[Some(x.unsqueeze(&[2])), Some(times)], vec![]);
        Ok(repeated.reshape(&[0, heads, -1, size(x, 3, "the size of a head")?]))
    }
}

/// `[batch, tokens, heads · size]` as `[batch, heads, tokens, size]`, unless it is that already.
pub(super) fn split_heads(x: Expr<'_>, heads: i64) -> Result<Expr<'_>, Error> {
    if x.rank()? == 4 {
        return Ok(x);
    }
    let size = match x.ty().dim(2) {
        Some(Dim::Known(hidden)) if heads <= 0 || hidden % heads != 0 => {
            return Err(Error::Shapes { what: format!("{heads} heads of {hidden} features") });
        }
        Some(Dim::Known(hidden)) => hidden / heads,
        _ => -1,
    };
    Ok(x.reshape(&[0, 0, heads, size]).transpose(&[0, 2, 1, 3]))
}

/// `[batch, heads, tokens, size]` as `[batch, tokens, heads · size]`.
pub(super) fn join_heads(x: Expr<'_>) -> Expr<'_> {
    let [heads, size] = [1, 3].map(|axis| x.ty().dim(axis).and_then(Dim::known));
    let hidden = heads.zip(size).map_or(-1, |(heads, size)| heads * size);
    x.transpose(&[0, 2, 1, 3]).reshape(&[0, 0, hidden])
}

/// Those that were kept of earlier tokens, if any, and then these, along the axis of tokens.
pub(super) fn with_past<'e>(past: Option<Expr<'e>>, x: Expr<'e>) -> Expr<'e> {
    past.and_then(|past| Expr::concat(&[past, x], 2)).unwrap_or(x)
}

/// Keys up to a query's own, where queries lie behind the past, `[batch, heads, tokens, size]`.
pub(super) fn causal<'e>(scores: Expr<'e>, past: Option<Expr<'e>>) -> Result<Allowed<'e>, Error> {
    let emitter = scores.emitter();
    let tokens = emitter.positions(scores, 2)?;
    let places = past.map_or(tokens, |past| tokens + past.size(2));
    let keys = at_most(emitter.positions(scores, 3)?, places);
    Ok(Allowed { keys, may_be_none: false })
}

/// Whether both hold.
pub(super) fn and<'e>(a: Expr<'e>, b: Expr<'e>) -> Expr<'e> {
    a.emitter().emit("And", &[Some(a), Some(b)], vec![])
}

/// Whether `a ≤ b`.
pub(super) fn at_most<'e>(a: Expr<'e>, b: Expr<'e>) -> Expr<'e> {
    a.exceeds(b).unary("Not")
}

/// A size that a formula cannot do without.
pub(super) fn size(x: Expr<'_>, axis: usize, what: &str) -> Result<i64, Error> {
    let known = x.ty().dim(axis).and_then(Dim::known);
    known.ok_or_else(|| Error::Unknown { what: what.into() })
}

impl<'e> CallSite<'_, 'e> {
    /// `scale`, where 0 stands for the default.
    pub(super) fn scale(&self) -> Result<Option<f64>, Error> {
        Ok(self.float("scale")?.filter(|scale| scale.abs() > 0.0))
    }

    /// What a mask of `keys` adds to the scores, `[batch, 1, queries or 1, keys]`: nothing where it is 1, and
    /// `mask_filter_value` where it is 0. A list is that of how many keys each sample has.
    pub(super) fn filtered(&self, mask: Expr<'e>, keys: Expr<'e>) -> Result<Expr<'e>, Error> {
        let filter = self.float("mask_filter_value")?.unwrap_or(-10_000.0);
        let elem = keys.ty().elem;
        let kept = match mask.rank()? {
            1 if mask.ty().dim(0) == keys.ty().dim(0) => {
                let ends = mask.cast(DataType::Int64).reshape(&[-1, 1, 1, 1]);
                let places = self.emitter.positions(keys, 2)?.transpose(&[0, 1, 3, 2]);
                ends.exceeds(places).cast(elem)
            }
            2 => mask.cast(elem).unsqueeze(&[1, 2]),
            3 => mask.cast(elem).unsqueeze(&[1]),
            rank => {
                let what = format!("{} with a mask of {rank} axes of this size", self.name);
                return Err(Error::Unsupported { what });
            }
        };
        Ok((1.0 - kept) * filter)
    }
}
