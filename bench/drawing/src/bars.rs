//! Bar charts: who is how fast, one bar for each.

use crate::{Anchor, COLOURS, Svg};

const BAR: usize = 14;
const ROW: usize = 20;
const NAMES: usize = 170;
const LENGTH: usize = 420;
const RIGHT: usize = 90;
const TITLE: usize = 34;

/// Bars with a title of their own, on one scale.
#[derive(Debug)]
pub struct Group<'a> {
    /// What is compared.
    pub title: &'a str,
    /// Names and values, in the order of drawing.
    pub bars: Vec<Bar<'a>>,
}

/// One bar.
#[derive(Debug)]
pub struct Bar<'a> {
    /// Whose it is.
    pub name: &'a str,
    /// How long.
    pub value: f64,
    /// Which of the colours it has.
    pub colour: usize,
}

/// The groups, one below the other; each has a scale of its own.
pub fn picture(groups: &[Group<'_>], written: fn(f64) -> String) -> String {
    let rows: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = groups.len() * TITLE + rows * ROW + ROW / 2;
    let mut svg = Svg::new(NAMES + LENGTH + RIGHT, height);
    let mut top = 0;
    for group in groups {
        svg.text(8, top + TITLE - 10, group.title);
        top += TITLE;
        let most = group.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        for bar in &group.bars {
            let length = (LENGTH as f64 * bar.value / most).round() as usize;
            svg.anchored(NAMES - 6, top + BAR - 3, Anchor::End, bar.name);
            svg.rect((NAMES, top), (length, BAR), COLOURS[bar.colour % COLOURS.len()]);
            svg.text(NAMES + length + 5, top + BAR - 3, &written(bar.value));
            top += ROW;
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_scale() {
        let bar = |name, value| Bar { name, value, colour: 0 };
        let group = Group { title: "rates", bars: vec![bar("a", 2.0), bar("b", 4.0)] };
        let file = picture(&[group], |value| format!("{value} MB/s"));
        assert!(file.contains(&format!("width=\"{LENGTH}\"")), "{file}");
        assert!(file.contains(&format!("width=\"{}\"", LENGTH / 2)), "{file}");
        assert!(file.contains("4 MB/s"));
    }
}
