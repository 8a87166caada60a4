//! Edits of the configuration keep what they are not about: every comment, every other line.

use std::path::Path;

use hearthwatch::config::check;
use hearthwatch::config::edit::{EditError, NewCamera, SignIn, add_camera, remove, rename_camera, set};
use hearthwatch::config::settings::{CameraUrl, Credentials, Settings};
use hearthwatch::units::{CameraId, Secret};
use proptest::prelude::*;

const HOUSE: &str = "\
# Our house.
[storage]
path = \"/srv/footage\"   # the big disk
# Half a day of slack.
keep_free = '20GiB' # was 10GiB

[cameras.porch] # by the door
url = \"rtsp://10.0.0.2/main\" # new in May
# It sees the street.
motion.sensitivity = 0.3
motion.enabled = true

# Where the cat walks.
[ cameras.\"porch\" . motion.zones.path ]
area = [
    [0.2, 0.5], # the gate
    [0.8, 0.5],
    [0.8, 1.0],
]

[cameras.yard]
url = \"rtsp://10.0.0.3/main\"
[retention] # last
continuous_days = 3";

fn id(text: &str) -> CameraId {
    text.parse().expect("an id")
}

fn settings(text: &str) -> Settings {
    let checked = check(text, |_| Ok("hunter2".to_owned()));
    checked.unwrap_or_else(|complaints| panic!("{text}\n{complaints:#?}")).settings
}

/// The lines of `old` that are not in `new`, and those of `new` that are not in `old`, each in order.
fn difference<'t>(old: &'t str, new: &'t str) -> (Vec<&'t str>, Vec<&'t str>) {
    let mut gone = Vec::new();
    let mut rest: Vec<_> = new.lines().collect();
    for line in old.lines() {
        match rest.iter().position(|kept| *kept == line) {
            Some(at) => drop(rest.remove(at)),
            None => gone.push(line),
        }
    }
    (gone, rest)
}

fn changed(key: &[&str], value: impl Into<toml_edit::Value>) -> (Vec<String>, Vec<String>) {
    let new = set(HOUSE, key, value).expect("an edit");
    settings(&new);
    let (gone, come) = difference(HOUSE, &new);
    let owned = |lines: Vec<&str>| lines.into_iter().map(str::to_owned).collect();
    (owned(gone), owned(come))
}

#[test]
fn a_value_is_replaced_and_its_comment_stays() {
    assert_eq!(
        changed(&["storage", "keep_free"], "5%"),
        (vec!["keep_free = '20GiB' # was 10GiB".to_owned()], vec!["keep_free = \"5%\" # was 10GiB".to_owned()])
    );
    assert_eq!(
        changed(&["cameras", "porch", "motion", "sensitivity"], 0.75),
        (vec!["motion.sensitivity = 0.3".to_owned()], vec!["motion.sensitivity = 0.75".to_owned()])
    );
}

#[test]
fn a_new_key_stands_among_its_neighbours() {
    let added = |key: &[&str], value: toml_edit::Value| {
        let (gone, come) = changed(key, value);
        assert_eq!(gone, Vec::<String>::new());
        come
    };
    assert_eq!(added(&["storage", "sync_seconds"], 5.into()), ["sync_seconds = 5"]);
    assert_eq!(added(&["cameras", "porch", "name"], "Porch".into()), ["name = \"Porch\""]);
    assert_eq!(added(&["cameras", "porch", "motion", "pre_seconds"], 3.into()), ["motion.pre_seconds = 3"]);
    assert_eq!(
        added(&["cameras", "yard", "motion", "enabled"], false.into()),
        ["", "[cameras.yard.motion]", "enabled = false", ""]
    );
    assert_eq!(added(&["web", "listen"], "127.0.0.1:1".into()), ["", "[web]", "listen = \"127.0.0.1:1\""]);
    // The last line has no line break; it gets one.
    assert_eq!(added(&["retention", "motion_days"], 9.into()), ["motion_days = 9"]);
    assert_eq!(set("", &["web", "tls"], "auto"), Ok("[web]\ntls = \"auto\"\n".to_owned()));
}

