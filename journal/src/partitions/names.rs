//! What the partitions of the nested layout are called: functions without I/O.
//!
//! The JVM plugin calls the partition of an id by the prefix and the id, in which it replaces what no
//! name may hold; the server folds the rest to lower case and cuts it. Two ids can come out alike. That
//! name is taken only where nothing of this happens, so that both programs find the same table there.

use sha2::{Digest, Sha256};

/// The longest name of the partition of an id: of the 63 bytes that the server keeps, 20 are left for
/// the number of a part.
const LONGEST: usize = 43;

/// Digits of the hash: by 16 two of a billion ids come out alike once in forty such journals, and then
/// the next name is taken.
const DIGITS: usize = 16;

/// The name of the partition of a persistence id. Each attempt gives another, for where the one before
/// belongs to something else.
pub(super) fn partition(prefix: &str, persistence_id: &str, attempt: u32) -> String {
    let plain = format!("{prefix}_{persistence_id}");
    if attempt == 0 && is_safe(persistence_id) && plain.len() <= LONGEST {
        plain
    } else {
        hashed(prefix, persistence_id, attempt)
    }
}

/// The name of a part of the partition of that name.
pub(super) fn part(partition: &str, number: i64) -> String {
    format!("{partition}_{number}")
}

/// Whether the name that is made of the id is that of no other id, and of no part of one.
fn is_safe(persistence_id: &str) -> bool {
    let keeps_its_form = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    !persistence_id.is_empty()
        && persistence_id.bytes().all(keeps_its_form)
        && !ends_like_a_part(persistence_id)
        && !ends_like_a_hash(persistence_id)
}

fn ends_like_a_part(persistence_id: &str) -> bool {
    persistence_id
        .rsplit_once('_')
        .is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|it| it.is_ascii_digit()))
}

fn ends_like_a_hash(persistence_id: &str) -> bool {
    persistence_id
        .rsplit_once("_h")
        .is_some_and(|(_, end)| end.len() == DIGITS && end.bytes().all(|it| it.is_ascii_hexdigit()))
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
    let readable: String = persistence_id
        .chars()
        .map(|it| it.to_ascii_lowercase())
        .map(|it| if it.is_ascii_alphanumeric() { it } else { '_' })
        .take(LONGEST.saturating_sub(prefix.len() + "__h".len() + DIGITS))
        .collect();
    format!("{prefix}_{readable}_h{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_name_of_the_jvm_plugin_is_taken_where_it_is_safe() {
        assert_eq!(partition("j", "account_of_ada", 0), "j_account_of_ada");
        assert_eq!(partition("events", "42", 0), "events_42");
        assert_eq!(part("j_account", 7), "j_account_7");
    }

    #[test]
    fn other_ids_are_told_by_a_hash() {
        // printf 'Account|42' | sha256sum
        assert_eq!(
            partition("j", "Account|42", 0),
            "j_account_42_h9f3b340d79d14afd"
        );
        assert_eq!(part("j_a_1", 0), part(&partition("j", "a", 0), 1) + "_0");
        assert_ne!(partition("j", "a_1", 0), "j_a_1");
        assert_ne!(
            partition("j", "a_h9f3b340d79d14afd", 0),
            "j_a_h9f3b340d79d14afd"
        );
    }

    #[test]
    fn each_attempt_gives_another_name() {
        for persistence_id in ["account", "Account|42"] {
            let names = [0, 1, 2].map(|attempt| partition("j", persistence_id, attempt));
            assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
        }
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
        /// Whatever the ids: no two partitions or parts have one name, and each name is one that the
        /// server takes as it is, without quotes.
        #[test]
        fn names_are_never_alike(
            ids in prop::collection::hash_set(ids(), 2..60),
            numbers in prop::collection::hash_set(prop_oneof![0..12_i64, Just(i64::MAX)], 1..6),
            prefix in "[a-z_][a-z0-9_]{0,15}",
        ) {
            let mut of = HashMap::new();
            for id in &ids {
                let partition = partition(&prefix, id, 0);
                let parts = numbers.iter().map(|number| (part(&partition, *number), Some(*number)));
                for (name, number) in parts.chain([(partition.clone(), None)]) {
                    prop_assert!(name.len() <= 63, "{}", name);
                    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
                    prop_assert!(name.bytes().all(is_plain) && name.starts_with(&prefix), "{}", name);
                    let other = of.insert(name.clone(), (id, number));
                    prop_assert_eq!(other, None, "{}", name);
                }
            }
        }
    }
}
