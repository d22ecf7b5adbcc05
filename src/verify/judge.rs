//! The judgement: what a map has to be, whichever network it is of. No tolerance grows with Σ |R|.

use serde::Serialize;

/// How far a map may move when inputs and weights move by their rounding, relative L1: what moves more
/// is noise.
pub const MOVEMENT: f64 = 1e-2;
/// How far the maps of two levels may be apart, relative L1.
pub const LEVELS: f64 = 1e-2;
/// How far the maps of two runtimes may be apart, relative L1.
pub const RUNTIMES: f64 = 1e-2;
/// By how much Σ |R| may exceed a bound because sums are rounded, relative.
const ROUNDING: f64 = 1e-3;

/// A promise that a map breaks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// Some of it is infinite or no number.
    NotFinite,
    /// There is no relevance at all.
    Nothing,
    /// It moves too far when inputs and weights move by their rounding.
    Moves {
        /// How far, relative L1.
        by: f64,
    },
    /// It is too far from the other level's.
    Levels {
        /// How far, relative L1.
        apart: f64,
    },
    /// It is too far from ONNX Runtime's.
    Runtimes {
        /// How far, relative L1.
        apart: f64,
    },
    /// The rule promises that relevance does not grow, and it has.
    Unbounded {
        /// Σ |R| of all maps.
        magnitude: f64,
        /// Σ |R| where relevance started.
        start: f64,
    },
}

/// What was measured of a map.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    /// Whether all of it is finite, with graph optimisations off and on.
    pub finite: bool,
    /// How far it moves, if anything could be moved.
    pub movement: Option<f64>,
    /// How far it is from the other level's.
    pub levels: Option<f64>,
}

impl Evidence {
    /// What is wrong with the map.
    pub fn faults(&self) -> Vec<Fault> {
        if !self.finite {
            return vec![Fault::NotFinite];
        }
        // What is no number is not within a limit either.
        let beyond = |measured: Option<f64>, limit: f64| measured.filter(|m| !within(*m, limit));
        let moves = beyond(self.movement, MOVEMENT).map(|by| Fault::Moves { by });
        let levels = beyond(self.levels, LEVELS).map(|apart| Fault::Levels { apart });
        moves.into_iter().chain(levels).collect()
    }
}

/// What is wrong with the maps of all inputs together: Σ |R| of them, and where relevance started, if the
/// rule promises that it does not grow.
pub fn of_all(magnitude: f64, start: Option<f64>) -> Option<Fault> {
    if within(magnitude, 0.0) {
        return Some(Fault::Nothing);
    }
    let start = start.filter(|start| !within(magnitude, start * (1.0 + ROUNDING)))?;
    Some(Fault::Unbounded { magnitude, start })
}

/// Whether a measurement is within a limit; what is no number is within none.
pub fn within(measured: f64, limit: f64) -> bool {
    measured <= limit
}

/// The relative L1 distance of `b` from `a`; 0 where they are equal, and infinite where they cannot be
/// compared.
pub fn distance(a: &ndarray::ArrayD<f64>, b: &ndarray::ArrayD<f64>) -> f64 {
    if a.shape() != b.shape() {
        return f64::INFINITY;
    }
    let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
    let magnitude: f64 = a.iter().map(|v| v.abs()).sum();
    if within(apart, 0.0) { 0.0 } else { apart / magnitude }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, arr1};

    use super::*;

    fn map(values: &[f64]) -> ArrayD<f64> {
        arr1(values).into_dyn()
    }

    /// The faults of a map that was found to be another after a rounding, and at another level.
    fn faults(map: &ArrayD<f64>, moved: &ArrayD<f64>, other: &ArrayD<f64>) -> Vec<Fault> {
        let movement = Some(distance(map, moved));
        Evidence { finite: true, movement, levels: Some(distance(map, other)) }.faults()
    }

    #[test]
    fn maps_that_stay_hold_and_maps_that_move_do_not() {
        let at = map(&[1.0, -2.0, 3.0, -4.0]);
        let by = |relative: f64| at.mapv(|v| v * (1.0 + relative));
        assert_eq!(faults(&at, &at, &at), []);
        assert_eq!(faults(&at, &by(0.005), &by(0.005)), []);
        assert!(matches!(faults(&at, &by(0.02), &at)[..], [Fault::Moves { .. }]));
        assert!(matches!(faults(&at, &at, &by(0.02))[..], [Fault::Levels { .. }]));
        // However large relevance has grown.
        let large = at.mapv(|v| v * 1e30);
        assert_eq!(faults(&large, &large.mapv(|v| v * 1.02), &large).len(), 1);
        let another = map(&[1.0]);
        assert_eq!(faults(&at, &another, &at).len(), 1);
    }

    #[test]
    fn what_cannot_be_measured_does_not_hold() {
        let at = map(&[1.0, 1.0]);
        assert_eq!(faults(&at, &map(&[f64::NAN, 1.0]), &at).len(), 1);
        let evidence = Evidence { finite: false, movement: None, levels: None };
        assert_eq!(evidence.faults(), [Fault::NotFinite]);
        // Nothing moved, nothing is said of it.
        assert_eq!(Evidence { finite: true, ..evidence }.faults(), []);
    }

    #[test]
    fn no_relevance_and_too_much_do_not_hold() {
        assert_eq!(of_all(0.0, None), Some(Fault::Nothing));
        assert_eq!(of_all(0.0, Some(1.0)), Some(Fault::Nothing));
        assert_eq!(of_all(5.0, None), None);
        assert_eq!(of_all(1.0005, Some(1.0)), None);
        assert!(matches!(of_all(1.01, Some(1.0)), Some(Fault::Unbounded { .. })));
    }
}
