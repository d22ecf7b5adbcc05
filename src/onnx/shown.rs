//! Text from files as people see it: a name is whatever a file says, and a terminal does what it is
//! told.

use std::fmt::{self, Write};

/// A name from a file in a message: what a terminal would take for a command is escaped, and what
/// would bury the message is cut.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'t>(pub &'t str);

/// A sentence with names from a file in it: as [`Shown`], with room for what is said of them.
#[derive(Debug, Clone, Copy)]
pub struct Said<'t>(pub &'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Exporters write paths of modules of about a hundred characters.
        cut(self.0, 200, f)
    }
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        cut(self.0, 2000, f)
    }
}

fn cut(text: &str, limit: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut rest = text.chars();
    rest.by_ref().take(limit).try_for_each(|c| escaped(c, f))?;
    match rest.next() {
        None => Ok(()),
        Some(_) => write!(f, "… ({} bytes)", text.len()),
    }
}

/// All of a text from a file, with what a terminal would take for a command escaped.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'t>(pub &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| escaped(c, f))
    }
}

fn escaped(c: char, out: &mut impl Write) -> fmt::Result {
    if commands(c) { write!(out, "{}", c.escape_default()) } else { out.write_char(c) }
}

/// The beginning of a name that is part of others: every node and value that is added for a node
/// repeats what that is called, and a file may call it anything.
pub(crate) fn beginning(name: &str) -> &str {
    const LONGEST: usize = 512;
    &name[..name.floor_char_boundary(LONGEST)]
}

/// Whether a character is none that is seen: a control character, the end of a line or a paragraph,
/// or one that turns the direction of writing.
pub fn commands(c: char) -> bool {
    let turns = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'].contains(&c);
    let embeds = ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    c.is_control() || turns || embeds
}
