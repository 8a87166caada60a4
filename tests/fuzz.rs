//! The fuzz targets' inputs by chance alone: no coverage leads the way, but it runs wherever the tests run.
//!
//! A few seconds as a rule, a minute with `HEARTHWATCH_SLOW=1`, `HEARTHWATCH_FUZZ_SECONDS` for longer; `HEARTHWATCH_SEED` chooses
//! other inputs. With coverage: `fuzz/README.md`.

#![expect(clippy::disallowed_methods, reason = "it runs for so long in real time")]

/// What is done with each input.
#[path = "../fuzz/src/lib.rs"]
pub mod tried;

use std::time::{Duration, Instant};

/// `SplitMix64`: the same inputs for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("small")
    }

    /// Mostly short: few changes find more than many, which leave nothing of the file.
    fn input(&mut self) -> Vec<u8> {
        let most = [8, 16, 64, 4096][usize::try_from(self.next() % 4).expect("small")];
        let length = self.next() % most;
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

fn seconds() -> Duration {
    let given = std::env::var("HEARTHWATCH_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    Duration::from_secs(given.unwrap_or(if is_slow { 60 } else { 3 }))
}

fn try_for(seconds: Duration, what: &str, tried: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    try_with(seconds, what, Random::input, tried);
}

fn try_with(
    seconds: Duration,
    what: &str,
    make: impl Fn(&mut Random) -> Vec<u8>,
    tried: impl Fn(&[u8]) + std::panic::RefUnwindSafe,
) {
    let seed = std::env::var("HEARTHWATCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2026);
    let (mut random, start, mut count) = (Random(seed), Instant::now(), 0_u64);
    while start.elapsed() < seconds {
        let input = make(&mut random);
        if let Err(panic) = std::panic::catch_unwind(|| tried(&input)) {
            // The seed makes it again; a short one says more by itself.
            let shown = if input.len() <= 64 { format!("{input:?}") } else { format!("{} bytes", input.len()) };
            eprintln!("{what}, seed {seed}, input {count}: {shown}");
            std::panic::resume_unwind(panic);
        }
        count += 1;
    }
    println!("{what}: {count} inputs in {seconds:?} from seed {seed}, no finding");
}

/// What devices say, each with everything in it that is read.
const SAID: [&str; 8] = [
    "<d:Hello><a:EndpointReference><a:Address>urn:uuid:2419d68a-2dd2-21b2-a205-ec71dbb00001</a:Address></a:EndpointReference>\
     <d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/name/Front%20door \
     onvif://www.onvif.org/hardware/X onvif://www.onvif.org/MAC/ec:71:da:b0:00:01</d:Scopes>\
     <d:XAddrs>http://192.168.1.20:8000/onvif/device_service</d:XAddrs></d:Hello>",
    "<t:R><t:SystemDateAndTime><t:UTCDateTime><t:Time><t:Hour>1</t:Hour><t:Minute>2</t:Minute><t:Second>3</t:Second></t:Time>\
     <t:Date><t:Year>2026</t:Year><t:Month>2</t:Month><t:Day>29</t:Day></t:Date></t:UTCDateTime></t:SystemDateAndTime></t:R>",
    "<t:R><t:Capabilities><t:Media><t:XAddr>http://192.168.1.20/m</t:XAddr></t:Media></t:Capabilities></t:R>",
    "<t:R><t:Model>X &amp; &#x79;</t:Model><t:SerialNumber>7</t:SerialNumber>\
     <t:NetworkInterfaces><t:Info><t:HwAddress>ec:71:da:b0:00:01</t:HwAddress></t:Info></t:NetworkInterfaces></t:R>",
    "<t:R><t:Profiles token=\"a\"><t:VideoEncoderConfiguration><t:Encoding>H264</t:Encoding><t:Resolution><t:Width>640</t:Width>\
     <t:Height>360</t:Height></t:Resolution><t:RateControl><t:FrameRateLimit>15</t:FrameRateLimit></t:RateControl>\
     </t:VideoEncoderConfiguration></t:Profiles></t:R>",
    "<t:R><t:MediaUri><t:Uri><![CDATA[rtsp://192.168.1.20:554/main]]></t:Uri></t:MediaUri></t:R>",
    "<tt:MetadataStream><tt:Event><w:NotificationMessage><w:Topic>tns1:VideoSource/MotionAlarm</w:Topic><w:Message><tt:Message \
     UtcTime=\"1970-01-01T00:00:00Z\" PropertyOperation=\"Changed\"><tt:Source><tt:SimpleItem Name=\"Source\" Value=\"1\"/>\
     </tt:Source><tt:Data><tt:SimpleItem Name=\"State\" Value=\"true\"/></tt:Data></tt:Message></w:Message>\
     </w:NotificationMessage></tt:Event></tt:MetadataStream>",
    "<e:Fault><e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>ter:NotAuthorized</e:Value></e:Subcode></e:Code></e:Fault>",
];

/// One of them with pieces left out, repeated, exchanged and overwritten, at times within another.
fn misspoken(random: &mut Random) -> Vec<u8> {
    let said = |random: &mut Random| SAID[random.below(SAID.len())];
    let text = format!("<e:Envelope xmlns:e='e'><e:Body>{}{}</e:Body></e:Envelope>", said(random), said(random));
    let mut bytes = text.into_bytes();
    for _ in 0..random.below(6) {
        let (from, to) = (random.below(bytes.len()), random.below(bytes.len()));
        let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 1 + random.below(80)));
        match random.below(4) {
            0 => drop(bytes.drain(from..to)),
            1 => bytes = [&bytes[..to], &bytes[from..]].concat(),
            2 => {
                let (piece, at) = (bytes[from..to].to_vec(), random.below(bytes.len()));
                bytes.splice(at..at, piece);
            }
            _ => bytes[from] = random.next().to_le_bytes()[0],
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[test]
fn whatever_devices_say_over_onvif_is_read_or_refused() {
    try_with(seconds(), "onvif", misspoken, tried::onvif);
}

#[test]
fn whatever_a_camera_says_of_motion_is_bounded() {
    // Without the envelope that devices put around their answers.
    let bare = |random: &mut Random| {
        let bytes = misspoken(random);
        let begin = b"<tt:MetadataStream>";
        let from = bytes.windows(begin.len()).position(|window| window == begin).unwrap_or(0);
        bytes[from..].strip_suffix(b"</e:Body></e:Envelope>").unwrap_or(&bytes[from..]).to_vec()
    };
    try_with(seconds(), "metadata", bare, tried::metadata);
}

#[test]
fn whatever_is_announced_by_mdns_becomes_plain_and_stays_at_its_address() {
    // Cut at a few characters into a name and what else is said.
    try_for(seconds(), "mdns", |input| {
        let text = String::from_utf8_lossy(input);
        let mut parts = text.split(['\t', '7', 'e']).map(str::to_owned);
        let name = parts.next().unwrap_or_default();
        let keys = ["path", "sub", "id", "mac"].into_iter().map(str::to_owned);
        let pairs: Vec<_> = keys.zip(parts.by_ref()).collect();
        let others: Vec<_> = parts.map(|part| (part.clone(), part)).collect();
        let port = u16::try_from(input.len() % 3).expect("small");
        tried::mdns(&name, port, &[pairs, others].concat());
    });
}

#[test]
fn no_bytes_lead_the_reader_of_files_astray() {
    try_for(seconds(), "scan", tried::scan);
}

#[test]
fn whatever_tears_a_file_what_was_whole_is_kept() {
    try_for(seconds(), "torn", tried::torn);
}

#[test]
fn no_bytes_become_a_small_picture_that_nobody_made() {
    try_for(seconds(), "small pictures", tried::small_pictures);
}
