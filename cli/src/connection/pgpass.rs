use std::path::Path;

/// Whose password is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) host: String,
    pub(super) port: String,
    pub(super) database: String,
    pub(super) user: String,
}

/// The file, unless it is not there or others may read it: libpq passes over such a file too.
pub(super) fn read(file: &Path) -> Option<String> {
    let metadata = std::fs::metadata(file).ok()?;
    if !metadata.is_file() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if metadata.permissions().mode() & 0o077 != 0 {
            eprintln!(
                "warning: {} is not used, because others may read it; run: chmod 600 {0}",
                file.display()
            );
            return None;
        }
    }
    std::fs::read_to_string(file).ok()
}

/// The password of the first line that fits: `host:port:database:user:password`, where `*` fits all and
/// a backslash takes the meaning from a colon or a backslash.
pub(super) fn find(text: &str, wanted: &Wanted) -> Option<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(fields).find_map(|fields| {
        let [host, port, database, user, password] = <[String; 5]>::try_from(fields).ok()?;
        let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let all = fits(&host, &wanted.host)
            && fits(&port, &wanted.port)
            && fits(&database, &wanted.database)
            && fits(&user, &wanted.user);
        all.then_some(password)
    })
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.trim_end_matches('\r').chars();
    while let Some(character) = characters.next() {
        let character = match character {
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(field) = fields.last_mut() {
            field.push(character);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Option<String> {
        let wanted = Wanted {
            host: "db".to_owned(),
            port: "5432".to_owned(),
            database: "app".to_owned(),
            user: "ann".to_owned(),
        };
        find(text, &wanted)
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        let file = "# a comment\nother:5432:app:ann:no\ndb:*:app:ann:yes\n*:*:*:*:late";
        assert_eq!(password(file).as_deref(), Some("yes"));
        assert_eq!(password("db:5433:app:ann:no"), None);
        assert_eq!(password("db:5432:app"), None);
    }

    #[test]
    fn colons_and_backslashes_are_escaped() {
        assert_eq!(password(r"*:*:*:*:a\:b\\c:d").as_deref(), Some(r"a:b\c:d"));
        assert_eq!(password(r"d\b:*:*:ann:x").as_deref(), Some("x"));
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "*:*:*:*:x").unwrap();
        let allow = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file.path(), mode).unwrap();
        };
        allow(0o600);
        assert!(read(file.path()).is_some());
        allow(0o640);
        assert!(read(file.path()).is_none());
    }
}
