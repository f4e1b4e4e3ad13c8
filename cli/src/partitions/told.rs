use serde_json::Value;

/// What a script says of one partition.
#[derive(Debug)]
pub(super) struct Told<'a> {
    partition: &'a str,
    result: &'a str,
    text: &'a str,
    reasons: Vec<&'a str>,
}

impl<'a> Told<'a> {
    pub(super) fn of(said: &'a Value) -> Self {
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        let reasons = said.get("reasons").and_then(Value::as_array);
        Self {
            partition: text("partition"),
            result: text("result"),
            text: text("text"),
            reasons: reasons
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect(),
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        self.result == "failed"
    }

    /// Without colour.
    pub(super) fn plain(&self) -> String {
        let mut lines = match self.partition {
            "" => self.text.to_owned(),
            partition => format!("{partition}: {}", self.text),
        };
        for reason in &self.reasons {
            lines.push_str("\n  ");
            lines.push_str(reason);
        }
        lines
    }

    /// Done in green, refused in yellow.
    pub(super) fn human(&self, in_colour: bool) -> String {
        let (colour, end) = match self.result {
            _ if !in_colour => ("", ""),
            "done" => ("\x1b[32m", "\x1b[0m"),
            "refused" => ("\x1b[33m", "\x1b[0m"),
            _ => ("\x1b[2m", "\x1b[0m"),
        };
        let word = match self.result {
            "would" => "would ",
            "refused" => "refused: ",
            _ => "",
        };
        let mut lines = match self.partition {
            "" => String::new(),
            partition => format!("{partition}: "),
        };
        lines.push_str(&format!("{colour}{word}{}{end}", self.text));
        for reason in &self.reasons {
            lines.push_str("\n  ");
            lines.push_str(reason);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_has_its_reasons_below_it() {
        let said = json!({"command": "detach", "partition": "j_0", "result": "refused",
            "text": "it is still needed", "reasons": ["one", "two"]});
        let told = Told::of(&said);
        assert!(!told.is_failure());
        assert_eq!(told.plain(), "j_0: it is still needed\n  one\n  two");
        assert_eq!(
            told.human(false),
            "j_0: refused: it is still needed\n  one\n  two"
        );
        assert!(told.human(true).contains("\x1b[33mrefused"));
    }

    #[test]
    fn a_failure_without_a_partition_is_its_text() {
        let said = json!({"result": "failed", "text": "no", "reasons": [], "partition": ""});
        assert!(Told::of(&said).is_failure());
        assert_eq!(Told::of(&said).plain(), "no");
    }
}
