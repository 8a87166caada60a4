//! Key frames alone as long as nothing stirs, and everything since the one before as soon as something does: pure.
//!
//! Most of what decoding costs goes into the pictures between key frames. While nothing stirs these are kept, not decoded, and
//! each key frame is decoded by itself and held against what is usual, without learning from it: a glance. If nothing in it
//! could be a thing, it is learnt as any look is, and what was kept before it is let go. If something could, all that was kept
//! since the key frame before is decoded in its order, and so is what follows, until nothing has stirred for a while. So looks
//! reach the model in order of time, and an event begins when it began. Who comes and goes between two key frames is missed.

use std::collections::VecDeque;

/// From one glance to the next, at least: a camera may send nothing but key frames.
const GLANCE_US: i64 = 900_000;
/// After so long without anything that stirs, key frames are enough again.
const CALM_US: i64 = 3_000_000;
/// What is kept may span this, by the pictures' own time. Longer than from one key frame to the next, as cameras are set.
const MOST_US: i64 = 12_000_000;
/// And have so many bytes,
const MOST_BYTES: usize = 8 << 20;
/// and be so many units, for streams whose times say nothing.
const MOST_UNITS: usize = 1_000;

/// What has to be known of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct About {
    /// When it is shown, in microseconds.
    pub(super) at_us: i64,
    pub(super) bytes: usize,
    /// Whether decoding can begin here.
    pub(super) is_key: bool,
}

/// What to do with a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order<T> {
    /// Decode it behind the one before.
    Decode(T, About),
    /// Decode it by itself, and say what a glance at it shows.
    Glance(T, About),
}

impl<T> Order<T> {
    fn about(&self) -> &About {
        match self {
            Self::Decode(_, about) | Self::Glance(_, about) => about,
        }
    }
}

/// One camera's units on their way to the decoder.
#[derive(Debug)]
pub(super) struct Thrift<T> {
    /// Whether key frames are enough while nothing stirs.
    is_wanted: bool,
    state: State,
    /// While dozing: from the newest key frame in which nothing stirred on.
    kept: Line<T>,
    /// What the decoder is given next.
    due: VecDeque<Order<T>>,
    due_bytes: usize,
    /// What was left out must not be built on.
    needs_key: bool,
    /// The newest look that was learnt.
    learnt_us: Option<i64>,
    glanced_us: Option<i64>,
    passed_over: u64,
    lost: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Everything is decoded. When something last stirred (or the first look was), and the newest look.
    Awake(Option<(i64, i64)>),
    /// Key frames alone; the time of the one whose glance is waited for.
    Dozing(Option<i64>),
}

impl<T: Clone> Thrift<T> {
    /// Nothing is known yet: everything is decoded at first.
    pub(super) fn new() -> Self {
        Self {
            is_wanted: false,
            state: State::Awake(None),
            kept: Line::default(),
            due: VecDeque::new(),
            due_bytes: 0,
            needs_key: false,
            learnt_us: None,
            glanced_us: None,
            passed_over: 0,
            lost: 0,
        }
    }

    /// Whether key frames are to be enough from now on, while nothing stirs. Not taken up before the next key frame.
    pub(super) fn want(&mut self, is_wanted: bool) {
        self.is_wanted = is_wanted;
    }

