//! When to connect, how long to wait and when to give up: the session's decisions, without a network or a clock.

use std::time::Duration;

use crate::camera::session::error::CameraError;
use crate::units::Monotonic;

/// The wait after the first failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The wait after the first refused password: cameras lock an account after about five.
const FIRST_PATIENT_WAIT: Duration = Duration::from_secs(60);
/// The longest wait after a refused password.
const LONGEST_PATIENT_WAIT: Duration = Duration::from_secs(15 * 60);
/// How long pictures must have come before a failure counts as the first again.
const STABLE: Duration = Duration::from_secs(60);
/// How long a camera may take for each step up to its first picture.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a camera may send no picture.
const PICTURE_LIMIT: Duration = Duration::from_secs(10);

/// Where the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Not connected, until the wait is over.
    Waiting,
    /// Asking who is there.
    Connecting,
    /// It answered; the stream is being set up, and the first picture awaited.
    Verifying,
    /// Pictures arrive.
    Streaming {
        /// Since when.
        since: Monotonic,
    },
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input<'a> {
    /// The wait is over.
    Waited,
    /// The camera answered.
    Answered,
    /// A picture came.
    Picture,
    /// It failed, or [`Machine::overdue`].
    Failed(&'a CameraError),
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing new.
    GoOn,
    /// Ask the camera.
    Connect,
    /// Set the stream up.
    Play,
    /// Tell that pictures arrive.
    Celebrate,
    /// End what there is, and wait so long.
    Wait(Duration),
}

/// One stream's session.
#[derive(Debug)]
pub(crate) struct Machine {
    state: State,
    failures: u32,
    refusals: u32,
}

impl Machine {
    /// As it begins: with a first attempt.
    pub(crate) fn new() -> Self {
        Self { state: State::Connecting, failures: 0, refusals: 0 }
    }

    #[cfg(test)]
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// How long may pass without an input before it is [`Self::overdue`].
    pub(crate) fn limit(&self) -> Duration {
        match self.state {
            State::Waiting | State::Connecting | State::Verifying => CONNECT_LIMIT,
            State::Streaming { .. } => PICTURE_LIMIT,
        }
    }

    /// The error that being overdue means now.
    pub(crate) fn overdue(&self, host: &str) -> CameraError {
        match self.state {
            State::Waiting | State::Connecting => CameraError::Silent { host: host.to_owned(), after: self.limit() },
            State::Verifying | State::Streaming { .. } => CameraError::Stalled { after: self.limit() },
        }
    }

    /// Takes what happened and says what to do. `jitter` is random, 0 to 1; what does not fit the state changes nothing.
    pub(crate) fn on(&mut self, input: Input<'_>, now: Monotonic, jitter: f64) -> Action {
        match (self.state, input) {
            (State::Waiting, Input::Waited) => {
                self.state = State::Connecting;
                Action::Connect
            }
            (State::Connecting, Input::Answered) => {
                self.state = State::Verifying;
                Action::Play
            }
            (State::Verifying, Input::Picture) => {
                self.state = State::Streaming { since: now };
                self.refusals = 0;
                Action::Celebrate
            }
            (State::Waiting, _)
            | (_, Input::Waited | Input::Answered)
            | (State::Connecting | State::Streaming { .. }, Input::Picture) => Action::GoOn,
            (_, Input::Failed(error)) => self.wait(error.needs_patience(), now, jitter),
        }
    }

