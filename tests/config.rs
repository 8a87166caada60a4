//! The configuration file as the household meets it: the example works, and every mistake is named with its place and mend.

#![expect(clippy::disallowed_methods, reason = "a test reads the files of the repository where they are")]

use std::path::Path;
use std::time::Duration;

use hearthwatch::config::settings::{KeepFree, Polygon, RecordMode, Settings, Tls, Transport};
use hearthwatch::config::{Checked, Complaint, check};
use hearthwatch::units::{ByteLen, CameraId};
use proptest::prelude::*;

fn checked(text: &str) -> Result<Checked, Vec<Complaint>> {
    check(text, |path| match path.to_str() {
        Some("missing") => Err(std::io::ErrorKind::NotFound.into()),
        Some("empty") => Ok("\n".to_owned()),
        Some("two-lines") => Ok("a\nb\n".to_owned()),
        _ => Ok("hunter2\n".to_owned()),
    })
}

fn settings(text: &str) -> Settings {
    checked(text).unwrap_or_else(|complaints| panic!("{text}\n{complaints:#?}")).settings
}

/// The one complaint about this text, as it is printed.
fn complaint(text: &str) -> String {
    let complaints = checked(text).expect_err(text);
    assert_eq!(complaints.len(), 1, "{text}\n{complaints:#?}");
    complaints[0].to_string()
}

fn camera(line: &str) -> String {
    format!("[cameras.porch]\nurl = \"rtsp://192.168.1.20/main\"\n{line}\n")
}

/// A mistake in a camera: the complaint about its third line.
fn camera_complaint(line: &str) -> String {
    complaint(&camera(line))
}

fn id(text: &str) -> CameraId {
    text.parse().expect("an id")
}

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    std::fs::read_to_string(path).expect("config.example.toml")
}

/// The example with the comment marks of its settings taken away.
fn example_with_everything() -> String {
    let uncommented = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => {
            rest.to_owned()
        }
        Some(rest) if rest.starts_with("# [") => rest.trim_start_matches("# ").to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<_> = example().lines().map(uncommented).filter(|line| !line.starts_with("password = ")).collect();
    text.join("\n")
}

fn is_key(word: &str) -> bool {
    word.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
}

#[test]
fn an_empty_file_is_a_house_without_cameras() {
    let empty = settings("");
    assert_eq!(empty.storage.path, Path::new("/var/lib/hearthwatch"));
    assert_eq!(empty.storage.keep_free, KeepFree::Part(0.1));
    assert_eq!(empty.storage.segment, Duration::from_mins(1));
    assert_eq!(empty.storage.sync, Duration::from_secs(2));
    assert_eq!(empty.retention.continuous, Duration::from_hours(7 * 24));
    assert_eq!(empty.retention.motion, Duration::from_hours(30 * 24));
    assert_eq!((empty.web.listen.to_string().as_str(), empty.web.tls), ("0.0.0.0:8443", Tls::Auto));
    assert!(empty.discovery.mdns && empty.discovery.onvif && !empty.discovery.auto_add);
    assert!(empty.web.hosts.is_empty() && empty.cameras.is_empty());
}

#[test]
fn the_example_works_unedited_and_says_the_defaults() {
    let example = checked(&example()).expect("the example is valid");
    assert_eq!(example.notes, []);
    let mut expected = settings("");
    expected.web.hosts = vec!["nvr.home.arpa".to_owned()];
    assert_eq!(example.settings, expected);
}

#[test]
fn the_example_with_every_line_in_use_is_valid_too() {
    let text = example_with_everything();
    let checked = checked(&text).unwrap_or_else(|complaints| panic!("{text}\n{complaints:#?}"));
    let camera = &checked.settings.cameras[&id("front-door")];
    assert_eq!(camera.name, "Front door");
    assert_eq!(camera.url.to_string(), "rtsp://192.168.1.20/main");
    assert_eq!(camera.detect_url.as_ref().map(ToString::to_string).as_deref(), Some("rtsp://192.168.1.20/sub"));
    assert_eq!(camera.credentials.as_ref().map(|of| of.password.expose()), Some("hunter2"));
    assert_eq!((camera.transport, camera.record, camera.audio), (Transport::Tcp, RecordMode::Continuous, true));
    assert_eq!((camera.motion.pre, camera.motion.post), (Duration::from_secs(5), Duration::from_secs(10)));
    assert_eq!(camera.motion.masks, [Polygon(vec![[0.0, 0.0], [0.3, 0.0], [0.3, 0.1], [0.0, 0.1]])]);
    assert_eq!(camera.motion.zones["path"].area.0.len(), 4);
}

