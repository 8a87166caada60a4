//! The way of packets from a camera's session to its recording thread: bounded for one camera by count, for all by bytes.
//!
//! The session never waits. When memory becomes scarce, pictures are left out but for key frames, which can be shown without
//! those between; what has no room at all is left out up to the next key frame. The recorder is told either way, so that the
//! missing time is listed and not guessed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use crate::camera::packet::{Absent, Packet, Track};

/// Packets one camera may have waiting: half a minute and more.
const MOST_PACKETS: usize = 4096;

/// Above so many eighths of the budget only key frames are taken: of what a camera sends they are a small part, and the rest
/// of the budget then lasts for several times as long.
const SCARCE_EIGHTHS: usize = 6;

/// Memory that waiting packets of all cameras may hold together. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Bytes>);

#[derive(Debug)]
struct Bytes {
    most: usize,
    held: AtomicUsize,
}

impl Budget {
    /// Of so many bytes.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Bytes { most, held: AtomicUsize::new(0) }))
    }

    /// What waits for the disk now, in bytes.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    fn is_scarce(&self) -> bool {
        self.held() / SCARCE_EIGHTHS >= self.0.most / 8
    }

    fn take(&self, bytes: usize) -> Option<Share> {
        let room = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.0.most);
        self.0.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        Some(Share { budget: self.clone(), bytes })
    }
}

/// Given back when dropped.
#[derive(Debug)]
struct Share {
    budget: Budget,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What the recorder is given.
#[derive(Debug)]
pub struct Arrival {
    /// The packet.
    pub packet: Packet,
    /// Whether packets before it were left out because the recorder did not keep up.
    pub missed_before: bool,
    /// Whether pictures before this key frame were left out to save memory.
    pub thinned_before: bool,
    _share: Share,
}

#[derive(Debug)]
enum Item {
    Arrival(Arrival),
    Absent(Absent),
}

/// The session's end.
#[derive(Debug)]
pub struct Feed {
    items: SyncSender<Item>,
    budget: Budget,
    missed: bool,
    thinned: bool,
}

/// The recorder's end.
#[derive(Debug)]
pub struct Packets(Receiver<Item>);

/// A queue for one camera.
pub fn queue(budget: &Budget) -> (Feed, Packets) {
    let (items, packets) = sync_channel(MOST_PACKETS);
    (Feed { items, budget: budget.clone(), missed: false, thinned: false }, Packets(packets))
}

impl Feed {
    /// Hands the packet over without waiting; says whether it was taken. After one that was not, none is until a key frame.
    pub fn push(&mut self, packet: Packet) -> bool {
        let (is_video, is_key) = (packet.track == Track::Video, packet.track == Track::Video && packet.is_key);
        if self.missed && !is_key {
            return false;
        }
        if is_video && !is_key && (self.thinned || self.budget.is_scarce()) {
            self.thinned = true;
            return false;
        }
        // A packet costs more than its bytes.
        let share = self.budget.take(packet.data.len() + size_of::<Arrival>());
        let thinned_before = is_key && self.thinned;
        let arrival = share.map(|share| Arrival { packet, missed_before: self.missed, thinned_before, _share: share });
        let taken = arrival.is_some_and(|arrival| self.items.try_send(Item::Arrival(arrival)).is_ok());
        self.missed = !taken;
        self.thinned &= !(is_key && taken);
        taken
    }

    /// Says that no packet comes. Where there is no room for that either, the recorder is told so with the next packet.
    pub fn tell(&mut self, absent: Absent) {
        if self.items.try_send(Item::Absent(absent)).is_err() {
            self.missed = true;
        }
    }
}

/// What waiting for a packet came to.
#[derive(Debug)]
pub enum Received {
    /// One came.
    Arrival(Arrival),
    /// None comes, and why.
    Absent(Absent),
    /// None came in time.
    Nothing,
    /// None will come.
    End,
}

impl Packets {
    /// The next packet; if none is there, what is there after so long. What was queued when the feed ended still comes.
    ///
    /// Sleeps instead of waiting for the packet: who waits is woken by each, and a hundred cameras' pictures would wake
    /// threads thousands of times a second for what is written once a second.
    pub fn receive(&self, wait: Duration) -> Received {
        match self.next() {
            Received::Nothing if !wait.is_zero() => {
                std::thread::sleep(wait);
                self.next()
            }
            received => received,
        }
    }

