//! What is asked of an ONVIF device, and what its answers say. Pure.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::camera::discovery::plain_text;
use crate::camera::identity::Mac;
use crate::camera::onvif::xml::{self, Element, XmlError};
use crate::config::settings::{CameraUrl, Credentials};
use crate::units::UtcMicros;

/// The most profiles of one device that are looked at.
const MOST_PROFILES: usize = 8;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    /// What time it is there; answered without a password.
    Time,
    /// Where its services are; answered without a password.
    Capabilities,
    /// Who made it, and its serial number.
    Information,
    /// Its network cards.
    Interfaces,
    /// Its streams.
    Profiles,
    /// Where the stream of that profile is.
    StreamUri(&'a str),
}

/// What a device tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Information {
    /// As "Maker Model".
    pub model: String,
    /// Which program it runs.
    pub firmware: String,
    /// Its serial number.
    pub serial: Option<String>,
}

/// One of its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// By which it is asked for.
    pub token: String,
    /// As "H264".
    pub encoding: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// Why an answer is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SoapError {
    /// It cannot be read.
    #[error("the camera's ONVIF service gave {0}")]
    Xml(#[from] XmlError),
    /// It wants another name or password.
    #[error("the camera's ONVIF service refused the user name or password")]
    NotAuthorized,
    /// It complains.
    #[error("the camera's ONVIF service said: {0}")]
    Fault(String),
    /// It answered something else than was asked.
    #[error("the camera's ONVIF service did not answer what it was asked")]
    OffTopic,
    /// It points elsewhere.
    #[error("the camera points to {0}, which is another machine; this is not followed")]
    Elsewhere(String),
}

impl Question<'_> {
    fn body(self) -> String {
        match self {
            Self::Time => "<tds:GetSystemDateAndTime/>".to_owned(),
            Self::Capabilities => {
                "<tds:GetCapabilities><tds:Category>All</tds:Category></tds:GetCapabilities>".to_owned()
            }
            Self::Information => "<tds:GetDeviceInformation/>".to_owned(),
            Self::Interfaces => "<tds:GetNetworkInterfaces/>".to_owned(),
            Self::Profiles => "<trt:GetProfiles/>".to_owned(),
            Self::StreamUri(token) => format!(
                "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP</tt:Protocol>\
                 </tt:Transport></trt:StreamSetup><trt:ProfileToken>{}</trt:ProfileToken></trt:GetStreamUri>",
                escaped(token)
            ),
        }
    }
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// How a question is signed: a `WS-UsernameToken` by digest, which does not carry the password.
pub(crate) struct Signature<'a> {
    pub(crate) credentials: &'a Credentials,
    /// Random.
    pub(crate) nonce: [u8; 16],
    /// By the device's own clock: it believes no other.
    pub(crate) created: UtcMicros,
}

impl Signature<'_> {
    fn header(&self) -> String {
        let created = self.created.to_string();
        let mut sha = Sha1::new();
        sha.update(self.nonce);
        sha.update(&created);
        sha.update(self.credentials.password.expose());
        format!(
            "<s:Header><w:Security s:mustUnderstand=\"1\" \
             xmlns:w=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\" \
             xmlns:u=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd\"><w:UsernameToken>\
             <w:Username>{}</w:Username><w:Password Type=\"http://docs.oasis-open.org/wss/2004/01/\
             oasis-200401-wss-username-token-profile-1.0#PasswordDigest\">{}</w:Password>\
             <w:Nonce EncodingType=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary\">\
             {}</w:Nonce><u:Created>{created}</u:Created></w:UsernameToken></w:Security></s:Header>",
            escaped(&self.credentials.username),
            STANDARD.encode(sha.finalize()),
            STANDARD.encode(self.nonce)
        )
    }
}

/// The whole message.
pub(crate) fn envelope(question: Question<'_>, signature: Option<&Signature<'_>>) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\" xmlns:trt=\"http://www.onvif.org/ver10/media/wsdl\" \
         xmlns:tt=\"http://www.onvif.org/ver10/schema\">{}<s:Body>{}</s:Body></s:Envelope>",
        signature.map(Signature::header).unwrap_or_default(),
        question.body()
    )
}

/// The answer's content, or the complaint that it is.
pub(crate) fn content(bytes: &[u8]) -> Result<Element, SoapError> {
    let root = xml::read(bytes)?;
    let content = root.find(&["Envelope", "Body"]).and_then(|body| body.children.first()).ok_or(SoapError::OffTopic)?;
    if content.name != "Fault" {
        return Ok(content.clone());
    }
    let mut codes = Vec::new();
    let mut code = content.find(&["Code"]);
    while let Some(inner) = code {
        codes.extend(inner.text_of(&["Value"]).map(str::to_owned));
        code = inner.find(&["Subcode"]);
    }
    let is_password = |code: &String| code.ends_with("NotAuthorized") || code.ends_with("FailedAuthentication");
    if codes.iter().any(is_password) {
        return Err(SoapError::NotAuthorized);
    }
    let reason = content.text_of(&["Reason", "Text"]).or_else(|| content.text_of(&["faultstring"]));
    Err(SoapError::Fault(plain_text(reason.unwrap_or("no reason"))))
}

