//! Sliding windows: what convolutions and pools have in common.

mod adjoint;

use crate::onnx::attribute::{int, ints};
use crate::{
    ir::{Dim, Error, Expr, NodeRef, Type},
    onnx::schema::AttributeProto,
};

fn bad(name: &str, what: &str) -> Error {
    Error::Attribute { name: name.into(), what: what.into() }
}

fn bad_padding(auto_pad: &str) -> Error {
    bad("auto_pad", &format!("is '{auto_pad}'"))
}

/// The number of groups of a convolution over `channels`, which have to be as many as the weights say.
pub fn groups(node: NodeRef, channels: Option<Dim>, weights: Option<Dim>) -> Result<i64, Error> {
    let group = node.int("group", 1)?;
    let fits = match (channels, weights) {
        (Some(Dim::Known(channels)), Some(Dim::Known(each))) => {
            each.checked_mul(group) == Some(channels)
        }
        _ => true,
    };
    let count = node.ty(1)?.dim(0).and_then(Dim::known).unwrap_or(0);
    match group >= 1 && fits && count % group == 0 {
        true => Ok(group),
        false => Err(Error::Shapes { what: format!("{group} groups of channels") }),
    }
}

/// The spatial size of the weights of a convolution, as far as it is known.
pub fn kernel(node: NodeRef) -> Result<Option<Vec<i64>>, Error> {
    let weights = node.ty(1)?.shape.as_ref();
    Ok(weights.and_then(|dims| dims.iter().skip(2).map(|d| d.known()).collect()))
}

/// The geometry of a sliding window over the spatial axes, which are all but the first two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its size.
    pub kernel: Vec<i64>,
    /// Its steps.
    pub strides: Vec<i64>,
    /// The distance between its elements.
    pub dilations: Vec<i64>,
    /// Zeros before each axis.
    pub before: Vec<i64>,
    /// Zeros after each axis. A window may reach beyond them if `ceil` says so.
    pub after: Vec<i64>,
    /// Whether the last window may be incomplete.
    pub ceil: bool,
    /// The axes whose `auto_pad` depends on a size that is unknown until the model runs.
    open: Vec<usize>,
    /// Whether `auto_pad` is `SAME_LOWER`, which puts the odd one of the padding before.
    lower: bool,
    /// Whether `ceil_mode` leaves a last window that begins behind the data: before opset 22 the standard
    /// and runtimes differ on whether there is one.
    disputed: bool,
}

/// What windows are over, with the padding that follows from sizes known at run time.
pub struct Settled<'e> {
    /// The padded operand.
    pub padded: Expr<'e>,
    /// The windows over that.
    pub window: Window,
    /// The axes that were padded, and by how much before.
    before: Vec<(usize, Expr<'e>)>,
}

impl<'e> Settled<'e> {
    /// Whether there is such padding.
    pub fn is_padded(&self) -> bool {
        !self.before.is_empty()
    }

    /// A tensor like the padded operand without that padding.
    pub fn crop(&self, padded: Expr<'e>, x: Expr<'e>) -> Result<Expr<'e>, Error> {
        let mut out = padded;
        for &(axis, before) in &self.before {
            out = out.slice(axis, before, before + x.size(axis))?;
        }
        Ok(out)
    }
}