    /// Whether units need not come through here: all of them are to be decoded, and none waits.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_wanted && matches!(self.state, State::Awake(_)) && self.due.is_empty()
    }

    /// Takes the next unit of the stream.
    pub(super) fn take(&mut self, unit: T, about: About) {
        let is_calm = |seen: (i64, i64)| seen.1.saturating_sub(seen.0) >= CALM_US;
        if let State::Awake(Some(seen)) = self.state
            && self.is_wanted
            && about.is_key
            && is_calm(seen)
        {
            self.state = State::Dozing(None);
            self.come_to_rest();
        }
        match self.state {
            State::Awake(_) => self.decode(unit, about),
            State::Dozing(glance) => self.keep(unit, about, glance),
        }
    }

    /// What the decoder is to be given now; only to be asked for when it has answered what it was given before.
    pub(super) fn next(&mut self) -> Option<Order<T>> {
        let order = self.due.pop_front()?;
        if let Order::Decode(_, about) = &order {
            self.due_bytes -= about.bytes;
        }
        Some(order)
    }

    /// The time of the key frame whose glance is waited for.
    pub(super) fn awaited(&self) -> Option<i64> {
        match self.state {
            State::Dozing(glance) => glance,
            State::Awake(_) => None,
        }
    }

    /// Whether the look at this time is to be judged and learnt, and then told to [`Self::looked`]. `glance` says whether anything
    /// stirs in it, without learning from it; asked only of the key frame for which [`Self::awaited`] waits.
    pub(super) fn learns(&mut self, at_us: i64, glance: impl FnOnce() -> bool) -> bool {
        // What is far before it is another clock's.
        let is_known = |learnt: i64| (0..=2 * MOST_US).contains(&learnt.saturating_sub(at_us));
        if self.awaited() == Some(at_us) {
            let stirs = glance();
            self.judged(at_us, stirs);
            return !stirs;
        }
        !self.learnt_us.is_some_and(is_known)
    }

    /// A look was judged; whether anything stirs in it.
    pub(super) fn looked(&mut self, at_us: i64, stirs: bool) {
        self.learnt_us = Some(at_us);
        if let State::Awake(seen) = &mut self.state {
            let (stirred_us, _) = seen.filter(|_| !stirs).unwrap_or((at_us, at_us));
            *seen = Some((stirred_us, at_us));
        }
    }

    /// The glance that was waited for; whether anything stirs in it.
    fn judged(&mut self, at_us: i64, stirs: bool) {
        self.state = State::Dozing(None);
        if !stirs {
            // The one in front was decoded, if only by itself.
            let before = self.kept.let_go_before(at_us);
            self.passed_over += u64::try_from(before.saturating_sub(1)).unwrap_or(u64::MAX);
        }
        if stirs || !self.is_wanted {
            self.state = State::Awake(stirs.then_some((at_us, at_us)));
            self.needs_key = self.kept.units.is_empty();
            for (unit, about) in self.kept.take() {
                self.due_bytes += about.bytes;
                self.due.push_back(Order::Decode(unit, about));
            }
        }
    }

    /// The key frame whose glance is waited for showed nothing, not even that nothing stirs: what was kept stays for the next.
    pub(super) fn unjudged(&mut self) {
        if let State::Dozing(glance) = &mut self.state {
            *glance = None;
        }
    }

    /// What comes next follows nothing that came before.
    pub(super) fn interrupt(&mut self) {
        self.lost += u64::try_from(self.kept.units.len() + self.due.len()).unwrap_or(u64::MAX);
        self.kept.take();
        if !self.due.is_empty() {
            self.let_go_due();
        }
        self.unjudged();
        (self.learnt_us, self.glanced_us) = (None, None);
    }

    /// How many pictures were not decoded since this was last asked, because nothing stirred.
    pub(super) fn passed_over(&mut self) -> u64 {
        std::mem::take(&mut self.passed_over)
    }

    /// How many were let go since this was last asked though nobody knows what was in them.
    pub(super) fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn decode(&mut self, unit: T, about: About) {
        let first = self.due.front().map(|order| order.about().at_us);
        if is_too_much(first, self.due_bytes, self.due.len(), about) {
            self.lost += u64::try_from(self.due.len()).unwrap_or(u64::MAX);
            self.let_go_due();
        }
        if self.needs_key && !about.is_key {
            self.lost += 1;
            return;
        }
        self.needs_key = false;
        self.due_bytes += about.bytes;
        self.due.push_back(Order::Decode(unit, about));
    }

    fn keep(&mut self, unit: T, about: About, glance: Option<i64>) {
        if self.kept.is_too_much(about) {
            self.lost += u64::try_from(self.kept.take().len()).unwrap_or(u64::MAX);
        }
        if self.kept.units.is_empty() && !about.is_key {
            self.lost += 1;
            return;
        }
        let is_early = |glanced: i64| (0..GLANCE_US).contains(&about.at_us.saturating_sub(glanced));
        if about.is_key && glance.is_none() && !self.glanced_us.is_some_and(is_early) {
            self.glanced_us = Some(about.at_us);
            self.state = State::Dozing(Some(about.at_us));
            self.due.push_back(Order::Glance(unit.clone(), about));
        }
        self.kept.push(unit, about);
    }

    /// From the first key frame that is still due on nothing is decoded that need not be: who is behind would come to rest too late.
    fn come_to_rest(&mut self) {
        let is_key = |order: &Order<T>| matches!(order, Order::Decode(_, about) if about.is_key);
        let place = self.due.iter().position(is_key).unwrap_or(self.due.len());
        for order in self.due.split_off(place) {
            let (Order::Decode(unit, about) | Order::Glance(unit, about)) = order;
            self.due_bytes -= about.bytes;
            self.keep(unit, about, self.awaited());
        }
    }

    fn let_go_due(&mut self) {
        self.due.clear();
        self.due_bytes = 0;
        self.needs_key = true;
    }
}

