/// The mark between a name and its version, the same as of Pekko's Jackson serializer.
const MARK: char = '#';

/// The name and the version in a manifest: `Deposited#2` is the second version of `Deposited`, and
/// `Deposited` the first. What does not end in a version is all name.
pub(super) fn split(manifest: &str) -> (&str, u32) {
    manifest
        .rsplit_once(MARK)
        .and_then(|(name, digits)| Some((name, version(digits)?)))
        .unwrap_or((manifest, 1))
}

/// The manifest of that version of `name`.
pub(super) fn mark(name: &str, version: u32) -> String {
    format!("{name}{MARK}{version}")
}

/// Only as it is written, so that no two manifests mean the same version.
fn version(digits: &str) -> Option<u32> {
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_a_name_and_a_version() {
        assert_eq!(split("Deposited"), ("Deposited", 1));
        assert_eq!(split("Deposited#2"), ("Deposited", 2));
        assert_eq!(split("a#b#10"), ("a#b", 10));
        assert_eq!(split(&mark("Deposited", u32::MAX)), ("Deposited", u32::MAX));
        for whole in ["", "#", "C#", "C#x", "C#0", "C#02", "C#+2", "C#4294967296"] {
            assert_eq!(split(whole), (whole, 1));
        }
    }
}
