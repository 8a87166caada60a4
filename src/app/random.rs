//! The only place that asks the system for randomness; everybody else takes it as a parameter.

/// Bytes from the system's generator.
///
/// # Panics
///
/// If the system has none to give, which Linux does not do once it has booted.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("Linux always has random bytes once it has booted");
    bytes
}