#[test]
fn every_key_of_the_contract_stands_in_the_example() {
    let example = example();
    for key in [
        "path",
        "keep_free",
        "segment_seconds",
        "sync_seconds",
        "continuous_days",
        "motion_days",
        "listen",
        "tls",
        "hosts",
        "insecure_http",
        "mdns",
        "onvif",
        "auto_add",
        "name",
        "url",
        "detect_url",
        "username",
        "password_file",
        "password",
        "transport",
        "record",
        "audio",
        "outside_lan",
        "enabled",
        "decode",
        "sensitivity",
        "pre_seconds",
        "post_seconds",
        "min_seconds",
        "masks",
        "area",
    ] {
        let stands = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
        // A camera has one, and so has each of its zones.
        let times = if key == "sensitivity" { 2 } else { 1 };
        assert_eq!(example.lines().filter(|line| stands(line)).count(), times, "{key}");
    }
    for section in
        ["[storage]", "[retention]", "[web]", "[discovery]", "[cameras.front-door]", "[cameras.front-door.motion]"]
    {
        assert!(example.lines().any(|line| line.trim_start_matches("# ") == section), "{section}");
    }
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    for (text, said) in [
        ("[storage]\nkeepfree = \"10%\"", "2:1: storage.keepfree: there is no such key; did you mean \"keep_free\"?"),
        ("[storge]", "1:2: storge: there is no such key; did you mean \"storage\"?"),
        ("[camera.porch]", "1:2: camera: there is no such key; did you mean \"cameras\"?"),
        ("listen = \"0.0.0.0:1\"", "1:1: listen: this key belongs in the section [web]; move it there"),
        (
            "[web]\nx.y = 1",
            "2:1: web.x: there is no such key, the nearest is \"tls\"; known here: listen, tls, insecure_http, hosts, proxies",
        ),
    ] {
        assert_eq!(complaint(text), said);
    }
    assert_eq!(
        camera_complaint("sensitivity = 0.5"),
        "3:1: cameras.porch.sensitivity: this key belongs in the section [cameras.porch.motion]; move it there"
    );
    assert_eq!(
        camera_complaint("[cameras.porch.motion.zones.path]\narea = [[0, 0], [1, 0], [1, 1]]\ncolor = 1"),
        "5:1: cameras.porch.motion.zones.path.color: there is no such key, the nearest is \"area\"; known here: area, sensitivity"
    );
    assert_eq!(
        camera_complaint("\"a.b\" = 1"),
        "3:1: cameras.porch.\"a.b\": there is no such key, the nearest is \"name\"; known here: name, outside_lan, url, \
         detect_url, username, password, password_file, transport, record, audio, motion"
    );
}

#[test]
fn all_complaints_come_at_once_in_the_order_of_the_file() {
    let text = "[web]\ntls = \"on\"\n[storage]\nsync_seconds = 0\nfoo = 1\n[cameras.A]\n[cameras.b]\n";
    let complaints = checked(text).expect_err(text);
    let keys: Vec<_> = complaints.iter().map(|complaint| (complaint.line, complaint.key.as_str())).collect();
    assert_eq!(
        keys,
        [(2, "web.tls"), (4, "storage.sync_seconds"), (5, "storage.foo"), (6, "cameras.A"), (7, "cameras.b.url")]
    );
}

#[test]
fn a_text_that_is_not_toml_is_one_complaint_with_its_line() {
    assert!(complaint("[web]\nlisten = 0.0.0.0:8443\n").starts_with("2:"));
    assert!(complaint("[web]\ntls = \"auto\"\ntls = \"off\"\n").starts_with("3:1: this is not TOML: duplicate key"));
    assert!(complaint("[web\n").starts_with("1:5: this is not TOML: "));
    assert_eq!(complaint(&"#".repeat((1 << 20) + 1)), "1:1: the file has 1.0 MiB; at most 1 MiB is read");
}

