use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PrivateServerError;

const OLDEST: u32 = 14;

/// The programs of one installation of PostgreSQL.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The first installation that will do; `major` is what an existing folder needs.
    pub(super) fn find(major: Option<u32>) -> Result<Self, PrivateServerError> {
        let places = places();
        let found: Vec<Self> = places.iter().filter_map(|it| Self::at(it)).collect();
        let fits = |it: &&Self| it.major >= OLDEST && major.is_none_or(|wanted| wanted == it.major);
        if let Some(fitting) = found.iter().find(fits) {
            return Ok(fitting.clone());
        }
        let wanted = major.map_or_else(|| format!("{OLDEST} or newer"), |it| it.to_string());
        let install = major.map_or_else(String::new, |it| format!("-{it}"));
        let looked_in =
            places
                .iter()
                .map(|place| match found.iter().find(|it| it.folder == *place) {
                    Some(other) => format!("{} (is {})", place.display(), other.major),
                    None => place.display().to_string(),
                });
        let looked_in = looked_in.collect::<Vec<_>>().join(", ");
        Err(PrivateServerError::NoBinaries {
            wanted,
            looked_in,
            install,
        })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn at(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").exists() {
            return None;
        }
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", or "... 18beta2"
        let output = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = text.split_once("(PostgreSQL) ")?.1;
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        Some(Self {
            folder: folder.to_owned(),
            major: digits.parse().ok()?,
        })
    }
}

fn places() -> Vec<PathBuf> {
    if let Some(told) = env::var_os("ANNALS_POSTGRES_BIN") {
        return vec![told.into()];
    }
    let mut places: Vec<PathBuf> = env::var_os("PATH")
        .map(|it| env::split_paths(&it).collect())
        .unwrap_or_default();
    places.retain(|it| it.join("postgres").exists());
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    places.extend(
        asked
            .and_then(|it| String::from_utf8(it.stdout).ok())
            .map(|it| PathBuf::from(it.trim())),
    );
    places.extend(newest_first("/usr/lib/postgresql", ""));
    places.extend(newest_first("/usr", "pgsql-"));
    places.push("/usr/local/pgsql/bin".into());
    places.extend(newest_first("/opt/homebrew/opt", "postgresql"));
    places.extend(newest_first("/usr/local/opt", "postgresql"));
    let mut once = Vec::new();
    for place in places {
        if place.is_absolute() && !once.contains(&place) {
            once.push(place);
        }
    }
    once
}

/// `parent/prefix<version>/bin`, by version.
fn newest_first(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.trim_start_matches('@');
            Some((version.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, folder)| folder).collect()
}