impl Window {
    /// Reads the attributes of a convolution or pool over operand 0, as they are stated. `kernel` is
    /// the size that the weights have; a pool states its own.
    fn read(node: NodeRef, kernel: Option<Vec<i64>>) -> Result<Self, Error> {
        let kernel = match (kernel, node.ints("kernel_shape")?) {
            (Some(kernel), Some(stated)) if kernel != stated => {
                return Err(bad("kernel_shape", "is not the size of the weights"));
            }
            (Some(kernel), _) => kernel,
            (None, Some(stated)) => stated.to_vec(),
            (None, None) if node.inputs().len() > 1 => {
                return Err(Error::Unknown { what: "the shape of the weights".into() });
            }
            (None, None) => return Err(bad("kernel_shape", "is missing")),
        };
        let n = kernel.len();
        if node.ty(0)?.rank().is_some_and(|rank| rank != n + 2) {
            return Err(Error::Shapes {
                what: format!("a window of {n} axes over {}", node.graph().type_text(node.ty(0)?)),
            });
        }
        let list = |name, default| -> Result<Vec<i64>, Error> {
            let stated = node.ints(name)?.map_or_else(|| vec![default; n], <[i64]>::to_vec);
            match stated.len() == n && stated.iter().all(|&v| (1..=1 << 31).contains(&v)) {
                true => Ok(stated),
                false => Err(bad(name, "is no list of one positive number per axis")),
            }
        };
        let strides = list("strides", 1)?;
        let dilations = list("dilations", 1)?;
        if kernel.iter().any(|&k| !(1..=1 << 31).contains(&k)) {
            return Err(bad("kernel_shape", "is no list of positive numbers"));
        }
        let pads = node.ints("pads")?.map_or_else(|| vec![0; 2 * n], <[i64]>::to_vec);
        if pads.len() != 2 * n || pads.iter().any(|&p| !(0..=1 << 31).contains(&p)) {
            return Err(bad("pads", "is no list of two non-negative numbers per axis"));
        }
        let ceil = node.flag("ceil_mode", false)?;
        let (before, after) = (pads[..n].to_vec(), pads[n..].to_vec());
        let (open, lower, disputed) = (Vec::new(), false, false);
        Ok(Self { kernel, strides, dilations, before, after, ceil, open, lower, disputed })
    }

    /// As [`Window::read`], with the padding that `auto_pad` asks for.
    pub fn new(node: NodeRef, kernel: Option<Vec<i64>>) -> Result<Self, Error> {
        let mut window = Self::read(node, kernel)?;
        let n = window.kernel.len();
        match node.string("auto_pad", "NOTSET")? {
            "NOTSET" | "" => {}
            "VALID" => (window.before, window.after) = (vec![0; n], vec![0; n]),
            same @ ("SAME_UPPER" | "SAME_LOWER") => window.pad_same(node, same == "SAME_LOWER")?,
            other => return Err(bad_padding(other)),
        }
        for axis in 0..n {
            let Some(Dim::Known(size)) = node.ty(0)?.dim(axis + 2) else { continue };
            let (room, stride) = (window.room(axis, size), window.strides[axis]);
            if room < 0 {
                let what = format!("a window of {} elements over {size}", window.reach(axis));
                return Err(Error::Shapes { what });
            }
            // ONNX says since opset 22 that such a window is none.
            let behind = (room / stride + 1).saturating_mul(stride) >= size + window.before[axis];
            window.disputed |= window.ceil && room % stride != 0 && behind && node.opset() < 22;
        }
        Ok(window)
    }

    /// The windows of a pool, if runtimes agree how many there are.
    pub fn of_pool(node: NodeRef) -> Result<Self, Error> {
        let window = Self::new(node, None)?;
        let what = "a pool with ceil_mode whose last window would begin behind the data";
        let refusal = Error::Unsupported { what: what.into() };
        if window.disputed { Err(refusal) } else { Ok(window) }
    }

    /// How far the first window can move.
    fn room(&self, axis: usize, size: i64) -> i64 {
        size + self.before[axis] + self.after[axis] - self.reach(axis)
    }