    fn next(&self) -> Received {
        match self.0.try_recv() {
            Ok(Item::Arrival(arrival)) => Received::Arrival(arrival),
            Ok(Item::Absent(absent)) => Received::Absent(absent),
            Err(TryRecvError::Empty) => Received::Nothing,
            Err(TryRecvError::Disconnected) => Received::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{packet, video_parameters};

    fn arrivals(packets: &Packets) -> Vec<(bool, bool)> {
        let mut seen = Vec::new();
        while let Received::Arrival(arrival) = packets.receive(Duration::ZERO) {
            seen.push((arrival.packet.is_key, arrival.missed_before));
        }
        seen
    }

    #[test]
    fn when_memory_is_scarce_only_key_frames_are_taken_and_told() {
        let parameters = video_parameters();
        let mut packet = packet(&parameters, 0, true);
        let one = packet.data.len() + size_of::<Arrival>();
        let (mut feed, packets) = queue(&Budget::new(8 * one));
        let mut push = |is_key| {
            packet.is_key = is_key;
            feed.push(packet.clone())
        };
        let taken: Vec<_> = [true, false, false, false, false, false, false, true].map(&mut push).into();
        assert_eq!(taken, [true, true, true, true, true, true, false, true]);
        let mut thinned = Vec::new();
        while let Received::Arrival(arrival) = packets.receive(Duration::ZERO) {
            thinned.push((arrival.thinned_before, arrival.missed_before));
        }
        assert_eq!(thinned[..6], [(false, false); 6]);
        assert_eq!(thinned[6], (true, false));
        assert_eq!([true, false, true].map(&mut push), [true; 3], "there is room again");
        packets.receive(Duration::ZERO);
        assert!(matches!(packets.receive(Duration::ZERO), Received::Arrival(arrival) if !arrival.thinned_before));
    }

    #[test]
    fn what_has_no_room_is_left_out_up_to_the_next_key_frame_and_told() {
        let parameters = video_parameters();
        let mut packet = packet(&parameters, 0, true);
        let one = packet.data.len() + size_of::<Arrival>();
        let (mut feed, packets) = queue(&Budget::new(2 * one));
        assert!(feed.push(packet.clone()));
        packet.is_key = false;
        assert!(feed.push(packet.clone()));
        packet.is_key = true;
        assert!(!feed.push(packet.clone()), "no room");
        assert_eq!(arrivals(&packets), [(true, false), (false, false)]);
        packet.is_key = false;
        assert!(!feed.push(packet.clone()), "room, but no key frame");
        packet.is_key = true;
        assert!(feed.push(packet.clone()));
        assert!(feed.push(packet));
        assert_eq!(arrivals(&packets), [(true, true), (true, false)]);
        drop(feed);
        assert!(matches!(packets.receive(Duration::ZERO), Received::End));
    }

    #[test]
    fn one_camera_cannot_take_more_than_its_count_nor_all_more_than_the_budget() {
        let parameters = video_parameters();
        let budget = Budget::new(usize::MAX);
        let (mut feed, unread) = queue(&budget);
        let taken = (0..2 * MOST_PACKETS).filter(|_| feed.push(packet(&parameters, 0, true))).count();
        assert_eq!(taken, MOST_PACKETS);
        let (mut other, waiting) = queue(&Budget::new(0));
        assert!(!other.push(packet(&parameters, 0, true)));
        drop((feed, unread, waiting));
        assert_eq!(budget.held(), 0, "everything was given back");
    }
}
