//! The adjoints of convolutions: as transposed convolutions, which they are by name, or in one of the
//! forms that runtimes are quicker at (see the pass `turned-convolutions`).

use super::Window;
use crate::onnx::attribute::ints;
use crate::{
    ir::{Dim, Error, Expr, Type},
    ops::places,
};

/// Every `step`-th element of a kernel along an axis, and the padding that they take.
struct Taps {
    first: i64,
    used: i64,
    step: i64,
    before: i64,
    after: i64,
}

/// The longest stride whose gradient may be that much longer than the data.
const LONGEST_STRIDE: i64 = 1 << 16;

/// Up to how many places of a kernel its gradient is computed place by place.
const MOST_PLACES: i64 = 64;

impl Window {
    /// The adjoint of [`Window::conv`]: `s`, one value per window, back to the shape of `x`.
    ///
    /// A `ConvTranspose` is the adjoint of a `Conv` up to the elements at the end that no window
    /// reached, which `output_padding` restores, and those that a window reached beyond the end,
    /// which more padding cuts.
    pub fn conv_adjoint<'e>(
        &self,
        x: Expr<'e>,
        w: Expr<'e>,
        s: Expr<'e>,
        group: i64,
    ) -> Result<Expr<'e>, Error> {
        let ty = x.ty();
        if s.emitter().lowering().turned_convolutions
            && let Some(g) =
                self.as_product(x, w, s, group).or_else(|| self.turned(&ty, w, s, group))
        {
            return Ok(g);
        }
        let mut after = self.after.clone();
        let mut output_padding = vec![0; self.kernel.len()];
        let mut cut = Vec::new();
        for axis in 0..self.kernel.len() {
            let (stride, reach) = (self.strides[axis], self.reach(axis));
            match ty.dim(axis + 2) {
                Some(Dim::Known(size)) => {
                    let windows = self.windows(axis, Dim::Known(size)).known().unwrap_or(0);
                    let covered = (windows - 1) * stride + reach - self.before[axis] - after[axis];
                    let missing = size - covered;
                    output_padding[axis] = missing.max(0);
                    after[axis] += (-missing).max(0);
                }
                _ if stride == 1 => {}
                // What no window reached is as long as a stride, and cut away again.
                _ if stride > LONGEST_STRIDE => {
                    let what = format!("a stride of {stride} over data of an open size");
                    return Err(Error::Unsupported { what });
                }
                _ => {
                    output_padding[axis] = stride - 1;
                    cut.push(axis + 2);
                }
            }
        }
        let mut attributes = self.attributes(&self.before, &after, group);
        if output_padding.iter().any(|&n| n > 0) {
            attributes.push(ints("output_padding", &output_padding));
        }
        let emitter = s.emitter();
        let size = |axis| w.ty().dim(axis).and_then(Dim::known);
        let w = w.for_gradient(size(1), size(0).map(|features| features / group.max(1)));
        let mut out = emitter.emit("ConvTranspose", &[Some(s), Some(w)], attributes);
        if cut.is_empty() {
            return Ok(out.assume(ty.with(s.ty().elem)));
        }
        let rank = self.kernel.len() + 2;
        out = out.assume(Type::new(s.ty().elem, vec![Dim::Unknown; rank]));
        for axis in cut {
            out = out.slice(axis, emitter.ints(&[0]), x.size(axis))?;
        }
        Ok(out)
    }

    /// [`Window::conv_adjoint`] as a product with a matrix, where the window is one element and channels
    /// are few: a convolution would be computed in another layout, and with `c` channels in and `f`
    /// out it takes `c f` multiplications to change the layout of `c + f` elements. Measured on ONNX
    /// Runtime's CPU, that is not worth it up to about 52 multiplications for each.
    fn as_product<'e>(
        &self,
        x: Expr<'e>,
        w: Expr<'e>,
        s: Expr<'e>,
        group: i64,
    ) -> Option<Expr<'e>> {
        let none = |pads: &[i64]| pads.iter().all(|&n| n == 0);
        let whole = self.count() == 1 && self.strides.iter().all(|&n| n == 1) && group == 1;
        if !whole || !none(&self.before) || !none(&self.after) || !self.open.is_empty() {
            return None;
        }
        let size = |axis| w.ty().dim(axis).and_then(Dim::known);
        let (features, channels) = (size(0)?, size(1)?);
        if features.saturating_mul(channels) > features.saturating_add(channels).saturating_mul(52)
        {
            return None;
        }
        let matrix = w.reshape(&[features, channels]).transpose(&[1, 0]).named("turned");
        Some(matrix.matmul(s.reshape(&[0, features, -1])).reshape_like(x))
    }

    /// [`Window::conv_adjoint`] by convolutions of step 1, one for each phase of the windows' steps: the
    /// element at `t u + b` is reached by every `t`-th element of the kernel, which is turned around and
    /// has its channels exchanged. `None` where that is no convolution without negative padding.
    fn turned<'e>(&self, x: &Type, w: Expr<'e>, s: Expr<'e>, group: i64) -> Option<Expr<'e>> {
        let n = self.kernel.len();
        let whole = self.strides.iter().all(|&step| step == 1);
        let size = |axis: usize| x.dim(axis + 2).and_then(Dim::known);
        let mut phases = Vec::new();
        let count = self.phases();
        // What phases are put together from is reshaped, where one size may be open.
        let open = x.shape.iter().flatten().filter(|dim| dim.known().is_none()).count();
        if self.ceil || !self.open.is_empty() || count > 16 || !whole && open > 1 {
            return None;
        }
        for phase in 0..count {
            let mut rest = phase;
            let mut taps = Vec::with_capacity(n);
            for axis in (0..n).rev() {
                let (step, kernel, dilation) =
                    (self.strides[axis], self.kernel[axis], self.dilations[axis]);
                let (at, pad) = (rest % step + self.before[axis], self.before[axis]);
                rest /= step;
                let (first, beyond) = (at % step, at / step);
                let used = (kernel - first + step - 1).max(0) / step;
                let (before, after) = if step == 1 {
                    (self.reach(axis) - 1 - pad, self.reach(axis) - 1 - self.after[axis])
                } else if dilation == 1 {
                    let rows = (size(axis)? + step - 1) / step;
                    let windows = self.windows(axis, Dim::Known(size(axis)?)).known()?;
                    (used - 1 - beyond, rows - windows + beyond)
                } else {
                    return None;
                };
                if used > 0 && (before < 0 || after < 0) {
                    return None;
                }
                taps.push(Taps { first, used, step, before, after });
            }
            taps.reverse();
            let reached = taps.iter().all(|t| t.used > 0);
            phases.push(if reached { Some(self.tapped(w, s, group, &taps)?) } else { None });
        }
        if whole {
            return phases.pop()?;
        }
        let any = *phases.iter().flatten().next()?;
        let phases = phases.into_iter().map(|phase| phase.unwrap_or(any * 0.0)).collect();
        let mut out = places::interleave(phases, &self.strides)?;
        for axis in 0..n {
            out = out.part(axis + 2, 0, size(axis)?);
        }
        Some(out)
    }

    /// What `s` gives through some of the elements of a kernel.
    fn tapped<'e>(&self, w: Expr<'e>, s: Expr<'e>, group: i64, taps: &[Taps]) -> Option<Expr<'e>> {
        let emitter = s.emitter();
        let dims = w.ty().shape?.iter().map(|d| d.known()).collect::<Option<Vec<_>>>()?;
        let (&[features, each], _) = dims.split_first_chunk()?;
        // Channels are computed in blocks of 8 or 16. Of a few, most of that would be thrown away.
        if group.saturating_mul(each) < 8 {
            return None;
        }
        let spatial: Vec<_> = taps.iter().map(|t| t.used).collect();
        let axes: Vec<_> = (0..taps.len()).filter(|&axis| self.kernel[axis] > 1).collect();
        let mut kernel = w;
        if !axes.is_empty() {
            let list = |of: &dyn Fn(&Taps) -> i64| {
                axes.iter().map(|&axis| of(&taps[axis])).collect::<Vec<_>>()
            };
            let along = axes.iter().map(|&axis| axis + 2).collect::<Vec<_>>();
            let from = emitter.ints(&list(&|t| t.first + (t.used - 1) * t.step));
            let to = emitter.ints(&list(&|_| i64::MIN));
            kernel = w.strided(&along, from, to, Some(&list(&|t| -t.step))).ok()?;
        }
        let exchange = |first: &[usize]| {
            let rest = first.len()..first.len() + taps.len();
            first.iter().copied().chain(rest).collect::<Vec<_>>()
        };
        kernel = match (group, each) {
            (1, _) => kernel.transpose(&exchange(&[1, 0])),
            (_, 1) if features == group => kernel,
            _ => kernel
                .reshape(&[&[group, features / group, each], spatial.as_slice()].concat())
                .transpose(&exchange(&[0, 2, 1]))
                .reshape(&[&[group * each, features / group], spatial.as_slice()].concat()),
        };
        let (before, after): (Vec<_>, Vec<_>) = taps.iter().map(|t| (t.before, t.after)).unzip();
        let plain = Self { kernel: spatial, strides: vec![1; taps.len()], ..self.clone() };
        let attributes = plain.attributes(&before, &after, group);
        Some(emitter.emit("Conv", &[Some(s), Some(kernel.named("turned"))], attributes))
    }

    /// [`Window::kernel_adjoint`] as a product of matrices for each place of the kernel: of `s` with what the
    /// windows have there. `None` where the numbers of channels are open.
    fn kernel_by_places<'e>(
        &self,
        x: Expr<'e>,
        s: Expr<'e>,
        w: Expr<'e>,
        group: i64,
    ) -> Result<Option<Expr<'e>>, Error> {
        let n = self.kernel.len();
        let (x, _) = self.with_padding(x, 0.0);
        let size = |axis| w.ty().dim(axis).and_then(Dim::known);
        let (Some(features), Some(channels)) = (size(0), size(1)) else { return Ok(None) };
        let emitter = s.emitter();
        // [N, g·c, …] → [g, c, N, …] → [g, c, N · …]
        let matrices = |v: Expr<'e>, each: i64| {
            let apart = v.reshape(&[0, group, each, -1]).transpose(&[1, 2, 0, 3]);
            apart.reshape(&[group, each, -1])
        };
        let s_rows = matrices(s, features / group.max(1));
        let mut of_places = Vec::new();
        for place in 0..self.count() {
            let mut rest = place;
            let mut seen = x;
            for axis in (0..n).rev() {
                let list = |at: i64| emitter.ints(&[at]);
                let (at, stride) =
                    (rest % self.kernel[axis] * self.dilations[axis], self.strides[axis]);
                rest /= self.kernel[axis];
                let last = (s.size(axis + 2) - list(1)) * list(stride);
                seen = seen.strided(&[axis + 2], list(at), last + list(at + 1), Some(&[stride]))?;
            }
            let product = s_rows.matmul(matrices(seen, channels).transpose(&[0, 2, 1]));
            of_places.push(product.reshape(&[features, channels, 1]));
        }
        let shape = [&[features, channels], self.kernel.as_slice()].concat();
        Ok(Expr::concat(&of_places, 2).map(|all| all.reshape(&shape)))
    }

    /// The adjoint of [`Window::conv`] by the kernel `w`: a convolution of `x` with `s` in which
    /// batch and channels change places, and steps and dilations. Where its kernel, `s`, would have a size that
    /// is not known, which many runtimes do not take, a product for each place of `w` if those are few.
    pub fn kernel_adjoint<'e>(
        &self,
        x: Expr<'e>,
        s: Expr<'e>,
        w: Expr<'e>,
        group: i64,
    ) -> Result<Expr<'e>, Error> {
        let rank = self.kernel.len() + 2;
        if s.ty().count().is_none()
            && self.count() <= MOST_PLACES
            && s.emitter().opset() >= 10
            && let Some(gradient) = self.kernel_by_places(x, s, w, group)?
        {
            return Ok(gradient);
        }
        let exchanged: Vec<_> = [1, 0].into_iter().chain(2..rank).collect();
        let x = if group == 1 {
            x.transpose(&exchanged)
        } else {
            // [N, g·c, …] → [c, g·N, …]
            let known = |dims: Vec<Dim>| dims.iter().map(|d| d.known()).collect::<Option<Vec<_>>>();
            let dims = x
                .ty()
                .shape
                .and_then(known)
                .filter(|dims| dims.len() == rank)
                .ok_or(Error::Unknown { what: "the shape of the operand".into() })?;
            let (each, spatial) = (dims[1] / group.max(1), &dims[2..]);
            let order: Vec<_> = [2, 1, 0].into_iter().chain(3..=rank).collect();
            x.reshape(&[&[dims[0], group, each], spatial].concat())
                .transpose(&order)
                .reshape(&[&[each, group * dims[0]], spatial].concat())
        };
        let swapped = Self {
            kernel: s.ty().shape.iter().flatten().skip(2).filter_map(|d| d.known()).collect(),
            strides: self.dilations.clone(),
            dilations: self.strides.clone(),
            ..self.clone()
        };
        let mut attributes = swapped.attributes(&self.before, &self.after, group);
        if swapped.kernel.len() != self.kernel.len() {
            attributes.retain(|a| a.name() != "kernel_shape");
        }
        let s = s.transpose(&exchanged);
        let mut out = s.emitter().emit("Conv", &[Some(x), Some(s)], attributes);
        out = out.assume(Type::new(s.ty().elem, vec![Dim::Unknown; rank])).transpose(&exchanged);
        for axis in 2..rank {
            // Steps leave elements that no window reached.
            if out.ty().dim(axis).and_then(Dim::known) != Some(self.kernel[axis - 2]) {
                out = out.slice(axis, s.emitter().ints(&[0]), w.size(axis))?;
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        ir::{Emitter, Origin, Value},
        onnx::{DataType, Model},
    };

    /// A convolution that `turned` writes, over one axis: the elements of the kernel in the order in
    /// which it meets them, and the zeros before and after `s`.
    type Turned = (Vec<i64>, [i64; 2]);

    /// What `turned` writes for a convolution over one axis, phase by phase.
    fn turned(window: &Window, size: i64) -> Option<Vec<Turned>> {
        let model = Model::open("fixtures/forms/relu.op17.onnx").unwrap();
        let emitter = Emitter::new(&crate::front::import(&model, &crate::ops::REGISTRY).unwrap());
        let filled = |shape: &[i64]| emitter.filled(DataType::Float, 1.0, shape);
        let x = Type::new(DataType::Float, [2, 8, size].map(Dim::Known).into());
        let windows = window.windows(0, Dim::Known(size)).known().unwrap();
        let (w, s) = (filled(&[5, 8, window.kernel[0]]), filled(&[2, 5, windows]));
        let out = window.turned(&x, w, s, 1)?;
        assert_eq!(out.ty().shape, x.shape);
        let w = w.value();
        let graph = emitter.finish();
        let ints = |value: Option<Value>| {
            let dims = graph.facts(value.unwrap()).ints().unwrap();
            dims.iter().map(|d| d.known().unwrap()).collect::<Vec<_>>()
        };
        let mut order = vec![0];
        let mut found = Vec::new();
        for node in graph.nodes() {
            let Origin::New(emitted) = graph.origin(node) else { continue };
            let inputs = graph.inputs(node);
            // The last slices cut what phases have in common beyond the end.
            if emitted.op_type == "Slice" && inputs[0] == Some(w) {
                let (first, step) = (ints(inputs[1])[0], ints(inputs[4])[0]);
                order = (0..=first).rev().step_by(-step as usize).collect();
            } else if emitted.op_type == "Conv" {
                let pads = emitted.attributes.iter().find(|a| a.name() == "pads").unwrap();
                found.push((order.clone(), pads.ints[..].try_into().unwrap()));
            }
        }
        Some(found)
    }

    fn window(kernel: i64, stride: i64, dilation: i64, pad: i64) -> Window {
        Window {
            kernel: vec![kernel],
            strides: vec![stride],
            dilations: vec![dilation],
            before: vec![pad],
            after: vec![pad],
            ceil: false,
            open: Vec::new(),
            lower: false,
            disputed: false,
        }
    }

    #[test]
    fn each_phase_meets_every_step_th_element_of_the_kernel_turned_around() {
        let phases = turned(&window(3, 2, 1, 1), 7).unwrap();
        assert_eq!(phases, [(vec![1], [0, 0]), (vec![2, 0], [0, 1])]);
        let phases = turned(&window(3, 1, 2, 1), 7).unwrap();
        assert_eq!(phases, [(vec![2, 1, 0], [3, 3])]);
        // The third phase is reached by no window.
        assert_eq!(turned(&window(2, 3, 1, 0), 8).unwrap().len(), 2);
    }

    #[test]
    fn there_is_no_negative_padding() {
        assert_eq!(turned(&window(2, 1, 1, 2), 7), None);
        assert_eq!(turned(&window(3, 2, 2, 1), 7), None);
    }

    /// By the definition of an adjoint: x[p] gets w[k] s[j] wherever the window j sees x[p] through its
    /// element k.
    #[test]
    fn each_element_gets_what_windows_see_of_it() {
        let mut tried = 0;
        for (kernel, stride, pad) in
            [(3, 1, 1), (3, 2, 1), (4, 2, 1), (5, 2, 2), (4, 3, 0), (3, 3, 2)]
        {
            for size in 5..12 {
                let window = window(kernel, stride, 1, pad);
                let windows = window.windows(0, Dim::Known(size)).known().unwrap();
                let Some(convolutions) = turned(&window, size) else { continue };
                assert_eq!(convolutions.len() as i64, stride);
                tried += 1;
                for p in 0..size {
                    let pairs = (0..windows).flat_map(|j| (0..kernel).map(move |k| (j, k)));
                    let seen = pairs.filter(|(j, k)| j * stride + k - pad == p);
                    let (order, [before, _]) = &convolutions[(p % stride) as usize];
                    let met = order.iter().zip(p / stride - before..).map(|(&k, j)| (j, k));
                    let met = met.filter(|(j, _)| (0..windows).contains(j));
                    let (seen, met): (BTreeSet<_>, BTreeSet<_>) = (seen.collect(), met.collect());
                    assert_eq!(met, seen, "x[{p}] of {size} in {window:?}");
                }
            }
        }
        assert!(tried > 20, "{tried}");
    }
}