#[test]
fn a_key_or_a_camera_goes_with_its_lines_and_nothing_else() {
    let new = remove(HOUSE, &["storage", "keep_free"]).expect("an edit");
    assert_eq!(difference(HOUSE, &new), (vec!["keep_free = '20GiB' # was 10GiB"], vec![]));
    let new = remove(HOUSE, &["cameras", "porch", "motion", "enabled"]).expect("an edit");
    assert_eq!(difference(HOUSE, &new), (vec!["motion.enabled = true"], vec![]));
    let new = remove(HOUSE, &["cameras", "porch", "motion"]).expect("an edit");
    assert_eq!(settings(&new).cameras[&id("porch")].motion, hearthwatch::config::settings::Motion::default());
    let new = remove(HOUSE, &["cameras", "porch"]).expect("an edit");
    assert_eq!(settings(&new).cameras.keys().collect::<Vec<_>>(), [&id("yard")]);
    assert!(new.contains("# Where the cat walks.") && new.contains("# Our house.") && !new.contains("10.0.0.2"));
    assert_eq!(remove(HOUSE, &["cameras", "attic"]), Err(EditError::Missing("cameras.attic".to_owned())));
}

#[test]
fn a_camera_is_renamed_in_all_its_sections() {
    let new = rename_camera(HOUSE, &id("porch"), &id("front-door")).expect("an edit");
    let (gone, come) = difference(HOUSE, &new);
    assert_eq!(gone, ["[cameras.porch] # by the door", "[ cameras.\"porch\" . motion.zones.path ]"]);
    assert_eq!(come, ["[cameras.front-door] # by the door", "[ cameras.front-door . motion.zones.path ]"]);
    let (mut old, mut renamed) = (settings(HOUSE).cameras, settings(&new).cameras);
    let (mut before, after) = (old.remove(&id("porch")).expect("porch"), renamed.remove(&id("front-door")));
    before.name = "front-door".to_owned();
    assert_eq!((Some(before), old), (after, renamed));
    assert_eq!(rename_camera(HOUSE, &id("porch"), &id("yard")), Err(EditError::Taken(id("yard"))));
    let inline = "[cameras]\nporch = { url = \"rtsp://10.0.0.2/\" } # all in one\n";
    let renamed = rename_camera(inline, &id("porch"), &id("door")).expect("an edit");
    assert_eq!(renamed, "[cameras]\ndoor = { url = \"rtsp://10.0.0.2/\" } # all in one\n");
}

#[test]
fn a_form_that_is_not_understood_is_refused_and_not_damaged() {
    let form = |result: Result<String, EditError>| matches!(result, Err(EditError::Form(_)));
    let inline = "cameras = { porch = { url = \"rtsp://10.0.0.2/\" } }\n";
    assert!(form(set(inline, &["cameras", "porch", "name"], "Porch")));
    assert!(form(remove(inline, &["cameras", "porch", "url"])));
    assert!(form(set(HOUSE, &["cameras", "porch"], 1)));
    assert!(form(set("[[cameras]]\n", &["cameras", "porch", "name"], "x")));
    assert!(form(set(HOUSE, &[], 1)) && form(set(HOUSE, &["name"], 1)));
    let twice = "[cameras]\nporch.url = \"rtsp://10.0.0.2/\"\nporch.audio = false\n";
    assert!(form(rename_camera(twice, &id("porch"), &id("door"))));
    assert!(matches!(set("[web", &["web", "tls"], "auto"), Err(EditError::NotToml(_))));
    // What can be told exactly is done, even there.
    let set_inline = set(inline, &["cameras", "porch", "url"], "rtsp://10.0.0.9/").expect("an edit");
    assert_eq!(set_inline, inline.replace("10.0.0.2", "10.0.0.9"));
}

#[test]
fn a_camera_is_added_at_the_end_with_any_name_that_was_announced() {
    let url: CameraUrl = "rtsp://10.0.0.7/main".parse().expect("a URL");
    let credentials = Credentials { username: "viewer".to_owned(), password: Secret::new("a\"b\\c") };
    let camera = NewCamera {
        name: "\u{202e}Gar\u{0}den\n\"x\" ",
        url: &url,
        detect_url: Some(&url),
        sign_in: SignIn::Here(&credentials),
    };
    let new = add_camera(HOUSE, &id("garden"), &camera).expect("an edit");
    assert!(new.starts_with(HOUSE));
    let added = &settings(&new).cameras[&id("garden")];
    assert_eq!((added.name.as_str(), &added.url), ("Garden\"x\"", &url));
    assert_eq!(added.credentials.as_ref(), Some(&credentials));
    assert_eq!(add_camera(&new, &id("garden"), &camera), Err(EditError::Taken(id("garden"))));
    let plain = NewCamera { name: "\u{feff}", url: &url, detect_url: None, sign_in: SignIn::None };
    assert_eq!(add_camera("", &id("a"), &plain).expect("an edit"), "[cameras.a]\nurl = \"rtsp://10.0.0.7/main\"\n");
    let filed = SignIn::InFile { username: "u", password_file: Path::new("/etc/x") };
    let filed = add_camera("", &id("a"), &NewCamera { sign_in: filed, ..plain }).expect("an edit");
    assert!(filed.ends_with("username = \"u\"\npassword_file = \"/etc/x\"\n"), "{filed}");
    assert!(matches!(add_camera("cameras = {}\n", &id("a"), &camera), Err(EditError::Form(_))));
}

