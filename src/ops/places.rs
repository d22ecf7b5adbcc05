//! The elements of sliding windows, taken apart place by place.
//!
//! The element at place `i` of the window at position `u` lies at `i + t u` for windows of step `t`.
//! Split into `t` phases, one for each remainder, that is a slice of phase `i mod t`, from `⌊i / t⌋`
//! on. Splits and slices move rows; nothing is computed, and nothing is moved element by element.

use super::window::Window;
use crate::ir::{Dim, Expr, Type};

/// How the elements of windows lie in data whose sizes are known.
pub struct Places {
    window: Window,
    /// The sizes of the data.
    sizes: Vec<i64>,
    /// The number of windows along each axis.
    windows: Vec<i64>,
}

impl Places {
    /// The places of windows over `x`, if they and their phases are at most 16 and sizes are known.
    pub fn new(window: &Window, x: Expr<'_>) -> Option<Self> {
        let ty = x.ty();
        let known = |ty: &Type| {
            ty.shape.as_ref()?.iter().skip(2).map(|d| d.known()).collect::<Option<Vec<_>>>()
        };
        let sizes = known(&ty)?;
        let windows = known(window.output(&ty, Dim::Unknown).first()?)?;
        let few = window.count().max(window.phases()) <= 16
            && windows.iter().chain(&sizes).all(|&n| n > 0);
        // What is reshaped may have one size that is not known.
        let open =
            ty.shape.iter().flatten().filter(|dim| dim.known().is_none_or(|n| n == 0)).count();
        (few && open <= 1).then(|| Self { window: window.clone(), sizes, windows })
    }

    /// How many rows of phases there are along an axis: as many as windows, and what they reach beyond.
    fn rows(&self, axis: usize) -> i64 {
        self.windows[axis] + (self.window.reach(axis) - 1) / self.window.strides[axis]
    }

    /// For each axis the phase of a place, and where in it the place's elements begin.
    fn at(&self, place: usize) -> Vec<(usize, i64)> {
        let mut rest = place as i64;
        let axes = (0..self.sizes.len()).rev().map(|axis| {
            let i = rest % self.window.kernel[axis] * self.window.dilations[axis];
            rest /= self.window.kernel[axis];
            let step = self.window.strides[axis];
            ((i % step) as usize, i / step)
        });
        let mut axes: Vec<_> = axes.collect();
        axes.reverse();
        axes
    }

    /// Which of the phases a place is in, the last axis running fastest.
    fn phase(&self, place: usize) -> usize {
        let steps = self.window.strides.iter().zip(self.at(place));
        steps.fold(0, |phase, (&step, (of_axis, _))| phase * step as usize + of_axis)
    }

    /// For each place an element per window, in the order of the places in memory; `fill` stands for
    /// padding.
    pub fn take_apart<'e>(&self, x: Expr<'e>, fill: f64) -> Vec<Expr<'e>> {
        let (mut before, mut after) = (vec![0; 2], vec![0; 2]);
        let mut data = x;
        for axis in 0..self.sizes.len() {
            let total = self.rows(axis) * self.window.strides[axis];
            let missing = total - self.sizes[axis] - self.window.before[axis];
            if missing < 0 {
                data = data.part(axis + 2, 0, self.sizes[axis] + missing);
            }
            before.push(self.window.before[axis]);
            after.push(missing.max(0));
        }
        let mut phases = vec![data.pad(&before, &after, fill)];
        for axis in 0..self.sizes.len() {
            let step = self.window.strides[axis];
            if step == 1 {
                continue;
            }
            // […, rows · t, …] → […, rows, t, …] → t × […, rows, …]
            let split = |phase: &Expr<'e>| {
                let mut apart = sizes_of(*phase);
                apart[axis + 2] = self.rows(axis);
                let together = apart.clone();
                apart.insert(axis + 3, step);
                let pieces = phase.reshape(&apart).split(axis + 3, step as usize);
                pieces.into_iter().map(move |piece| piece.reshape(&together)).collect::<Vec<_>>()
            };
            phases = phases.iter().flat_map(split).collect();
        }
        let element = |place: usize| {
            let mut element = phases[self.phase(place)];
            for (axis, (_, from)) in self.at(place).into_iter().enumerate() {
                if self.windows[axis] < self.rows(axis) {
                    element = element.part(axis + 2, from, from + self.windows[axis]);
                }
            }
            element
        };
        (0..self.window.count() as usize).map(element).collect()
    }

    /// The adjoint of [`Places::take_apart`].
    pub fn put_together<'e>(&self, parts: &[Expr<'e>]) -> Option<Expr<'e>> {
        let mut phases: Vec<Option<Expr<'e>>> = vec![None; self.window.phases() as usize];
        for (place, &part) in parts.iter().enumerate() {
            let (mut before, mut after) = (vec![0; 2], vec![0; 2]);
            for (axis, (_, from)) in self.at(place).into_iter().enumerate() {
                before.push(from);
                after.push(self.rows(axis) - self.windows[axis] - from);
            }
            let part = part.pad(&before, &after, 0.0);
            let phase = &mut phases[self.phase(place)];
            *phase = Some(phase.map_or(part, |sum| sum + part));
        }
        // A step beyond the window leaves phases without a place.
        let zero = phases.iter().flatten().next().map(|any| *any * 0.0)?;
        let phases = phases.into_iter().map(|phase| phase.unwrap_or(zero)).collect();
        let mut data = interleave(phases, &self.window.strides)?;
        let (mut before, mut after) = (vec![0; 2], vec![0; 2]);
        for axis in 0..self.sizes.len() {
            let (pad, size) = (self.window.before[axis], self.sizes[axis]);
            let total = self.rows(axis) * self.window.strides[axis];
            data = data.part(axis + 2, pad, total.min(pad + size));
            before.push(0);
            after.push((pad + size - total).max(0));
        }
        Some(data.pad(&before, &after, 0.0))
    }
}

/// One tensor of many: for steps along the spatial axes, the phases of which the last axis runs fastest.
pub fn interleave<'e>(mut phases: Vec<Expr<'e>>, steps: &[i64]) -> Option<Expr<'e>> {
    for (axis, &step) in steps.iter().enumerate().rev().filter(|(_, step)| **step > 1) {
        let join = |phases: &[Expr<'e>]| {
            let mut together = sizes_of(*phases.first()?);
            let apart: Vec<_> = phases.iter().map(|phase| phase.unsqueeze(&[axis + 3])).collect();
            *together.get_mut(axis + 2)? *= step;
            Some(Expr::concat(&apart, axis + 3)?.reshape(&together))
        };
        phases = phases.chunks(step as usize).map(join).collect::<Option<_>>()?;
    }
    phases.first().copied()
}

/// The shape of a tensor with at most one unknown size, to reshape to.
fn sizes_of(x: Expr<'_>) -> Vec<i64> {
    let dims = x.ty().shape.unwrap_or_default();
    dims.iter().map(|dim| dim.known().unwrap_or(-1)).collect()
}
