//! A person who walks. Pure.

#![expect(clippy::suboptimal_flops, reason = "plane geometry; a fused multiply is slow without its instruction")]

use super::picture::{Area, Colour, Picture};

/// A person in a picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Between the feet, in pixels.
    pub(crate) x: f32,
    /// The ground, in pixels from the top.
    pub(crate) ground: f32,
    /// From the ground to the crown of the head, in pixels.
    pub(crate) height: f32,
    /// In steps; two are one swing of both legs.
    pub(crate) stride: f32,
    /// 1 walks to the right, -1 to the left.
    pub(crate) facing: f32,
    pub(crate) clothes: Clothes,
}

/// What the person wears.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clothes {
    pub(crate) coat: Colour,
    pub(crate) trousers: Colour,
    pub(crate) shoes: Colour,
    pub(crate) skin: Colour,
    pub(crate) hair: Colour,
}

impl Figure {
    /// Half the width that the figure may take, in pixels.
    pub(crate) fn reach(height: f32) -> f32 {
        height * 0.32
    }

    pub(crate) fn draw(&self, picture: &mut Picture) {
        let Clothes { coat, trousers, shoes, skin, hair } = self.clothes;
        let phase = self.stride * std::f32::consts::PI;
        let (swing, bob) = (phase.sin(), (phase * 2.0).cos() * 0.008);
        let hip = (0.0, 0.48 + bob);
        let shoulder = (0.02, 0.80 + bob);
        self.shadow(picture);
        // The far side first; a leg that swings forward bends its knee.
        for (side, dim) in [(-1.0, 0.84), (1.0, 1.0)] {
            let swing = swing * side;
            let lift = (phase.cos() * side).max(0.0) * 0.05;
            let knee = (0.095 * swing + lift * 0.8, 0.265 + bob + lift * 0.3);
            let foot = (0.17 * swing - lift * 0.5, 0.03 + lift);
            let trousers = dimmed(trousers, dim);
            self.limb(picture, foot, (foot.0 + 0.058, foot.1 - 0.010), (0.026, 0.019), dimmed(shoes, dim));
            self.limb(picture, knee, (foot.0, foot.1 + 0.025), (0.046, 0.031), trousers);
            self.limb(picture, hip, knee, (0.062, 0.046), trousers);
            if side < 0.0 {
                self.arm(picture, shoulder, -swing, dimmed(coat, 0.78), dimmed(skin, 0.8));
            }
        }
        // Neck, head and hair before the coat, whose collar covers the neck.
        self.limb(picture, (0.02, 0.80 + bob), (0.028, 0.88 + bob), (0.030, 0.028), skin);
        self.limb(picture, (0.036, 0.915 + bob), (0.034, 0.940 + bob), (0.044, 0.053), skin);
        self.limb(picture, (0.078, 0.922 + bob), (0.084, 0.917 + bob), (0.010, 0.009), skin);
        self.limb(picture, (-0.004, 0.925 + bob), (0.0, 0.955 + bob), (0.030, 0.040), hair);
        self.limb(picture, (0.005, 0.965 + bob), (0.052, 0.976 + bob), (0.034, 0.022), hair);
        self.limb(picture, (0.0, 0.455 + bob), (0.0, 0.62 + bob), (0.066, 0.072), coat);
        self.limb(picture, (0.0, 0.60 + bob), (0.012, 0.765 + bob), (0.072, 0.082), coat);
        self.limb(picture, (0.012, 0.78 + bob), (0.020, 0.822 + bob), (0.074, 0.038), coat);
        self.arm(picture, shoulder, -swing, dimmed(coat, 1.14), skin);
    }

    fn arm(&self, picture: &mut Picture, shoulder: (f32, f32), swing: f32, coat: Colour, skin: Colour) {
        let elbow = (shoulder.0 + 0.075 * swing - 0.01, shoulder.1 - 0.17);
        let hand = (elbow.0 + 0.08 * swing + 0.045, elbow.1 - 0.13 + swing.abs() * 0.03);
        self.limb(picture, hand, (hand.0 + 0.01, hand.1 - 0.015), (0.021, 0.019), skin);
        self.limb(picture, (shoulder.0, shoulder.1 - 0.03), elbow, (0.042, 0.034), coat);
        self.limb(picture, elbow, hand, (0.034, 0.026), coat);
    }

    /// A thick line with round ends between two joints (in heights: forward, upward), with a soft edge of a pixel.
    fn limb(&self, picture: &mut Picture, from: (f32, f32), to: (f32, f32), radii: (f32, f32), colour: Colour) {
        let place =
            |joint: (f32, f32)| (self.x + joint.0 * self.height * self.facing, self.ground - joint.1 * self.height);
        let ((ax, ay), (bx, by)) = (place(from), place(to));
        let (begin, change) = (radii.0 * self.height, (radii.1 - radii.0) * self.height);
        let reach = begin.max(begin + change) + 1.0;
        let area = Area {
            left: ax.min(bx) - reach,
            top: ay.min(by) - reach,
            right: ax.max(bx) + reach,
            bottom: ay.max(by) + reach,
        };
        let (dx, dy) = (bx - ax, by - ay);
        let length = (dx * dx + dy * dy).max(1e-6);
        picture.paint(area, colour, |x, y| {
            let along = (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0);
            let (ex, ey) = (x - ax - along * dx, y - ay - along * dy);
            begin + change * along + 0.5 - (ex * ex + ey * ey).sqrt()
        });
    }

    fn shadow(&self, picture: &mut Picture) {
        let (rx, ry) = (self.height * 0.2, self.height * 0.035);
        let (x, y) = (self.x, self.ground);
        let area = Area { left: x - rx, top: y - ry, right: x + rx, bottom: y + ry };
        picture.paint(area, Colour { y: 40.0, u: 126.0, v: 128.0 }, |px, py| {
            let (ex, ey) = ((px - x) / rx, (py - y) / ry);
            (1.0 - ex * ex - ey * ey) * 0.45
        });
    }
}

fn dimmed(colour: Colour, part: f32) -> Colour {
    Colour { y: 16.0 + (colour.y - 16.0) * part, ..colour }
}
