//! Line charts: what a figure does as something grows, both on logarithmic scales.

use crate::{Anchor, COLOURS, Svg};

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 160.0;
const LEFT: usize = 60;
const TOP: usize = 30;
const RIGHT: usize = 20;
const BOTTOM: usize = 34;

/// Room for a line's name.
const LEGEND: usize = 60;

/// Room that a panel takes.
const PANEL: (usize, usize) = (LEFT + WIDTH as usize + RIGHT, TOP + HEIGHT as usize + BOTTOM);

/// A chart of its own axes.
#[derive(Debug)]
pub struct Panel<'a> {
    /// What it shows.
    pub title: &'a str,
    /// What grows.
    pub along: &'a str,
    /// How a value on each axis is written.
    pub written: [fn(f64) -> String; 2],
    /// Lines by name: points of two positive numbers.
    pub lines: Vec<(&'a str, Vec<(f64, f64)>)>,
}

/// The panels, two beside each other.
pub fn picture(panels: &[Panel<'_>]) -> String {
    let (width, height) = PANEL;
    let mut svg = Svg::new(2 * width, panels.len().div_ceil(2) * height);
    for (at, panel) in panels.iter().enumerate() {
        panel.draw(&mut svg, at % 2 * width + LEFT, at / 2 * height + TOP);
    }
    svg.finish()
}

/// From where to where an axis goes.
struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    /// Holds all of these, with whole decades at both ends where `decades`, or a little room.
    fn of(values: impl Iterator<Item = f64> + Clone, room: bool) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        match room {
            // A figure that does not change is to look flat, not like noise on a mountain.
            true => Self { least: least.min(most / 10.0) / 1.5, most: most * 1.5 },
            false => Self { least, most: most.max(least * 1.001) },
        }
    }

    fn share(&self, value: f64) -> f64 {
        (value / self.least).ln() / (self.most / self.least).ln()
    }

    /// The powers of ten in it; both ends if there are none.
    fn marks(&self) -> Vec<f64> {
        let powers = self.least.log10().ceil() as i32..=self.most.log10().floor() as i32;
        let marks: Vec<f64> = powers.map(|power| 10f64.powi(power)).collect();
        if marks.is_empty() { vec![self.least, self.most] } else { marks }
    }
}

impl Panel<'_> {
    fn draw(&self, svg: &mut Svg, left: usize, top: usize) {
        svg.text(left, top - 14, self.title);
        let points = || self.lines.iter().flat_map(|(_, points)| points.iter().copied());
        if points().next().is_none() {
            return;
        }
        let across = Axis::of(points().map(|(x, _)| x), false);
        let up = Axis::of(points().map(|(_, y)| y), true);
        let x = |value: f64| left as f64 + WIDTH * across.share(value);
        let y = |value: f64| top as f64 + HEIGHT * (1.0 - up.share(value));
        let bottom = top as f64 + HEIGHT;
        for mark in up.marks() {
            svg.line(&[(left as f64, y(mark)), (left as f64 + WIDTH, y(mark))], "#ddd", 1.0);
            let label = (self.written[1])(mark);
            svg.anchored(left - 4, y(mark) as usize + 3, Anchor::End, &label);
        }
        for mark in across.marks() {
            svg.line(&[(x(mark), top as f64), (x(mark), bottom)], "#ddd", 1.0);
            let label = (self.written[0])(mark);
            svg.anchored(x(mark) as usize, bottom as usize + 12, Anchor::Middle, &label);
        }
        let middle = left + WIDTH as usize / 2;
        svg.anchored(middle, bottom as usize + 26, Anchor::Middle, self.along);
        for (at, (name, points)) in self.lines.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let points: Vec<(f64, f64)> = points.iter().map(|(a, b)| (x(*a), y(*b))).collect();
            svg.line(&points, colour, 2.0);
            for point in points {
                svg.dot(point, 2.5, colour);
            }
            let legend = left + WIDTH as usize / 2 + LEGEND * at;
            svg.rect((legend, top - 21), (8, 8), colour);
            svg.text(legend + 12, top - 14, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_logarithmic() {
        let axis = Axis::of([10.0, 1000.0].into_iter(), false);
        assert!((axis.share(100.0) - 0.5).abs() < 1e-9);
        assert_eq!(axis.marks(), [10.0, 100.0, 1000.0]);
    }

    #[test]
    fn what_does_not_change_lies_flat_and_inside() {
        let axis = Axis::of([7.0, 7.1].into_iter(), true);
        let shares = [axis.share(7.0), axis.share(7.1)];
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
        assert!(shares[1] - shares[0] < 0.01, "{shares:?}");
    }
}