    /// The windows of a `ConvTranspose` over its output, and its output padding. The padding follows
    /// from the size where `output_shape` or `auto_pad` say so.
    pub fn transposed(node: NodeRef) -> Result<(Self, Vec<i64>), Error> {
        let mut window = Self::read(node, kernel(node)?)?;
        let n = window.kernel.len();
        let mut output_padding = node.ints("output_padding")?.map_or(vec![0; n], <[i64]>::to_vec);
        let auto_pad = node.string("auto_pad", "NOTSET")?;
        let shape = node.ints("output_shape")?;
        let fits = |list: &[i64]| list.iter().all(|v| (0..=1 << 31).contains(v));
        let spatial = match shape {
            // Batch and channels may be stated as well.
            Some(shape) if shape.len() >= n && fits(shape) => Some(&shape[shape.len() - n..]),
            Some(_) => return Err(bad("output_shape", "is no list of one size per axis")),
            None => None,
        };
        if output_padding.len() != n || !fits(&output_padding) {
            return Err(bad("output_padding", "is no list of one number per axis"));
        }
        match auto_pad {
            "NOTSET" | "" | "SAME_UPPER" | "SAME_LOWER" => {}
            "VALID" => (window.before, window.after) = (vec![0; n], vec![0; n]),
            other => return Err(bad_padding(other)),
        }
        for axis in 0..n {
            let size = node.ty(0)?.dim(axis + 2).and_then(Dim::known);
            let unknown = || Error::Unknown { what: format!("the size of axis {}", axis + 2) };
            let same = auto_pad.starts_with("SAME");
            let wanted = match spatial {
                Some(spatial) if size.is_none_or(|size| spatial[axis] >= size) => spatial[axis],
                Some(_) => return Err(bad("output_shape", "is less than the input")),
                None if same => size.ok_or_else(unknown)?.saturating_mul(window.strides[axis]),
                None => continue,
            };
            let whole = (size.ok_or_else(unknown)? - 1)
                .saturating_mul(window.strides[axis])
                .saturating_add(output_padding[axis] + window.reach(axis));
            // What is wanted beyond the whole is padded.
            output_padding[axis] =
                output_padding[axis].saturating_add(wanted.saturating_sub(whole).max(0));
            let total = whole.saturating_sub(wanted).max(0);
            let small = total / 2;
            (window.before[axis], window.after[axis]) = if auto_pad == "SAME_UPPER" {
                (small, total - small)
            } else {
                (total - small, small)
            };
        }
        Ok((window, output_padding))
    }

    /// The shape of the output of a `ConvTranspose` with `channels` channels.
    pub fn transposed_output(
        &self,
        input: &Type,
        channels: Dim,
        output_padding: &[i64],
    ) -> Vec<Type> {
        let Some(shape) = &input.shape else { return Vec::new() };
        let spatial = shape.iter().skip(2).enumerate().map(|(axis, &size)| {
            let more = output_padding[axis].saturating_add(self.reach(axis))
                - (self.before[axis] + self.after[axis]);
            let stride = self.strides[axis];
            size.map(stride == 1 && more == 1, |n| {
                (n - 1).saturating_mul(stride).saturating_add(more).max(0)
            })
        });
        let batch = shape.first().copied().unwrap_or(Dim::Unknown);
        let dims = [batch, channels].into_iter().chain(spatial).collect();
        vec![Type::new(input.elem, dims)]
    }

    /// `SAME`: as much padding as gives `⌈size / stride⌉` windows, the odd one at the end or before.
    fn pad_same(&mut self, node: NodeRef, lower: bool) -> Result<(), Error> {
        for axis in 0..self.kernel.len() {
            let (stride, reach) = (self.strides[axis], self.reach(axis));
            let total = match node.ty(0)?.dim(axis + 2) {
                Some(Dim::Known(size)) => {
                    ((size + stride - 1) / stride - 1) * stride + reach - size
                }
                _ if stride == 1 => reach - 1,
                _ => {
                    self.open.push(axis);
                    self.lower = lower;
                    0
                }
            }
            .max(0);
            let small = total / 2;
            (self.before[axis], self.after[axis]) =
                if lower { (total - small, small) } else { (small, total - small) };
        }
        Ok(())
    }

    /// How many input elements a window spans along an axis.
    pub(super) fn reach(&self, axis: usize) -> i64 {
        self.dilations[axis] * (self.kernel[axis] - 1) + 1
    }

    /// The number of windows along a spatial axis.
    fn windows(&self, axis: usize, size: Dim) -> Dim {
        let (stride, reach) = (self.strides[axis], self.reach(axis));
        let pads = self.before[axis] + self.after[axis];
        if self.disputed {
            return Dim::Unknown;
        }
        size.map(stride == 1 && pads == reach - 1, |size| {
            let room = self.room(axis, size);
            if room < 0 {
                return 0;
            }
            let mut windows = room / stride + 1;
            if self.ceil && room % stride != 0 {
                // A window that starts in the padding behind the data is none.
                windows += i64::from(windows * stride < size + self.before[axis]);
            }
            windows
        })
    }

    /// The shape of the output with `channels` channels. The windows have as many axes as the input has behind
    /// its channels, also where nothing else says how many.
    pub fn output(&self, input: &Type, channels: Dim) -> Vec<Type> {
        let open = || vec![Dim::Unknown; 2 + self.kernel.len()];
        let shape = input.shape.clone().unwrap_or_else(open);
        let spatial =
            shape.iter().skip(2).enumerate().map(|(axis, &size)| self.windows(axis, size));
        let batch = shape.first().copied().unwrap_or(Dim::Unknown);
        let dims = [batch, channels].into_iter().chain(spatial).collect();
        vec![Type::new(input.elem, dims)]
    }

