//! Why something was taken for motion, and why something was not.

use serde::{Deserialize, Serialize};

/// A rectangle: left, top, width, height; each 0 to 1 of the picture's width or height.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Place(pub [f32; 4]);

impl Place {
    /// The whole picture.
    pub const WHOLE: Self = Self([0.0, 0.0, 1.0, 1.0]);

    /// Whether the two have anything in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        let ([left, top, width, height], [left2, top2, width2, height2]) = (self.0, other.0);
        left <= left2 + width2 && left2 <= left + width && top <= top2 + height2 && top2 <= top + height
    }

    /// Its part of the picture, 0 to 1.
    pub fn area(&self) -> f32 {
        self.0[2] * self.0[3]
    }
}

/// What made a track a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It went from one place to another.
    Moved,
    /// It grew: something that comes straight at the camera.
    Grew,
}

/// Why an event is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// What was seen of it first.
    pub how: How,
    /// Where the largest of it was.
    pub place: Place,
    /// How fast it went at most, in widths of the picture a second.
    pub speed: f32,
}

/// Why something is no motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The same things in another light.
    Light,
    /// The whole picture became another: infrared switched, a lamp, the lens was covered or moved.
    Scene,
    /// Most of it lies in a mask.
    Masked,
    /// It does not stand out from what rains, snows or blows.
    Clutter,
    /// It moved for a while, but went nowhere: leaves, a web, a flag, water.
    Wavering,
    /// Too small at this sensitivity.
    Small,
    /// The picture was damaged.
    Damaged,
}

/// Something that was seen and not taken for motion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rejected {
    /// When it was decided, in microseconds on the looks' own clock.
    pub at_us: i64,
    /// Why.
    pub reason: Reason,
    /// Where.
    pub place: Place,
}
