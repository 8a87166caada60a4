//! Landlock: no path can be opened, made, run or changed, no TCP port used, no process outside signalled.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr as _, RulesetError, RulesetStatus,
    Scope,
};

/// The newest version that this was tried with; a kernel with less gives what it has.
const TRIED: ABI = ABI::V7;

/// Denies all of it, as far as this kernel can; says which version is in force, 0 for none.
pub(super) fn deny() -> u8 {
    restrict().unwrap_or(0)
}

fn restrict() -> Result<u8, RulesetError> {
    // Rules would be exceptions; there is none.
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(TRIED))?
        .handle_access(AccessNet::from_all(TRIED))?
        .scope(Scope::from_all(TRIED))?
        .create()?
        .restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available { effective_abi, .. },
        ) => effective_abi.min(TRIED) as u8,
        _ => 0,
    })
}
