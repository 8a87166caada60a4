//! Which events somebody wants to see: what the form above the list sends, and addresses that keep it.

use std::time::Duration;

use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::access::{Hours, Viewer};
use crate::index::search::Sieve;
use crate::units::UtcMicros;
use crate::web::links;
use crate::web::refusal::Refusal;
use crate::web::texts::{key, say};
use crate::web::words;

/// Lengths to choose from, in seconds.
const LENGTHS: [(&str, &str); 4] = [
    ("10", key("10 seconds or longer")),
    ("30", key("30 seconds or longer")),
    ("60", key("a minute or longer")),
    ("300", key("5 minutes or longer")),
];

/// Times of the day to choose from, by the recorder's clock.
const TIMES: [(&str, &str); 4] = [
    ("06:00-12:00", key("in the morning")),
    ("12:00-18:00", key("in the afternoon")),
    ("18:00-23:00", key("in the evening")),
    ("23:00-06:00", key("at night")),
];

/// Which of them to choose from.
const SHOWN: [(&str, &str); 2] = [("new", key("only new ones")), ("kept", key("only kept ones"))];

/// As it stands in the address. What is empty was not chosen.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) camera: Option<String>,
    pub(crate) after: Option<f64>,
    pub(crate) before: Option<f64>,
    pub(crate) limit: Option<u32>,
    #[serde(default)]
    zone: String,
    /// In seconds.
    #[serde(default)]
    longer: String,
    /// As `23:00-06:00`.
    #[serde(default)]
    hours: String,
    #[serde(default)]
    show: String,
}

/// One value of a field of the form.
pub(crate) struct Value {
    /// What the address says.
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) is_chosen: bool,
}

/// One field of the form above the list.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// What it says while nothing is chosen.
    pub(crate) any: &'static str,
    pub(crate) values: Vec<Value>,
}

impl Wanted {
    /// The camera, if one was chosen.
    pub(crate) fn camera(&self) -> Option<&str> {
        self.camera.as_deref().filter(|camera| !camera.is_empty())
    }

    /// What the list is sifted by.
    pub(crate) fn sieve(&self, viewer: &Viewer) -> Result<Sieve, Refusal> {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let seconds = some(&self.longer).map(|text| text.parse::<u32>());
        let seconds = seconds.transpose().map_err(|_| Refusal::Bad("a length is a whole number of seconds"))?;
        let hours = some(&self.hours).map(|text| {
            let (from, to) = text.split_once('-')?;
            Hours::parse(from, to)
        });
        let hours = hours.map(|hours| hours.ok_or(Refusal::Bad("a time of the day is written as 23:00-06:00")));
        Ok(Sieve {
            zone: some(&self.zone),
            at_least: seconds.map(|seconds| Duration::from_secs(seconds.into())),
            hours: hours.transpose()?,
            kept: self.show == "kept",
            new_to: (self.show == "new").then(|| viewer.user()),
        })
    }

    /// Whether anything but the camera was chosen.
    pub(crate) fn is_sifted(&self) -> bool {
        [&self.zone, &self.longer, &self.hours, &self.show].iter().any(|text| !text.is_empty())
    }

    /// Whether the list begins with the newest of everything that is news.
    pub(crate) fn begins_with_all_news(&self) -> bool {
        let is_sifted = [&self.zone, &self.longer, &self.hours].iter().any(|text| !text.is_empty());
        self.before.is_none() && self.camera().is_none() && !is_sifted && self.show != "kept"
    }

    /// The same list of one camera, or of all, from the newest or from a moment backwards.
    pub(crate) fn address(&self, camera: Option<&str>, before: Option<UtcMicros>) -> String {
        let mut query = Serializer::new(String::new());
        let before = before.map(|before| format!("{:.6}", before.as_unix_seconds())).unwrap_or_default();
        for (name, value) in [
            ("camera", camera.unwrap_or_default()),
            ("zone", &self.zone),
            ("longer", &self.longer),
            ("hours", &self.hours),
            ("show", &self.show),
            ("before", &before),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { links::EVENTS.into() } else { format!("{}?{query}", links::EVENTS) }
    }

    /// The form's fields, with what is chosen now; `zones` are the names of those there are.
    pub(crate) fn fields(&self, zones: impl IntoIterator<Item = String>) -> Vec<Field> {
        let zones = zones.into_iter().map(|zone| (zone.clone(), words::zones([&zone], "")));
        let fixed = |values: &'static [(&'static str, &'static str)]| {
            values.iter().map(|(value, name)| ((*value).to_owned(), say(name).to_owned())).collect::<Vec<_>>()
        };
        let field = |name, label, any, chosen: &String, values: Vec<(String, String)>| {
            let is_known = chosen.is_empty() || values.iter().any(|(value, _)| value == chosen);
            let own = (!is_known).then(|| (chosen.clone(), chosen.clone()));
            let values = values.into_iter().chain(own);
            let values = values.map(|(value, name)| Value { is_chosen: value == *chosen, key: value, name }).collect();
            Field { name, label, any, values }
        };
        let mut fields = vec![
            field("show", say("Which"), say("all events"), &self.show, fixed(&SHOWN)),
            field("hours", say("Time of day"), say("at any time"), &self.hours, fixed(&TIMES)),
            field("longer", say("Length"), say("of any length"), &self.longer, fixed(&LENGTHS)),
        ];
        let zone = field("zone", say("Zone"), say("anywhere"), &self.zone, zones.collect());
        if !zone.values.is_empty() {
            fields.push(zone);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_was_chosen_and_says_nothing_of_the_rest() {
        let wanted = Wanted { zone: "front gate".into(), hours: "23:00-06:00".into(), ..Wanted::default() };
        assert_eq!(wanted.address(None, None), "/events?zone=front+gate&hours=23%3A00-06%3A00");
        assert_eq!(
            Wanted::default().address(Some("porch"), Some(UtcMicros(1_500_000))),
            "/events?camera=porch&before=1.500000"
        );
        assert_eq!(Wanted::default().address(None, None), "/events");
    }

    #[test]
    fn what_was_typed_by_hand_can_be_seen_in_the_form() {
        let wanted = Wanted { longer: "42".into(), ..Wanted::default() };
        let fields = wanted.fields(["path".to_owned()]);
        assert_eq!(fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["show", "hours", "longer", "zone"]);
        let chosen: Vec<_> = fields[2].values.iter().filter(|value| value.is_chosen).map(|value| &value.key).collect();
        assert_eq!(chosen, ["42"]);
        assert_eq!(wanted.fields([]).len(), 3, "no zones, no field for them");
    }
}