/// The answer to [`Question::Time`], in UTC; `None` if it does not tell.
pub(crate) fn time(content: &Element) -> Option<UtcMicros> {
    let utc = content.find(&["SystemDateAndTime", "UTCDateTime"])?;
    let number = |path: &[&str]| utc.text_of(path)?.parse::<i8>().ok();
    let year = utc.text_of(&["Date", "Year"])?.parse::<i16>().ok()?;
    let (month, day) = (number(&["Date", "Month"])?, number(&["Date", "Day"])?);
    let (hour, minute, second) =
        (number(&["Time", "Hour"])?, number(&["Time", "Minute"])?, number(&["Time", "Second"])?);
    let civil = jiff::civil::DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()?;
    let stamp = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(UtcMicros(stamp.as_microsecond()))
}

/// The path of the media service, from [`Question::Capabilities`], if it is at the device's own address.
pub(crate) fn media_path(content: &Element, from: IpAddr) -> Result<String, SoapError> {
    let text = content.text_of(&["Capabilities", "Media", "XAddr"]).ok_or(SoapError::OffTopic)?;
    let url = url::Url::parse(text).map_err(|_| SoapError::OffTopic)?;
    if url.scheme() == "http" && is_at(&url, from) {
        Ok(url.path().to_owned())
    } else {
        Err(SoapError::Elsewhere(plain_text(url.host_str().unwrap_or(text))))
    }
}

fn is_at(url: &url::Url, from: IpAddr) -> bool {
    url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok()) == Some(from)
}

/// The answer to [`Question::Information`].
pub(crate) fn information(content: &Element) -> Information {
    let text = |name: &str| plain_text(content.text_of(&[name]).unwrap_or_default());
    let serial = text("SerialNumber");
    Information {
        model: plain_text(&format!("{} {}", text("Manufacturer"), text("Model"))),
        firmware: text("FirmwareVersion"),
        serial: (!serial.is_empty()).then_some(serial),
    }
}

/// The cards of [`Question::Interfaces`].
pub(crate) fn cards(content: &Element) -> Vec<Mac> {
    let all = content.all("NetworkInterfaces").take(MOST_PROFILES);
    all.filter_map(|card| card.text_of(&["Info", "HwAddress"])?.parse().ok()).collect()
}

/// The answer to [`Question::Profiles`]; those without pictures are left out.
pub(crate) fn profiles(content: &Element) -> Vec<Profile> {
    let profile = |element: &Element| {
        let encoder = element.find(&["VideoEncoderConfiguration"])?;
        let number = |name: &str| encoder.text_of(&["Resolution", name])?.parse::<u32>().ok();
        Some(Profile {
            token: element.attribute("token")?.chars().take(64).collect(),
            encoding: plain_text(encoder.text_of(&["Encoding"])?),
            width: number("Width")?,
            height: number("Height")?,
        })
    };
    content.all("Profiles").take(MOST_PROFILES).filter_map(profile).collect()
}

/// The answer to [`Question::StreamUri`], without the user name that some put in; only at the device's own address.
pub(crate) fn stream_uri(content: &Element, from: IpAddr) -> Result<CameraUrl, SoapError> {
    let text = content.text_of(&["MediaUri", "Uri"]).ok_or(SoapError::OffTopic)?;
    let mut url = url::Url::parse(text).map_err(|_| SoapError::OffTopic)?;
    if !is_at(&url, from) {
        return Err(SoapError::Elsewhere(plain_text(url.host_str().unwrap_or(text))));
    }
    // A URL with a host can be without a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().parse().map_err(|_| SoapError::OffTopic)
}