#[test]
fn line_breaks_stay_as_they_are() {
    let windows = HOUSE.replace('\n', "\r\n");
    for new in [
        set(&windows, &["storage", "keep_free"], "5%"),
        set(&windows, &["cameras", "yard", "audio"], false),
        set(&windows, &["web", "tls"], "auto"),
        rename_camera(&windows, &id("porch"), &id("door")),
        remove(&windows, &["cameras", "yard"]),
    ] {
        let new = new.expect("an edit");
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{new:?}");
    }
}

/// A comment, or nothing, at the end of a line.
fn comment() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "# [a-z =\\[\\]\".]{0,12}".prop_map(|text| format!(" {text}"))]
}

/// A house in which only order, comments and spelling vary.
fn house() -> impl Strategy<Value = String> {
    let camera = (comment(), comment(), comment(), any::<bool>(), any::<bool>(), 0u8..3);
    proptest::collection::vec(camera, 0..4).prop_map(|cameras| {
        let mut text = String::from("# top\n[retention]\n  continuous_days=5# five\n");
        for (number, (header, line, own, name, quote, blank)) in cameras.into_iter().enumerate() {
            let id = if quote { format!("'c{number}'") } else { format!("c{number}") };
            text.extend(std::iter::repeat_n("\n", usize::from(blank)));
            let above = own.trim();
            let section = format!("{above}\n[cameras.{id}]{header}\nurl = 'rtsp://10.0.0.2/{number}'{line}\n");
            text.push_str(&section);
            if name {
                let more = format!("name = \"\"\"n{number}\"\"\"{own}\n[cameras.{id}.motion]{line}\n");
                text.push_str(&more);
            }
        }
        text + "[web] # end\n"
    })
}

proptest! {
    #[test]
    fn a_set_value_is_the_only_difference(text in house(), camera in 0u8..4, key in 0usize..4, days in 0i64..100) {
        let id = format!("c{camera}");
        let path = [
            vec!["retention", "continuous_days"],
            vec!["retention", "motion_days"],
            vec!["cameras", &id, "name"],
            vec!["cameras", &id, "motion", "post_seconds"],
        ][key].clone();
        let value = if key == 2 { toml_edit::Value::from("new") } else { days.into() };
        let new = set(&text, &path, value.clone()).expect("an edit");
        let (gone, come) = difference(&text, &new);
        prop_assert!(gone.len() <= 1, "{gone:?}");
        prop_assert!(come.len() <= 4, "{come:?}");
        prop_assert_eq!(text.matches('#').count(), new.matches('#').count());
        // Setting it again changes nothing, and taking it out again leaves the rest.
        prop_assert_eq!(set(&new, &path, value).expect("an edit"), new.clone());
        let without = remove(&new, &path).expect("an edit");
        prop_assert!(difference(&text, &without).0.len() <= 1);
    }

    #[test]
    fn a_camera_goes_there_and_back(text in house(), camera in 0u8..4) {
        let (old, new) = (id(&format!("c{camera}")), id("other"));
        match rename_camera(&text, &old, &new) {
            Ok(renamed) => {
                prop_assert_eq!(text.lines().count(), renamed.lines().count());
                let back = rename_camera(&renamed, &new, &old).expect("an edit");
                prop_assert_eq!(back, text.replace(&format!("'{old}'"), old.as_str()));
            }
            Err(error) => prop_assert_eq!(error, EditError::Missing(format!("camera {old}"))),
        }
    }

    #[test]
    fn an_added_camera_passes_the_check_and_goes_again(text in house(), name in "\\PC{0,90}") {
        let url: CameraUrl = "rtsp://10.0.0.7/main".parse().expect("a URL");
        let camera = NewCamera { name: &name, url: &url, detect_url: None, sign_in: SignIn::None };
        let new = add_camera(&text, &id("new"), &camera).expect("an edit");
        prop_assert!(new.starts_with(&text));
        prop_assert!(settings(&new).cameras.contains_key(&id("new")));
        let without = remove(&new, &["cameras", "new"]).expect("an edit");
        prop_assert_eq!(without.trim_end(), text.trim_end());
    }
}
