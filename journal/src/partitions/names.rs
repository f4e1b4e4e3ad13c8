//! What the partitions of the nested layout are called: functions without I/O.
//!
//! The JVM plugin calls the partition of an id by the prefix and the id, in which it replaces what no
//! name may hold; the server folds the rest to lower case. Before each write it makes the table of that
//! name "if not exists", and cannot write where the id has its partition under another name. So its name
//! comes first. Two ids can come out alike: the second one takes the next name, with a hash of the id.

use sha2::{Digest, Sha256};

/// What the server keeps of a name.
const KEPT: usize = 63;

/// The longest name with a hash: 20 bytes are left for the number of a part, whatever it is.
const LONGEST: usize = 43;

/// Digits of the hash: by 16 two of a billion ids come out alike once in forty such journals, and then
/// the next name is taken.
const DIGITS: usize = 16;

/// The name of the partition of a persistence id. Each attempt gives another, for where the one before
/// belongs to something else.
pub(super) fn partition(prefix: &str, persistence_id: &str, attempt: u32) -> String {
    let plain = format!("{prefix}_{}", readable(persistence_id));
    if attempt == 0 && plain.len() + "_0".len() <= KEPT {
        plain
    } else {
        hashed(prefix, persistence_id, attempt)
    }
}

/// The name of a part of the partition of that name, or of one with a hash where that is too long.
pub(super) fn part(prefix: &str, persistence_id: &str, partition: &str, number: i64) -> String {
    let plain = format!("{partition}_{number}");
    if plain.len() <= KEPT {
        plain
    } else {
        format!("{}_{number}", hashed(prefix, persistence_id, 0))
    }
}

/// The id as the plugin writes it in names and the server folds it.
fn readable(persistence_id: &str) -> String {
    let plain = |it: char| match it.to_ascii_lowercase() {
        it if it.is_ascii_alphanumeric() => it,
        _ => '_',
    };
    persistence_id.chars().map(plain).collect()
}

/// What can be read of the id, and a hash of all of it.
fn hashed(prefix: &str, persistence_id: &str, attempt: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(persistence_id);
    if attempt > 0 {
        // No persistence id holds a NUL, so this is not the hash of another one.
        hash.update([0]);
        hash.update(attempt.to_be_bytes());
    }
    let hash = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    let hash = u64::from_be_bytes(first);
    let mut readable = readable(persistence_id);
    readable.truncate(LONGEST.saturating_sub(prefix.len() + "__h".len() + DIGITS));
    format!("{prefix}_{readable}_h{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_name_of_the_jvm_plugin_comes_first() {
        assert_eq!(partition("j", "account_of_ada", 0), "j_account_of_ada");
        assert_eq!(partition("events", "Account|42", 0), "events_account_42");
        assert_eq!(partition("j", "Zähler|ü", 0), "j_z_hler__");
        assert_eq!(part("j", "a", "j_account", 7), "j_account_7");
    }

    #[test]
    fn the_next_ones_are_told_by_a_hash() {
        // printf 'Account|42\0\0\0\0\1' | sha256sum
        assert_eq!(
            partition("j", "Account|42", 1),
            "j_account_42_h7d545c4897a16938"
        );
        let names = [0, 1, 2].map(|attempt| partition("j", "account", attempt));
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    }

    #[test]
    fn names_that_are_too_long_are_hashed_the_parts_first() {
        let id = "a".repeat(59);
        let whole = partition("j", &id, 0);
        assert_eq!(whole, format!("j_{id}"));
        assert_eq!(part("j", &id, &whole, 9), format!("{whole}_9"));
        let hashed = partition("j", &"a".repeat(60), 0);
        assert_eq!(hashed.len(), LONGEST);
        assert_eq!(
            part("j", &id, &whole, 10),
            format!("{}_10", super::hashed("j", &id, 0))
        );
    }

    /// Ids that are alike: case, separators, ends that look like a number or a hash, common beginnings.
    fn ids() -> impl Strategy<Value = String> {
        prop_oneof![
            "[aA_1|-]{1,6}",
            "a_[0-9]{1,3}(_[0-9]{1,2})?",
            "_?a?_h[0-9a-f]{16}(_[0-9])?",
            "[a-b]{38,66}",
            "\\PC{1,40}",
        ]
    }

    proptest! {
        /// Whatever the ids: each name is one that the server takes as it is, without quotes, and behind
        /// the first attempt no two partitions or parts have one name.
        #[test]
        fn names_are_never_alike(
            ids in prop::collection::hash_set(ids(), 2..60),
            numbers in prop::collection::hash_set(prop_oneof![0..12_i64, Just(i64::MAX)], 1..6),
            prefix in "[a-z_][a-z0-9_]{0,15}",
        ) {
            let mut of = HashMap::new();
            for id in &ids {
                for attempt in [0, 1] {
                    let whole = partition(&prefix, id, attempt);
                    let parts = numbers.iter().map(|it| (part(&prefix, id, &whole, *it), Some(*it)));
                    for (name, number) in parts.chain([(whole.clone(), None)]) {
                        prop_assert!(name.len() <= KEPT, "{}", name);
                        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
                        prop_assert!(name.bytes().all(is_plain) && name.starts_with(&prefix), "{}", name);
                        if attempt > 0 {
                            let other = of.insert(name.clone(), (id, number));
                            prop_assert_eq!(other, None, "{}", name);
                        }
                    }
                }
            }
        }
    }
}
