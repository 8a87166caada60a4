//! The camera as an ONVIF device: WS-Discovery and the few SOAP calls by which recorders get to know a camera.
//!
//! Written apart from the recorder's own ONVIF code, so that a mistake there is not made here too.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::encoder::Coding;
use super::{Credentials, FakeCameraError};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
const PORT: u16 = 3702;
const SERVICE: &str = "/onvif/device_service";
const MEDIA: &str = "/onvif/media_service";
/// The longest request.
const LONGEST: usize = 64 * 1024;
/// How long a client may take for its request.
const LIMIT: Duration = Duration::from_secs(5);

/// What the device says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) serial: String,
    /// Where its streams are.
    pub(crate) rtsp: SocketAddr,
    pub(crate) credentials: Option<Credentials>,
    /// The main stream, then the sub stream.
    pub(crate) streams: [Coding; 2],
}

/// Sockets that are bound, so that complaints belong to the start.
pub(crate) struct Server {
    device: Arc<Device>,
    web: TcpListener,
    own: UdpSocket,
    group: UdpSocket,
    address: SocketAddr,
}

impl Device {
    fn uuid(&self) -> String {
        format!("68656172-7468-4761-8463-{}", self.serial)
    }

    fn mac(&self) -> String {
        let digits = self.serial.as_bytes();
        let pairs: Vec<_> = digits.chunks(2).skip(1).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
        format!("02:{}", pairs.join(":"))
    }
}

impl Server {
    /// Listens where the camera's streams are, on any port for the web and on WS-Discovery's for questions.
    pub(crate) async fn new(device: Device) -> Result<Self, FakeCameraError> {
        let ip = device.rtsp.ip();
        let failed = |address| move |source| FakeCameraError::Listen { address, source };
        let IpAddr::V4(v4) = ip else { return Err(FakeCameraError::OnvifAddress(ip)) };
        if v4.is_unspecified() {
            return Err(FakeCameraError::OnvifAddress(ip));
        }
        let web = TcpListener::bind((ip, 0)).await.map_err(failed((ip, 0).into()))?;
        let address = web.local_addr().map_err(failed((ip, 0).into()))?;
        let asked = SocketAddr::from((ip, PORT));
        let own = shared(asked).map_err(failed(asked))?;
        let heard = SocketAddr::from((GROUP, PORT));
        let group = shared(heard).map_err(failed(heard))?;
        let interface = if v4.is_loopback() { Ipv4Addr::LOCALHOST } else { v4 };
        group.join_multicast_v4(GROUP, interface).map_err(failed(heard))?;
        Ok(Self { device: Arc::new(device), web, own, group, address })
    }

    /// Says hello, answers until `stop`, says goodbye.
    pub(crate) async fn serve(self, stop: CancellationToken) {
        let scopes = format!(
            "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/Profile/Streaming \
             onvif://www.onvif.org/name/{} onvif://www.onvif.org/hardware/Hearthwatch%20fake%20camera",
            encoded(&self.device.name)
        );
        let about = format!(
            "<a:EndpointReference><a:Address>urn:uuid:{}</a:Address></a:EndpointReference>\
             <d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes>\
             <d:XAddrs>http://{}{SERVICE}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>",
            self.device.uuid(),
            self.address
        );
        self.say(&message("Hello", None, &format!("<d:Hello>{about}</d:Hello>"))).await;
        let matches = format!("<d:ProbeMatches><d:ProbeMatch>{about}</d:ProbeMatch></d:ProbeMatches>");
        let (mut to_own, mut to_all) = ([0; 8192], [0; 8192]);
        loop {
            let (asked, from) = tokio::select! {
                () = stop.cancelled() => break,
                Ok((length, from)) = self.own.recv_from(&mut to_own) => (&to_own[..length], from),
                Ok((length, from)) = self.group.recv_from(&mut to_all) => (&to_all[..length], from),
                Ok((client, _)) = self.web.accept() => {
                    // One after the other: a recorder asks a few times in its life.
                    let _ = tokio::time::timeout(LIMIT, answer(client, &self.device, self.address)).await;
                    continue;
                }
            };
            let asked = String::from_utf8_lossy(asked);
            if asked.contains("discovery/Probe<") {
                let answer = message("ProbeMatches", between(&asked, "MessageID"), &matches);
                // Whoever asks may be gone already.
                let _ = self.own.send_to(answer.as_bytes(), from).await;
            }
        }
        let about = format!(
            "<a:EndpointReference><a:Address>urn:uuid:{}</a:Address></a:EndpointReference>",
            self.device.uuid()
        );
        self.say(&message("Bye", None, &format!("<d:Bye>{about}</d:Bye>"))).await;
    }

    async fn say(&self, message: &str) {
        // A network that is not up hears nothing, and asks later.
        let _ = self.own.send_to(message.as_bytes(), (GROUP, PORT)).await;
    }
}

