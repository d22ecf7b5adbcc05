//! Sharing in proportion, in five steps: branches, denominator, quotient, gradients, reduction.
//!
//! ```text
//! y_b  = f(x_b; θ_b)              branches: the unit with its inputs and parameters modified
//! z    = Σ_b ± y_b                denominator
//! s    = R / (z + ε)              quotient, as the stabiliser divides
//! g_b  = (∂y_b/∂x_b)ᵀ s           gradients
//! R_x  = Σ_b ± x_b ⊙ g_b          reduction
//! ```
//!
//! A rule may add up several such terms, each with a denominator of its own.

use super::{Crossing, Relevance, Shares};
use crate::{
    ir::{Call, Error, Expr, Kind, Role, Value},
    rules::{Branch, Gate, Modifier, Ratio, Stabiliser, Term},
};

/// What the branches of a rule make of an operand: the modifier, the modified operand, and the
/// gradient there. Branches that see the same `x` are added up before they are multiplied by it.
type Parts<'r, 'e> = Vec<(&'r Modifier, Expr<'e>, Expr<'e>)>;

impl<'s, 'e> Crossing<'s, 'e> {
    /// The relevance of the recipients, and what of `r` is shared out at all.
    pub(super) fn ratio(
        &self,
        ratio: &Ratio,
        call: &Call<'s, 'e>,
        recipients: &[(usize, Value)],
        r: Relevance<'e>,
    ) -> Result<(Shares<'e>, Option<Expr<'e>>), Error> {
        if let Some(read_off) = self.read_off(ratio, call, recipients, r)? {
            return Ok(read_off);
        }
        let mut gradients: Vec<Parts<'_, 'e>> = vec![Vec::new(); recipients.len()];
        let mut kept: Option<Expr<'e>> = None;
        for term in &ratio.terms {
            let branches = self.branches(call, term)?;
            let z = self.denominator(term, call, &branches)?;
            let s = self.quotient(term, call, r, z);
            // Contributions add up to what is divided by, or, where that is their magnitudes, to the
            // result.
            let sum = match term.stabiliser {
                Stabiliser::Magnitudes(_) => Some(call.y()),
                _ => z,
            };
            if let Some(sum) = sum {
                kept = Some(kept.map_or(s * sum, |kept| kept + s * sum));
            }
            for (&(operand, _), parts) in recipients.iter().zip(&mut gradients) {
                add_gradients(parts, operand, &branches, s)?;
            }
            if ratio.through_others {
                self.add_through_others(&mut gradients, call, recipients, &branches, s)?;
            }
        }
        Ok((self.reduce(ratio, recipients, gradients)?, kept))
    }

    /// Adds the gradients of each operand through the others that are computed from it.
    fn add_through_others<'r>(
        &self,
        gradients: &mut [Parts<'r, 'e>],
        call: &Call<'s, 'e>,
        recipients: &[(usize, Value)],
        branches: &[(&'r Branch, Call<'s, 'e>)],
        s: Expr<'e>,
    ) -> Result<(), Error> {
        for &(other, from) in recipients {
            let mut seed: Option<Expr<'e>> = None;
            for (branch, modified) in branches {
                let g = modified.adjoint(other, s)?;
                // The derivative of the modifier.
                let g = match branch.input {
                    Modifier::Absolute => g * call.x(other)?.sign(),
                    _ => g,
                };
                seed = Some(seed.map_or(g, |seed| seed + g));
            }
            let Some(seed) = seed else { continue };
            for (&(operand, to), parts) in recipients.iter().zip(gradients.iter_mut()) {
                if let Some(g) = self.sweep.gradient(from, seed, to)? {
                    parts.push((&Modifier::Identity, call.x(operand)?, g));
                }
            }
        }
        Ok(())
    }

    /// The unit as each branch of a term sees it.
    fn branches<'r>(
        &self,
        call: &Call<'s, 'e>,
        term: &'r Term,
    ) -> Result<Vec<(&'r Branch, Call<'s, 'e>)>, Error> {
        term.branches.iter().map(|branch| Ok((branch, self.modified(call, branch)?))).collect()
    }

    /// What relevance is divided by; `None` where it is not divided.
    fn denominator(
        &self,
        term: &Term,
        call: &Call<'s, 'e>,
        branches: &[(&Branch, Call<'s, 'e>)],
    ) -> Result<Option<Expr<'e>>, Error> {
        let counted = match term.stabiliser {
            Stabiliser::Magnitudes(_) => return Ok(Some(call.magnitudes()?.named("z"))),
            Stabiliser::Whole => 0,
            // The unit's own result comes first, and is all that counts.
            Stabiliser::OwnMagnitude(_) => 1,
            _ => branches.len(),
        };
        let (mut z, mut with_layer) = (None::<Expr<'e>>, false);
        for (branch, modified) in branches.iter().take(counted) {
            let plain = branch.is_plain();
            let is_layer = plain && self.unit.is_literal(self.graph);
            let y = match is_layer {
                true => call.y(),
                false => modified.forward()?.named(if plain { "layer" } else { "twin" }),
            };
            with_layer |= is_layer;
            z = Some(match (z, branch.negative) {
                (None, false) => y,
                (None, true) => -y,
                // A sum, written so that no runtime fuses it with the twin: a convolution that
                // starts from the layer's result rounds otherwise than the layer did, and the
                // two would not cancel.
                (Some(z), false) if with_layer => (z - -y).named("z"),
                (Some(z), false) => (z + y).named("z"),
                (Some(z), true) => (z - y).named("z"),
            });
        }
        Ok(z)
    }

    /// The relevance over the denominator, where the term counts.
    fn quotient(
        &self,
        term: &Term,
        call: &Call<'s, 'e>,
        r: Relevance<'e>,
        z: Option<Expr<'e>>,
    ) -> Expr<'e> {
        let r = match term.gate {
            Gate::Everywhere => r,
            Gate::Positive => r.with(r.per * call.y().is_above(0.0)),
            Gate::Negative => r.with(r.per * call.y().is_below(0.0)),
        };
        let stabiliser = term.stabiliser;
        let s = z.map_or_else(
            || r.value(),
            |z| {
                let without_division =
                    stabiliser.cofactor(r, z).or_else(|| self.rectified(stabiliser, r, z));
                let s = without_division.unwrap_or_else(|| stabiliser.divide(r, call.y(), z));
                let singular = self.unit.operator.is_singular(call.node);
                // What is no number shares out nothing, where there is nothing to share.
                if singular { s.where_or(r.per.is_nonzero(), 0.0) } else { s }
            },
        );
        let whole = (term.factor - 1.0).abs() < f64::EPSILON;
        (if whole { s } else { s * term.factor }).as_quotient()
    }

    /// The sum over the branches, each multiplied by what it sees of the operand.
    fn reduce(
        &self,
        ratio: &Ratio,
        recipients: &[(usize, Value)],
        gradients: Vec<Parts<'_, 'e>>,
    ) -> Result<Shares<'e>, Error> {
        let mut shares = Vec::new();
        for (&(_, value), parts) in recipients.iter().zip(gradients) {
            // Where nothing flows, nothing does through an infinite activation either: 0 · ∞ = 0.
            let infinite = self.graph.facts(value).may_be_infinite;
            let products = parts.into_iter().map(|(modifier, x, g)| match modifier {
                Modifier::One => Relevance::whole(g),
                _ if infinite => Relevance::whole(x.where_or(g.is_nonzero(), 0.0) * g),
                _ => Relevance::product(x, g),
            });
            if let Some(sum) = products.reduce(Relevance::plus) {
                shares.push((value, share(ratio, sum)?));
            }
        }
        Ok(shares)
    }

    /// All five steps at once for a function of each element whose `x ⊙ f′(x)` follows from its
    /// result (Euler's theorem): there is nothing to compute but that.
    fn read_off(
        &self,
        ratio: &Ratio,
        call: &Call<'s, 'e>,
        recipients: &[(usize, Value)],
        r: Relevance<'e>,
    ) -> Result<Option<(Shares<'e>, Option<Expr<'e>>)>, Error> {
        let (Some(euler), [term]) = (self.unit.euler(self.graph), ratio.terms.as_slice()) else {
            return Ok(None);
        };
        // Where the result is not finite, nothing can be read off it.
        if self.unit.operator.is_singular(self.graph.node(self.unit.node)) {
            return Ok(None);
        }
        let divides_by_result =
            !matches!(term.stabiliser, Stabiliser::Whole | Stabiliser::Magnitudes(_));
        if term.branches != [Branch::PLAIN] || !divides_by_result {
            return Ok(None);
        }
        let y = call.y();
        let idle = term.stabiliser.idle(r, y);
        let kept = idle.unwrap_or_else(|| r.with(term.stabiliser.share(r.per, y)));
        let product = match kept.of {
            Some(of) => Relevance::product(euler.times(call, of)?, kept.per),
            None => kept.with(euler.times(call, kept.per)?),
        };
        let share = share(ratio, product)?;
        let shares = recipients.iter().map(|(_, value)| (*value, share)).collect();
        Ok(Some((shares, idle.is_none().then(|| kept.value()))))
    }

    /// `R` divided by `z`, where `R` has a factor `max(z, 0)`: the other one, where that is positive.
    fn rectified(&self, stabiliser: Stabiliser, r: Relevance<'e>, z: Expr<'e>) -> Option<Expr<'e>> {
        let y = r.of.filter(|_| stabiliser.is_idle(z))?;
        let own = z.value() == self.emitter.real(self.unit.output).value();
        let rectifies = |reader| {
            let result = self.emitter.real(Value { node: reader, slot: 0 });
            self.graph.node(reader).op_type() == "Relu" && result.value() == y.value()
        };
        let found = own && self.graph.readers(self.unit.output).any(rectifies);
        found.then(|| r.per * y.sign())
    }

    /// The call with its inputs and parameters modified.
    fn modified(&self, call: &Call<'s, 'e>, branch: &Branch) -> Result<Call<'s, 'e>, Error> {
        let mut modified = call.clone();
        for operand in 0..call.arity() {
            let modifier = match self.unit.role(self.graph, operand) {
                Some(Role::Weight) => Some(&branch.weight),
                Some(Role::Bias) => branch.bias.as_ref(),
                None if self.unit.is_active(self.graph, operand) => Some(&branch.input),
                None => continue,
            };
            if modifier != Some(&Modifier::Identity) {
                let value = modifier.and_then(|m| Some(m.apply(call.get(operand)?)));
                modified = modified.with(operand, value);
            }
        }
        // What adds up terms has a gradient that its result plays no part in.
        let by_result = !matches!(self.unit.kind, Kind::Weighted | Kind::Product);
        if by_result && branch.input != Modifier::Identity {
            modified = modified.recomputed()?;
        }
        modified = modified.detach(branch.detached);
        if let (Some(layer), true) = (self.unit.operator.linear(), branch.shift > 0.0) {
            let bias = match modified.get(2) {
                Some(bias) => bias + branch.shift,
                None => {
                    let elem = call.y().ty().elem;
                    layer.bias(call.node, self.emitter.scalar(elem, branch.shift))?
                }
            };
            modified = modified.with(2, Some(bias));
        }
        Ok(modified)
    }
}

