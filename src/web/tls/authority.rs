//! The household's authority and the certificates it signs. Pure: keys, numbers and the time are given.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CidrSubnet, DistinguishedName, DnType, Error,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
    SerialNumber, date_time_ymd,
};
use serde::{Deserialize, Serialize};

use crate::units::{UtcMicros, UtcSpan};
use crate::web::tls::names::Names;

/// 2026-01-01. An earlier clock has not been set yet: a Pi boots in 1970.
pub const EARLIEST: UtcMicros = UtcMicros(1_767_225_600_000_000);
/// 2200-01-01. A later clock is wrong, and certificates end in the year 9999 at most.
const LATEST: UtcMicros = UtcMicros(7_258_118_400_000_000);
const DAY: Duration = Duration::from_secs(86_400);
/// Each device has to be told once; a new authority costs the household a walk from device to device.
const AUTHORITY_LASTS: Duration = Duration::from_secs(20 * 365 * 86_400);
/// Browsers and phones refuse certificates that last longer than 398 days.
const CERTIFICATE_LASTS: Duration = Duration::from_secs(397 * 86_400 - 1);
/// What no household shares with the world: RFC 6761, RFC 6762, RFC 8375, `.internal` (reserved by ICANN), `.lan` (by use).
const ALWAYS_PERMITTED: [&str; 5] = ["localhost", "local", "home.arpa", "internal", "lan"];

/// What is known of an authority besides its key and its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// As devices show it.
    pub common_name: String,
    /// The only domains it can sign for, with what is below them.
    pub permitted: Vec<String>,
    /// When it ends.
    pub not_after: UtcMicros,
}

impl Facts {
    /// For an authority made now. `random` sets it apart from the neighbours'.
    pub fn new(names: &Names, now: UtcMicros, random: [u8; 16]) -> Self {
        let [a, b, c, ..] = random;
        let mut permitted: Vec<_> = ALWAYS_PERMITTED.map(str::to_owned).to_vec();
        for name in names.names() {
            if !is_below(&permitted, name) {
                permitted.push(name.to_owned());
            }
        }
        Self {
            common_name: format!("Hearthwatch household {a:02x}{b:02x}{c:02x}"),
            permitted,
            not_after: now.clamp(EARLIEST, LATEST).plus(AUTHORITY_LASTS),
        }
    }

    /// Whether it can sign for this name.
    pub fn permits(&self, name: &str) -> bool {
        is_below(&self.permitted, name)
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(&self.common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Not for mail and not for programs, which the constraints on names say nothing about.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let domains = self.permitted.iter().cloned().map(GeneralSubtree::DnsName);
        let networks = household_networks().map(GeneralSubtree::IpAddress);
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: domains.chain(networks).collect(),
            excluded_subtrees: Vec::new(),
        });
        // Always from the same moment, so that it is valid however wrong the clock was when it was made.
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(EARLIEST);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(self.not_after);
        params
    }

    /// The authority's own certificate, by its own key.
    pub fn certificate(&self, key: &KeyPair, serial: [u8; 16]) -> Result<Certificate, Error> {
        let mut params = self.params();
        params.serial_number = Some(serial_number(serial));
        params.self_signed(key)
    }

    /// A certificate for a server of these names, all of which must be permitted, with the span in which it is valid.
    pub fn issue(
        &self,
        authority_key: &KeyPair,
        server_key: &KeyPair,
        names: &Names,
        now: UtcMicros,
        serial: [u8; 16],
    ) -> Result<(Certificate, UtcSpan), Error> {
        let start = now.min(LATEST).minus(DAY).max(EARLIEST);
        let end = start.plus(CERTIFICATE_LASTS).min(self.not_after);
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name("hearthwatch.local");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial_number(serial));
        for name in names.names() {
            params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
        }
        params.subject_alt_names.extend(names.addresses().map(SanType::IpAddress));
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(start);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(end);
        let certificate = params.signed_by(server_key, &Issuer::new(self.params(), authority_key))?;
        Ok((certificate, UtcSpan::new(start, end).unwrap_or(UtcSpan::starting_at(start, Duration::ZERO))))
    }
}

