//! How long somebody who guesses passwords has to wait.
//!
//! Failures are counted per account *as tried from one network*, and per network; nothing counts against an account wherever
//! it is tried from. So whoever hammers at an owner's name slows down that network's attempts, never the owner at another one.
//! Times are monotonic: setting the clock neither frees nor locks anybody. Pure; the caller holds it and brings the time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::units::Monotonic;

/// Where an attempt comes from: one IPv4 address, or the /64 in which one device may take any IPv6 address it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// The address.
    V4(u32),
    /// The upper half of the address.
    V6(u64),
}

impl Network {
    /// The network of an address; an IPv4 address in IPv6 clothes is one of IPv4.
    pub fn of(address: IpAddr) -> Self {
        let upper = |address: Ipv6Addr| u64::try_from(u128::from(address) >> 64).unwrap_or(u64::MAX);
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.into()),
            IpAddr::V6(address) => Self::V6(upper(address)),
        }
    }
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// The last one.
    pub last: Monotonic,
}

/// How patient to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// So many failures cost nothing: people mistype.
    pub free: u32,
    /// No wait is longer.
    pub longest: Duration,
}

/// With one account from one network.
pub const ACCOUNT: Patience = Patience { free: 4, longest: Duration::from_secs(5 * 60) };

/// With one network, whatever names are tried; wider, because a household may share an address.
pub const NETWORK: Patience = Patience { free: 20, longest: Duration::from_secs(60) };

/// Without a failure for so long, all is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// Counts held at most; beyond it the oldest are forgotten.
const ENTRIES: usize = 4_096;

/// When the next attempt is allowed: one second after the first failure that is not free, then two, four …
pub fn allowed_at(failures: Failures, patience: Patience) -> Monotonic {
    let Some(doublings) = failures.count.checked_sub(patience.free.saturating_add(1)) else {
        return Monotonic::default();
    };
    let wait = Duration::from_secs(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)).min(patience.longest);
    Monotonic(failures.last.0.saturating_add(wait))
}

/// Whether the failures are so long ago that they count no more.
pub fn is_forgotten(failures: Failures, now: Monotonic) -> bool {
    now.since(failures.last) >= FORGOTTEN_AFTER
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(String, Network),
    Network(Network),
}

/// The counts of one running recorder.
#[derive(Debug, Default)]
pub struct Throttle(HashMap<Key, Failures>);

impl Throttle {
    /// Asks for leave to verify a password, and counts it as failed until [`Throttle::succeeded`] says otherwise: attempts made
    /// at the same time cannot all slip through. `Err` is how long to wait; an attempt that is refused is not counted.
    pub fn begin(&mut self, account: &str, address: IpAddr, now: Monotonic) -> Result<(), Duration> {
        let [account, network] = keys(account, address);
        let at = |key: &Key, patience| self.0.get(key).map_or(Monotonic::default(), |f| allowed_at(*f, patience));
        let allowed = at(&account, ACCOUNT).max(at(&network, NETWORK));
        if allowed > now {
            return Err(allowed.since(now));
        }
        self.make_room(now);
        for key in [account, network] {
            let failures = self.0.entry(key).or_default();
            if is_forgotten(*failures, now) {
                failures.count = 0;
            }
            *failures = Failures { count: failures.count.saturating_add(1), last: now };
        }
        Ok(())
    }

    /// The password was right: the account starts afresh from this network, and the network gets this attempt back, but not
    /// more: somebody with an account of their own must not be able to guess at others for free.
    pub fn succeeded(&mut self, account: &str, address: IpAddr) {
        let [account, network] = keys(account, address);
        self.0.remove(&account);
        if let Some(failures) = self.0.get_mut(&network) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    fn make_room(&mut self, now: Monotonic) {
        if self.0.len() + 2 <= ENTRIES {
            return;
        }
        self.0.retain(|_, failures| !is_forgotten(*failures, now));
        while self.0.len() + 2 > ENTRIES {
            let Some(oldest) = self.0.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| key.clone())
            else {
                break;
            };
            self.0.remove(&oldest);
        }
    }
}

