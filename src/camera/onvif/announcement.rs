//! WS-Discovery's messages (OASIS WS-Discovery, as ONVIF's core specification uses it in chapter 7). Pure.

use std::net::IpAddr;

use url::{Host, Url};

use crate::camera::discovery::plain_text;
use crate::camera::identity::Mac;
use crate::camera::onvif::xml::{self, Element, XmlError};

/// The most devices in one message.
const MOST_DEVICES: usize = 16;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// These devices are there: they said Hello, or answered our question.
    There(Vec<Announcement>),
    /// These devices, by id, say goodbye.
    Bye(Vec<String>),
    /// Nothing that concerns us, as another's question.
    Other,
}

/// A device as it announces itself. Every text is plain and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its id, lower case, without `urn:uuid:`.
    pub uuid: String,
    /// What it calls itself; may be empty.
    pub name: String,
    /// What it is; may be empty.
    pub hardware: String,
    /// Its card, as it says.
    pub mac: Option<Mac>,
    /// Where its web service is, at the address that the message came from: port and path. `None` if it names only others.
    pub service: Option<(u16, String)>,
}

/// The question who is there. `id` is random.
pub(crate) fn probe(id: [u8; 16]) -> String {
    let hex: Vec<_> = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = [&hex[..4], &hex[4..6], &hex[6..8], &hex[8..10], &hex[10..]].map(<[String]>::concat).join("-");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
        <e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\" \
        xmlns:w=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
        xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" \
        xmlns:dn=\"http://www.onvif.org/ver10/network/wsdl\">\
        <e:Header><w:MessageID>uuid:{id}</w:MessageID>\
        <w:To e:mustUnderstand=\"true\">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>\
        <w:Action e:mustUnderstand=\"true\">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>\
        <e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"
    )
}

/// Reads a message that came from that address.
pub fn read(bytes: &[u8], from: IpAddr) -> Result<Message, XmlError> {
    let root = xml::read(bytes)?;
    let Some(content) = root.find(&["Envelope", "Body"]).and_then(|body| body.children.first()) else {
        return Ok(Message::Other);
    };
    let there = |devices: &mut dyn Iterator<Item = &Element>| {
        Message::There(devices.take(MOST_DEVICES).filter_map(|device| announcement(device, from)).collect())
    };
    Ok(match content.name.as_str() {
        // Some answer with the match itself, without the list around it.
        "Hello" | "ProbeMatch" | "ResolveMatch" => there(&mut std::iter::once(content)),
        "ProbeMatches" => there(&mut content.all("ProbeMatch")),
        "ResolveMatches" => there(&mut content.all("ResolveMatch")),
        "Bye" => Message::Bye(uuid(content).into_iter().collect()),
        _ => Message::Other,
    })
}

fn uuid(device: &Element) -> Option<String> {
    let address = device.text_of(&["EndpointReference", "Address"])?;
    let id = address.rsplit(':').next().unwrap_or(address);
    let id = plain_text(&id.to_lowercase());
    (!id.is_empty()).then_some(id)
}