/// Which profile to record, and which small one to look for motion in: the largest that can be recorded, and the smallest
/// that is at least 320 pixels wide and has less than half as many.
pub(crate) fn choose(profiles: &[Profile]) -> (Option<&Profile>, Option<&Profile>) {
    let pixels = |profile: &&Profile| u64::from(profile.width) * u64::from(profile.height);
    let fits = |profile: &&Profile| matches!(profile.encoding.to_uppercase().as_str(), "H264" | "H265" | "HEVC");
    let main = profiles.iter().filter(fits).max_by_key(pixels);
    let small = main.and_then(|main| {
        let smaller = |profile: &&Profile| profile.width >= 320 && pixels(profile) * 2 < pixels(&main);
        profiles.iter().filter(fits).filter(smaller).min_by_key(pixels)
    });
    (main, small)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Secret;
    use proptest::prelude::*;

    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 20));

    fn answer(inner: &str) -> Element {
        content(format!("<s:Envelope><s:Body>{inner}</s:Body></s:Envelope>").as_bytes()).expect("an answer")
    }

    #[test]
    fn a_question_is_signed_without_telling_the_password() {
        let credentials = Credentials { username: "a<b".to_owned(), password: Secret::new("userpassword") };
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").expect("Base64").try_into().expect("16 bytes");
        // 2010-09-16T07:50:45Z, as in ONVIF's Application Programmer's Guide, 6.1.1.3.
        let created = UtcMicros(1_284_623_445_000_000);
        let text = envelope(Question::Profiles, Some(&Signature { credentials: &credentials, nonce, created }));
        assert!(text.contains("a&lt;b") && !text.contains("userpassword"), "{text}");
        xml::read(text.as_bytes()).expect("XML");
    }

    #[test]
    fn the_largest_stream_is_recorded_and_the_smallest_useful_one_looked_at() {
        let profile = |token: &str, encoding: &str, width, height| Profile {
            token: token.to_owned(),
            encoding: encoding.to_owned(),
            width,
            height,
        };
        let all = [
            profile("tiny", "H264", 176, 144),
            profile("sub", "H264", 640, 360),
            profile("main", "H264", 2560, 1440),
            profile("jpeg", "JPEG", 3840, 2160),
            profile("third", "H264", 1280, 720),
        ];
        let tokens = |(main, small): (Option<&Profile>, Option<&Profile>)| {
            (main.map(|main| main.token.clone()), small.map(|small| small.token.clone()))
        };
        assert_eq!(tokens(choose(&all)), (Some("main".to_owned()), Some("sub".to_owned())));
        assert_eq!(tokens(choose(&all[..1])), (Some("tiny".to_owned()), None));
        assert_eq!(tokens(choose(&all[3..4])), (None, None));
    }

    #[test]
    fn a_stream_elsewhere_is_not_followed() {
        let uri = |uri: &str| {
            stream_uri(&answer(&format!("<x><MediaUri><Uri>{uri}</Uri></MediaUri></x>")), FROM)
                .map(|url| url.to_string())
        };
        assert_eq!(
            uri("rtsp://admin:1234@192.168.1.20:554/main?a=1"),
            Ok("rtsp://192.168.1.20:554/main?a=1".to_owned())
        );
        assert_eq!(uri("rtsp://169.254.169.254/x"), Err(SoapError::Elsewhere("169.254.169.254".to_owned())));
        assert_eq!(uri("http://192.168.1.20/x"), Err(SoapError::OffTopic));
        assert_eq!(uri("no url"), Err(SoapError::OffTopic));
        let media = |at: &str| {
            let text = format!("<x><Capabilities><Media><XAddr>{at}</XAddr></Media></Capabilities></x>");
            media_path(&answer(&text), FROM)
        };
        assert_eq!(media("http://192.168.1.20/onvif/media"), Ok("/onvif/media".to_owned()));
        assert_eq!(media("http://169.254.169.254/latest"), Err(SoapError::Elsewhere("169.254.169.254".to_owned())));
    }

    #[test]
    fn a_complaint_is_told_as_what_it_is() {
        let fault = |inner: &str| {
            content(format!("<s:Envelope><s:Body><s:Fault>{inner}</s:Fault></s:Body></s:Envelope>").as_bytes())
        };
        let nested =
            "<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>";
        assert_eq!(fault(nested), Err(SoapError::NotAuthorized));
        let other = "<s:Reason><s:Text>out of &lt;b&gt;paper</s:Text></s:Reason>";
        assert_eq!(fault(other), Err(SoapError::Fault("out of <b>paper".to_owned())));
        assert_eq!(content(b"<x/>"), Err(SoapError::OffTopic));
    }

    #[test]
    fn the_device_s_own_clock_is_read() {
        let at = answer(
            "<x><SystemDateAndTime><UTCDateTime><Time><Hour>7</Hour><Minute>50</Minute><Second>45</Second></Time>\
             <Date><Year>2010</Year><Month>9</Month><Day>16</Day></Date></UTCDateTime></SystemDateAndTime></x>",
        );
        assert_eq!(time(&at), Some(UtcMicros(1_284_623_445_000_000)));
        assert_eq!(time(&answer("<x/>")), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(soup in "(<[a-zA-Z:]{1,12}( token='[a-z]*')?>|</[a-zA-Z:]{1,12}>|[ -~]){0,30}") {
            if let Ok(content) = content(soup.as_bytes()) {
                let _ = (time(&content), media_path(&content, FROM), information(&content), cards(&content));
                let _ = (profiles(&content), stream_uri(&content, FROM));
            }
        }
    }
}