    fn wait(&mut self, patiently: bool, now: Monotonic, jitter: f64) -> Action {
        if matches!(self.state, State::Streaming { since } if now.since(since) >= STABLE) {
            self.failures = 0;
        }
        self.state = State::Waiting;
        let (count, first, longest) = if patiently {
            (&mut self.refusals, FIRST_PATIENT_WAIT, LONGEST_PATIENT_WAIT)
        } else {
            (&mut self.failures, FIRST_WAIT, LONGEST_WAIT)
        };
        let whole = first.saturating_mul(1_u32 << (*count).min(16)).min(longest);
        *count = count.saturating_add(1);
        // Between half and the whole: after a power cut a house full of cameras and recorders does not ask in step.
        Action::Wait(whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(s: u64) -> Monotonic {
        Monotonic(Duration::from_secs(s))
    }

    fn stream_for(machine: &mut Machine, from: u64, length: u64) -> Action {
        machine.on(Input::Waited, seconds(from), 1.0);
        machine.on(Input::Answered, seconds(from), 1.0);
        assert_eq!(machine.on(Input::Picture, seconds(from), 1.0), Action::Celebrate);
        machine.on(Input::Failed(&CameraError::Ended), seconds(from + length), 1.0)
    }

    #[test]
    fn the_wait_doubles_to_half_a_minute_and_begins_anew_after_a_stable_minute() {
        let mut machine = Machine::new();
        let waits: Vec<_> = (0..7).map(|i| stream_for(&mut machine, i * 100, 59)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30].map(|s| Action::Wait(Duration::from_secs(s))));
        assert_eq!(stream_for(&mut machine, 1000, 60), Action::Wait(Duration::from_secs(1)));
    }

    #[test]
    fn a_refused_password_is_not_tried_again_within_half_a_minute() {
        let mut machine = Machine::new();
        assert_eq!(
            machine.on(Input::Failed(&CameraError::WrongPassword), seconds(0), 0.0),
            Action::Wait(Duration::from_secs(30))
        );
        for _ in 0..9 {
            machine.on(Input::Waited, seconds(0), 0.0);
            machine.on(Input::Failed(&CameraError::WrongPassword), seconds(0), 1.0);
        }
        machine.on(Input::Waited, seconds(0), 0.0);
        assert_eq!(
            machine.on(Input::Failed(&CameraError::WrongPassword), seconds(0), 1.0),
            Action::Wait(LONGEST_PATIENT_WAIT)
        );
    }

    #[test]
    fn silence_is_told_by_when_it_began() {
        let mut machine = Machine::new();
        assert!(matches!(machine.overdue("a"), CameraError::Silent { .. }));
        machine.on(Input::Answered, seconds(0), 0.0);
        assert!(matches!(machine.overdue("a"), CameraError::Stalled { .. }));
    }

    fn any_input() -> impl Strategy<Value = Input<'static>> {
        prop_oneof![
            Just(Input::Waited),
            Just(Input::Answered),
            Just(Input::Picture),
            Just(Input::Failed(&CameraError::Ended)),
            Just(Input::Failed(&CameraError::WrongPassword)),
        ]
    }

    proptest! {
        #[test]
        fn every_failure_leads_to_a_bounded_wait_and_every_wait_to_an_attempt(
            steps in prop::collection::vec((any_input(), 0_u64..100, -1.0_f64..2.0), 0..200)
        ) {
            let mut machine = Machine::new();
            let mut now = 0;
            for (input, passed, jitter) in steps {
                now += passed;
                let before = machine.state();
                match machine.on(input, seconds(now), jitter) {
                    Action::Wait(length) => {
                        prop_assert!(length >= FIRST_WAIT / 2 && length <= LONGEST_PATIENT_WAIT);
                        if input != Input::Failed(&CameraError::WrongPassword) {
                            prop_assert!(length <= LONGEST_WAIT);
                        }
                        prop_assert_eq!(machine.state(), State::Waiting);
                        prop_assert_ne!(before, State::Waiting);
                        let mut later = Machine { ..machine };
                        prop_assert_eq!(later.on(Input::Waited, seconds(now), 0.5), Action::Connect);
                    }
                    Action::Connect => prop_assert_eq!(before, State::Waiting),
                    Action::Play => prop_assert_eq!(before, State::Connecting),
                    Action::Celebrate => prop_assert_eq!(before, State::Verifying),
                    Action::GoOn => prop_assert_eq!(before, machine.state()),
                }
            }
        }
    }
}
