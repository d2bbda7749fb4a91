//! An event as an object. Computes only.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Note;

/// Who reports.
pub(super) const COMPONENT: &str = "hyperstudy-controller";
/// The most bytes of a message; the API server takes no more.
const LONGEST: usize = 1024;
/// The most bytes of the object's name in the event's, which has at most 253.
const NAME: usize = 230;

/// A note about an object, so many times.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub object: ObjectReference,
    pub note: Note,
    pub count: i32,
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Counted {
    /// The event's name: the same for the same object, type, reason and message.
    pub fn name(&self) -> String {
        let mut hash = Sha256::new();
        let uid = self.object.uid.as_deref().unwrap_or_default();
        for part in [uid, self.note.type_.as_str(), self.note.reason, &self.note.message] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let object = self.object.name.as_deref().unwrap_or_default();
        let object = object.get(..NAME).unwrap_or(object);
        // A part of a name ends with a letter or a digit.
        format!("{}.{digest}", object.trim_end_matches(['-', '.']))
    }

    /// The event that does not exist yet.
    pub fn event(&self, instance: &str) -> Event {
        Event {
            metadata: ObjectMeta {
                name: Some(self.name()),
                namespace: self.object.namespace.clone(),
                ..ObjectMeta::default()
            },
            involved_object: self.object.clone(),
            type_: Some(self.note.type_.as_str().to_owned()),
            reason: Some(self.note.reason.to_owned()),
            message: Some(cut(&self.note.message, LONGEST)),
            count: Some(self.count),
            first_timestamp: Some(Time(self.first)),
            last_timestamp: Some(Time(self.last)),
            source: Some(EventSource {
                component: Some(COMPONENT.to_owned()),
                ..EventSource::default()
            }),
            reporting_component: Some(COMPONENT.to_owned()),
            reporting_instance: Some(cut(instance, 128)),
            ..Event::default()
        }
    }

    /// What changes in the event that exists.
    pub fn again(&self, before: &Event) -> Value {
        let count = before.count.unwrap_or(1).saturating_add(self.count);
        json!({"count": count, "lastTimestamp": Time(self.last)})
    }
}

/// The beginning of `text`, at most so many bytes.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most.saturating_sub('…'.len_utf8()))
        .rev()
        .find(|i| text.is_char_boundary(*i));
    let start = text.get(..end.unwrap_or(0)).unwrap_or_default();
    format!("{start}…")
}