/// Units in their order.
#[derive(Debug)]
struct Line<T> {
    units: VecDeque<(T, About)>,
    bytes: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { units: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Line<T> {
    fn is_too_much(&self, next: About) -> bool {
        is_too_much(self.units.front().map(|(_, about)| about.at_us), self.bytes, self.units.len(), next)
    }

    fn push(&mut self, unit: T, about: About) {
        self.bytes += about.bytes;
        self.units.push_back((unit, about));
    }

    fn take(&mut self) -> VecDeque<(T, About)> {
        self.bytes = 0;
        std::mem::take(&mut self.units)
    }

    /// Lets go what is before the key frame of that time; how many units that were.
    fn let_go_before(&mut self, at_us: i64) -> usize {
        let place = self.units.iter().position(|(_, about)| about.is_key && about.at_us == at_us).unwrap_or(0);
        self.bytes -= self.units.drain(..place).map(|(_, about)| about.bytes).sum::<usize>();
        place
    }
}

/// Whether one more would be too much.
fn is_too_much(first_us: Option<i64>, bytes: usize, units: usize, next: About) -> bool {
    first_us.is_some_and(|first_us| {
        next.at_us.saturating_sub(first_us) > MOST_US || bytes + next.bytes > MOST_BYTES || units >= MOST_UNITS
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a camera's units came to, each by its number.
    #[derive(Debug, Default)]
    struct Seen {
        decoded: Vec<usize>,
        glanced: Vec<usize>,
        /// Times that the model was taught, in its order.
        learnt: Vec<i64>,
    }

    const STEP_US: i64 = 100_000;

    /// Ten pictures a second, each `every`-th a key frame; something stirs in those of which `stirs` says so.
    fn watch(
        thrift: &mut Thrift<usize>,
        units: std::ops::Range<usize>,
        every: usize,
        stirs: impl Fn(usize) -> bool,
    ) -> Seen {
        let mut seen = Seen::default();
        for n in units {
            let at_us = i64::try_from(n).expect("few") * STEP_US;
            thrift.take(n, About { at_us, bytes: 1_000, is_key: n % every == 0 });
            while let Some(order) = thrift.next() {
                answer(thrift, &order, &mut seen, &stirs);
            }
        }
        seen
    }

    fn answer(thrift: &mut Thrift<usize>, order: &Order<usize>, seen: &mut Seen, stirs: impl Fn(usize) -> bool) {
        let (Order::Decode(n, About { at_us, .. }) | Order::Glance(n, About { at_us, .. })) = *order;
        let mut stirred = None;
        let learns = thrift.learns(at_us, || *stirred.insert(stirs(n)));
        if stirred.is_some() {
            seen.glanced.push(n);
        } else {
            seen.decoded.push(n);
        }
        if !learns {
            return;
        }
        seen.learnt.push(at_us);
        thrift.looked(at_us, stirs(n));
    }

    fn thrifty() -> Thrift<usize> {
        let mut thrift = Thrift::new();
        thrift.want(true);
        thrift
    }

    #[test]
    fn while_nothing_stirs_key_frames_are_enough() {
        let mut thrift = thrifty();
        let seen = watch(&mut thrift, 0..200, 20, |_| false);
        // At first it looks at all, to see that it is calm.
        assert_eq!(seen.decoded, (0..40).collect::<Vec<_>>());
        assert_eq!(seen.glanced, [40, 60, 80, 100, 120, 140, 160, 180]);
        assert_eq!((thrift.passed_over(), thrift.lost()), (7 * 19, 0));
    }

    #[test]
    fn when_something_stirs_all_since_the_key_frame_before_is_decoded_once_and_in_order() {
        let mut thrift = thrifty();
        let seen = watch(&mut thrift, 0..200, 20, |n| (85..130).contains(&n));
        assert_eq!(seen.glanced, [40, 60, 80, 100, 160, 180]);
        // Something stirred from 85 to 129: calm three seconds later, which the next key frame finds.
        assert_eq!(seen.decoded, (0..40).chain(80..160).collect::<Vec<_>>());
        assert!(seen.learnt.is_sorted_by(|a, b| a < b), "{:?}", seen.learnt);
        assert_eq!(thrift.lost(), 0);
    }

    #[test]
    fn whoever_is_behind_comes_to_rest_at_a_key_frame_too_and_nothing_is_left_out() {
        let mut thrift = thrifty();
        let mut seen = watch(&mut thrift, 0..39, 20, |_| false);
        // The decoder is busy elsewhere.
        for n in 39..70 {
            thrift.want(n > 55);
            let at_us = i64::try_from(n).expect("few") * STEP_US;
            thrift.take(n, About { at_us, bytes: 1_000, is_key: n % 20 == 0 });
        }
        while let Some(order) = thrift.next() {
            answer(&mut thrift, &order, &mut seen, |_| false);
        }
        assert_eq!((seen.decoded, seen.glanced), ((0..40).collect(), vec![40]));
        let seen = watch(&mut thrift, 70..85, 20, |n| n == 80);
        assert_eq!((seen.decoded, seen.glanced), ((40..85).collect(), vec![80]));
        assert_eq!(thrift.lost(), 0);
    }

    #[test]
    fn where_every_picture_is_a_key_frame_about_one_a_second_is_enough() {
        let seen = watch(&mut thrifty(), 0..200, 1, |_| false);
        assert_eq!(seen.decoded.len(), 31);
        assert_eq!(seen.glanced.len(), 19);
    }

    #[test]
    fn whoever_has_time_again_goes_on_from_a_key_frame_and_loses_nothing() {
        let mut thrift = thrifty();
        watch(&mut thrift, 0..70, 20, |_| false);
        thrift.want(false);
        let seen = watch(&mut thrift, 70..100, 20, |_| false);
        assert_eq!((seen.glanced, seen.decoded), (vec![80], (80..100).collect()));
        assert!(thrift.is_idle() && thrift.lost() == 0);
    }

    #[test]
    fn a_key_frame_that_cannot_be_judged_leaves_what_was_kept_for_the_next() {
        let mut thrift = thrifty();
        watch(&mut thrift, 0..60, 20, |_| false);
        let key = About { at_us: 60 * STEP_US, bytes: 1_000, is_key: true };
        thrift.take(60, key);
        assert_eq!((thrift.next(), thrift.awaited()), (Some(Order::Glance(60, key)), Some(key.at_us)));
        thrift.unjudged();
        let seen = watch(&mut thrift, 61..100, 20, |_| true);
        assert_eq!((seen.glanced, seen.decoded), (vec![80], (40..100).collect()));
    }

    #[test]
    fn a_group_that_is_too_long_is_let_go_and_the_next_is_looked_at() {
        let mut thrift = thrifty();
        let seen = watch(&mut thrift, 0..600, 200, |n| n == 400);
        assert_eq!(seen.glanced, [200, 400]);
        assert_eq!(seen.decoded, (0..200).chain(400..600).collect::<Vec<_>>());
        assert_eq!(thrift.lost(), 200);
    }

    #[test]
    fn what_is_broken_off_is_not_built_on() {
        let mut thrift = thrifty();
        watch(&mut thrift, 0..50, 20, |_| false);
        thrift.interrupt();
        let seen = watch(&mut thrift, 50..80, 20, |_| true);
        assert_eq!((seen.glanced, seen.decoded), (vec![60], (60..80).collect()));
    }

    proptest! {
        #[test]
        fn runs_begin_at_key_frames_have_no_holes_and_what_waits_is_bounded(
            every in 1_usize..150,
            units in prop::collection::vec((0_usize..300_000, prop::bool::weighted(0.8), prop::bool::weighted(0.1)), 1..600),
            switches in prop::collection::vec(0_usize..600, 0..4),
        ) {
            let mut thrift = thrifty();
            let mut seen = Seen::default();
            for (n, (bytes, is_answered, _)) in units.iter().enumerate() {
                thrift.want(switches.iter().filter(|switch| **switch <= n).count() % 2 == 0);
                let at_us = i64::try_from(n).expect("few") * STEP_US;
                thrift.take(n, About { at_us, bytes: *bytes, is_key: n % every == 0 });
                let waiting = thrift.kept.bytes + thrift.due_bytes;
                prop_assert!(waiting <= 2 * MOST_BYTES && thrift.kept.units.len() + thrift.due.len() <= 2 * MOST_UNITS + 1);
                while *is_answered && let Some(order) = thrift.next() {
                    answer(&mut thrift, &order, &mut seen, |n| units[n].2);
                }
            }
            prop_assert!(seen.learnt.is_sorted_by(|a, b| a < b));
            prop_assert!(seen.glanced.iter().all(|n| n % every == 0));
            for (n, decoded) in seen.decoded.iter().enumerate() {
                let follows = n > 0 && seen.decoded[n - 1] + 1 == *decoded;
                prop_assert!(follows || decoded % every == 0, "{decoded} follows nothing");
            }
        }
    }
}
