//! Fragments of HTML, and the document around them: one file without scripts that loads nothing.

use std::fmt::Write;

use abslrp::onnx::shown::commands;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{AGAINST, Colour, FOR, Scale, number};

/// Text as HTML has it, in elements and in attributes. What turns the direction of writing is written out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' => escaped.push('\n'),
            c if commands(c) => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The whole document. `body` is HTML.
pub fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:\">\n\
         <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<main>\n{body}</main>\n</body>\n</html>\n",
        style()
    )
}

/// The style of documents, with the colours of maps in it.
fn style() -> String {
    let css = |[r, g, b]: Colour| format!("rgb({r} {g} {b})");
    include_str!("document.css").replace("FOR", &css(FOR)).replace("AGAINST", &css(AGAINST))
}

/// A part of a document with a heading. `body` is HTML.
pub fn section(heading: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escape(heading))
}

/// What is known, by name.
pub fn facts(facts: &[(&str, String)]) -> String {
    let mut list = String::from("<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(list, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    list + "</dl>\n"
}

/// A PNG, with what is said to those who do not see it.
pub fn image(png: &[u8], alt: &str) -> String {
    format!(
        "<img src=\"data:image/png;base64,{}\" alt=\"{}\">\n",
        STANDARD.encode(png),
        escape(alt)
    )
}

/// A recording that can be played: the bytes of a WAV file.
pub fn audio(wav: &[u8]) -> String {
    format!("<audio controls src=\"data:audio/wav;base64,{}\"></audio>\n", STANDARD.encode(wav))
}

/// What is shown when it is asked for. `body` is HTML.
pub fn details(summary: &str, body: &str) -> String {
    format!("<details><summary>{}</summary>\n{body}</details>\n", escape(summary))
}

/// The colours of a scale.
pub fn legend(scale: Scale) -> String {
    let full = number(scale.0);
    format!(
        "<p class=\"legend\" role=\"img\" aria-label=\"Colours from -{full} (against) to +{full} (for)\">\
         <span>-{full} against</span><span class=\"gradient\"></span><span>for +{full}</span></p>"
    )
}

/// A list of scores with bars; what is explained is marked.
pub fn scores(scores: &[(String, f64, bool)]) -> String {
    let mut list = String::from("<ol class=\"scores\">\n");
    let numbers = || scores.iter().map(|(_, score, _)| *score);
    let (low, high) = (numbers().fold(0.0, f64::min), numbers().fold(f64::MIN, f64::max));
    for (name, score, explained) in scores {
        let share = if high > low { 100.0 * (score - low) / (high - low) } else { 0.0 };
        let mark = if *explained { " <em>explained</em>" } else { "" };
        let _ = writeln!(
            list,
            "<li style=\"--share:{share:.1}%\"><span>{}{mark}</span><span>{}</span></li>",
            escape(name),
            number(*score)
        );
    }
    list + "</ol>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_loads_nothing_and_runs_nothing() {
        let html = document("a<b", &section("x", &legend(Scale(1.0))));
        assert!(html.contains("<title>a&lt;b</title>") && html.contains("<h1>a&lt;b</h1>"));
        for never in ["<script", "http://", "https://", "url(", "@import", "FOR", "AGAINST"] {
            assert!(!html.contains(never), "{never}");
        }
        assert!(
            html.contains("--for: rgb(178 24 43)") && html.contains("--against: rgb(33 102 172)")
        );
    }

    #[test]
    fn what_turns_the_direction_of_writing_is_written_out() {
        assert_eq!(escape("a\u{202e}&'\x07"), "a\\u{202e}&amp;&#39;\\u{7}");
    }
}