fn keys(account: &str, address: IpAddr) -> [Key; 2] {
    let network = Network::of(address);
    // As the database compares names; what is too long to be one is cut, so that nobody fills the memory with it.
    let account = account.chars().take(64).collect::<String>().to_ascii_lowercase();
    [Key::Account(account, network), Key::Network(network)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn a_few_mistakes_are_free_and_then_the_wait_doubles() {
        let wait = |count| allowed_at(Failures { count, last: at(1_000) }, ACCOUNT).since(at(1_000)).as_secs();
        assert_eq!([0, 1, 4].map(wait), [0; 3]);
        assert_eq!([5, 6, 7, 8].map(wait), [1, 2, 4, 8]);
        assert_eq!([13, 14, 70, u32::MAX].map(wait), [256, 300, 300, 300]);
    }

    #[test]
    fn an_owner_is_never_locked_out_from_another_address() {
        let mut throttle = Throttle::default();
        let (attacker, owner) = (address("192.168.1.66"), address("192.168.1.7"));
        for second in 0..10_000 {
            let _ = throttle.begin("anna", attacker, at(second));
        }
        assert!(throttle.begin("anna", attacker, at(10_000)).is_err());
        assert!(throttle.begin("ANNA", attacker, at(10_000)).is_err(), "nor by another spelling");
        assert_eq!(throttle.begin("anna", owner, at(10_000)), Ok(()));
    }

    #[test]
    fn a_network_that_tries_many_names_is_slowed_too() {
        let mut throttle = Throttle::default();
        let tried = |n: u64| format!("user-{n}");
        let made = (0..3_600).filter(|n| throttle.begin(&tried(*n), address("192.168.1.66"), at(*n)).is_ok()).count();
        assert!((20..100).contains(&made), "{made}");
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        assert_eq!(Network::of(address("fd00:1:2:3::1")), Network::of(address("fd00:1:2:3:ffff::2")));
        assert_ne!(Network::of(address("fd00:1:2:3::1")), Network::of(address("fd00:1:2:4::1")));
        assert_eq!(Network::of(address("::ffff:192.168.1.7")), Network::of(address("192.168.1.7")));
        assert_ne!(Network::of(address("192.168.1.7")), Network::of(address("192.168.1.8")));
    }

    #[test]
    fn a_right_password_wipes_the_accounts_slate_but_not_the_networks() {
        let mut throttle = Throttle::default();
        let home = address("192.168.1.7");
        for n in 0..30 {
            let _ = throttle.begin("victim", home, at(n * 400));
            assert!(throttle.begin("mine", home, at(n * 400 + 200)).is_ok());
            throttle.succeeded("mine", home);
        }
        assert!(throttle.begin("victim", home, at(30 * 400)).is_ok(), "it waited long enough");
        assert!(throttle.begin("victim", home, at(30 * 400 + 1)).is_err(), "success elsewhere freed nothing");
    }

    #[test]
    fn after_a_quiet_hour_all_is_forgotten() {
        let mut throttle = Throttle::default();
        let home = address("192.168.1.7");
        for n in 0..20 {
            let _ = throttle.begin("anna", home, at(n * 300));
        }
        let later = 20 * 300 + 3_600;
        for _ in 0..5 {
            assert_eq!(throttle.begin("anna", home, at(later)), Ok(()));
        }
        assert!(throttle.begin("anna", home, at(later)).is_err());
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut throttle = Throttle::default();
        for n in 0..10_000_u32 {
            let _ = throttle.begin(&"x".repeat(100_000), IpAddr::V4(n.into()), at(0));
        }
        assert!(throttle.0.len() <= ENTRIES);
    }

    proptest! {
        #[test]
        fn more_failures_never_mean_less_waiting(count in 0..u32::MAX, last in 0..1_000_000u64) {
            let allowed = |count| allowed_at(Failures { count, last: at(last) }, ACCOUNT);
            prop_assert!(allowed(count) <= allowed(count + 1));
            prop_assert!(allowed(count).since(at(last)) <= ACCOUNT.longest);
        }
    }
}
