//! Values by family and labels.

use std::ptr;

use super::{Family, Labels};

/// What a value is of: the family's name, and the values of its labels.
pub(super) type Key = (&'static str, Labels);

/// A value for each key, in ascending order. There are some dozens and none goes away, so a
/// list finds them as fast as a tree, with a fraction of its code.
#[derive(Debug)]
pub(super) struct Cells<V>(Vec<(Key, V)>);

impl<V> Default for Cells<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Cells<V> {
    /// The value of these labels, which begins as `first` says.
    pub fn cell(
        &mut self,
        family: &'static Family,
        labels: Labels,
        first: impl FnOnce() -> V,
    ) -> &mut V {
        // A family is one static, so its name is told by where it lies. Texts are compared with
        // few others then: every kv operation comes by here.
        let is_it = |(other, _): &(Key, V)| ptr::eq(other.0, family.name) && other.1 == labels;
        let at = self.0.iter().position(is_it).unwrap_or_else(|| {
            let key = (family.name, labels);
            let at = self.0.partition_point(|(other, _)| *other < key);
            self.0.insert(at, (key, first()));
            at
        });
        &mut self.0[at].1
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &(Key, V)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::families::{CHUNK_BYTES, KV_OPERATIONS};
    use super::*;

    #[test]
    fn each_key_has_one_value_and_they_ascend() {
        let mut cells = Cells::default();
        for labels in [["set", "ok"], ["get", "ok"], ["get", "timeout"], ["get", "ok"]] {
            *cells.cell(&KV_OPERATIONS, labels, || 10) += 1;
        }
        *cells.cell(&CHUNK_BYTES, ["read", ""], || 0) += 1;
        let all: Vec<_> = cells.iter().map(|((_, labels), value)| (*labels, *value)).collect();
        assert_eq!(
            all,
            [(["read", ""], 1), (["get", "ok"], 12), (["get", "timeout"], 11), (["set", "ok"], 11)]
        );
    }
}