#[test]
fn wrong_kinds_and_ranges_say_what_would_be_right() {
    for (text, said) in [
        ("[storage]\nsegment_seconds = 4", "this must be a number from 5 to 3600 seconds; 4 is not"),
        ("[storage]\nsegment_seconds = nan", "this must be a number from 5 to 3600 seconds; NaN is not"),
        ("[storage]\nsync_seconds = 61", "this must be a number from 1 to 60 seconds; 61 is not"),
        (
            "[storage]\nsync_seconds = \"2\"",
            "this must be a number from 1 to 60 seconds; write it without quotation marks",
        ),
        (
            "[storage]\nsync_seconds = true",
            "this must be a number from 1 to 60 seconds, as 1; here stands true or false",
        ),
        (
            "[storage]\nsegment_seconds = 5\nsync_seconds = 10",
            "a segment must be synced before it ends; make this less than segment_seconds",
        ),
        ("[storage]\nkeep_free = \"95%\"", "the part to keep free is 0% to 90%; \"95%\" is not"),
        (
            "[storage]\nkeep_free = \"20\"",
            "this must be a part of the disk or a size, as \"10%\" or \"20GiB\"; \"20\" is neither",
        ),
        (
            "[storage]\nkeep_free = 20",
            "this must be a text in quotation marks, as \"10%\" or \"20GiB\"; here stands a number",
        ),
        (
            "[storage]\npath = \"footage\"",
            "this must be the full path of a folder, without .. in it, as \"/var/lib/hearthwatch\"",
        ),
        (
            "[storage]\npath = \"/srv/../etc\"",
            "this must be the full path of a folder, without .. in it, as \"/var/lib/hearthwatch\"",
        ),
        (
            "[storage]\npath = \"/\"",
            "this must be the full path of a folder, without .. in it, as \"/var/lib/hearthwatch\"",
        ),
        (
            "[storage]\npath = \"/a\\u0000b\"",
            "this text holds a control character; write it on one line and without \\-sequences",
        ),
        ("[retention]\ncontinuous_days = -1", "this must be a number from 0 to 36500 days; -1 is not"),
        ("[discovery]\nmdns = \"true\"", "write true or false without quotation marks"),
        ("[discovery]\nmdns = 1", "this must be true or false, as true; here stands a number"),
        (
            "[web]\nlisten = \"8443\"",
            "this must be an IP address with a port, as \"0.0.0.0:8443\"; \"8443\" is not; put the address before the port, 0.0.0.0 for all",
        ),
        (
            "[web]\nlisten = \"127.0.0.1\"",
            "this must be an IP address with a port, as \"0.0.0.0:8443\"; \"127.0.0.1\" is not; add the port",
        ),
        (
            "[web]\nlisten = \"localhost:1\"",
            "this must be an IP address with a port, as \"0.0.0.0:8443\"; \"localhost:1\" is not",
        ),
        (
            "[web]\ntls = \"Auto\"",
            "this must be one of \"auto\", \"off\"; \"Auto\" is none of them; did you mean \"auto\"?",
        ),
        (
            "[web]\nhosts = \"nvr.lan\"",
            "this must be a list of names, as [\"nvr.home.arpa\"]; here stands a text in quotation marks",
        ),
        (
            "[web]\nhosts = [\"http://nvr.lan\"]",
            "\"http://nvr.lan\" is not the name of a machine, as [\"nvr.home.arpa\"]; write it without http:// and without a port",
        ),
        ("[web]\nhosts = [\"192.168.1.2\"]", "192.168.1.2 is an address; those are answered anyway, so take it out"),
        ("storage = 1", "here must stand a section [storage]; here stands a number"),
        ("[[storage]]", "here must stand a section [storage]; here stands a section in double brackets [[…]]"),
        ("[web.tls]", "this is a single value, not a section; write it as tls = …"),
    ] {
        let printed = complaint(text);
        assert!(printed.ends_with(&format!(": {said}")), "{text}\n{printed}");
    }
}

#[test]
fn plain_http_is_for_loopback_or_for_those_who_insist() {
    let off = "[web]\ntls = \"off\"\n";
    assert_eq!(
        complaint(off),
        "2:7: web.tls: without TLS anybody in the house could read along at 0.0.0.0:8443; write tls = \"auto\", \
         or listen = \"127.0.0.1:8443\", or insecure_http = true if you accept that"
    );
    for fine in ["insecure_http = true", "listen = \"127.0.0.1:8080\"", "listen = \"[::1]:8080\""] {
        assert_eq!(settings(&format!("{off}{fine}")).web.tls, Tls::Off, "{fine}");
    }
}

#[test]
fn names_of_the_recorder_are_taken_in_small_letters_and_once() {
    let web = settings("[web]\nhosts = [\"NVR.lan\", \"nvr.LAN\", \"nvr\"]").web;
    assert_eq!(web.hosts, ["nvr.lan", "nvr"]);
}