/// Adds the gradients of the branches at an operand to those that are there.
fn add_gradients<'r, 'e>(
    parts: &mut Parts<'r, 'e>,
    operand: usize,
    branches: &[(&'r Branch, Call<'_, 'e>)],
    s: Expr<'e>,
) -> Result<(), Error> {
    for (branch, call) in branches {
        let g = call.adjoint(operand, s)?;
        let g = if branch.negative { -g } else { g };
        match parts.iter_mut().find(|(modifier, ..)| **modifier == branch.input) {
            Some((.., sum)) => *sum = *sum + g,
            None => parts.push((&branch.input, call.x(operand)?, g)),
        }
    }
    Ok(())
}

/// What an operand gets of a sum: normalised if the rule says so, times the operand's part.
fn share<'e>(ratio: &Ratio, sum: Relevance<'e>) -> Result<Relevance<'e>, Error> {
    let sum = if ratio.normalised { Relevance::whole(normalised(sum.value())?) } else { sum };
    let whole = (ratio.share - 1.0).abs() < f64::EPSILON;
    let per = if whole { sum.per } else { sum.per * ratio.share };
    Ok(sum.with(if sum.of.is_none() { per.named("R") } else { per }))
}

/// A relevance scaled to Σ |R| = 1 per sample; nothing stays nothing.
fn normalised(r: Expr<'_>) -> Result<Expr<'_>, Error> {
    let axes: Vec<_> = (usize::from(r.rank()? > 1)..r.rank()?).collect();
    let sum = r.abs().sum(&axes, true);
    Ok(r / sum.where_or(sum.greater(0.0), 1.0))
}
