//! Localisation (Arras et al. 2022): how much of a map lies where the object does.

use serde::Serialize;

/// How well maps find the object, between 0 and 1 each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Localisation {
    /// Relevance mass accuracy: the share of the positive relevance that lies within the mask.
    pub mass: f64,
    /// Relevance rank accuracy: of the K places of most relevance, where K is the size of the mask, the share that
    /// lies within it.
    pub rank: f64,
}

/// The localisation of a map; nothing where the mask is empty.
pub fn localisation(map: &[f64], mask: &[bool]) -> Option<Localisation> {
    let size = mask.iter().filter(|&&inside| inside).count();
    if size == 0 {
        return None;
    }
    let positive = map.iter().map(|v| v.max(0.0));
    let sum: f64 = positive.clone().sum();
    let inside: f64 = positive.zip(mask).filter(|(_, inside)| **inside).map(|(v, _)| v).sum();
    let mut order: Vec<_> = map.iter().zip(mask).collect();
    order.sort_by(|a, b| b.0.total_cmp(a.0));
    let found = order.iter().take(size).filter(|(_, inside)| **inside).count();
    let mass = if sum > 0.0 { inside / sum } else { 0.0 };
    Some(Localisation { mass, rank: found as f64 / size as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_lies_within_the_mask() {
        let mask = [true, true, false, false];
        let found = localisation(&[3.0, -1.0, 1.0, 0.0], &mask);
        assert_eq!(found, Some(Localisation { mass: 0.75, rank: 0.5 }));
        assert_eq!(localisation(&[1.0; 4], &[false; 4]), None);
    }
}