#[test]
fn space_to_keep_free_is_a_part_or_a_size() {
    let keep_free = |text: &str| settings(&format!("[storage]\nkeep_free = \"{text}\"")).storage.keep_free;
    assert_eq!(keep_free("2.5 %"), KeepFree::Part(0.025));
    assert_eq!(keep_free("20GiB"), KeepFree::Bytes(ByteLen(20 << 30)));
}

#[test]
fn a_camera_id_that_cannot_be_one_comes_with_one_that_can() {
    assert_eq!(
        complaint("[cameras.\"Front Door\"]\nurl = \"rtsp://10.0.0.2/\""),
        "1:1: cameras.\"Front Door\": a camera id is 1 to 40 of the characters a-z, 0-9 and -, and neither begins nor ends \
         with -; [cameras.front-door] would do"
    );
}

#[test]
fn a_camera_needs_an_address_in_the_house() {
    let of = |url: &str| complaint(&format!("[cameras.porch]\nurl = \"{url}\"\n"));
    for (url, part) in [
        ("192.168.1.20", "this is not a URL"),
        ("http://192.168.1.20/", "begins with rtsp://"),
        ("rtsp://viewer:hunter2@192.168.1.20/", "not into the URL"),
        ("rtsp:///main", "names no host"),
        ("rtsp://8.8.8.8/main", "8.8.8.8 is not an address of a household"),
        ("rtsp://[2001:db8::1]/main", "2001:db8::1 is not an address of a household"),
        ("rtsp://[::ffff:8.8.8.8]/main", "is not an address of a household"),
        ("rtsp://0.0.0.0/main", "is not an address of a household"),
        ("rtsp://134744072/main", "neither an IP address nor a name"),
        ("rtsp://0x8080808/main", "neither an IP address nor a name"),
        ("rtsp://a b/main", "this is not a URL"),
    ] {
        let printed = of(url);
        assert!(printed.starts_with("2:7: cameras.porch.url: ") && printed.contains(part), "{url}: {printed}");
        assert!(!printed.contains("hunter2"));
    }
    assert_eq!(
        complaint("[cameras.porch]\nname = \"Porch\""),
        "1:1: cameras.porch.url: a camera needs its address; write url = \"rtsp://192.168.1.20/main\""
    );
    for fine in ["127.0.0.5:8554", "[fd00::5]", "porch.lan", "Cam_1.fritz.box", "169.254.1.2"] {
        settings(&format!("[cameras.porch]\nurl = \"rtsp://{fine}/main\"\n"));
    }
}

#[test]
fn a_user_name_has_exactly_one_password() {
    for (lines, said) in [
        ("username = \"a\"", "cameras.porch.username: there is a user name without a password"),
        ("password = \"a\"", "cameras.porch.password: there is a password without a user name"),
        ("password_file = \"f\"", "cameras.porch.password_file: there is a password without a user name"),
        (
            "username = \"a\"\npassword = \"b\"\npassword_file = \"f\"",
            "cameras.porch.password: there are two passwords",
        ),
        (
            "username = \"a\"\npassword_file = \"missing\"",
            "cameras.porch.password_file: the file missing cannot be read",
        ),
        (
            "username = \"a\"\npassword_file = \"empty\"",
            "cameras.porch.password_file: the file empty must hold the password alone",
        ),
        (
            "username = \"a\"\npassword_file = \"two-lines\"",
            "cameras.porch.password_file: the file two-lines must hold",
        ),
        ("username = \"a\"\npassword = \"\"", "cameras.porch.password: a password has 1 to 256 characters"),
        ("username = \"a:b\"\npassword = \"c\"", "cameras.porch.username: a user name has"),
        (
            "username = \"a\"\npassword = 1234",
            "cameras.porch.password: this must be a text in quotation marks, as \"…\"; here stands a number",
        ),
    ] {
        let printed = camera_complaint(lines);
        assert!(printed.contains(said), "{lines}\n{printed}");
        assert!(!printed.contains("1234"));
    }
}