fn announcement(device: &Element, from: IpAddr) -> Option<Announcement> {
    // Printers and computers use WS-Discovery too. Who names no type at all is given the benefit of the doubt.
    let types = device.text_of(&["Types"]).unwrap_or_default();
    if !types.is_empty() && !types.contains("NetworkVideoTransmitter") && !types.contains("Device") {
        return None;
    }
    let scopes = device.text_of(&["Scopes"]).unwrap_or_default();
    let scope = |kind: &str| {
        let found = scopes.split_whitespace().find_map(|scope| {
            let rest = scope.strip_prefix("onvif://www.onvif.org/")?;
            let (key, value) = rest.split_once('/')?;
            key.eq_ignore_ascii_case(kind).then_some(value)
        });
        found.map(|value| plain_text(&percent_decoded(value)))
    };
    let addresses = device.text_of(&["XAddrs"]).unwrap_or_default();
    let service = addresses.split_whitespace().take(8).find_map(|address| {
        let url = Url::parse(address).ok()?;
        let own = match url.host()? {
            Host::Ipv4(host) => IpAddr::V4(host) == from,
            Host::Ipv6(host) => IpAddr::V6(host) == from,
            Host::Domain(_) => false,
        };
        (own && url.scheme() == "http").then(|| (url.port().unwrap_or(80), url.path().chars().take(256).collect()))
    });
    Some(Announcement {
        uuid: uuid(device)?,
        name: scope("name").unwrap_or_default(),
        hardware: scope("hardware").unwrap_or_default(),
        mac: scope("mac").and_then(|mac| mac.parse().ok()),
        service,
    })
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        if let Some(byte) = code.filter(|_| first == b'%') {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 20));

    fn hello(content: &str) -> String {
        format!(
            "<s:Envelope xmlns:s='s' xmlns:a='a' xmlns:d='d'><s:Body><d:Hello><a:EndpointReference><a:Address>\
            urn:uuid:2419D68A-2DD2-21B2-A205-EC71DBB00001</a:Address></a:EndpointReference>{content}</d:Hello></s:Body>\
            </s:Envelope>"
        )
    }

    fn only(message: &str) -> Announcement {
        match read(message.as_bytes(), FROM) {
            Ok(Message::There(mut there)) if there.len() == 1 => there.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_camera_s_hello_is_read() {
        let said = only(&hello(
            "<d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types><d:Scopes>onvif://www.onvif.org/type/video_encoder \
             onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/DS-2CD \
             onvif://www.onvif.org/MAC/ec:71:da:b0:00:01</d:Scopes>\
             <d:XAddrs>http://[fe80::1]/x http://192.168.1.20:8000/onvif/device_service</d:XAddrs>",
        ));
        assert_eq!(said.uuid, "2419d68a-2dd2-21b2-a205-ec71dbb00001");
        assert_eq!((said.name.as_str(), said.hardware.as_str()), ("Front door", "DS-2CD"));
        assert_eq!(said.mac.map(|mac| mac.to_string()).as_deref(), Some("ec:71:da:b0:00:01"));
        assert_eq!(said.service, Some((8000, "/onvif/device_service".to_owned())));
    }

    #[test]
    fn an_answer_without_a_list_around_it_is_read_too() {
        assert_eq!(only(&hello("").replace("Hello", "ProbeMatch")).uuid, "2419d68a-2dd2-21b2-a205-ec71dbb00001");
    }

    #[test]
    fn a_service_at_another_machine_is_not_followed() {
        for elsewhere in
            ["http://169.254.169.254/latest", "http://8.8.8.8/x", "http://evil.example/x", "file:///etc/passwd"]
        {
            assert_eq!(only(&hello(&format!("<d:XAddrs>{elsewhere}</d:XAddrs>"))).service, None, "{elsewhere}");
        }
    }

    #[test]
    fn names_are_made_harmless() {
        let said = only(&hello(
            "<d:Scopes>onvif://www.onvif.org/name/%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AEgpj%00%1b[31m</d:Scopes>",
        ));
        assert_eq!(
            said.name, "<script>alert(1)</script>gpj[31m",
            "text that a page escapes; nothing that turns or hides it"
        );
    }

    #[test]
    fn goodbyes_and_strangers_are_told_apart() {
        let bye = hello("").replace("Hello", "Bye");
        let id = "2419d68a-2dd2-21b2-a205-ec71dbb00001".to_owned();
        assert_eq!(read(bye.as_bytes(), FROM), Ok(Message::Bye(vec![id])));
        let printer = hello("<d:Types>wsdp:PrintDeviceType</d:Types>").replace("wsdp:PrintDeviceType", "wprt:Printer");
        assert_eq!(read(printer.as_bytes(), FROM), Ok(Message::There(vec![])));
        assert_eq!(read(probe([7; 16]).as_bytes(), FROM), Ok(Message::Other));
        assert!(probe([7; 16]).contains("uuid:07070707-0707-0707-0707-070707070707"));
    }

    proptest! {
        #[test]
        fn any_hello_is_cut_to_size(scopes in "[ -~]{0,400}", addresses in "[ -~]{0,200}") {
            let text = hello(&format!("<d:Scopes><![CDATA[onvif://www.onvif.org/name/{}]]></d:Scopes><d:XAddrs><![CDATA[{}]]></d:XAddrs>",
                scopes.replace("]]>", ""), addresses.replace("]]>", "")));
            let said = only(&text);
            prop_assert!(said.name.chars().count() <= 64 && !said.name.chars().any(char::is_control));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, FROM);
        }
    }
}
