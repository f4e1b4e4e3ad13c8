/// Quotes a name for use in SQL where no parameter can stand (`create database`, `set`).
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
