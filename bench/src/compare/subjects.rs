//! All that is compared: a file for each, and a line here.

mod cacache;
mod cp;
mod floor_files;
mod floor_memory;
mod nats;
mod nginx;
mod own;
mod programs;
mod redis;
mod serve;
mod tus;
mod web;

use super::subject::Entry;

/// Every subject, those of a group in the order of its table.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    let lists: [&'static [Entry]; 11] = [
        &own::ENTRIES,
        &serve::ENTRIES,
        &floor_files::ENTRIES,
        &floor_memory::ENTRIES,
        &redis::ENTRIES,
        &nats::ENTRIES,
        &cacache::ENTRIES,
        &programs::ENTRIES,
        &nginx::ENTRIES,
        &tus::ENTRIES,
        &cp::ENTRIES,
    ];
    lists.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::compare::subject::{Group, Role};

    #[test]
    fn each_has_a_path_of_its_own_and_each_group_one_that_is_ours() {
        let paths: BTreeSet<String> = all().map(Entry::path).collect();
        assert_eq!(paths.len(), all().count());
        for group in Group::ALL {
            let own = all().filter(|entry| entry.group == group && entry.role == Role::Own);
            assert_eq!(own.count(), 1, "{group:?}");
        }
    }
}
