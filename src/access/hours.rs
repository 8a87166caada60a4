//! Hours of the day.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::units::UtcMicros;

const DAY: u16 = 24 * 60;

/// A part of each day by the recorder's own clock on the wall, in minutes since midnight; over midnight if it ends earlier
/// than it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: u16,
    to: u16,
}

impl Hours {
    /// From one minute of the day to another, excluded; `None` if that is no time or no minutes of a day.
    pub fn new(from: u16, to: u16) -> Option<Self> {
        (from < DAY && to < DAY && from != to).then_some(Self { from, to })
    }

    /// From two texts as `08:00`.
    pub fn parse(from: &str, to: &str) -> Option<Self> {
        let minute = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.get(..2)?.parse().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        };
        Self::new(minute(from)?, minute(to)?)
    }

    /// The first minute of the day that counts.
    pub fn from(self) -> u16 {
        self.from
    }

    /// The first that does not count any more.
    pub fn to(self) -> u16 {
        self.to
    }

    /// Whether this minute of the day is within.
    pub fn contain(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// Whether this moment is within, by the recorder's time zone.
    pub fn contain_moment(self, moment: UtcMicros) -> bool {
        self.contain(minute_of_day(moment, &TimeZone::system()))
    }
}

fn minute_of_day(moment: UtcMicros, zone: &TimeZone) -> u16 {
    let time = moment.to_timestamp().unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone()).time();
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

/// A minute of the day as `08:00`.
pub fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hours_are_read_as_a_form_sends_them() {
        assert_eq!(Hours::parse("08:00", "18:30"), Hours::new(480, 1110));
        assert_eq!(Hours::parse("22:00:00", "06:00"), Hours::new(1320, 360));
        for (from, to) in
            [("8", "9:00"), ("24:00", "01:00"), ("08:60", "09:00"), ("", ""), ("08:00", "08:00"), ("-1:00", "2:00")]
        {
            assert_eq!(Hours::parse(from, to), None, "{from} {to}");
        }
        assert_eq!(clock(485), "08:05");
    }

    #[test]
    fn a_minute_is_that_of_the_wall_clock() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule");
        let noon_utc = UtcMicros(1_782_648_000_000_000); // 2026-06-28T12:00:00Z
        assert_eq!(minute_of_day(noon_utc, &zone), 14 * 60);
        assert_eq!(minute_of_day(noon_utc, &TimeZone::UTC), 12 * 60);
    }

    proptest! {
        #[test]
        fn what_is_outside_is_within_the_hours_turned_round(from in 0..DAY, to in 0..DAY, minute in 0..DAY) {
            let hours = Hours::new(from, to);
            prop_assert_eq!(hours.is_some(), from != to);
            if let (Some(hours), Some(turned)) = (hours, Hours::new(to, from)) {
                prop_assert_ne!(hours.contain(minute), turned.contain(minute));
                prop_assert!(hours.contain(from) && !hours.contain(to));
            }
        }
    }
}