#[test]
fn the_words_of_a_camera_are_listed_when_one_is_wrong() {
    assert_eq!(
        camera_complaint("transport = \"quic\""),
        "3:13: cameras.porch.transport: this must be one of \"tcp\", \"udp\"; \"quic\" is none of them"
    );
    assert_eq!(
        camera_complaint("record = \"continous\""),
        "3:10: cameras.porch.record: this must be one of \"continuous\", \"motion\", \"off\"; \"continous\" is none of them; \
         did you mean \"continuous\"?"
    );
    assert!(camera_complaint("name = \" \"").ends_with("a camera's name has 1 to 64 characters"));
    assert!(camera_complaint("name = \"a\u{202e}b\"").contains("invisible character"));
}

#[test]
fn masks_and_zones_are_polygons_within_the_picture() {
    for (line, said) in [
        (
            "motion.decode = \"keys\"",
            "3:17: cameras.porch.motion.decode: this must be one of \"all\", \"key_frames\"; \"keys\" is none of them",
        ),
        (
            "motion.sensitivity = 1.5",
            "3:22: cameras.porch.motion.sensitivity: this must be a number from 0 to 1; 1.5 is not",
        ),
        (
            "motion.masks = [[0, 0], [1, 0], [1, 1]]",
            "3:16: cameras.porch.motion.masks: this is one polygon where a list",
        ),
        ("motion.masks = [[[0, 0], [1, 0], [1, 2]]]", "3:34: cameras.porch.motion.masks: corner 3 must be [x, y]"),
        ("motion.masks = [[[0, 0], [1, 0]]]", "3:17: cameras.porch.motion.masks: a polygon has 3 to 64 corners"),
        (
            "motion.zones.path.area = [[0, 0], [0, 0], [0, 0]]",
            "cameras.porch.motion.zones.path.area: this polygon encloses nothing",
        ),
        ("motion.zones.path = {}", "cameras.porch.motion.zones.path.area: a zone needs its corners"),
        (
            "motion.zones.\"My path\".area = [[0, 0], [1, 0], [1, 1]]",
            "motion.zones.\"My path\": a zone's name is 1 to 40 of",
        ),
    ] {
        let printed = camera_complaint(line);
        assert!(printed.contains(said), "{line}\n{printed}");
    }
    let many = "[0, 0], ".repeat(65);
    assert!(camera_complaint(&format!("motion.masks = [[{many}]]")).contains("this has 65"));
}

#[test]
fn a_house_has_at_most_sixty_four_cameras() {
    let numbered = |n: u32| format!("[cameras.c{n}]\nurl = \"rtsp://10.0.0.2/{n}\"\n");
    let cameras = |count: u32| (0..count).map(numbered).collect::<Vec<_>>().concat();
    assert_eq!(settings(&cameras(64)).cameras.len(), 64);
    assert!(complaint(&cameras(65)).contains("cameras: these are 65 cameras; at most 64 are allowed"));
}

#[test]
fn what_is_odd_but_usable_is_noted() {
    for (text, key) in [
        ("[retention]\nmotion_days = 3".to_owned(), "retention.motion_days"),
        ("[web]\ninsecure_http = true".to_owned(), "web.insecure_http"),
        ("[discovery]\nauto_add = true\nmdns = false\nonvif = false".to_owned(), "discovery.auto_add"),
        (camera("detect_url = \"rtsp://192.168.1.20/main\""), "cameras.porch.detect_url"),
        (camera("record = \"motion\"\nmotion.enabled = false"), "cameras.porch.record"),
        (camera("[cameras.yard]\nurl = \"rtsp://192.168.1.20/main\""), "cameras.yard.url"),
    ] {
        let notes = checked(&text).expect(&text).notes;
        assert_eq!(notes.iter().map(|note| note.key.as_str()).collect::<Vec<_>>(), [key], "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in "\\PC{0,200}") {
        let _ = checked(&text);
    }

    #[test]
    fn a_damaged_example_is_valid_or_complained_about_within_it(
        at in any::<prop::sample::Index>(),
        cut in 0usize..30,
        put in "[\\PC\n]{0,10}",
    ) {
        let text = example_with_everything();
        let from = at.index(text.len());
        let to = (from + cut).min(text.len());
        prop_assume!(text.is_char_boundary(from) && text.is_char_boundary(to));
        let damaged = format!("{}{put}{}", &text[..from], &text[to..]);
        if let Err(complaints) = checked(&damaged) {
            prop_assert!(!complaints.is_empty());
            for complaint in complaints {
                prop_assert!(complaint.line <= damaged.matches('\n').count() + 1);
                prop_assert!(!complaint.sentence.contains('\n') && !complaint.to_string().contains("hunter2"));
            }
        }
    }
}