    fn attributes(&self, before: &[i64], after: &[i64], group: i64) -> Vec<AttributeProto> {
        vec![
            ints("dilations", &self.dilations),
            int("group", group),
            ints("kernel_shape", &self.kernel),
            ints("pads", &[before, after].concat()),
            ints("strides", &self.strides),
        ]
    }

    /// The convolution of `x` with `w` over these windows, with zeros wherever a window reaches
    /// beyond the data.
    pub fn conv<'e>(&self, x: Expr<'e>, w: Expr<'e>, group: i64) -> Expr<'e> {
        let attributes = self.attributes(&self.before, &self.reached(&x.ty()), group);
        x.emitter().emit("Conv", &[Some(x), Some(w)], attributes)
    }

    /// `x` with the padding of these windows filled with `value`, and the same windows over that.
    pub fn with_padding<'e>(&self, x: Expr<'e>, value: f64) -> (Expr<'e>, Self) {
        let after = self.reached(&x.ty());
        let all = |spatial: &[i64]| [&[0, 0], spatial].concat();
        let none = vec![0; self.kernel.len()];
        let inner = Self { before: none.clone(), after: none, ceil: false, ..self.clone() };
        (x.pad(&all(&self.before), &all(&after), value), inner)
    }

    /// `x` with the padding that only its size at run time tells filled with `value`.
    pub fn settle<'e>(&self, x: Expr<'e>, value: f64) -> Result<Settled<'e>, Error> {
        let window = Self { open: Vec::new(), ..self.clone() };
        if self.open.is_empty() {
            return Ok(Settled { padded: x, window, before: Vec::new() });
        }
        let emitter = x.emitter();
        let zero = emitter.ints(&[0]);
        let mut pads = vec![zero; 2 * (self.kernel.len() + 2)];
        let mut before = Vec::new();
        for &axis in &self.open {
            let list = |n: i64| emitter.ints(&[n]);
            let (stride, reach) = (self.strides[axis], self.reach(axis));
            let size = x.size(axis + 2);
            let windows = (size + list(stride - 1)) / list(stride);
            let total = (windows - list(1)) * list(stride) + list(reach) - size;
            let total = total.where_(total.exceeds(zero), zero);
            let small = total / list(2);
            let large = total - small;
            let (first, last) = if self.lower { (large, small) } else { (small, large) };
            let half = pads.len() / 2;
            (pads[axis + 2], pads[half + axis + 2]) = (first, last);
            before.push((axis + 2, first));
        }
        let padded = x.pad_by(Expr::concat(&pads, 0).unwrap_or(zero), value)?;
        let ty = x.ty();
        let dims = ty.shape.iter().flatten().enumerate().map(|(axis, &dim)| {
            let open = axis >= 2 && self.open.contains(&(axis - 2));
            if open { Dim::Unknown } else { dim }
        });
        let padded = padded.assume(Type::new(ty.elem, dims.collect()));
        Ok(Settled { padded, window, before })
    }

    /// Cuts off trailing windows that begin behind the data. With sizes known only at run time, so is
    /// their number, which follows from `s`: it has one value per window.
    pub fn cut<'e>(&self, windows: Expr<'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let mut out = windows;
        for axis in (2..self.kernel.len() + 2).filter(|_| self.ceil) {
            if out.ty().dim(axis).and_then(Dim::known).is_none() {
                out = out.slice(axis, s.emitter().ints(&[0]), s.size(axis))?;
            }
        }
        Ok(out)
    }

    /// The padding after each axis, together with what the last window needs beyond it.
    fn reached(&self, x: &Type) -> Vec<i64> {
        let beyond = |(axis, &after): (usize, &i64)| {
            after + if self.ceil { self.overhang(axis, x.dim(axis + 2)) } else { 0 }
        };
        self.after.iter().enumerate().map(beyond).collect()
    }

    /// By how many elements the last window reaches beyond the padding.
    fn overhang(&self, axis: usize, size: Option<Dim>) -> i64 {
        let Some(Dim::Known(size)) = size else {
            // Any overhang is less than a step; windows that begin there are cut by `windows`.
            return self.strides[axis] - 1;
        };
        let windows = self.windows(axis, Dim::Known(size)).known().unwrap_or(0);
        let end = (windows - 1) * self.strides[axis] + self.reach(axis);
        (end - size - self.before[axis] - self.after[axis]).max(0)
    }

    /// Whether the windows lie side by side and cover every element once.
    pub fn tiles(&self, x: &Type) -> bool {
        let plain = self.strides == self.kernel
            && self.dilations.iter().all(|&d| d == 1)
            && self.before.iter().chain(&self.after).all(|&p| p == 0);
        plain
            && self.kernel.iter().enumerate().all(|(axis, k)| {
                matches!(x.dim(axis + 2), Some(Dim::Known(size)) if size > 0 && size % k == 0)
            })
    }

    /// The number of phases: positions of an element relative to the steps.
    pub fn phases(&self) -> i64 {
        self.strides.iter().fold(1, |n, &step| n.saturating_mul(step))
    }

    /// The number of elements of a window.
    pub fn count(&self) -> i64 {
        self.kernel.iter().fold(1, |n, &k| n.saturating_mul(k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window over one axis: its size, steps, dilation, and zeros before and after.
    fn window(kernel: i64, stride: i64, dilation: i64, pads: [i64; 2], ceil: bool) -> Window {
        Window {
            kernel: vec![kernel],
            strides: vec![stride],
            dilations: vec![dilation],
            before: vec![pads[0]],
            after: vec![pads[1]],
            ceil,
            open: Vec::new(),
            lower: false,
            disputed: false,
        }
    }

    fn windows(window: &Window, size: i64) -> i64 {
        window.windows(0, Dim::Known(size)).known().unwrap()
    }

    #[test]
    fn a_window_reaches_from_its_first_element_to_its_last() {
        for (kernel, dilation, reach) in [(1, 1, 1), (1, 5, 1), (3, 1, 3), (3, 2, 5), (4, 3, 10)] {
            assert_eq!(window(kernel, 1, dilation, [0, 0], false).reach(0), reach);
        }
    }

    #[test]
    fn windows_are_counted() {
        for (expected, kernel, stride, dilation, pads, ceil, size) in [
            (5, 3, 1, 1, [0, 0], false, 7),
            (7, 3, 1, 1, [1, 1], false, 7),
            (3, 3, 2, 1, [0, 0], false, 7),
            (3, 3, 2, 1, [0, 0], false, 8),
            (4, 3, 2, 1, [0, 0], true, 8),
            (4, 3, 2, 1, [0, 1], false, 8),
            (3, 3, 1, 2, [0, 0], false, 7),
            (1, 7, 3, 1, [0, 0], false, 7),
            (0, 8, 1, 1, [0, 0], false, 7),
            (0, 8, 1, 1, [0, 0], true, 7),
            (4, 3, 3, 1, [1, 1], true, 9),
            // The fourth window would start in the padding behind the data.
            (3, 3, 3, 1, [1, 1], true, 8),
            (3, 2, 3, 1, [0, 1], true, 8),
        ] {
            let window = window(kernel, stride, dilation, pads, ceil);
            assert_eq!(windows(&window, size), expected, "{window:?} over {size}");
        }
    }

    /// The same by trying one place after the other.
    #[test]
    fn windows_are_as_many_as_fit() {
        for (kernel, stride, pad, size) in small_cases() {
            let (end, reach) = (size + 2 * pad, 2 * (kernel - 1) + 1);
            let starts = (0..).step_by(stride as usize);
            let whole = starts.clone().take_while(|at| at + reach <= end).count() as i64;
            let floor = window(kernel, stride, 2, [pad, pad], false);
            assert_eq!(windows(&floor, size), whole, "{floor:?} over {size}");
            // Of windows that reach too far there is one, if it has something to see that the one
            // before it has not, and starts no later than the data end.
            let more = |at: &i64| at - stride + reach < end && *at < size + pad;
            let any =
                starts.take_while(|at| *at == 0 && reach <= end || *at > 0 && more(at)).count();
            let ceil = window(kernel, stride, 2, [pad, pad], true);
            assert_eq!(windows(&ceil, size), any as i64, "{ceil:?} over {size}");
        }
    }

    #[test]
    fn a_size_that_is_not_known_is_kept_where_windows_are_as_many() {
        let count = |window: Window| window.windows(0, Dim::Symbol(4));
        assert_eq!(count(window(3, 1, 1, [1, 1], false)), Dim::Symbol(4));
        assert_eq!(count(window(3, 1, 2, [1, 3], true)), Dim::Symbol(4));
        assert_eq!(count(window(3, 1, 1, [0, 0], false)), Dim::Unknown);
        assert_eq!(count(window(3, 2, 1, [1, 1], false)), Dim::Unknown);
        // Runtimes do not agree how many there are of a known size either.
        let disputed = Window { disputed: true, ..window(2, 2, 1, [0, 0], true) };
        assert_eq!(disputed.windows(0, Dim::Known(4)), Dim::Unknown);
    }

    #[test]
    fn the_last_window_reaches_beyond_the_padding_only_where_it_may() {
        for (kernel, stride, pad, size) in small_cases() {
            for ceil in [false, true] {
                let window = window(kernel, stride, 2, [pad, pad], ceil);
                let count = windows(&window, size);
                if count == 0 {
                    continue; // Such a window is refused.
                }
                let end = (count - 1) * stride + window.reach(0);
                let beyond = (end - size - 2 * pad).max(0);
                assert_eq!(
                    window.overhang(0, Some(Dim::Known(size))),
                    beyond,
                    "{window:?}: {size}"
                );
                assert!(beyond == 0 || ceil && beyond < stride, "{window:?}: {size}");
                assert_eq!(window.overhang(0, Some(Dim::Symbol(0))), stride - 1);
            }
        }
    }

    #[test]
    fn what_is_transposed_has_the_size_that_its_windows_are_over() {
        use Dim::{Known, Symbol, Unknown};
        for (expected, kernel, stride, pads, output_padding, size) in [
            (Known(9), 3, 1, [0, 0], 0, Known(7)),
            (Known(7), 3, 1, [1, 1], 0, Known(7)),
            (Known(15), 3, 2, [0, 0], 0, Known(7)),
            (Known(14), 3, 2, [0, 1], 0, Known(7)),
            (Known(15), 3, 2, [0, 1], 1, Known(7)),
            (Known(0), 1, 1, [4, 4], 0, Known(7)),
            (Symbol(0), 3, 1, [1, 1], 0, Symbol(0)),
            (Unknown, 3, 1, [0, 0], 0, Symbol(0)),
            (Unknown, 1, 2, [0, 0], 0, Symbol(0)),
        ] {
            let window = window(kernel, stride, 1, pads, false);
            let input = Type::new(crate::onnx::DataType::Float, vec![Known(2), Known(3), size]);
            let output = window.transposed_output(&input, Known(5), &[output_padding]);
            assert_eq!(output[0].shape, Some(vec![Known(2), Known(5), expected]), "{window:?}");
        }
    }

    #[test]
    fn windows_tile_where_they_cover_every_element_once() {
        let over =
            |size| Type::new(crate::onnx::DataType::Float, [1, 1, size].map(Dim::Known).into());
        assert!(window(2, 2, 1, [0, 0], false).tiles(&over(6)));
        assert!(window(2, 2, 1, [0, 0], true).tiles(&over(6)));
        for (kernel, stride, dilation, pads, size) in [
            (2, 2, 1, [0, 0], 7),
            (2, 2, 1, [0, 0], 0),
            (2, 1, 1, [0, 0], 6),
            (2, 3, 1, [0, 0], 6),
            (2, 2, 2, [0, 0], 6),
            (2, 2, 1, [1, 1], 6),
        ] {
            let window = window(kernel, stride, dilation, pads, false);
            assert!(!window.tiles(&over(size)), "{window:?} over {size}");
        }
    }

    /// Kernels, steps, padding on both sides and sizes. No runtime takes more padding than there is
    /// kernel.
    fn small_cases() -> impl Iterator<Item = (i64, i64, i64, i64)> {
        let kernels = (1..5).flat_map(|kernel| (0..kernel).map(move |pad| (kernel, pad)));
        let steps = kernels.flat_map(|(kernel, pad)| (1..5).map(move |n| (kernel, n, pad)));
        steps.flat_map(|(kernel, stride, pad)| (1..12).map(move |n| (kernel, stride, pad, n)))
    }
}