/// A UDP socket beside others of this machine.
fn shared(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    UdpSocket::from_std(std::net::UdpSocket::from(socket))
}

fn message(action: &str, to: Option<&str>, body: &str) -> String {
    let id = format!("{:032x}", u128::from_be_bytes(super::random()));
    let relates = to.map(|id| format!("<a:RelatesTo>{id}</a:RelatesTo>")).unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
         xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" \
         xmlns:dn=\"http://www.onvif.org/ver10/network/wsdl\"><s:Header><a:MessageID>urn:uuid:{}-{}-{}-{}-{}</a:MessageID>{relates}\
         <a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>\
         <a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/{action}</a:Action></s:Header>\
         <s:Body>{body}</s:Body></s:Envelope>",
        &id[..8],
        &id[8..12],
        &id[12..16],
        &id[16..20],
        &id[20..]
    )
}

/// The text of the first element of that name, whatever its prefix.
fn between<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(name)?;
        from = at + name.len();
        let before = text[..at].chars().next_back()?;
        let after = text[from..].chars().next()?;
        if matches!(before, '<' | ':') && matches!(after, '>' | ' ') {
            let rest = &text[from..];
            let start = rest.find('>')? + 1;
            let end = start + rest[start..].find('<')?;
            return Some(rest[start..end].trim());
        }
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

async fn answer(mut client: TcpStream, device: &Device, own: SocketAddr) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let request = loop {
        let length = client.read(&mut chunk).await?;
        bytes.extend_from_slice(&chunk[..length]);
        if length == 0 || bytes.len() > LONGEST {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let wanted = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        if body.len() >= wanted.unwrap_or(0_usize) {
            break text;
        }
    };
    let (status, body) = match respond(&request, device, own) {
        Ok(body) => ("200 OK", body),
        Err(fault) => (
            "400 Bad Request",
            format!(
                "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:{fault}</s:Value></s:Subcode></s:Code>\
                 <s:Reason><s:Text xml:lang=\"en\">{fault}</s:Text></s:Reason></s:Fault>"
            ),
        ),
    };
    let envelope = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\" xmlns:trt=\"http://www.onvif.org/ver10/media/wsdl\" \
         xmlns:tt=\"http://www.onvif.org/ver10/schema\" xmlns:ter=\"http://www.onvif.org/ver10/error\">\
         <s:Body>{body}</s:Body></s:Envelope>"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/soap+xml; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        envelope.len()
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(envelope.as_bytes()).await?;
    client.shutdown().await
}

/// The body of the answer, or the fault's name.
fn respond(request: &str, device: &Device, own: SocketAddr) -> Result<String, &'static str> {
    let asks =
        |operation: &str| request.contains(&format!(":{operation}")) || request.contains(&format!("<{operation}"));
    if asks("GetSystemDateAndTime") {
        return Ok("<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>\
            <tt:DaylightSavings>false</tt:DaylightSavings></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
            .to_owned());
    }
    if asks("GetCapabilities") {
        return Ok(format!(
            "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Device><tt:XAddr>http://{own}{SERVICE}</tt:XAddr></tt:Device>\
             <tt:Media><tt:XAddr>http://{own}{MEDIA}</tt:XAddr><tt:StreamingCapabilities/></tt:Media></tds:Capabilities>\
             </tds:GetCapabilitiesResponse>"
        ));
    }
    if !is_signed(request, device) {
        return Err("NotAuthorized");
    }
    if asks("GetDeviceInformation") {
        return Ok(format!(
            "<tds:GetDeviceInformationResponse><tds:Manufacturer>Hearthwatch</tds:Manufacturer>\
             <tds:Model>fake camera</tds:Model><tds:FirmwareVersion>{}</tds:FirmwareVersion>\
             <tds:SerialNumber>{}</tds:SerialNumber><tds:HardwareId>0</tds:HardwareId></tds:GetDeviceInformationResponse>",
            env!("CARGO_PKG_VERSION"),
            device.serial
        ));
    }
    if asks("GetNetworkInterfaces") {
        return Ok(format!(
            "<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces token=\"eth0\"><tt:Enabled>true</tt:Enabled>\
             <tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>{}</tt:HwAddress></tt:Info></tds:NetworkInterfaces>\
             </tds:GetNetworkInterfacesResponse>",
            device.mac()
        ));
    }
    if asks("GetProfiles") {
        let profiles: String =
            ["main", "sub"].iter().zip(device.streams).map(|(token, coding)| profile(token, coding)).collect();
        return Ok(format!("<trt:GetProfilesResponse>{profiles}</trt:GetProfilesResponse>"));
    }
    if asks("GetStreamUri") {
        let token = between(request, "ProfileToken").filter(|token| matches!(*token, "main" | "sub"));
        let token = token.ok_or("NoProfile")?;
        return Ok(format!(
            "<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>rtsp://{}/{token}</tt:Uri>\
             <tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot>\
             <tt:Timeout>PT0S</tt:Timeout></trt:MediaUri></trt:GetStreamUriResponse>",
            device.rtsp
        ));
    }
    Err("ActionNotSupported")
}

