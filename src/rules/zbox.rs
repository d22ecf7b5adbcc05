//! `zbox` — the zᴮ rule for inputs that lie between bounds, at the first layer (Montavon et al. 2017, eq.
//! 13).
//!
//! ```text
//! R_x = x ⊙ Jᵀ s − l ⊙ J⁺ᵀ s − h ⊙ J⁻ᵀ s      with s = R / stabilised z
//! z   = f(x; θ) − f(l; θ⁺) − f(h; θ⁻)
//! ```
//!
//! `low` and `high` are numbers, or one number per channel: `low=-2.1/-2.0/-1.8`.
//!
//! Suits the first layer of a network for pixels, of which the bounds are known, in a composite.

use super::{
    Branch, Modifier, Opt, Ratio, Rule, RuleOptions, STABILISER, Stabiliser, Term, Treatment,
    at_weights,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &ZBox;

struct ZBox;

impl Rule for ZBox {
    fn name(&self) -> &'static str {
        "zbox"
    }

    fn options(&self) -> &'static [Opt] {
        const fn bound(name: &'static str, what: &'static str) -> Opt {
            Opt { name, default: None, list: true, words: &[], what }
        }
        const {
            &[
                bound("low", "the lowest that an input can be"),
                bound("high", "the highest that an input can be"),
                Opt::number("epsilon", STABILISER, "what is added to a denominator, with its sign"),
            ]
        }
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        let bound = |name: &str, sign| {
            let numbers = Modifier::Constant(options.list(name));
            Branch { negative: true, ..Branch::of(numbers, sign) }
        };
        at_weights(kind, || {
            let branches = vec![
                Branch::PLAIN,
                bound("low", Modifier::Positive),
                bound("high", Modifier::Negative),
            ];
            Ratio::of(Term::of(branches, Stabiliser::Signed(options.number("epsilon"))))
        })
    }
}
