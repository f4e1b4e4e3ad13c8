use annals_persistence::{Payload, SerializerId};
use serde_json::{Value, json};

/// What a payload holds, as far as it can be read without its types.
#[derive(Debug, PartialEq)]
pub(crate) enum PayloadView {
    Json(Value),
    /// Fields have no names where its writer wrote none.
    MessagePack(Value),
    Text(String),
    Hex(String),
}

impl PayloadView {
    /// By what its serializer says; bytes that are not what it says are shown as they are.
    pub(crate) fn of(payload: &Payload) -> Self {
        let bytes = &payload.bytes;
        let read = match payload.serializer {
            SerializerId::JSON => serde_json::from_slice(bytes).ok().map(Self::Json),
            SerializerId::MESSAGE_PACK => message_pack(bytes).map(Self::MessagePack),
            SerializerId::TEXT => String::from_utf8(bytes.to_vec()).ok().map(Self::Text),
            _ => None,
        };
        read.unwrap_or_else(|| Self::Hex(hex(bytes)))
    }

    pub(crate) const fn form(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::MessagePack(_) => "messagepack",
            Self::Text(_) => "text",
            Self::Hex(_) => "hex",
        }
    }

    pub(crate) fn json(self) -> Value {
        match self {
            Self::Json(value) | Self::MessagePack(value) => value,
            Self::Text(text) | Self::Hex(text) => Value::String(text),
        }
    }

    /// On one line, and not longer than a person reads.
    pub(crate) fn line(&self) -> String {
        const MOST: usize = 200;
        let line = match self {
            Self::Json(value) | Self::MessagePack(value) => value.to_string(),
            Self::Text(text) => text.escape_debug().to_string(),
            Self::Hex(hex) => format!("\\x{hex}"),
        };
        match line.char_indices().nth(MOST) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None => line,
        }
    }
}

/// The payload as members of a JSON object.
pub(crate) fn members(payload: &Payload) -> Value {
    let view = PayloadView::of(payload);
    json!({
        "serializer": payload.serializer.0,
        "manifest": payload.manifest,
        "payload_form": view.form(),
        "payload": view.json(),
    })
}

/// All of it, or it is not what it seems.
fn message_pack(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = rmp_serde::from_read(&mut rest).ok()?;
    rest.is_empty().then_some(value)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // A string takes whatever is written.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use annals_persistence::{Json, MessagePack};

    use super::*;

    #[test]
    fn each_serializer_has_its_view() {
        let value = json!({"cents": 5});
        let json = Json::encode(&value).unwrap();
        assert_eq!(PayloadView::of(&json), PayloadView::Json(value.clone()));
        let packed = MessagePack::encode(&value).unwrap();
        assert_eq!(PayloadView::of(&packed), PayloadView::MessagePack(value));
        let text = Payload::text("a\nb");
        assert_eq!(PayloadView::of(&text).line(), "a\\nb");
        assert_eq!(
            PayloadView::of(&Payload::raw(vec![1, 255])).line(),
            "\\x01ff"
        );
    }

    #[test]
    fn bytes_that_are_not_what_they_are_said_to_be_are_shown_as_they_are() {
        for serializer in [
            SerializerId::JSON,
            SerializerId::TEXT,
            SerializerId::MESSAGE_PACK,
        ] {
            let payload = Payload {
                serializer,
                manifest: "".into(),
                bytes: vec![0x01, 0xff, 0xfe].into(),
            };
            assert_eq!(
                PayloadView::of(&payload),
                PayloadView::Hex("01fffe".to_owned())
            );
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let payload = Payload::text("ü".repeat(500));
        assert_eq!(PayloadView::of(&payload).line().chars().count(), 203);
    }
}