fn profile(token: &str, Coding { codec, width, height, fps, .. }: Coding) -> String {
    let encoding = codec.to_string().to_uppercase();
    format!(
        "<trt:Profiles token=\"{token}\" fixed=\"true\"><tt:Name>{token}</tt:Name>\
         <tt:VideoSourceConfiguration token=\"source\"><tt:Name>source</tt:Name><tt:UseCount>2</tt:UseCount>\
         <tt:SourceToken>source</tt:SourceToken><tt:Bounds x=\"0\" y=\"0\" width=\"{width}\" height=\"{height}\"/>\
         </tt:VideoSourceConfiguration>\
         <tt:VideoEncoderConfiguration token=\"{token}\"><tt:Name>{token}</tt:Name><tt:UseCount>1</tt:UseCount>\
         <tt:Encoding>{encoding}</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height>\
         </tt:Resolution><tt:Quality>5</tt:Quality><tt:RateControl><tt:FrameRateLimit>{fps}</tt:FrameRateLimit>\
         <tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>2000</tt:BitrateLimit></tt:RateControl>\
         <tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>\
         <tt:Port>0</tt:Port><tt:TTL>0</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>\
         <tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration></trt:Profiles>"
    )
}

/// Whether the request carries the right WS-UsernameToken, by digest (OASIS WSS `UsernameToken` profile 1.0, 3.1).
fn is_signed(request: &str, device: &Device) -> bool {
    let Some(Credentials { user, password }) = &device.credentials else { return true };
    let (Some(name), Some(digest), Some(nonce), Some(created)) = (
        between(request, "Username"),
        between(request, "Password"),
        between(request, "Nonce"),
        between(request, "Created"),
    ) else {
        return false;
    };
    tracing::info!(user = name, scheme = "UsernameToken", "somebody sent a password");
    let Ok(nonce) = STANDARD.decode(nonce) else { return false };
    let mut sha = Sha1::new();
    sha.update(nonce);
    sha.update(created);
    sha.update(password.expose());
    name == user && digest == STANDARD.encode(sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_camera::Codec;
    use crate::units::Secret;

    fn device() -> Device {
        Device {
            name: "Porch".to_owned(),
            serial: "0123456789ab".to_owned(),
            rtsp: ([127, 0, 0, 1], 554).into(),
            credentials: Some(Credentials { user: "viewer".to_owned(), password: Secret::new("secret") }),
            streams: [(1280, 720, 15), (640, 360, 8)].map(|(width, height, fps)| Coding {
                codec: Codec::H264,
                width,
                height,
                fps,
                group: 30,
                bits_per_second: 1_000_000,
                b_frames: false,
            }),
        }
    }

    /// The example of the profile's own specification has no published digest; this one is from `openssl dgst -sha1`.
    #[test]
    fn a_request_is_signed_by_the_right_password_alone() {
        let digest = |password: &str| {
            let mut sha = Sha1::new();
            sha.update(b"0123456789abcdef2026-01-01T00:00:00Z");
            sha.update(password);
            STANDARD.encode(sha.finalize())
        };
        let request = |password: &str| {
            format!(
                "<Username>viewer</Username><w:Password Type=\"x\">{}</w:Password><Nonce>{}</Nonce>\
                 <u:Created>2026-01-01T00:00:00Z</u:Created><tds:GetDeviceInformation/>",
                digest(password),
                STANDARD.encode("0123456789abcdef")
            )
        };
        let own = ([127, 0, 0, 1], 80).into();
        assert!(respond(&request("secret"), &device(), own).is_ok_and(|answer| answer.contains("0123456789ab")));
        assert_eq!(respond(&request("wrong"), &device(), own), Err("NotAuthorized"));
        assert_eq!(respond("<tds:GetProfiles/>", &device(), own), Err("NotAuthorized"));
        assert!(respond("<tds:GetCapabilities/>", &device(), own).is_ok(), "asked before anybody signs");
    }

    #[test]
    fn its_id_and_its_card_are_made_of_its_serial_number() {
        assert_eq!(device().uuid(), "68656172-7468-4761-8463-0123456789ab");
        assert_eq!(device().mac(), "02:23:45:67:89:ab");
        assert_eq!(between("<a:MessageID>x</a:MessageID>", "MessageID"), Some("x"));
        assert_eq!(between("<a:MessageID", "MessageID"), None);
        assert_eq!(encoded("a b/"), "a%20b%2F");
    }
}
