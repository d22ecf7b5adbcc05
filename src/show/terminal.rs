//! Colours of a terminal, where it has them.

use std::io::IsTerminal;

use super::{Colour, Scale, wants_white};

/// What standard output shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// Text alone: it is no terminal, or nobody wants colours (`NO_COLOR`).
    Plain,
    /// Those of xterm.
    Of256,
    /// All.
    True,
}

impl Terminal {
    /// What standard output is.
    pub fn of_stdout() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let forced = !matches!(variable("CLICOLOR_FORCE").as_str(), "" | "0");
        if !variable("NO_COLOR").is_empty()
            || !forced && (!std::io::stdout().is_terminal() || variable("TERM") == "dumb")
        {
            Self::Plain
        } else if matches!(variable("COLORTERM").as_str(), "truecolor" | "24bit") {
            Self::True
        } else {
            Self::Of256
        }
    }

    /// Text on the colour of its relevance; what has hardly any stays on what the terminal has.
    pub fn chip(self, text: &str, scale: Scale, relevance: f64) -> String {
        const FAINT: f64 = 0.15;
        if self == Self::Plain || scale.colour(relevance).1 < FAINT {
            return text.into();
        }
        let colour = scale.over([255; 3], relevance);
        let ink = if wants_white(colour) { 15 } else { 16 };
        format!("\x1b[48;{};38;5;{ink}m{text}\x1b[0m", self.code(colour))
    }

    /// Text in the colour of its relevance, whatever its size.
    pub fn ink(self, text: &str, relevance: f64) -> String {
        if self == Self::Plain || relevance == 0.0 {
            return text.into();
        }
        // Halfway to white, so that it can be read on black and on white.
        let colour = Scale(1.0).over([255; 3], relevance.signum() * 0.5);
        format!("\x1b[38;{}m{text}\x1b[0m", self.code(colour))
    }

    /// Text that stands back.
    pub fn quiet(self, text: &str) -> String {
        if self == Self::Plain { text.into() } else { format!("\x1b[2m{text}\x1b[0m") }
    }

    fn code(self, [r, g, b]: Colour) -> String {
        // A cube of 6 × 6 × 6 colours: 0, then 95 and from there in steps of 40.
        let step = |c: u8| u16::from(c.saturating_sub(35) / 40);
        match self {
            Self::True => format!("2;{r};{g};{b}"),
            _ => format!("5;{}", 16 + 36 * step(r) + 6 * step(g) + step(b)),
        }
    }
}

/// A bar of this share of its width, with what is left of it blank.
pub fn bar(share: f64, width: usize) -> String {
    /// Eighths of a cell.
    const PARTS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    let eighths = (share.clamp(0.0, 1.0) * 8.0 * width as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    // Something is not nothing.
    let rest = if eighths == 0 && share > 0.0 { 1 } else { eighths % 8 };
    bar.extend(rest.checked_sub(1).and_then(|rest| PARTS.get(rest)));
    format!("{bar:width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_terminal() {
        let scale = Scale(1.0);
        assert_eq!(Terminal::Plain.chip("a", scale, 1.0), "a");
        assert_eq!(Terminal::True.chip("a", scale, 1.0), "\x1b[48;2;178;24;43;38;5;15ma\x1b[0m");
        // The nearest of xterm's to [33, 102, 172] is [0, 95, 175].
        assert_eq!(Terminal::Of256.chip("a", scale, -2.0), "\x1b[48;5;25;38;5;15ma\x1b[0m");
        assert_eq!(Terminal::True.chip("a", scale, 0.001), "a");
        assert_eq!(Terminal::Plain.ink("a", 1.0), "a");
    }

    #[test]
    fn bars_are_as_long_as_they_are() {
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.5, 4), "██  ");
        assert_eq!(bar(0.53125, 4), "██▏ ");
        assert_eq!(bar(0.0, 2), "  ");
        assert_eq!(bar(1e-9, 2), "▏ ");
    }
}