fn is_below(domains: &[String], name: &str) -> bool {
    domains.iter().any(|domain| {
        name.strip_suffix(domain.as_str()).is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
    })
}

/// As [`crate::config::in_household`] judges.
fn household_networks() -> impl Iterator<Item = CidrSubnet> {
    let v4 = [
        ([127, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([172, 16, 0, 0], 12),
        ([192, 168, 0, 0], 16),
        ([169, 254, 0, 0], 16),
    ];
    let v4 = v4.map(|(network, prefix)| CidrSubnet::from_addr_prefix(Ipv4Addr::from(network).into(), prefix));
    let v6 = [(Ipv6Addr::LOCALHOST, 128), (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)];
    let v6 = v6.map(|(network, prefix)| CidrSubnet::from_addr_prefix(network.into(), prefix));
    v4.into_iter().chain(v6)
}

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Hearthwatch");
    name.push(DnType::CommonName, common_name);
    name
}

/// Positive and not zero, as RFC 5280 § 4.1.2.2 has it.
fn serial_number(mut random: [u8; 16]) -> SerialNumber {
    random[0] = random[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&random)
}

/// A length that, added to the beginning of 1970, stays within the calendar.
fn since_1970(moment: UtcMicros) -> Duration {
    moment.min(LATEST.plus(AUTHORITY_LASTS)).since(UtcMicros::EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> KeyPair {
        KeyPair::generate().expect("a key")
    }

    #[test]
    fn an_authority_is_bound_to_the_household() {
        let hosts = ["nvr.example.org".to_owned(), "nvr.home.arpa".to_owned(), "nvr".to_owned()];
        let facts = Facts::new(&Names::new(&hosts, []), EARLIEST, [1; 16]);
        assert_eq!(facts.permitted, ["localhost", "local", "home.arpa", "internal", "lan", "nvr", "nvr.example.org"]);
        for inside in ["hearthwatch.local", "nvr.example.org", "x.nvr.example.org", "nvr", "localhost", "a.b.lan"] {
            assert!(facts.permits(inside), "{inside}");
        }
        for outside in ["example.org", "xnvr.example.org", "bank.com", "", "lan.com", "xlan"] {
            assert!(!facts.permits(outside), "{outside}");
        }
        assert_eq!(facts.common_name, "Hearthwatch household 010101");
    }

    #[test]
    fn a_clock_that_was_never_set_makes_an_authority_for_today() {
        let facts = Facts::new(&Names::default(), UtcMicros::EPOCH, [0; 16]);
        let (authority_key, server_key) = (key(), key());
        let issue = |now| facts.issue(&authority_key, &server_key, &Names::default(), now, [0; 16]).expect("issued").1;
        assert_eq!(issue(UtcMicros::EPOCH).start(), EARLIEST);
        assert!(facts.not_after > EARLIEST.plus(19 * 365 * DAY));
        let late = issue(facts.not_after.minus(10 * DAY));
        assert_eq!(late.end(), facts.not_after);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_clock_yields_certificates_that_browsers_accept(now in any::<i64>()) {
            let now = UtcMicros(now);
            let names = Names::new(&[], []);
            let facts = Facts::new(&names, now, [7; 16]);
            let (authority_key, server_key) = (key(), key());
            facts.certificate(&authority_key, [0; 16]).expect("a certificate");
            let (_, valid) = facts.issue(&authority_key, &server_key, &names, now, [0; 16]).expect("issued");
            prop_assert!(valid.length() < 398 * DAY);
            if now >= EARLIEST && now < LATEST {
                prop_assert!(valid.contains(now.plus(366 * DAY)));
            }
        }
    }
}
