//! Arithmetic, functions of each element, and selections.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Expr;
use crate::onnx::{DataType, attribute::float};

/// 2⁶⁰. Scales any normal float32 difference of numbers near 1 to at least 1, so that a clip to ±1 gives its
/// sign; values up to 1e20 do not overflow.
const STEEP: f64 = (1u64 << 60) as f64;

impl Expr<'_> {
    /// |x|
    pub fn abs(self) -> Self {
        let value = self.value();
        let folded_list = {
            let graph = self.emitter.graph.borrow();
            let (ty, computed) = (graph.ty(value), !graph.inputs(value.node).is_empty());
            computed && !graph.is_active(value) && ty.rank() == Some(1) && ty.is_float()
        };
        if !folded_list || self.emitter.opset() < 8 {
            return self.unary("Abs");
        }
        // OpenVINO drops the `Abs` of a list that is computed from constants (see `docs/runtimes.md`).
        self.max_with(-self).assert_non_negative()
    }

    /// max(x, y)
    fn max_with(self, other: Self) -> Self {
        self.binary("Max", other)
    }

    /// The same values, for the gradient of a product with weights of these numbers of inputs and
    /// outputs. `OpenVINO` keeps rearranged weights by address and target layout alone, so that of one square
    /// constant that is read as it is and transposed, one reader gets the other's (see `docs/runtimes.md`).
    /// A maximum with the least number is a constant of its own, which no runtime simplifies away.
    pub fn for_gradient(self, inputs: Option<i64>, outputs: Option<i64>) -> Self {
        let value = self.value();
        let may_be_shared = !self.emitter.graph.borrow().is_active(value);
        let square = inputs == outputs && inputs != Some(1);
        if !may_be_shared || !square || self.emitter.opset() < 8 {
            return self;
        }
        let least = if self.ty().elem == DataType::Double { f64::MIN } else { f32::MIN.into() };
        self.max_with(self.scalar(least)).named("weights")
    }

    /// |x|; of a layer a leaky `ReLU` of slope −1, which runtimes compute in one step with the layer.
    pub fn magnitude(self) -> Self {
        let node = self.value().node;
        if !matches!(self.emitter.graph.borrow().node(node).op_type(), "Conv" | "Gemm") {
            return self.abs();
        }
        self.emitter.emit("LeakyRelu", &[Some(self)], vec![float("alpha", -1.0)])
    }

    /// max(x, 0)
    pub fn relu(self) -> Self {
        self.unary("Relu")
    }

    /// Whether masks are to be computed by arithmetic, which is written for float32.
    fn by_arithmetic(self) -> bool {
        self.emitter.lowering().masks && self.ty().elem == DataType::Float
    }

    /// −1, 0 or 1
    pub fn sign(self) -> Self {
        match self.by_arithmetic() {
            true if self.is_non_negative() => self.is_above(0.0),
            true => (self * STEEP).clip(-1.0, 1.0),
            false => self.unary("Sign"),
        }
    }

    /// For a product `a · g` with `g ≥ 0`, the factor `a`: it has the product's sign wherever `g ≠ 0`, but may
    /// have to be broadcast. Otherwise the value itself.
    pub fn ungated(self) -> Self {
        let itself = self.value();
        let (graph, node) = (self.emitter.graph.borrow(), itself.node);
        let value = match (graph.node(node).op_type(), graph.inputs(node).as_slice()) {
            ("Mul", &[Some(gated), Some(gate)]) if graph.facts(gate).non_negative => gated,
            ("Mul", &[Some(gate), Some(gated)]) if graph.facts(gate).non_negative => gated,
            _ => itself,
        };
        self.emitter.expr(value)
    }

    /// ε where x ≥ 0, −ε elsewhere
    pub fn toward(self, epsilon: f64) -> Self {
        (self * STEEP + epsilon).clip(-epsilon, epsilon)
    }

    /// 1 where x > bound, 0 elsewhere
    pub fn is_above(self, bound: f64) -> Self {
        self.step(bound, 1.0)
    }

    /// 1 where x < bound, 0 elsewhere
    pub fn is_below(self, bound: f64) -> Self {
        self.step(bound, -1.0)
    }

    /// 1 where `direction · (x − bound) > 0`, 0 elsewhere.
    fn step(self, bound: f64, direction: f64) -> Self {
        // Powers of two keep the difference exact.
        if self.by_arithmetic() && (bound * STEEP).abs() < f64::from(f32::MAX) {
            let alpha = float("alpha", (direction * STEEP) as f32);
            // OpenVINO takes a `beta` of 0 for one that is absent, which means 0.5. Beside 2⁶⁰ x, this is 0.
            let beta = -direction * STEEP * f64::from(bound as f32);
            let beta = float("beta", if beta.abs() > 0.0 { beta as f32 } else { -1e-30 });
            return self.emitter.emit("HardSigmoid", &[Some(self)], vec![alpha, beta]);
        }
        let bound = self.scalar(bound);
        let ordered = if direction > 0.0 { [self, bound] } else { [bound, self] };
        ordered[0].exceeds(ordered[1]).cast(self.ty().elem)
    }

    /// `self`, which is finite, where `condition` holds, and 0 elsewhere.
    pub fn masked(self, condition: Self) -> Self {
        if self.by_arithmetic() {
            self * condition.cast(self.ty().elem)
        } else {
            self.where_or(condition, 0.0)
        }
    }

    /// √x
    pub fn sqrt(self) -> Self {
        self.unary("Sqrt")
    }

    /// eˣ
    pub fn exp(self) -> Self {
        self.unary("Exp")
    }

    /// 1 / (1 + e⁻ˣ)
    pub fn sigmoid(self) -> Self {
        self.unary("Sigmoid")
    }

    /// x, cut to −bound … bound; float64, which has room, is left as it is.
    pub fn saturate(self, bound: f64) -> Self {
        if self.ty().elem == DataType::Double { self } else { self.clip(-bound, bound) }
    }

    /// x, cut to low … high
    pub fn clip(self, low: f64, high: f64) -> Self {
        if self.emitter.opset() < 11 {
            let bounds = vec![float("max", high as f32), float("min", low as f32)];
            return self.emitter.emit("Clip", &[Some(self)], bounds);
        }
        let bounds = [Some(self), Some(self.scalar(low)), Some(self.scalar(high))];
        self.emitter.emit("Clip", &bounds, vec![])
    }

    /// x = y, as booleans
    pub fn equals(self, other: Self) -> Self {
        if self.ty().is_float() && self.emitter.opset() < 11 {
            return self.exceeds(other).binary("Or", other.exceeds(self)).unary("Not");
        }
        self.binary("Equal", other)
    }

    /// x ≠ 0, as booleans. A cast to booleans means the same, but some runtimes round towards 0 first.
    pub fn is_nonzero(self) -> Self {
        let zero = self.scalar(0.0);
        if self.emitter.opset() < 11 {
            return self.exceeds(zero).binary("Or", zero.exceeds(self));
        }
        self.equals(zero).unary("Not")
    }

    /// x = number, as booleans
    pub fn equals_number(self, number: f64) -> Self {
        self.equals(self.scalar(number))
    }

    /// xᵖ
    pub fn pow(self, p: Self) -> Self {
        self.binary("Pow", p)
    }

    /// x > y, as booleans
    pub fn greater(self, other: f64) -> Self {
        self.binary("Greater", self.scalar(other))
    }

    /// x > y, as booleans
    pub fn exceeds(self, other: Self) -> Self {
        self.binary("Greater", other)
    }

    /// `self` where `condition` holds, `other` elsewhere.
    pub fn where_(self, condition: Self, other: Self) -> Self {
        self.emitter.emit("Where", &[Some(condition), Some(self), Some(other)], vec![])
    }

    /// `self` where `condition` holds, the number elsewhere.
    pub fn where_or(self, condition: Self, other: f64) -> Self {
        self.where_(condition, self.scalar(other))
    }

    /// `self` where `condition` holds, `other` elsewhere; both are finite.
    pub fn select(self, condition: Self, other: Self) -> Self {
        if !self.by_arithmetic() {
            return self.where_(condition, other);
        }
        let mask = condition.cast(self.ty().elem);
        self * mask + other * (1.0 - mask)
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $op_type:literal),*) => {$(
        impl<'e> $trait for Expr<'e> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.binary($op_type, other)
            }
        }
        impl<'e> $trait<f64> for Expr<'e> {
            type Output = Self;
            fn $method(self, other: f64) -> Self {
                self.binary($op_type, self.scalar(other))
            }
        }
    )*};
}
arithmetic!(Add add "Add", Sub sub "Sub", Mul mul "Mul", Div div "Div");

impl<'e> Sub<Expr<'e>> for f64 {
    type Output = Expr<'e>;
    fn sub(self, x: Expr<'e>) -> Expr<'e> {
        x.scalar(self).binary("Sub", x)
    }
}

impl<'e> Div<Expr<'e>> for f64 {
    type Output = Expr<'e>;
    fn div(self, x: Expr<'e>) -> Expr<'e> {
        x.scalar(self) / x
    }
}

impl Neg for Expr<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary("Neg")
    }
}
