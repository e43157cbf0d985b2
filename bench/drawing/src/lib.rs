//! SVG pictures, written as text, and charts made of them.

pub mod bars;
pub mod lines;

use std::fmt::Write as _;

/// A picture on white. Lengths are in pixels, from the upper left corner.
#[derive(Debug)]
pub struct Svg(String);

/// Which part of a text is where it is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Svg {
    /// An empty one.
    pub fn new(width: usize, height: usize) -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"10\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        ))
    }

    /// Text that begins here, on this base line.
    pub fn text(&mut self, x: usize, y: usize, text: &str) {
        self.anchored(x, y, Anchor::Start, text);
    }

    /// Text, this part of it here.
    pub fn anchored(&mut self, x: usize, y: usize, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        self.add(format_args!("<text x=\"{x}\" y=\"{y}\"{anchor}>{}</text>", escaped(text)));
    }

    /// A filled rectangle.
    pub fn rect(&mut self, (x, y): (usize, usize), (width, height): (usize, usize), fill: &str) {
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>"
        ));
    }

    /// A line through these points.
    pub fn line(&mut self, points: &[(f64, f64)], stroke: &str, width: f64) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\"/>",
            points.join(" ")
        ));
    }

    /// A filled circle.
    pub fn dot(&mut self, (x, y): (f64, f64), radius: f64, fill: &str) {
        self.add(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{fill}\"/>"
        ));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{element}").expect("a string takes it");
    }

    /// The file's content.
    pub fn finish(self) -> String {
        self.0 + "</svg>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Colours that are told apart, by colour-blind people too (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        let mut svg = Svg::new(10, 10);
        svg.text(1, 2, "a < b & c");
        let file = svg.finish();
        assert!(file.contains("<text x=\"1\" y=\"2\">a &lt; b &amp; c</text>"), "{file}");
        assert!(file.ends_with("</svg>\n"));
    }
}
